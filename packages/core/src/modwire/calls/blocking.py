"""`BlockingCalls`: a method for every function, which waits for its result."""

from __future__ import annotations

from collections.abc import Sequence

from ..messages.bit_access import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from ..messages.encapsulated import CanopenGeneralReferenceRequest, ReadDeviceIdCode
from ..messages.file_access import (
    FileRecord,
    FileRecordData,
    ReadFileRecordRequest,
    WriteFileRecordRequest,
)
from ..messages.register_access import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from ..messages.register_operations import (
    MaskWriteRegisterRequest,
    ReadFifoQueueRequest,
    ReadWriteMultipleRegistersRequest,
)
from .blocking_diagnostics import BlockingDiagnostics
from .steps import IdentificationReading, add_common


@add_common
class BlockingCalls(BlockingDiagnostics):
    """A method for every function of MODBUS Application Protocol V1.1b3, based on `call`.

    A subclass defines `call`. Addresses are those on the wire, 0..65535, and sections are those
    of the specification. Every method takes `unit`, the unit id, and `timeout`, the seconds that
    the answer may take. Unit 0 on a serial line is a broadcast: only for writes, and without an
    answer.
    """

    __slots__ = ()

    def read_coils(
        self, address: int, count: int = 1, *, unit: int | None = None, timeout: float | None = None
    ) -> list[bool]:
        """Function 1: read `count` (1..2000) coils from `address` on; True is ON (section 6.1)."""
        response = self.call(ReadCoilsRequest(address, count), unit=unit, timeout=timeout)
        return list(response.bits)

    def read_discrete_inputs(
        self, address: int, count: int = 1, *, unit: int | None = None, timeout: float | None = None
    ) -> list[bool]:
        """Function 2: read `count` (1..2000) discrete inputs from `address` on (section 6.2)."""
        response = self.call(ReadDiscreteInputsRequest(address, count), unit=unit, timeout=timeout)
        return list(response.bits)

    def read_holding_registers(
        self, address: int, count: int = 1, *, unit: int | None = None, timeout: float | None = None
    ) -> list[int]:
        """Function 3: read `count` (1..125) holding registers from `address` on (section 6.3)."""
        response = self.call(
            ReadHoldingRegistersRequest(address, count), unit=unit, timeout=timeout
        )
        return list(response.registers)

    def read_input_registers(
        self, address: int, count: int = 1, *, unit: int | None = None, timeout: float | None = None
    ) -> list[int]:
        """Function 4: read `count` (1..125) input registers from `address` on (section 6.4)."""
        response = self.call(ReadInputRegistersRequest(address, count), unit=unit, timeout=timeout)
        return list(response.registers)

    def write_coil(
        self, address: int, value: bool, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 5: set the coil at `address` to ON (True) or OFF (section 6.5)."""
        self.call(WriteSingleCoilRequest(address, value), unit=unit, timeout=timeout)

    def write_register(
        self, address: int, value: int, *, unit: int | None = None, timeout: float | None = None
    ) -> None:
        """Function 6: set the holding register at `address` to `value`, 0..65535 (section 6.6)."""
        self.call(WriteSingleRegisterRequest(address, value), unit=unit, timeout=timeout)

    def write_coils(
        self,
        address: int,
        values: Sequence[bool],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Function 15: set 1 to 1968 coils from `address` on to `values` (section 6.11)."""
        self.call(WriteMultipleCoilsRequest(address, values), unit=unit, timeout=timeout)

    def write_registers(
        self,
        address: int,
        values: Sequence[int],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Function 16: set 1 to 123 registers from `address` on to `values` (section 6.12)."""
        self.call(WriteMultipleRegistersRequest(address, values), unit=unit, timeout=timeout)

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
        self.call(MaskWriteRegisterRequest(address, and_mask, or_mask), unit=unit, timeout=timeout)

    def read_write_registers(
        self,
        read_address: int,
        read_count: int,
        write_address: int,
        values: Sequence[int],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> list[int]:
        """Function 23: write holding registers, then read some, in one request (section 6.17).

        Sets 1 to 121 registers from `write_address` on to `values`, then returns `read_count`
        (1..125) registers from `read_address` on.
        """
        request = ReadWriteMultipleRegistersRequest(read_address, read_count, write_address, values)
        response = self.call(request, unit=unit, timeout=timeout)
        return list(response.registers)

    def read_fifo_queue(
        self, address: int, *, unit: int | None = None, timeout: float | None = None
    ) -> list[int]:
        """Function 24: read the 0 to 31 registers in the FIFO queue at `address` (section 6.18).

        The oldest comes first, and the queue is not changed. The device refuses a longer queue
        with exception 03.
        """
        response = self.call(ReadFifoQueueRequest(address), unit=unit, timeout=timeout)
        return list(response.registers)

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
        request = ReadFileRecordRequest([FileRecord(file, record, count)])
        response = self.call(request, unit=unit, timeout=timeout)
        return list(response.records[0])

    def read_file_records(
        self,
        records: Sequence[FileRecord | tuple[int, int, int]],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> list[list[int]]:
        """Function 20: read 1 to 35 groups of records, (file, record, count) each (section 6.14).

        Returns the registers of each, in that order. The answer has 2 + 2 * count bytes for each,
        and at most 245 in all. The ranges are those of `read_file_record`.
        """
        response = self.call(ReadFileRecordRequest(records), unit=unit, timeout=timeout)
        return [list(values) for values in response.records]

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

        `file` is 1..65535, `record` 0..9999; `record` + their number is at most 10000.
        """
        self.call(
            WriteFileRecordRequest([FileRecordData(file, record, values)]),
            unit=unit,
            timeout=timeout,
        )

    def write_file_records(
        self,
        records: Sequence[FileRecordData | tuple[int, int, Sequence[int]]],
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> None:
        """Function 21: write several groups of records, (file, record, values) each (section 6.15).

        The request has 7 bytes for each and 2 for each value, and at most 251 in all. The ranges
        are those of `write_file_record`.
        """
        self.call(WriteFileRecordRequest(records), unit=unit, timeout=timeout)

    def read_device_identification(
        self,
        read_code: int = ReadDeviceIdCode.BASIC,
        object_id: int = 0,
        *,
        unit: int | None = None,
        timeout: float | None = None,
    ) -> dict[int, bytes]:
        """Function 43/14: read identification objects, by their ids (section 6.21).

        `read_code` 1 (basic), 2 (regular) or 3 (extended) reads that category from `object_id` on,
        in as many requests as needed, each with its own `timeout`; 4 reads the one object
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
        """Function 43/13: send CANopen `data`, return the data of the answer (section 6.20).

        Both have at most 251 bytes, which CiA 309-2 defines.
        """
        response = self.call(CanopenGeneralReferenceRequest(data), unit=unit, timeout=timeout)
        return response.data
