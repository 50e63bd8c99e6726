"""Every record by the name in its `schema` field, and its JSON Schema."""

from __future__ import annotations

from typing import Any

import msgspec

from .base import Record
from .connectors import ConnectorCheckList, ConnectorCheckRecord, ConnectorInfoRecord, ConnectorList, ConnectorRecord
from .decisions import DecisionList, DecisionRecord
from .errors import ErrorRecord, ResultList
from .journal import FactList, FactRecord, VerifiedRecord
from .market import BboRecord, BookRecord, TradeRecord
from .orders import FillList, FillRecord, OrderList, OrderRecord
from .sandbox import DemoList, DemoRecord, SandboxRecord
from .status import StatusRecord
from .streams import ControlRecord

SCHEMAS: dict[str, type[Record]] = {
    "order": OrderRecord,
    "orders": OrderList,
    "fill": FillRecord,
    "fills": FillList,
    "book": BookRecord,
    "bbo": BboRecord,
    "trade": TradeRecord,
    "control": ControlRecord,
    "status": StatusRecord,
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
