"""The blocking calls of functions 7, 8, 11, 12 and 17, which are for serial lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ..messages.base import Response
from ..messages.device_status import (
    GetCommEventCounterRequest,
    GetCommEventLogRequest,
    ReadExceptionStatusRequest,
    ReportServerIdRequest,
)
from ..messages.diagnostics import DiagnosticsRequest, ModbusPlusOperation
from ..messages.diagnostics import DiagnosticsSubFunction as Sub
from .steps import add_common, delimiter_word

if TYPE_CHECKING:
    from ..messages.base import Request
    from ..messages.device_status import (
        GetCommEventCounterResponse,
        GetCommEventLogResponse,
        ReportServerIdResponse,
    )
    from ..messages.diagnostics import DiagnosticsResponse

ResponseT = TypeVar("ResponseT", bound=Response)


@add_common
class BlockingDiagnostics:
    """The calls of `BlockingCalls` that ask a serial device about itself and its line."""

    __slots__ = ()

    def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT:
        """Send `request` to `unit` and return its response, which may take `timeout` seconds.

        A request that is never answered, a broadcast or function 8, sub-function 4, returns None
        once it is sent.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define call(request, *, unit=None, timeout=None)"
        )

    def read_exception_status(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 7: read the eight exception status outputs, the first in bit 0 (section 6.7)."""
        response = self.call(ReadExceptionStatusRequest(), unit=unit, timeout=timeout)
        return response.status

    def return_query_data(
        self,
        data: int | Sequence[int] = 0,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> list[int]:
        """Function 8, sub-function 0: let the device echo `data`, to test the line (section 6.8).

        `data` is one word, 0..65535, or a sequence of 1 to 125 words.
        """
        return list(self._diagnose(Sub.RETURN_QUERY_DATA, unit, timeout, data).data)

    def restart_communications(
        self, clear_log: bool = False, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 1: restart the port and clear its counters (section 6.8).

        True for `clear_log` clears the event log too. It ends listen-only mode, but a device in
        that mode does not answer, so the call raises ResponseTimeoutError.
        """
        data = 0xFF00 if clear_log else 0
        self._diagnose(Sub.RESTART_COMMUNICATIONS_OPTION, unit, timeout, data)

    def return_diagnostic_register(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 2: read the diagnostic register, 16 device-specific bits."""
        return self._diagnose(Sub.RETURN_DIAGNOSTIC_REGISTER, unit, timeout).data[0]

    def change_ascii_input_delimiter(
        self, delimiter: str, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 3: change the character that ends ASCII frames (section 6.8).

        `delimiter` is one ASCII character that replaces LF in the messages that follow.
        """
        data = delimiter_word(delimiter)
        self._diagnose(Sub.CHANGE_ASCII_INPUT_DELIMITER, unit, timeout, data)

    def force_listen_only_mode(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 4: switch the device to listen-only mode (section 6.8).

        The device does not answer this request, nor any other until `restart_communications`.
        """
        self._diagnose(Sub.FORCE_LISTEN_ONLY_MODE, unit, timeout)

    def clear_counters(self, *, unit: int | None = None, timeout: float | None = None) -> None:
        """Function 8, sub-function 10: set all counters and the diagnostic register to 0 (6.8)."""
        self._diagnose(Sub.CLEAR_COUNTERS_AND_DIAGNOSTIC_REGISTER, unit, timeout)

    def return_bus_message_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 11: count the messages on the bus, for any unit (6.8)."""
        return self._diagnose(Sub.RETURN_BUS_MESSAGE_COUNT, unit, timeout).data[0]

    def return_bus_communication_error_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 12: count CRC, parity, overrun and length errors (6.8)."""
        return self._diagnose(Sub.RETURN_BUS_COMMUNICATION_ERROR_COUNT, unit, timeout).data[0]

    def return_bus_exception_error_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 13: count the exceptions, those of broadcasts too (6.8)."""
        return self._diagnose(Sub.RETURN_BUS_EXCEPTION_ERROR_COUNT, unit, timeout).data[0]

    def return_server_message_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 14: count the messages for this unit and broadcasts (6.8)."""
        return self._diagnose(Sub.RETURN_SERVER_MESSAGE_COUNT, unit, timeout).data[0]

    def return_server_no_response_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 15: count the messages without any answer (6.8)."""
        return self._diagnose(Sub.RETURN_SERVER_NO_RESPONSE_COUNT, unit, timeout).data[0]

    def return_server_nak_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 16: count the messages answered with exception 07 (6.8)."""
        return self._diagnose(Sub.RETURN_SERVER_NAK_COUNT, unit, timeout).data[0]

    def return_server_busy_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 17: count the messages answered with exception 06 (6.8)."""
        return self._diagnose(Sub.RETURN_SERVER_BUSY_COUNT, unit, timeout).data[0]

    def return_bus_character_overrun_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 18: count the messages lost to character overruns (6.8)."""
        return self._diagnose(Sub.RETURN_BUS_CHARACTER_OVERRUN_COUNT, unit, timeout).data[0]

    def clear_overrun_counter(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 20: set the overrun counter and its flag to 0 (6.8)."""
        self._diagnose(Sub.CLEAR_OVERRUN_COUNTER_AND_FLAG, unit, timeout)

    def get_modbus_plus_statistics(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> list[int]:
        """Function 8, sub-function 21: read the statistics of a Modbus Plus node.

        They are all the data words that the device sends; not in the Modbus specification.
        """
        data = ModbusPlusOperation.GET_STATISTICS
        return list(self._diagnose(Sub.GET_CLEAR_MODBUS_PLUS, unit, timeout, data).data)

    def clear_modbus_plus_statistics(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 21: set the statistics of a Modbus Plus node to 0."""
        data = ModbusPlusOperation.CLEAR_STATISTICS
        self._diagnose(Sub.GET_CLEAR_MODBUS_PLUS, unit, timeout, data)

    def get_comm_event_counter(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> GetCommEventCounterResponse:
        """Function 11: read `.status` and `.event_count` (section 6.9).

        The count is that of requests completed without an exception; the status is 0xFFFF while
        the device still processes a program command, otherwise 0.
        """
        return self.call(GetCommEventCounterRequest(), unit=unit, timeout=timeout)

    def get_comm_event_log(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> GetCommEventLogResponse:
        """Function 12: read `.status`, `.event_count`, `.message_count`, `.events` (section 6.10).

        `.events` has 0 to 64 bytes, one for each event, the newest first.
        """
        return self.call(GetCommEventLogRequest(), unit=unit, timeout=timeout)

    def report_server_id(
        self, id_length: int | None = None, *, unit: int | None = None, timeout: float | None = None
    ) -> ReportServerIdResponse:
        """Function 17: read `.server_id`, `.run_indicator`, `.additional_data` (section 6.13).

        The length of the id is device-specific and not in the answer: it has `id_length` bytes, or
        ends before the first 00 or FF after its first byte if that is None.
        """
        return self.call(ReportServerIdRequest(id_length), unit=unit, timeout=timeout)

    def _diagnose(
        self,
        sub_function: Sub,
        unit: int | None,
        timeout: float | None,
        data: int | Sequence[int] = 0,
    ) -> DiagnosticsResponse:
        request = DiagnosticsRequest(sub_function, data)
        return self.call(request, unit=unit, timeout=timeout)
