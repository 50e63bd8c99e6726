"""What programs read: every JSON record this product prints, as a frozen Struct, and how it is made from a core value.

Every record carries `schema` and `schema_version`. Decimals are plain text, times are integers in Unix nanoseconds with
an ISO twin (`created_ts_ns`, `created_ts_iso`), what is missing is null, a list is never null. Within a schema version
fields are only added.
"""

from .account import (
    BalanceList,
    BalanceRecord,
    FundingPaymentList,
    FundingPaymentRecord,
    LeverageRecord,
    LiquidationRecord,
    PositionList,
    PositionRecord,
    balance_record,
    funding_payment_record,
    liquidation_record,
    position_record,
)
from .base import Number, Record, Side, iso, number
from .connectors import ConnectorCheckList, ConnectorCheckRecord, ConnectorInfoRecord, ConnectorList, ConnectorRecord
from .decisions import DecisionList, DecisionRecord, decision_record
from .errors import ErrorBody, ErrorRecord, ResultList, error_record
from .health import FindingList, FindingRecord, Verdict
from .journal import FactList, FactRecord, VerifiedRecord, fact_record
from .market import (
    BboList,
    BboRecord,
    BookList,
    BookRecord,
    Level,
    TradeList,
    TradeRecord,
    bbo_record,
    book_record,
    trade_record,
)
from .orders import EvidenceRow, Fee, FillList, FillRecord, OrderList, OrderRecord, Outcome, fill_record, order_record
from .reference import (
    CandleList,
    CandleRecord,
    FundingRateList,
    FundingRateRecord,
    MarketList,
    MarketRecord,
    TickerRecord,
    candle_record,
    funding_rate_record,
    market_record,
    ticker_record,
)
from .sandbox import DemoList, DemoRecord, DemoStep, SandboxAccount, SandboxRecord, SandboxVenue
from .schemas import SCHEMAS, json_schema
from .status import StatusRecord
from .streams import ControlRecord, control_record

__all__ = [
    "SCHEMAS",
    "BalanceList",
    "BalanceRecord",
    "BboList",
    "BboRecord",
    "BookList",
    "BookRecord",
    "CandleList",
    "CandleRecord",
    "ConnectorCheckList",
    "ConnectorCheckRecord",
    "ConnectorInfoRecord",
    "ConnectorList",
    "ConnectorRecord",
    "ControlRecord",
    "DecisionList",
    "DecisionRecord",
    "DemoList",
    "DemoRecord",
    "DemoStep",
    "ErrorBody",
    "ErrorRecord",
    "EvidenceRow",
    "FactList",
    "FactRecord",
    "Fee",
    "FillList",
    "FillRecord",
    "FindingList",
    "FindingRecord",
    "FundingPaymentList",
    "FundingPaymentRecord",
    "FundingRateList",
    "FundingRateRecord",
    "Level",
    "LeverageRecord",
    "LiquidationRecord",
    "MarketList",
    "MarketRecord",
    "Number",
    "OrderList",
    "OrderRecord",
    "Outcome",
    "PositionList",
    "PositionRecord",
    "Record",
    "ResultList",
    "SandboxAccount",
    "SandboxRecord",
    "SandboxVenue",
    "Side",
    "StatusRecord",
    "TickerRecord",
    "TradeList",
    "TradeRecord",
    "Verdict",
    "VerifiedRecord",
    "balance_record",
    "bbo_record",
    "book_record",
    "candle_record",
    "control_record",
    "decision_record",
    "error_record",
    "fact_record",
    "fill_record",
    "funding_payment_record",
    "funding_rate_record",
    "iso",
    "json_schema",
    "liquidation_record",
    "market_record",
    "number",
    "order_record",
    "position_record",
    "ticker_record",
    "trade_record",
]
