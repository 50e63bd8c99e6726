"""A process of its own that writes into a journal. Arguments: the journal's path, its own name, what to do, how often.

It says "ready", waits for a line on stdin, then says one line of JSON for everything that it was told is durable.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

from latentspeed_cli.clock import SystemClock
from latentspeed_cli.core.drafts import Draft
from latentspeed_cli.core.in_flight_order import InFlightOrder
from latentspeed_cli.core.order_state import Facts
from latentspeed_cli.core.types import OrderType, TradeType
from latentspeed_cli.journal import Journal

SIGNER = "0xsigner"


def draft(client_order_id: str) -> Draft:
    order = InFlightOrder(
        client_order_id=client_order_id,
        venue_client_id=f"0x{client_order_id}",
        venue="hyperliquid",
        network="sandbox",
        account="0xaccount",
        trading_pair="BTC-USD",
        side=TradeType.BUY,
        order_type=OrderType.LIMIT,
        amount=Decimal(1),
        price=Decimal(95000),
        created_ts_ns=1,
        facts=Facts(),
    )
    return Draft(order=order, signer=SIGNER, submit_deadline_ns=2, build=lambda order: b"{}")


def say(**said: object) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def main(path: str, name: str, what: str, count: int) -> None:
    say(ready=True)
    sys.stdin.readline()
    with Journal.open(Path(path), network="sandbox", instance="", clock=SystemClock()) as journal:
        for number in range(count):
            if what == "reserve":
                say(nonce=journal.reserve_nonce(SIGNER))
                continue
            client_order_id = f"shared-{number}" if what == "shared" else f"{name}-{number}"
            (begun,) = journal.begin([draft(client_order_id)])
            say(id=client_order_id, fresh=begun.fresh, nonce=begun.order.nonce)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
