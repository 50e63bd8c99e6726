"""Every record by the name in its `schema` field, and its JSON Schema."""

from __future__ import annotations

from typing import Any

import msgspec

from .account import (
    BalanceList,
    BalanceRecord,
    FundingPaymentList,
    FundingPaymentRecord,
    LeverageRecord,
    LiquidationRecord,
    PositionList,
    PositionRecord,
    TransferRecord,
)
from .base import Record
from .connectors import ConnectorCheckList, ConnectorCheckRecord, ConnectorInfoRecord, ConnectorList, ConnectorRecord
from .decisions import DecisionList, DecisionRecord
from .errors import ErrorRecord, NoteRecord, ResultList
from .health import FindingList, FindingRecord
from .journal import FactList, FactRecord, VerifiedRecord
from .market import BboList, BboRecord, BookList, BookRecord, TradeList, TradeRecord
from .orders import FillList, FillRecord, OrderList, OrderRecord
from .plots import PlotRecord
from .reference import (
    CandleList,
    CandleRecord,
    FundingRateList,
    FundingRateRecord,
    MarketList,
    MarketRecord,
    TickerRecord,
)
from .sandbox import DemoList, DemoRecord, SandboxRecord
from .status import StatusRecord
from .streams import ControlRecord

SCHEMAS: dict[str, type[Record]] = {
    "order": OrderRecord,
    "orders": OrderList,
    "fill": FillRecord,
    "fills": FillList,
    "market": MarketRecord,
    "markets": MarketList,
    "book": BookRecord,
    "books": BookList,
    "bbo": BboRecord,
    "bbos": BboList,
    "trade": TradeRecord,
    "trades": TradeList,
    "candle": CandleRecord,
    "candles": CandleList,
    "ticker": TickerRecord,
    "funding-rate": FundingRateRecord,
    "funding-rates": FundingRateList,
    "funding-payment": FundingPaymentRecord,
    "funding-payments": FundingPaymentList,
    "position": PositionRecord,
    "positions": PositionList,
    "balance": BalanceRecord,
    "balances": BalanceList,
    "leverage": LeverageRecord,
    "liquidation": LiquidationRecord,
    "transfer": TransferRecord,
    "control": ControlRecord,
    "status": StatusRecord,
    "plot": PlotRecord,
    "finding": FindingRecord,
    "findings": FindingList,
    "decision": DecisionRecord,
    "decisions": DecisionList,
    "fact": FactRecord,
    "facts": FactList,
    "verified": VerifiedRecord,
    "connector": ConnectorRecord,
    "connectors": ConnectorList,
    "connector-info": ConnectorInfoRecord,
    "connector-check": ConnectorCheckRecord,
    "connector-checks": ConnectorCheckList,
    "results": ResultList,
    "sandbox": SandboxRecord,
    "error": ErrorRecord,
    "note": NoteRecord,
    "demo": DemoRecord,
    "demos": DemoList,
}


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of the records called `name`. Raises KeyError.

    Every field is always written, so every field is required.
    """
    schema = msgspec.json.schema(SCHEMAS[name])
    for definition in schema.get("$defs", {}).values():
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
    return schema
