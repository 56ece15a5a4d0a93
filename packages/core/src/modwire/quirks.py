"""`Quirks`: faults of devices that a client can tolerate, and what it does about them."""

from __future__ import annotations

from enum import Flag, auto
from typing import TYPE_CHECKING, TypeVar

from .errors import InvalidResponseError
from .messages.base import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .framing.base import Framing
    from .messages.base import Request
    from .messages.decoder import Decoder

ResponseT = TypeVar("ResponseT", bound=Response)


class Quirks(Flag):
    """Faults of devices that a client can tolerate, none by default; combine them with `|`."""

    none = 0
    zero_transaction_id = auto()
    """The device answers every request with transaction id 0. One request is open at a time."""
    any_transaction_id = auto()
    """The device answers with a transaction id other than that of the request, such as a fixed
    one, or one that is off by one. One request is open at a time."""
    short_transaction_id = auto()
    """The device answers with the low byte of the transaction id; ids 1..255 are sent."""
    wrong_length = auto()
    """The length in the MBAP header of answers is wrong, or bytes follow that it does not count.
    The end of an answer is found by its function code. One request is open at a time."""
    any_unit = auto()
    """The device answers with a unit id other than that of the request."""
    answers_unit_zero = auto()
    """On a serial line, a device answers requests to unit 0, with any unit id: with one device on
    the line, this asks for its unit id. Unit 0 is no broadcast then (Serial Line, 2.1)."""
    trailing_bytes = auto()
    """The device sends bytes after the PDU; they are discarded."""
    odd_confirmation = auto()
    """The device confirms a write with another address, value or count than that of the request,
    or with too few or too many bytes."""


_OF_MBAP = (
    Quirks.zero_transaction_id
    | Quirks.any_transaction_id
    | Quirks.short_transaction_id
    | Quirks.wrong_length
)


def check_quirks(quirks: Quirks) -> Quirks:
    """Return `quirks` if they are members of `Quirks`; raise ValueError otherwise."""
    if isinstance(quirks, Quirks):
        return quirks
    raise ValueError(
        "quirks must be a member of Quirks, or several joined by |, such as "
        f"Quirks.any_unit | Quirks.trailing_bytes, got {quirks!r}"
    )


def check_quirks_effect(quirks: Quirks, framing: type[Framing], owner: str) -> None:
    """Raise ValueError for quirks that frames of `framing` cannot have; `owner` has them."""
    useless = check_quirks(quirks) & (_OF_MBAP if framing.is_serial else Quirks.answers_unit_zero)
    if useless:
        names = ", ".join(name for name, each in Quirks.__members__.items() if each & useless)
        use = "MBAP frames" if framing.is_serial else "serial frames: RTU, ASCII and Binary"
        raise ValueError(f"{owner} has no quirks {names}, which are for {use}")


def least_unit(options: Mapping[str, object]) -> int:
    """Return the least default unit on a serial line: 0 if the device answers it, otherwise 1."""
    quirks = options.get("quirks")
    return 0 if isinstance(quirks, Quirks) and Quirks.answers_unit_zero in quirks else 1


class Tolerance:
    """Decisions about answers that do not quite fit their request, as `quirks` allow.

    - `mistakes_ids`: True if the transaction id of an answer does not tell its request.
    - `decodes`: True if answers are to be decoded by `decode`.
    """

    __slots__ = ("_any_unit", "_decoder", "_quirks", "_unit_zero", "decodes", "mistakes_ids")

    def __init__(self, quirks: Quirks, decoder: Decoder) -> None:
        self.mistakes_ids = bool(quirks & (Quirks.any_transaction_id | Quirks.zero_transaction_id))
        self.decodes = bool(quirks & (Quirks.trailing_bytes | Quirks.odd_confirmation))
        self._any_unit = Quirks.any_unit in quirks
        self._unit_zero = Quirks.answers_unit_zero in quirks
        self._quirks = quirks
        self._decoder = decoder

    def key(self, transaction: int, last_id: int) -> int:
        """Return 0 if an answer with this id may be that to the request with `last_id`."""
        if Quirks.any_transaction_id in self._quirks or transaction == last_id:
            return 0
        return transaction

    def takes_unit(self, unit: int) -> bool:
        """True if an answer to a request to `unit` may have another unit id."""
        return self._any_unit or (self._unit_zero and not unit)

    def decode(self, request: Request[ResponseT], pdu: bytes) -> ResponseT:
        """Return the answer to `request` in `pdu`, as `decode_response` does."""
        if Quirks.trailing_bytes in self._quirks:
            length = self._decoder.response_length(pdu, 0)
            if length > 0:
                pdu = pdu[:length]
        try:
            return request.decode_response(pdu)
        except InvalidResponseError:
            if Quirks.odd_confirmation in self._quirks and request.may_be_broadcast:
                response = _confirmation(request, pdu)
                if response is not None:
                    return response
            raise


def _confirmation(request: Request[ResponseT], pdu: bytes) -> ResponseT | None:
    """Return the confirmation that the request asked for, for which the device has sent `pdu`."""
    if pdu[0] != request.function_code:
        return None
    asked = request.encode()
    for each in (asked, asked[:5]):
        try:
            return request.response_type.decode(each)
        except InvalidResponseError:
            continue
    return None
