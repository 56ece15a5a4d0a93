"""`LateReplies`: replies that may still come although nobody waits for them any more.

`ClientProtocol` asks it so that a late reply never passes for the answer to a later request: a
transaction id is not used again, and a unit is not asked again, until the reply came or its time
is over.
"""

from __future__ import annotations

_MOST_TRANSACTIONS = 4096


class LateReplies:
    """Replies that are still owed: by transaction id where frames have them, elsewhere by unit.

    A unit is waited for `window` seconds.
    """

    def __init__(self, window: float) -> None:
        self.transactions: dict[int, None] = {}
        self.units: dict[int, tuple[int, float]] = {}  # unit: replies it owes, and until when
        self._window = window

    def note_transaction(self, transaction: int) -> None:
        """The reply to `transaction` may still come; the oldest of 4096 is forgotten."""
        if len(self.transactions) >= _MOST_TRANSACTIONS:
            del self.transactions[next(iter(self.transactions))]
        self.transactions[transaction] = None

    def note_unit(self, unit: int, replies: int, now: float) -> None:
        """`unit` owes `replies` replies from `now` on."""
        self.units[unit] = (replies, now + self._window)

    def free_at(self, unit: int) -> float:
        """Time from which `unit` may be asked."""
        owed = self.units.get(unit)
        return owed[1] if owed else float("-inf")

    def came(self, unit: int, transaction: int) -> None:
        """A frame came that answers no open request: most likely a late reply."""
        self.transactions.pop(transaction, None)
        owed = self.units.pop(unit, None)
        if owed and owed[0] > 1:
            self.units[unit] = (owed[0] - 1, owed[1])

    def reset(self, *, is_serial: bool) -> None:
        """The link was opened anew; on a serial line, late replies may still come."""
        self.transactions.clear()
        if not is_serial:
            self.units.clear()
