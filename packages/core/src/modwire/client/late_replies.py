"""`LateReplies`: the replies that nobody waits for any more, which `ClientProtocol` still expects.

A reply that comes after its request timed out or was cancelled must not pass for the answer to a
later one: a transaction id is not used again, and a unit is not asked again, until it came or its
time is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..framing import Frame

_MOST_TRANSACTIONS = 4096


class LateReplies:
    """What is still owed: by transaction id where frames have them, elsewhere by unit.

    `window` is how many seconds a unit is waited for.
    """

    def __init__(self, window: float) -> None:
        self.transactions: dict[int, None] = {}
        self._window = window
        # unit -> (replies it owes, when they are no longer waited for)
        self._units: dict[int, tuple[int, float]] = {}

    def note_transaction(self, transaction: int) -> None:
        """Its reply may still come; of very many the oldest one is forgotten."""
        if len(self.transactions) >= _MOST_TRANSACTIONS:
            del self.transactions[next(iter(self.transactions))]
        self.transactions[transaction] = None

    def note_unit(self, unit: int, replies: int, now: float) -> None:
        """`unit` owes so many replies from `now` on."""
        self._units[unit] = (replies, now + self._window)

    def free_at(self, unit: int) -> float:
        """When `unit` may be asked."""
        owed = self._units.get(unit)
        return owed[1] if owed else float("-inf")

    def came(self, frame: Frame) -> None:
        """A frame came that answers nothing: most likely what was owed."""
        self.transactions.pop(frame.transaction, None)
        owed = self._units.pop(frame.unit, None)
        if owed and owed[0] > 1:
            self._units[frame.unit] = (owed[0] - 1, owed[1])

    def reset(self, *, is_serial: bool) -> None:
        """The link was opened anew; on a serial line, late replies may still come."""
        self.transactions.clear()
        if not is_serial:
            self._units.clear()
