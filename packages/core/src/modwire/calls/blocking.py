"""`BlockingCalls`: a method for every function, which blocks until it has the result."""

from __future__ import annotations

from collections.abc import Sequence

from .. import messages
from ..messages import DiagnosticsSubFunction as Sub
from ..messages.base import Request, ResponseT
from .steps import IdentificationReading, add_common, delimiter_word


@add_common
class BlockingCalls:
    """A method for every function of MODBUS Application Protocol V1.1b3; a subclass defines `call`.

    Addresses are those on the wire, 0..65535; sections are those of the specification. `unit` is
    the unit id, `timeout` the seconds to wait for the answer. On a serial line unit 0 is a
    broadcast, which is only for writes and has no answer.
    """

    __slots__ = ()

    def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> ResponseT:
        """Send `request` to `unit` and return its response; wait at most `timeout` seconds for it.

        Returns None after sending a broadcast or function 8, sub-function 4: they have no answer.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define call(request, *, unit=None, timeout=None)"
        )

    def read_coils(
        self, address: int, count: int = 1, *, unit: int | None = None, timeout: float | None = None
    ) -> list[bool]:
        """Function 1: read `count` (1..2000) coils from `address` on; True is ON (section 6.1)."""
        request = messages.ReadCoilsRequest(address, count)
        return list(self.call(request, unit=unit, timeout=timeout).bits)

    def read_discrete_inputs(
        self, address: int, count: int = 1, *, unit: int | None = None, timeout: float | None = None
    ) -> list[bool]:
        """Function 2: read `count` (1..2000) discrete inputs from `address` on (section 6.2)."""
        request = messages.ReadDiscreteInputsRequest(address, count)
        return list(self.call(request, unit=unit, timeout=timeout).bits)

    def read_holding_registers(
        self, address: int, count: int = 1, *, unit: int | None = None, timeout: float | None = None
    ) -> list[int]:
        """Function 3: read `count` (1..125) holding registers from `address` on (section 6.3)."""
        request = messages.ReadHoldingRegistersRequest(address, count)
        return list(self.call(request, unit=unit, timeout=timeout).registers)

    def read_input_registers(
        self, address: int, count: int = 1, *, unit: int | None = None, timeout: float | None = None
    ) -> list[int]:
        """Function 4: read `count` (1..125) input registers from `address` on (section 6.4)."""
        request = messages.ReadInputRegistersRequest(address, count)
        return list(self.call(request, unit=unit, timeout=timeout).registers)

    def write_coil(
        self, address: int, value: bool, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 5: set the coil at `address` to `value`, True is ON (section 6.5)."""
        self.call(messages.WriteSingleCoilRequest(address, value), unit=unit, timeout=timeout)

    def write_register(
        self, address: int, value: int, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 6: set the holding register at `address` to `value`, 0..65535 (section 6.6)."""
        self.call(messages.WriteSingleRegisterRequest(address, value), unit=unit, timeout=timeout)

    def write_coils(
        self,
        address: int,
        values: Sequence[bool],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Function 15: set 1 to 1968 coils from `address` on to `values` (section 6.11)."""
        self.call(messages.WriteMultipleCoilsRequest(address, values), unit=unit, timeout=timeout)

    def write_registers(
        self,
        address: int,
        values: Sequence[int] | bytes,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Function 16: set 1..123 registers from `address` on to `values` or bytes (6.12)."""
        request = messages.WriteMultipleRegistersRequest(address, values)
        self.call(request, unit=unit, timeout=timeout)

    def mask_write_register(
        self,
        address: int,
        and_mask: int = 0xFFFF,
        or_mask: int = 0,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Function 22: change bits of the holding register at `address` (section 6.16).

        It becomes (current AND `and_mask`) OR (`or_mask` AND NOT `and_mask`): bits that are 1 in
        `and_mask` stay, the others are those of `or_mask`. Both masks are 0..65535.
        """
        request = messages.MaskWriteRegisterRequest(address, and_mask, or_mask)
        self.call(request, unit=unit, timeout=timeout)

    def read_write_registers(
        self,
        read_address: int,
        read_count: int,
        write_address: int,
        values: Sequence[int] | bytes,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> list[int]:
        """Function 23: write holding registers, then read some, in one request (section 6.17).

        `values` (1..121) go to `write_address`, `read_count` (1..125) come from `read_address`.
        """
        request = messages.ReadWriteMultipleRegistersRequest(
            read_address, read_count, write_address, values
        )
        return list(self.call(request, unit=unit, timeout=timeout).registers)

    def read_fifo_queue(
        self, address: int, *, unit: int | None = None, timeout: float | None = None
    ) -> list[int]:
        """Function 24: read the 0 to 31 registers in the FIFO queue at `address` (section 6.18).

        The oldest comes first; the queue is not changed. A longer queue gets exception 03.
        """
        request = messages.ReadFifoQueueRequest(address)
        return list(self.call(request, unit=unit, timeout=timeout).registers)

    def read_file_record(
        self,
        file: int,
        record: int,
        count: int = 1,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> list[int]:
        """Function 20: read `count` (1..121) registers of `file` from `record` on (section 6.14).

        `file` is 1..65535, `record` 0..9999; `record` + `count` is at most 10000.
        """
        request = messages.ReadFileRecordRequest([messages.FileRecord(file, record, count)])
        return list(self.call(request, unit=unit, timeout=timeout).records[0])

    def read_file_records(
        self,
        records: Sequence[messages.FileRecord | tuple[int, int, int]],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> list[list[int]]:
        """Function 20: read 1 to 35 groups of records, (file, record, count) each (section 6.14).

        Returns the registers of each group, in that order. A group takes 2 + 2 * count bytes of
        the answer, all groups at most 245. The ranges are those of `read_file_record`.
        """
        request = messages.ReadFileRecordRequest(records)
        return [list(values) for values in self.call(request, unit=unit, timeout=timeout).records]

    def write_file_record(
        self,
        file: int,
        record: int,
        values: Sequence[int],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Function 21: write 1 to 122 `values` to `file` from `record` on (section 6.15).

        `file` is 1..65535, `record` 0..9999; `record` + the number of values is at most 10000.
        """
        request = messages.WriteFileRecordRequest([messages.FileRecordData(file, record, values)])
        self.call(request, unit=unit, timeout=timeout)

    def write_file_records(
        self,
        records: Sequence[messages.FileRecordData | tuple[int, int, Sequence[int]]],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Function 21: write several groups of records, (file, record, values) each (section 6.15).

        A group takes 7 bytes of the request and 2 for each value, all groups at most 251. The
        ranges are those of `write_file_record`.
        """
        self.call(messages.WriteFileRecordRequest(records), unit=unit, timeout=timeout)

    def read_device_identification(
        self,
        read_code: int = messages.ReadDeviceIdCode.BASIC,
        object_id: int = 0,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> dict[int, bytes]:
        """Function 43/14: read identification objects into a dict by object id (section 6.21).

        `read_code` 1 (basic), 2 (regular) or 3 (extended) reads that category from `object_id` on,
        in as many requests as needed, each with its own `timeout`; 4 reads only the object
        `object_id` (0..255). Raises InvalidResponseError if the device repeats object ids.
        """
        reading = IdentificationReading(read_code, object_id)
        while reading.request is not None:
            response = self.call(reading.request, unit=unit, timeout=timeout)
            reading.receive_response(response)
        return reading.objects

    def canopen_general_reference(
        self, data: bytes, *, unit: int | None = None, timeout: float | None = None
    ) -> bytes:
        """Function 43/13: exchange CANopen `data` (CiA 309-2), 0 to 251 bytes each way (6.20)."""
        request = messages.CanopenGeneralReferenceRequest(data)
        return self.call(request, unit=unit, timeout=timeout).data

    def read_exception_status(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 7: read the eight exception status outputs, the first in bit 0 (section 6.7)."""
        request = messages.ReadExceptionStatusRequest()
        return self.call(request, unit=unit, timeout=timeout).status

    def return_query_data(
        self,
        data: int | Sequence[int] = 0,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> list[int]:
        """Function 8, sub-function 0: echo `data`, 1 to 125 words, to test the line (6.8)."""
        return list(self._diagnose(Sub.RETURN_QUERY_DATA, unit, timeout, data).data)

    def restart_communications(
        self, clear_log: bool = False, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 1: restart the port and clear its counters (section 6.8).

        If `clear_log`, the event log is cleared too. The restart ends listen-only mode, but a
        device in that mode does not answer, so the call raises ResponseTimeoutError.
        """
        data = 0xFF00 if clear_log else 0
        self._diagnose(Sub.RESTART_COMMUNICATIONS_OPTION, unit, timeout, data)

    def return_diagnostic_register(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 2: read the diagnostic register, 16 device-specific bits."""
        return self._diagnose(Sub.RETURN_DIAGNOSTIC_REGISTER, unit, timeout).data[0]

    def change_ascii_input_delimiter(
        self, delimiter: str | int, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 3: end ASCII frames by `delimiter`, a character or its code."""
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
        """Function 8, sub-function 11: count of the messages on the bus, for any unit (6.8)."""
        return self._diagnose(Sub.RETURN_BUS_MESSAGE_COUNT, unit, timeout).data[0]

    def return_bus_communication_error_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 12: count of CRC, parity, overrun and length errors (6.8)."""
        return self._diagnose(Sub.RETURN_BUS_COMMUNICATION_ERROR_COUNT, unit, timeout).data[0]

    def return_bus_exception_error_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 13: count of the exceptions, those of broadcasts too (6.8)."""
        return self._diagnose(Sub.RETURN_BUS_EXCEPTION_ERROR_COUNT, unit, timeout).data[0]

    def return_server_message_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 14: count of the messages for this unit and broadcasts (6.8)."""
        return self._diagnose(Sub.RETURN_SERVER_MESSAGE_COUNT, unit, timeout).data[0]

    def return_server_no_response_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 15: count of the messages without an answer (6.8)."""
        return self._diagnose(Sub.RETURN_SERVER_NO_RESPONSE_COUNT, unit, timeout).data[0]

    def return_server_nak_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 16: count of the answers with exception 07 (6.8)."""
        return self._diagnose(Sub.RETURN_SERVER_NAK_COUNT, unit, timeout).data[0]

    def return_server_busy_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 17: count of the answers with exception 06 (6.8)."""
        return self._diagnose(Sub.RETURN_SERVER_BUSY_COUNT, unit, timeout).data[0]

    def return_bus_character_overrun_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 18: count of the messages lost to character overruns (6.8)."""
        return self._diagnose(Sub.RETURN_BUS_CHARACTER_OVERRUN_COUNT, unit, timeout).data[0]

    def return_iop_overrun_count(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> int:
        """Function 8, sub-function 19, not in the specification: another number for 18."""
        return self._diagnose(Sub.RETURN_IOP_OVERRUN_COUNT, unit, timeout).data[0]

    def clear_overrun_counter(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 20: set the overrun counter and its flag to 0 (6.8)."""
        self._diagnose(Sub.CLEAR_OVERRUN_COUNTER_AND_FLAG, unit, timeout)

    def get_modbus_plus_statistics(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> messages.ModbusPlusStatistics:
        """Function 8, sub-function 21, not in the specification: read Modbus Plus statistics."""
        data = messages.ModbusPlusOperation.GET_STATISTICS
        return self._diagnose(Sub.GET_CLEAR_MODBUS_PLUS, unit, timeout, data).statistics

    def clear_modbus_plus_statistics(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 8, sub-function 21: set the statistics of a Modbus Plus node to 0."""
        data = messages.ModbusPlusOperation.CLEAR_STATISTICS
        self._diagnose(Sub.GET_CLEAR_MODBUS_PLUS, unit, timeout, data)

    def get_comm_event_counter(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> messages.GetCommEventCounterResponse:
        """Function 11: read `.status` and `.event_count` (section 6.9).

        `.event_count` is the number of requests completed without an exception; `.status` is
        0xFFFF while the device still processes a program command, otherwise 0.
        """
        return self.call(messages.GetCommEventCounterRequest(), unit=unit, timeout=timeout)

    def get_comm_event_log(
        self, *, unit: int | None = None, timeout: float | None = None
    ) -> messages.GetCommEventLogResponse:
        """Function 12: read `.status`, `.event_count`, `.message_count`, `.events` (section 6.10).

        `.events` has 0 to 64 bytes, one for each, the newest first; `.decoded_events` has objects.
        """
        return self.call(messages.GetCommEventLogRequest(), unit=unit, timeout=timeout)

    def report_server_id(
        self, id_length: int | None = None, *, unit: int | None = None, timeout: float | None = None
    ) -> messages.ReportServerIdResponse:
        """Function 17: read `.server_id`, `.run_indicator`, `.additional_data` (section 6.13).

        The length of the id is device-specific and not in the answer. It is `id_length` bytes; if
        that is None, the id ends before the first 00 or FF after its first byte.
        """
        return self.call(messages.ReportServerIdRequest(id_length), unit=unit, timeout=timeout)

    def _diagnose(
        self, sub: Sub, unit: int | None, timeout: float | None, data: int | Sequence[int] = 0
    ) -> messages.DiagnosticsResponse:
        return self.call(messages.DiagnosticsRequest(sub, data), unit=unit, timeout=timeout)
