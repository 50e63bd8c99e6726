"""The state x report table and its diagram, generated from core/order_state.py for the docs and the tests.

`make docs` writes the page anew.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from decimal import Decimal
from itertools import combinations
from typing import TypeAlias

from .order_state import PRECEDENCE, Facts, News, learn, state_of
from .reports import OrderUpdate, Report, TradeUpdate
from .types import OrderState, TradeType

Table: TypeAlias = Mapping[OrderState, Mapping[str, frozenset[OrderState]]]

AMOUNT = Decimal(2)
_PAIR = "BTC-USD"


def _report(report: Report, venue_filled: int | None = None) -> OrderUpdate:
    filled = None if venue_filled is None else Decimal(venue_filled)
    return OrderUpdate(report=report, trading_pair=_PAIR, ts_ns=0, attempt=1, venue_filled_amount=filled)


def _fill(number: int) -> TradeUpdate:
    return TradeUpdate(
        fill_id=str(number),
        exchange_order_id="",
        trading_pair=_PAIR,
        side=TradeType.BUY,
        price=Decimal(100),
        amount=Decimal(1),
        fee=Decimal(0),
        fee_currency="USDC",
        ts_ns=0,
    )


# The columns of the table: every report, about the first attempt, and fills. The order is for two units; each fill is
# one of them, and "filled" comes without an amount, with all of it, or with a part of it.
NEWS: dict[str, News] = {
    **{report.value: _report(report) for report in Report},
    "attempted again": OrderUpdate(report=Report.ATTEMPTED, trading_pair=_PAIR, ts_ns=0, attempt=2),
    "filled, all of it": _report(Report.FILLED, 2),
    "filled, a part": _report(Report.FILLED, 1),
    "first fill": _fill(1),
    "last fill": _fill(2),
}
# These say something about an order, and nothing that could set its state apart from another.
ANNOTATIONS = frozenset({Report.UNKNOWN.value, Report.CANCEL_UNKNOWN.value, Report.NOTE.value})


@functools.cache
def histories() -> tuple[tuple[frozenset[str], Facts], ...]:
    """Every set of news (by name, without annotations) and what it teaches; smaller sets first."""
    names = [name for name in NEWS if name not in ANNOTATIONS]
    known: dict[tuple[str, ...], Facts] = {(): Facts()}
    for size in range(1, len(names) + 1):
        for chosen in combinations(names, size):
            known[chosen] = learn(known[chosen[:-1]], NEWS[chosen[-1]])
    return tuple((frozenset(chosen), facts) for chosen, facts in known.items())


@functools.cache
def transition_table(*, is_ioc: bool) -> Table:
    """{state: {news: the states it may lead to}}, over every history that ends in the state.

    Where a cell holds several states, the history decides: a refused cancel, for one, gives back the state from before.
    """
    table: dict[OrderState, dict[str, set[OrderState]]] = {
        state: {name: set() for name in NEWS} for state in OrderState
    }
    for _, facts in histories():
        row = table[state_of(facts, AMOUNT, is_ioc=is_ioc)]
        for name, news in NEWS.items():
            row[name].add(state_of(learn(facts, news), AMOUNT, is_ioc=is_ioc))
    return {state: {name: frozenset(cell) for name, cell in row.items()} for state, row in table.items()}


def shortest_history(state: OrderState) -> Facts:
    """The smallest usual history, of an order that may rest, that ends in `state`."""
    begins = _BEGINS.get(state, frozenset({Report.ATTEMPTED.value}))
    for names, facts in histories():
        if names >= begins and state_of(facts, AMOUNT, is_ioc=False) is state:
            return facts
    raise LookupError(f"no history ends in {state.value}")


_BEGINS = {
    OrderState.PENDING_CREATE: frozenset[str](),
    OrderState.PENDING_CANCEL: frozenset({Report.ATTEMPTED.value, Report.ACCEPTED.value}),
}
# One name for each kind of move, so that the picture stays readable; before its first attempt there is no news of it.
_DRAWN_FIRST = (Report.ATTEMPTED.value, Report.FAILED.value)
_DRAWN = tuple(
    name for name in NEWS if name not in ANNOTATIONS | {Report.ATTEMPTED.value, "filled, all of it", "filled, a part"}
)


def diagram() -> str:
    """A mermaid state diagram of an order that may rest: what each piece of news does to the usual histories."""
    lines = ["stateDiagram-v2", f"    [*] --> {OrderState.PENDING_CREATE.value}"]
    for state in OrderState:
        facts = shortest_history(state)
        moves: dict[OrderState, list[str]] = {}
        for name in _DRAWN_FIRST if state is OrderState.PENDING_CREATE else _DRAWN:
            after = state_of(learn(facts, NEWS[name]), AMOUNT, is_ioc=False)
            either_fill = name == "last fill" and "first fill" in moves.get(after, ())
            if after is not state and not either_fill:
                moves.setdefault(after, []).append(name.replace("_", " "))
        lines += [f"    {state.value} --> {after.value}: {', '.join(names)}" for after, names in moves.items()]
    return "\n".join(lines)


def _table_text(table: Table) -> str:
    """Rows are news, columns the state before, cells the state after; a dot means that nothing moves."""
    lines = ["| news | " + " | ".join(state.value for state in OrderState) + " |"]
    lines.append("|---" * (len(OrderState) + 1) + "|")
    for name in NEWS:
        cells = (_cell_text(state, table[state][name]) for state in OrderState)
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell_text(before: OrderState, after: frozenset[OrderState]) -> str:
    names = ["·"] if before in after else []
    return " or ".join(names + [state.value for state in OrderState if state in after and state is not before])


def document() -> str:
    """docs/order-states.md, whole."""
    return f"""# Order states

Generated by `python -m latentspeed_cli.core.state_table` from `latentspeed_cli/core/order_state.py`; a test compares
the two. Do not edit it by hand.

An order's state is a function of the set of facts known about it. Facts only accumulate, so news may come in any order
and any number of times. One precedence decides, highest first:

{" > ".join(f"`{state.value}`" for state in PRECEDENCE)}

- A final state only moves up this order. `FAILED` is left in two ways: an accept or a fill outranks it and is
  recorded as a contradiction, and a new attempt after a proof that the old one never landed opens the order again.
- A reply that is missing is an annotation, `outcome_unknown`, on `PENDING_SUBMIT` or `PENDING_CANCEL`: never a state,
  and never a failure.
- What an IOC leaves over is `EXPIRED`: `ioc_unmatched` with nothing executed, `ioc_remainder` with something.
- News that does not number its attempt speaks of the first one.

```mermaid
{diagram()}
```

## Orders that may rest

A dot means that the state stays. Several states in a cell: what was known before decides.

{_table_text(transition_table(is_ioc=False))}

## Orders of which nothing rests (IOC, market)

{_table_text(transition_table(is_ioc=True))}
"""
