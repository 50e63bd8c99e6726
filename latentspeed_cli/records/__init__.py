"""What programs read: every JSON record this product prints, as a frozen Struct, and how it is made from a core value.

Every record carries `schema` and `schema_version`. Decimals are plain text, times are integers in Unix nanoseconds with
an ISO twin (`created_ts_ns`, `created_ts_iso`), what is missing is null, a list is never null. Within a schema version
fields are only added.
"""

from .base import Number, Record, Side, iso, number
from .connectors import ConnectorCheckList, ConnectorCheckRecord, ConnectorInfoRecord, ConnectorList, ConnectorRecord
from .decisions import DecisionList, DecisionRecord, decision_record
from .errors import ErrorBody, ErrorRecord, ResultList, error_record
from .journal import FactList, FactRecord, VerifiedRecord, fact_record
from .market import BboRecord, BookRecord, Level, TradeRecord, bbo_record, book_record, trade_record
from .orders import EvidenceRow, Fee, FillList, FillRecord, OrderList, OrderRecord, Outcome, fill_record, order_record
from .sandbox import DemoList, DemoRecord, DemoStep, SandboxAccount, SandboxRecord, SandboxVenue
from .schemas import SCHEMAS, json_schema
from .status import StatusRecord
from .streams import ControlRecord, control_record

__all__ = [
    "SCHEMAS",
    "BboRecord",
    "BookRecord",
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
    "Level",
    "Number",
    "OrderList",
    "OrderRecord",
    "Outcome",
    "Record",
    "ResultList",
    "SandboxAccount",
    "SandboxRecord",
    "SandboxVenue",
    "Side",
    "StatusRecord",
    "TradeRecord",
    "VerifiedRecord",
    "bbo_record",
    "book_record",
    "control_record",
    "decision_record",
    "error_record",
    "fact_record",
    "fill_record",
    "iso",
    "json_schema",
    "number",
    "order_record",
    "trade_record",
]
