"""`LateReplies`: replies that may still come after their request has timed out.

`ClientProtocol` uses it so that a late reply is never taken for the answer to a later request: a
transaction id is not reused until its reply has come, and a unit gets no request until its reply
has come or the time for it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ExceptionCode, ExceptionResponseError
from ..quirks import Quirks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..framing.base import Framing
    from .exchange import Exchange
    from .options import ClientOptions

_MOST_TRANSACTIONS = 4096
_MOST_SHORT_TRANSACTIONS = 128  # of 255
# Not the last answer: a gateway has given up on a device, or a device needs more time.
_ANSWERED_AGAIN = (ExceptionCode.GATEWAY_TARGET_FAILED, ExceptionCode.ACKNOWLEDGE)
_NEVER = float("inf")
_NOTHING = (False, float("-inf"))
_ANY_UNIT = -1  # the key of all units if a reply may come from another unit than was asked


class LateReplies:
    """Overdue replies: by transaction id if frames have one, otherwise by unit.

    The reply of a unit is expected for the `late_reply_window` of the options. If the unit id in a
    reply says nothing, an overdue reply keeps the whole link from being used.

    - `last_id`: the last transaction id that was given out.
    - `rest_due`: time until which the rest of a reply must come that was begun, and that no call
      waits for any more; inf if there is none. Behind it the next replies could not be found.
    """

    def __init__(self, options: ClientOptions, *, has_transactions: bool) -> None:
        self.transactions: dict[int, int] = {}  # the unit of each
        self.units: dict[int, tuple[bool, float]] = {}  # by unit: the next reply ends it; its end
        self.last_id = 0
        self.rest_due = _NEVER
        self._has_transactions = has_transactions
        window = options.late_reply_window
        self._window = options.response_timeout if window is None else window
        has_short_ids = Quirks.short_transaction_id in options.quirks
        self._most_transactions = _MOST_SHORT_TRANSACTIONS if has_short_ids else _MOST_TRANSACTIONS
        self._most_ids = 0xFF if has_short_ids else 0xFFFF
        self._knows_units = Quirks.any_unit not in options.quirks
        self._knows_zero = Quirks.answers_unit_zero not in options.quirks

    def next_id(self, opened: Mapping[int, object]) -> int:
        """Return the next transaction id that is not `opened`, and whose reply is not overdue."""
        transaction = self.last_id + 1 & self._most_ids
        while transaction in opened or transaction in self.transactions:
            transaction = transaction + 1 & self._most_ids
        self.last_id = transaction
        return transaction

    def expect(self, exchange: Exchange[Any], now: float) -> None:
        """Expect the replies to all attempts: none may reach another request, or a repetition."""
        if not exchange.sent or not exchange.is_answered:
            return
        if self._has_transactions:
            self.note_transaction(exchange.transaction, exchange.unit)
        else:
            self.note_unit(exchange.unit, exchange.sent, now)

    def note_part(self, framing: Framing, opened: Iterable[int], until: float) -> None:
        """Expect the rest of a reply by `until`, if one was begun to a request not `opened`."""
        if framing.is_torn(opened):
            self.rest_due = min(self.rest_due, until)

    def lacks_rest(self, framing: Framing, opened: Iterable[int]) -> bool:
        """True if the rest of a reply has not come; otherwise none is expected any more."""
        if framing.is_torn(opened):
            return True
        self.rest_due = _NEVER
        return False

    def note_transaction(self, transaction: int, unit: int) -> None:
        """Expect a late reply of `unit` to `transaction`.

        At most 4096 are kept, with short ids 128; the oldest is dropped.
        """
        if len(self.transactions) >= self._most_transactions:
            del self.transactions[next(iter(self.transactions))]
        self.transactions[transaction] = unit

    def note_unit(self, unit: int, replies: int, now: float) -> None:
        """Expect this number of late `replies` from `unit`, from `now` on.

        The one reply that is expected ends the waiting. Of several, one may come twice and another
        never, so only the end of the window ends it.
        """
        key = self._key(unit)
        owed = self.units.get(key)
        is_only = replies == 1 and (owed is None or owed[1] <= now)
        until = now + self._window
        self.units[key] = (is_only, until if owed is None else max(until, owed[1]))

    def rest(self, now: float) -> None:
        """Expect late replies of any unit, from `now` on."""
        self.units[_ANY_UNIT] = (False, now + self._window)

    def note_answered(self, exchange: Exchange[Any]) -> None:
        """Expect the replies to earlier attempts of an exchange that was answered."""
        if exchange.sent > 1:
            self.note_unit(exchange.unit, exchange.sent, exchange.deadline)

    def note_refused(self, exchange: Exchange[Any], error: Exception) -> None:
        """Expect the real answer after an exception that is often followed by one."""
        if isinstance(error, ExceptionResponseError) and error.code in _ANSWERED_AGAIN:
            self.note_unit(exchange.unit, exchange.sent, exchange.deadline)

    def free_at(self, unit: int) -> float:
        """Time from which `unit` may get a request; -inf if no late reply is expected."""
        units = self.units
        if self._key(unit) == _ANY_UNIT:  # any late reply could be taken for the answer
            return max([until for _, until in units.values()], default=_NOTHING[1])
        return max(units.get(unit, _NOTHING)[1], units.get(_ANY_UNIT, _NOTHING)[1])

    def came(self, unit: int, transaction: int, pdu: bytes) -> bool:
        """Record a reply that answers no open request; True if its transaction id says it is late.

        An exception response may be followed by the real answer, so it ends no waiting.
        """
        is_late = self.transactions.pop(transaction, None) == unit
        key = self._key(unit)
        owed = self.units.get(key)
        if owed is not None and owed[0] and pdu[0] < 0x80:
            del self.units[key]
        return is_late

    def _key(self, unit: int) -> int:
        return unit if self._knows_units and (unit or self._knows_zero) else _ANY_UNIT

    def reset(self, *, is_serial: bool) -> None:
        """Start on a reopened link; on a serial line, late replies may still come."""
        self.transactions.clear()
        self.rest_due = _NEVER
        if not is_serial:
            self.units.clear()
