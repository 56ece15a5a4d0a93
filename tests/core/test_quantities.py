"""Each quantity, address and value of `limits.json` at its ends, and one beyond them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from limits_table import ADDRESS, LIMITS, VALUE, refused, word
from modwire.errors import InvalidResponseError
from modwire.messages import Message, decode_request, decode_response
from modwire.messages.base import ExceptionResponse, RawRequest
from modwire.messages.bit_access import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
    WriteMultipleCoilsRequest,
    WriteMultipleCoilsResponse,
    WriteSingleCoilRequest,
)
from modwire.messages.device_status import (
    GetCommEventCounterResponse,
    GetCommEventLogResponse,
    ReadExceptionStatusResponse,
    ReportServerIdResponse,
)
from modwire.messages.diagnostics import (
    DiagnosticsRequest,
    DiagnosticsResponse,
)
from modwire.messages.encapsulated import (
    CanopenGeneralReferenceResponse,
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
)
from modwire.messages.file_access import (
    ReadFileRecordRequest,
    ReadFileRecordResponse,
    WriteFileRecordRequest,
    WriteFileRecordResponse,
)
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
    WriteSingleRegisterRequest,
    WriteSingleRegisterResponse,
)
from modwire.messages.register_operations import (
    MaskWriteRegisterRequest,
    ReadFifoQueueRequest,
    ReadFifoQueueResponse,
    ReadWriteMultipleRegistersRequest,
    ReadWriteMultipleRegistersResponse,
)

Build = Callable[[int], Message]
Wire = Callable[[int], bytes]


def limit_of(code: int, name: str = "quantity") -> tuple[int, int]:
    limit = LIMITS[code, None][name]
    return limit["min"], limit["max"]


def bits_on_wire(count: int) -> bytes:
    size = (count + 7) // 8
    return b"\x0f\x00\x00" + word(count) + bytes((size & 0xFF,)) + bytes(size)


def registers_on_wire(count: int) -> bytes:
    return b"\x10\x00\x00" + word(count) + bytes((2 * count & 0xFF,)) + bytes(2 * count)


def read_write_on_wire(read_count: int, write_count: int) -> bytes:
    size = 2 * write_count
    return (
        b"\x17\x00\x00" + word(read_count) + b"\x00\x00" + word(write_count) + bytes((size & 0xFF,))
    ) + bytes(size)


QUANTITIES: list[tuple[str, tuple[int, int], Build, Wire]] = [
    ("1", limit_of(1), lambda n: ReadCoilsRequest(0, n), lambda n: b"\x01\x00\x00" + word(n)),
    (
        "2",
        limit_of(2),
        lambda n: ReadDiscreteInputsRequest(0, n),
        lambda n: b"\x02\x00\x00" + word(n),
    ),
    (
        "3",
        limit_of(3),
        lambda n: ReadHoldingRegistersRequest(0, n),
        lambda n: b"\x03\x00\x00" + word(n),
    ),
    (
        "4",
        limit_of(4),
        lambda n: ReadInputRegistersRequest(0, n),
        lambda n: b"\x04\x00\x00" + word(n),
    ),
    ("15", limit_of(15), lambda n: WriteMultipleCoilsRequest(0, [True] * n), bits_on_wire),
    ("16", limit_of(16), lambda n: WriteMultipleRegistersRequest(0, [0] * n), registers_on_wire),
    (
        "23 read",
        limit_of(23, "read_quantity"),
        lambda n: ReadWriteMultipleRegistersRequest(0, n, 0, [0]),
        lambda n: read_write_on_wire(n, 1),
    ),
    (
        "23 write",
        limit_of(23, "write_quantity"),
        lambda n: ReadWriteMultipleRegistersRequest(0, 1, 0, [0] * n),
        lambda n: read_write_on_wire(1, n),
    ),
    (
        "20 groups",
        limit_of(20, "groups"),
        lambda n: ReadFileRecordRequest([(1, 0, 1)] * n),
        lambda n: bytes((20, 7 * n)) + n * b"\x06\x00\x01\x00\x00\x00\x01",
    ),
]


@pytest.mark.parametrize(
    ("limit", "build", "wire"),
    [each[1:] for each in QUANTITIES],
    ids=[each[0] for each in QUANTITIES],
)
def test_quantities(limit: tuple[int, int], build: Build, wire: Wire) -> None:
    least, most = limit
    for good in (least, most):
        assert decode_request(wire(good)).encode() == wire(good)
        assert len(build(good).encode()) == len(wire(good))
    for bad in (least - 1, most + 1):
        with pytest.raises(ValueError, match=rf"must be {least}\.\.{most} .*got {bad}"):
            build(bad)
        assert refused(wire(bad)) == VALUE


RESPONSE_QUANTITIES: list[tuple[str, int, int, Build]] = [
    ("1", 1, 2000, lambda n: ReadCoilsResponse([True] * n)),
    ("2", 1, 2000, lambda n: ReadDiscreteInputsResponse([True] * n)),
    ("3", 1, 125, lambda n: ReadHoldingRegistersResponse([0] * n)),
    ("4", 1, 125, lambda n: ReadInputRegistersResponse([0] * n)),
    ("8", 1, 125, lambda n: DiagnosticsResponse(0, [0] * n)),
    ("12", 0, 64, lambda n: GetCommEventLogResponse(0, 0, 0, [0] * n)),
    ("15", 1, 1968, lambda n: WriteMultipleCoilsResponse(0, n)),
    ("16", 1, 123, lambda n: WriteMultipleRegistersResponse(0, n)),
    ("17", 1, 251, lambda n: ReportServerIdResponse(bytes(n), None)),
    ("21", 9, 251, lambda n: WriteFileRecordResponse([(1, 0, [0] * ((n - 7) // 2))])),
    ("23", 1, 125, lambda n: ReadWriteMultipleRegistersResponse([0] * n)),
    ("24", 0, 31, lambda n: ReadFifoQueueResponse([0] * n)),
    ("43/13", 0, 251, lambda n: CanopenGeneralReferenceResponse(bytes(n))),
    (
        "43/14",
        0,
        244,
        lambda n: ReadDeviceIdentificationResponse(1, 1, False, 0, [(0, bytes(n))]),
    ),
]


@pytest.mark.parametrize(
    ("least", "most", "build"),
    [each[1:] for each in RESPONSE_QUANTITIES],
    ids=[each[0] for each in RESPONSE_QUANTITIES],
)
def test_quantities_of_responses(least: int, most: int, build: Build) -> None:
    """A response with too many values must fail before it is sent."""
    for good in (least, most):
        pdu = build(good).encode()
        assert type(build(good)).decode(pdu).encode() == pdu
    # File records come in twos.
    step = 2 if least == 9 else 1
    for bad in (least - step, most + step):
        if bad >= 0:
            with pytest.raises(ValueError, match=r"must be"):
                build(bad)


def test_the_fifo_count_on_the_wire() -> None:
    least, most = limit_of(24, "fifo_count")
    for count in (least, most):
        pdu = b"\x18" + word(2 + 2 * count) + word(count) + bytes(2 * count)
        assert decode_response(pdu).encode() == pdu
    for count, size in ((most + 1, most + 1), (least, 1), (1, 0)):
        with pytest.raises(InvalidResponseError, match=r"0\.\.31"):
            decode_response(b"\x18" + word(2 + 2 * count) + word(count) + bytes(2 * size))


# Addresses and values.


@pytest.mark.parametrize("code", [1, 2, 3, 4, 15, 16])
def test_addresses_end_at_65536(code: int) -> None:
    count = 8
    data = {15: b"\x01\xff", 16: b"\x10" + bytes(16)}.get(code, b"")
    good = bytes((code,)) + word(0x10000 - count) + word(count) + data
    assert decode_request(good).encode() == good
    bad = bytes((code,)) + word(0x10000 - count + 1) + word(count) + data
    assert refused(bad) == ADDRESS


@pytest.mark.parametrize(("read", "write"), [(0xFFFF, 0xFFFE), (0xFFFE, 0xFFFF)])
def test_both_ranges_of_function_23_end_at_65536(read: int, write: int) -> None:
    def wire(read_address: int, write_address: int) -> bytes:
        return (
            b"\x17"
            + word(read_address)
            + word(2)
            + word(write_address)
            + word(2)
            + b"\x04"
            + bytes(4)
        )

    decode_request(wire(0xFFFE, 0xFFFE))
    assert refused(wire(read, write)) == ADDRESS


@pytest.mark.parametrize(
    "build",
    [
        lambda n: ReadCoilsRequest(n),
        lambda n: ReadDiscreteInputsRequest(n),
        lambda n: ReadHoldingRegistersRequest(n),
        lambda n: ReadInputRegistersRequest(n),
        lambda n: WriteSingleCoilRequest(n, True),
        lambda n: WriteSingleRegisterRequest(n, 1),
        lambda n: WriteSingleRegisterRequest(1, n),
        lambda n: WriteMultipleCoilsRequest(n, [True]),
        lambda n: WriteMultipleRegistersRequest(n, [1]),
        lambda n: WriteMultipleRegistersRequest(0, [1, n]),
        lambda n: MaskWriteRegisterRequest(n),
        lambda n: MaskWriteRegisterRequest(0, n, 0),
        lambda n: MaskWriteRegisterRequest(0, 0, n),
        lambda n: ReadWriteMultipleRegistersRequest(n, 1, 0, [1]),
        lambda n: ReadWriteMultipleRegistersRequest(0, 1, n, [1]),
        lambda n: ReadWriteMultipleRegistersRequest(0, 1, 0, [n]),
        lambda n: ReadFifoQueueRequest(n),
        lambda n: DiagnosticsRequest(0, n),
        lambda n: DiagnosticsRequest(0, [n]),
        lambda n: WriteFileRecordRequest([(1, 0, [n])]),
        lambda n: ReadHoldingRegistersResponse([n]),
        lambda n: WriteSingleRegisterResponse(n, 0),
        lambda n: ReadFifoQueueResponse([n]),
        lambda n: ReadFileRecordResponse([[n]]),
        lambda n: GetCommEventCounterResponse(n, 0),
        lambda n: GetCommEventCounterResponse(0, n),
        lambda n: GetCommEventLogResponse(n, 0, 0),
        lambda n: GetCommEventLogResponse(0, n, 0),
        lambda n: GetCommEventLogResponse(0, 0, n),
        lambda n: DiagnosticsResponse(11, n),
    ],
)
def test_words_are_0_to_65535(build: Build) -> None:
    for good in (0, 65535):
        build(good).encode()
    for bad in (-1, 65536, 1.0, "1", None):
        with pytest.raises(ValueError, match=r"must be|address \+ count"):
            build(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "build",
    [
        lambda n: ReadExceptionStatusResponse(n),
        lambda n: GetCommEventLogResponse(0, 0, 0, [n]),
        lambda n: ReadDeviceIdentificationRequest(1, n),
        lambda n: ReadDeviceIdentificationResponse(1, 1, True, n, []),
        lambda n: ReadDeviceIdentificationResponse(1, 1, False, 0, [(n, b"")]),
        lambda n: ExceptionResponse(3, n),
        lambda n: RawRequest(n),
    ],
)
def test_bytes_are_0_to_255(build: Build) -> None:
    for good in (0, 255):
        build(good).encode()
    for bad in (-1, 256):
        with pytest.raises(ValueError, match=rf"must be (an integer )?0\.\.255.*got {bad}"):
            build(bad)


@pytest.mark.parametrize("value", [0x0001, 0x00FF, 0xFEFF, 0xFF01, 0xFFFF])
def test_a_coil_is_0000_or_ff00(value: int) -> None:
    assert refused(b"\x05\x00\x01" + word(value)) == VALUE
    with pytest.raises(InvalidResponseError, match="0000 or FF00"):
        decode_response(b"\x05\x00\x01" + word(value))
