"""Money that moved: transfers, and what positions paid or got as funding."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import rows
from .market import event_id
from .rows import PaymentRow, TransferRow
from .state import Block, Moved, Paid

if TYPE_CHECKING:
    from .world import World

KEPT = 20_000


class Movements:
    """The indexer's rows of both, oldest first."""

    def __init__(self, world: World) -> None:
        self.transfers: deque[TransferRow] = deque()
        self.payments: deque[PaymentRow] = deque()
        self._world = world

    def load(self, transfers: Iterable[TransferRow], payments: Iterable[PaymentRow]) -> None:
        self.transfers = deque(sorted(transfers, key=lambda row: row.serial))
        self.payments = deque(sorted(payments, key=lambda row: row.serial))

    def moved(self, moved: Moved, block: Block) -> TransferRow:
        """A transfer in a block; its row."""
        row = TransferRow(
            id=rows.named(f"{event_id(block.height, moved.event)}-{moved.sender}-{moved.recipient}"),
            sender=moved.sender,
            sender_number=moved.sender_number,
            recipient=moved.recipient,
            recipient_number=moved.recipient_number,
            size=moved.amount,
            height=block.height,
            time_ns=block.time_ns,
            tx_hash=moved.tx_hash,
            serial=self._world.next_row(),
        )
        self.transfers.append(row)
        self._world.touch("i_transfer", row.id, row)
        if len(self.transfers) > KEPT:
            self._world.touch("i_transfer", self.transfers.popleft().id, None)
        return row

    def paid(self, paid: Paid, block: Block) -> None:
        """Funding in a block."""
        row = PaymentRow(
            paid.owner,
            paid.number,
            paid.pair,
            paid.size,
            paid.rate,
            paid.price,
            paid.amount,
            block.height,
            block.time_ns,
            self._world.next_row(),
        )
        self.payments.append(row)
        self._world.touch("i_payment", str(row.serial), row)
        if len(self.payments) > KEPT:
            self._world.touch("i_payment", str(self.payments.popleft().serial), None)
