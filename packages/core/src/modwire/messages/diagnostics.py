"""Function 8: tests and counters of a serial line (section 6.8).

The unit keeps the counters, the event log and the listen-only mode. Functions 7, 11, 12 and 17,
which read some of them too, are in `device_status`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING

from ..errors import ExceptionCode, InvalidRequestError, InvalidResponseError
from .base import ENDS_BY_SILENCE, MAX_PDU, LengthRule, Message, Request, Response, set_field
from .checks import check_echo, check_number, wrong_length
from .modbus_plus import STATISTICS_WORDS, ModbusPlusOperation, ModbusPlusStatistics
from .packing import PACK_REGISTERS, unpack_registers

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

__all__ = [
    "DiagnosticsRequest",
    "DiagnosticsResponse",
    "DiagnosticsSubFunction",
]

MAX_DIAGNOSTIC_WORDS = 125

_HEADER = Struct(">BH")


class DiagnosticsSubFunction(IntEnum):
    """The sub-functions of function 8 (section 6.8.1).

    19 and 21 are from the Modicon documents; the specification reserves them, and all others.
    """

    RETURN_QUERY_DATA = 0
    RESTART_COMMUNICATIONS_OPTION = 1
    RETURN_DIAGNOSTIC_REGISTER = 2
    CHANGE_ASCII_INPUT_DELIMITER = 3
    FORCE_LISTEN_ONLY_MODE = 4
    CLEAR_COUNTERS_AND_DIAGNOSTIC_REGISTER = 10
    RETURN_BUS_MESSAGE_COUNT = 11
    RETURN_BUS_COMMUNICATION_ERROR_COUNT = 12
    RETURN_BUS_EXCEPTION_ERROR_COUNT = 13
    RETURN_SERVER_MESSAGE_COUNT = 14
    RETURN_SERVER_NO_RESPONSE_COUNT = 15
    RETURN_SERVER_NAK_COUNT = 16
    RETURN_SERVER_BUSY_COUNT = 17
    RETURN_BUS_CHARACTER_OVERRUN_COUNT = 18
    RETURN_IOP_OVERRUN_COUNT = 19
    CLEAR_OVERRUN_COUNTER_AND_FLAG = 20
    GET_CLEAR_MODBUS_PLUS = 21


_SUB_FUNCTIONS = {sub.value: sub for sub in DiagnosticsSubFunction}
_WRITES = frozenset(
    (
        DiagnosticsSubFunction.RESTART_COMMUNICATIONS_OPTION,
        DiagnosticsSubFunction.CHANGE_ASCII_INPUT_DELIMITER,
        DiagnosticsSubFunction.FORCE_LISTEN_ONLY_MODE,
        DiagnosticsSubFunction.CLEAR_COUNTERS_AND_DIAGNOSTIC_REGISTER,
        DiagnosticsSubFunction.CLEAR_OVERRUN_COUNTER_AND_FLAG,
    )
)
_ONE_WORD = _SUB_FUNCTIONS.keys() - {
    DiagnosticsSubFunction.RETURN_QUERY_DATA.value,
    DiagnosticsSubFunction.GET_CLEAR_MODBUS_PLUS.value,
}
_ECHOED = _WRITES | {DiagnosticsSubFunction.RETURN_QUERY_DATA}
# The data words of sub-functions 1 and 21, and their meaning.
RESTART_WORDS = {0x0000: "the event log stays", 0xFF00: "the event log is cleared too"}
PLUS_WORDS = {
    ModbusPlusOperation.GET_STATISTICS.value: "get statistics",
    ModbusPlusOperation.CLEAR_STATISTICS.value: "clear statistics",
}
_ALLOWED_WORDS: dict[int, tuple[Collection[int], str]] = {
    DiagnosticsSubFunction.RESTART_COMMUNICATIONS_OPTION: (RESTART_WORDS, "0000 or FF00"),
    DiagnosticsSubFunction.CHANGE_ASCII_INPUT_DELIMITER: (
        range(0, 0x10000, 0x100),
        "a character in the high byte and 00 in the low byte",
    ),
    DiagnosticsSubFunction.GET_CLEAR_MODBUS_PLUS: (
        PLUS_WORDS,
        "0003 (get statistics) or 0004 (clear statistics)",
    ),
}
_ZERO = ((0x0000,), "0000")


def _one_word_length(*unbounded: int) -> LengthRule:
    """Return the rule of function 8: one data word, or any number for sub-functions `unbounded`.

    The PDU does not contain their number, nor that of a sub-function that is not known here.
    """
    one_word = _SUB_FUNCTIONS.keys() - set(unbounded)

    def rule(buffer: bytes, at: int) -> int:
        if len(buffer) < at + 3:
            return 0
        return 5 if buffer[at + 1] << 8 | buffer[at + 2] in one_word else ENDS_BY_SILENCE

    return rule


class SubFunction(Message):
    """The form of function 8: a sub-function, and data words, 0..65535 each.

    There are 1 to 125 words; a sub-function that is not in the list may also have none.
    """

    __slots__ = ("data", "sub_function")
    __match_args__ = ("sub_function", "data")
    function_code = 8
    sub_function: int
    data: tuple[int, ...]

    def __init__(self, sub_function: int, data: int | Sequence[int] = 0) -> None:
        code = self.function_code
        check_number(code, "sub-function", sub_function)
        known = _SUB_FUNCTIONS.get(sub_function)
        words = tuple(data) if isinstance(data, Sequence) else (data,)
        least = 0 if known is None else 1
        if not least <= len(words) <= MAX_DIAGNOSTIC_WORDS:
            raise InvalidRequestError(
                f"count must be {least}..{MAX_DIAGNOSTIC_WORDS} data words, got {len(words)}", code
            )
        for index, word in enumerate(words):
            check_number(code, f"data word {index}", word)
        set_field(self, "sub_function", sub_function if known is None else known)
        set_field(self, "data", words)

    @property
    def is_known(self) -> bool:
        """True if the sub-function is a `DiagnosticsSubFunction`."""
        return self.sub_function in _SUB_FUNCTIONS

    def encode(self) -> bytes:
        header = _HEADER.pack(self.function_code, self.sub_function)
        return header + PACK_REGISTERS[len(self.data)](*self.data)

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        if len(pdu) < 3:
            raise wrong_length(cls, pdu, "3 + 2 for each data word")
        sub_function = pdu[1] << 8 | pdu[2]
        is_known = sub_function in _SUB_FUNCTIONS
        if not len(pdu) & 1 or len(pdu) > MAX_PDU or (is_known and len(pdu) < 5):
            if not is_known:
                raise _not_in_words(cls.function_code, sub_function, pdu)
            raise wrong_length(cls, pdu, "3 + 2 for each of 1..125 data words")
        return cls(sub_function, unpack_registers(pdu[3:]))


class DiagnosticsResponse(SubFunction, Response):
    """The response to function 8: the sub-function and its data words, 0..65535 each.

    There is one word, or 1 to 125 of them for sub-functions 0 and 21, or 0 to 125 for one that is
    not in the list.
    """

    __slots__ = ()
    length_rule = staticmethod(_one_word_length(0, 21))

    def __init__(self, sub_function: int, data: int | Sequence[int]) -> None:
        super().__init__(sub_function, data)
        if len(self.data) > 1 and self.sub_function in _ONE_WORD:
            raise InvalidRequestError(
                f"count must be 1 data word for sub-function {sub_function}, got {len(self.data)}",
                self.function_code,
            )

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        try:
            return super().decode(pdu)
        except InvalidRequestError as error:
            raise InvalidResponseError(str(error)) from None

    @property
    def statistics(self) -> ModbusPlusStatistics:
        """The statistics of sub-function 21; see `ModbusPlusStatistics.from_words`.

        The operation is in front of them; some servers leave it out. Raises InvalidResponseError
        for another number of words.
        """
        words = self.data if len(self.data) == STATISTICS_WORDS else self.data[1:]
        try:
            return ModbusPlusStatistics.from_words(words)
        except ValueError as error:
            raise InvalidResponseError(str(error)) from None


class DiagnosticsRequest(SubFunction, Request[DiagnosticsResponse]):
    """Function 8: tests and counters of a serial line (section 6.8).

    `data` is one word, or for sub-function 0 a sequence of 1 to 125 words of any value.
    Sub-function 1 takes 0 or FF00 (clear the event log too), 3 takes a character in the high byte,
    21 takes a `ModbusPlusOperation`, and the others in the list take 0. Sub-function 4 has no
    response. Any other number may be sent, with 0 to 125 words of any value; the `diagnose` of a
    unit decides what it answers.
    """

    __slots__ = ()
    length_rule = staticmethod(_one_word_length(0))
    response_type = DiagnosticsResponse

    def __init__(self, sub_function: int, data: int | Sequence[int] = 0) -> None:
        super().__init__(sub_function, data)
        if self.is_known and self.sub_function is not DiagnosticsSubFunction.RETURN_QUERY_DATA:
            allowed, text = _ALLOWED_WORDS.get(self.sub_function, _ZERO)
            if len(self.data) != 1 or self.data[0] not in allowed:
                got = " ".join([f"{word:04X}" for word in self.data])
                raise InvalidRequestError(
                    f"data of sub-function {sub_function} must be {text}, got {got}",
                    self.function_code,
                )

    @property
    def is_write(self) -> bool:  # type: ignore[override]
        """True if the sub-function changes the server: 1, 3, 4, 10, 20, and 21 to clear.

        One that is not in the list may do so, too.
        """
        return self.sub_function in _WRITES or self._clears_statistics or not self.is_known

    @property
    def expects_response(self) -> bool:  # type: ignore[override]
        """False for sub-function 4: a server in listen-only mode does not respond."""
        return self.sub_function is not DiagnosticsSubFunction.FORCE_LISTEN_ONLY_MODE

    @property
    def _clears_statistics(self) -> bool:
        return (
            self.sub_function is DiagnosticsSubFunction.GET_CLEAR_MODBUS_PLUS
            and self.data[0] == ModbusPlusOperation.CLEAR_STATISTICS
        )

    def expected_length(self) -> int:
        if self.sub_function is DiagnosticsSubFunction.GET_CLEAR_MODBUS_PLUS:
            return 5 if self._clears_statistics else 0
        if not self.is_known:
            return 0
        return 3 + 2 * len(self.data)

    def check_response(self, response: DiagnosticsResponse) -> None:
        check_echo("sub-function", response.sub_function, self.sub_function)
        if self.sub_function in _ECHOED or self._clears_statistics:
            check_echo("data", response.data, self.data)

    def execute(self, unit: Device) -> DiagnosticsResponse | None:
        words = unit.diagnose(self.sub_function, self.data)
        return None if words is None else DiagnosticsResponse(self.sub_function, words)


def _not_in_words(function_code: int, sub_function: int, pdu: bytes) -> InvalidRequestError:
    """Return the error for the data of an unknown sub-function that are no words.

    Its code is 01: a unit that passes requests on gets them as a `RawRequest`.
    """
    return InvalidRequestError(
        f"sub-function {sub_function} is not known, and has {len(pdu) - 3} bytes of data",
        function_code,
        ExceptionCode.ILLEGAL_FUNCTION,
    )
