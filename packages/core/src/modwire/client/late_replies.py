"""`LateReplies`: replies that may still come after their request has timed out.

`ClientProtocol` uses it so that a late reply is never taken for the answer to a later request: a
transaction id is not reused until its reply has come, and a unit gets no request until its reply
has come or the time for it is over.
"""

from __future__ import annotations

_MOST_TRANSACTIONS = 4096


class LateReplies:
    """Overdue replies: by transaction id if frames have one, otherwise by unit.

    The reply of a unit is expected for `window` seconds.
    """

    def __init__(self, window: float) -> None:
        self.transactions: dict[int, None] = {}
        self.units: dict[int, tuple[int, float]] = {}  # by unit: number of replies, end of window
        self._window = window

    def note_transaction(self, transaction: int) -> None:
        """Expect a late reply to `transaction`. At most 4096 are kept; the oldest is dropped."""
        if len(self.transactions) >= _MOST_TRANSACTIONS:
            del self.transactions[next(iter(self.transactions))]
        self.transactions[transaction] = None

    def note_unit(self, unit: int, replies: int, now: float) -> None:
        """Expect this number of late `replies` from `unit`, from `now` on."""
        self.units[unit] = (replies, now + self._window)

    def free_at(self, unit: int) -> float:
        """Time from which `unit` may get a request; -inf if no late reply is expected."""
        owed = self.units.get(unit)
        return owed[1] if owed else float("-inf")

    def came(self, unit: int, transaction: int) -> None:
        """Record a frame that answers no open request: most likely it is a late reply."""
        self.transactions.pop(transaction, None)
        owed = self.units.pop(unit, None)
        if owed and owed[0] > 1:
            self.units[unit] = (owed[0] - 1, owed[1])

    def reset(self, *, is_serial: bool) -> None:
        """Start on a reopened link; on a serial line, late replies may still come."""
        self.transactions.clear()
        if not is_serial:
            self.units.clear()
