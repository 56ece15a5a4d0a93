"""The async calls of functions 7, 8, 11, 12 and 17, which are for serial lines."""

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
from ..messages.diagnostics import DiagnosticsRequest, DiagnosticsSubFunction, ModbusPlusOperation
from .steps import delimiter_word

if TYPE_CHECKING:
    from ..messages.base import Request
    from ..messages.device_status import (
        GetCommEventCounterResponse,
        GetCommEventLogResponse,
        ReportServerIdResponse,
    )

ResponseT = TypeVar("ResponseT", bound=Response)


class AsyncDiagnostics:
    """The part of `AsyncCalls` that asks a serial device about itself and its line."""

    __slots__ = ()

    async def call(
        self,
        request: Request[ResponseT],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> ResponseT:
        """Send `request` to `unit`, wait `timeout` seconds at most, and give its response.

        None stands for the client's own unit and timeout. A request that is never answered, a
        broadcast or function 8, sub-function 4, gives None once it is sent. Raises an
        `ExceptionResponseError` where the device refuses, `ResponseTimeoutError`,
        `InvalidResponseError` or `ConnectionLostError`.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define call(request, *, unit=None, timeout=None)"
        )

    async def read_exception_status(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 7: the eight exception status outputs, the first in bit 0 (section 6.7)."""
        response = await self.call(ReadExceptionStatusRequest(), unit=unit, timeout=timeout)
        return response.status

    async def return_query_data(
        self,
        data: int | Sequence[int] = 0,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> list[int]:
        """Function 8, sub-function 0: have `data` sent back, to test the line (section 6.8).

        `data` is one word 0..65535, or 1 to 125 of them.
        """
        request = DiagnosticsRequest(DiagnosticsSubFunction.RETURN_QUERY_DATA, data)
        response = await self.call(request, unit=unit, timeout=timeout)
        return list(response.data)

    async def restart_communications(
        self, clear_log: bool = False, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 1: restart the port and clear its counters (section 6.8).

        `clear_log` clears the event log too. It ends listen-only mode; a device that was in it
        does not answer, which raises ResponseTimeoutError.
        """
        data = 0xFF00 if clear_log else 0
        request = DiagnosticsRequest(DiagnosticsSubFunction.RESTART_COMMUNICATIONS_OPTION, data)
        await self.call(request, unit=unit, timeout=timeout)

    async def return_diagnostic_register(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 2: the diagnostic register, 16 device specific bits (6.8)."""
        request = DiagnosticsRequest(DiagnosticsSubFunction.RETURN_DIAGNOSTIC_REGISTER)
        response = await self.call(request, unit=unit, timeout=timeout)
        return response.data[0]

    async def change_ascii_input_delimiter(
        self, delimiter: str, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 3: end ASCII frames with CR and `delimiter` (section 6.8).

        One ASCII character in place of LF, for the messages that follow.
        """
        data = delimiter_word(delimiter)
        request = DiagnosticsRequest(DiagnosticsSubFunction.CHANGE_ASCII_INPUT_DELIMITER, data)
        await self.call(request, unit=unit, timeout=timeout)

    async def force_listen_only_mode(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 4: have the device listen only (section 6.8).

        It is never answered, and neither is anything else until `restart_communications`.
        """
        await self.call(
            DiagnosticsRequest(DiagnosticsSubFunction.FORCE_LISTEN_ONLY_MODE),
            unit=unit,
            timeout=timeout,
        )

    async def clear_counters(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 10: set all counters and the diagnostic register to 0 (6.8)."""
        await self.call(
            DiagnosticsRequest(DiagnosticsSubFunction.CLEAR_COUNTERS_AND_DIAGNOSTIC_REGISTER),
            unit=unit,
            timeout=timeout,
        )

    async def return_bus_message_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 11: messages seen on the bus, for any unit (6.8)."""
        request = DiagnosticsRequest(DiagnosticsSubFunction.RETURN_BUS_MESSAGE_COUNT)
        response = await self.call(request, unit=unit, timeout=timeout)
        return response.data[0]

    async def return_bus_communication_error_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 12: messages with a bad CRC, parity, overrun or length (6.8)."""
        request = DiagnosticsRequest(DiagnosticsSubFunction.RETURN_BUS_COMMUNICATION_ERROR_COUNT)
        response = await self.call(request, unit=unit, timeout=timeout)
        return response.data[0]

    async def return_bus_exception_error_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 13: exceptions, those to broadcasts too (6.8)."""
        request = DiagnosticsRequest(DiagnosticsSubFunction.RETURN_BUS_EXCEPTION_ERROR_COUNT)
        response = await self.call(request, unit=unit, timeout=timeout)
        return response.data[0]

    async def return_server_message_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 14: messages for this unit, broadcasts too (6.8)."""
        request = DiagnosticsRequest(DiagnosticsSubFunction.RETURN_SERVER_MESSAGE_COUNT)
        response = await self.call(request, unit=unit, timeout=timeout)
        return response.data[0]

    async def return_server_no_response_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 15: messages that got no answer at all (6.8)."""
        request = DiagnosticsRequest(DiagnosticsSubFunction.RETURN_SERVER_NO_RESPONSE_COUNT)
        response = await self.call(request, unit=unit, timeout=timeout)
        return response.data[0]

    async def return_server_nak_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 16: messages answered with exception 07 (6.8)."""
        request = DiagnosticsRequest(DiagnosticsSubFunction.RETURN_SERVER_NAK_COUNT)
        response = await self.call(request, unit=unit, timeout=timeout)
        return response.data[0]

    async def return_server_busy_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 17: messages answered with exception 06 (6.8)."""
        request = DiagnosticsRequest(DiagnosticsSubFunction.RETURN_SERVER_BUSY_COUNT)
        response = await self.call(request, unit=unit, timeout=timeout)
        return response.data[0]

    async def return_bus_character_overrun_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 18: messages lost to a character overrun (6.8)."""
        request = DiagnosticsRequest(DiagnosticsSubFunction.RETURN_BUS_CHARACTER_OVERRUN_COUNT)
        response = await self.call(request, unit=unit, timeout=timeout)
        return response.data[0]

    async def clear_overrun_counter(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 20: set the overrun counter and its flag to 0 (6.8)."""
        await self.call(
            DiagnosticsRequest(DiagnosticsSubFunction.CLEAR_OVERRUN_COUNTER_AND_FLAG),
            unit=unit,
            timeout=timeout,
        )

    async def get_modbus_plus_statistics(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> list[int]:
        """Function 8, sub-function 21: the words of a Modbus Plus node's statistics.

        All data words as the device sends them; no part of the Modbus specification.
        """
        data = ModbusPlusOperation.GET_STATISTICS
        request = DiagnosticsRequest(DiagnosticsSubFunction.GET_CLEAR_MODBUS_PLUS, data)
        response = await self.call(request, unit=unit, timeout=timeout)
        return list(response.data)

    async def clear_modbus_plus_statistics(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 21: set a Modbus Plus node's statistics to 0."""
        data = ModbusPlusOperation.CLEAR_STATISTICS
        request = DiagnosticsRequest(DiagnosticsSubFunction.GET_CLEAR_MODBUS_PLUS, data)
        await self.call(request, unit=unit, timeout=timeout)

    async def get_comm_event_counter(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> GetCommEventCounterResponse:
        """Function 11: `.status` and `.event_count` (section 6.9).

        How many requests were completed without an exception; the status is 0xFFFF while a
        program command is still worked on, else 0.
        """
        return await self.call(GetCommEventCounterRequest(), unit=unit, timeout=timeout)

    async def get_comm_event_log(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> GetCommEventLogResponse:
        """Function 12: `.status`, `.event_count`, `.message_count` and `.events` (section 6.10).

        `.events` has 0 to 64 bytes, one for each event, the newest first.
        """
        return await self.call(GetCommEventLogRequest(), unit=unit, timeout=timeout)

    async def report_server_id(
        self, id_length: int | None = None, *, unit: int | None = None, timeout: float | None = None
    ) -> ReportServerIdResponse:
        """Function 17: `.server_id`, `.run_indicator` and `.additional_data` (section 6.13).

        How many bytes the id has is device specific and not on the wire: `id_length` says it,
        else it ends before the first 00 or FF behind its first byte.
        """
        return await self.call(ReportServerIdRequest(id_length), unit=unit, timeout=timeout)
