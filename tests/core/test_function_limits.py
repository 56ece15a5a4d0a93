"""The limits of functions 8, 20, 21 and 43, and the error if two rules are broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from limits_table import ADDRESS, FUNCTION, LIMITS, VALUE, refused, word
from modwire.errors import InvalidRequestError, InvalidResponseError
from modwire.messages import Request, decode_request, decode_response
from modwire.messages.bit_access import ReadCoilsRequest, WriteSingleCoilRequest
from modwire.messages.device_status import (
    ReportServerIdRequest,
    ReportServerIdResponse,
)
from modwire.messages.diagnostics import (
    DiagnosticsRequest,
    DiagnosticsSubFunction,
)
from modwire.messages.encapsulated import (
    CanopenGeneralReferenceRequest,
    ReadDeviceIdentificationRequest,
    ReadDeviceIdentificationResponse,
)
from modwire.messages.file_access import (
    ReadFileRecordRequest,
    ReadFileRecordResponse,
    WriteFileRecordRequest,
)
from modwire.messages.register_access import (
    ReadHoldingRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from modwire.messages.register_operations import (
    MaskWriteRegisterRequest,
    ReadFifoQueueRequest,
    ReadWriteMultipleRegistersRequest,
)

# File records.


def read_group(file: int = 1, record: int = 0, count: int = 1, reference_type: int = 6) -> bytes:
    return bytes((reference_type,)) + word(file) + word(record) + word(count)


def read_file(*groups: bytes) -> bytes:
    data = b"".join(groups)
    return bytes((20, len(data))) + data


def write_file(*groups: bytes) -> bytes:
    data = b"".join(groups)
    return bytes((21, len(data))) + data


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ((0, 0, 1), ADDRESS),
        ((1, 0, 1), 0),
        ((65535, 0, 1), 0),
        ((1, 9999, 1), 0),
        ((1, 10000, 1), ADDRESS),
        ((1, 65535, 1), ADDRESS),
        ((1, 9998, 2), 0),
        ((1, 9999, 2), ADDRESS),
        ((1, 9889, 111), 0),
        ((1, 9890, 111), ADDRESS),
        ((1, 0, 0), ADDRESS),
    ],
)
def test_files_and_records(place: tuple[int, int, int], code: int) -> None:
    file, record, count = place
    values = bytes(2 * count)
    pdus = (
        read_file(read_group(*place)),
        write_file(read_group(*place) + values, read_group() + b"12"),
    )
    builds: tuple[Callable[[], Request[Any]], ...] = (
        lambda: ReadFileRecordRequest([place]),
        lambda: WriteFileRecordRequest([(file, record, [0] * count), (1, 0, [0x3132])]),
    )
    for pdu, build in zip(pdus, builds, strict=True):
        if not code:
            assert build().encode() == decode_request(pdu).encode() == pdu
            continue
        assert refused(pdu) == code
        with pytest.raises(InvalidRequestError) as caught:
            build()
        assert caught.value.exception_code == code


def test_files_end_at_65535() -> None:
    with pytest.raises(ValueError, match=r"file must be 1\.\.65535, got 65536"):
        ReadFileRecordRequest([(65536, 0, 1)])
    with pytest.raises(ValueError, match=r"record must be 0\.\.9999, got -1"):
        ReadFileRecordRequest([(1, -1, 1)])
    with pytest.raises(ValueError, match="must be integers"):
        ReadFileRecordRequest([(1.0, 0, 1)])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"must be \(file, record, count\)"):
        ReadFileRecordRequest([(1, 0)])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"must be \(file, record, values\)"):
        WriteFileRecordRequest([(1, 0, 5)])  # type: ignore[list-item]


def test_the_answer_to_a_file_read_must_fit() -> None:
    """The specification's table has room for 121 registers, a PDU for 124."""
    assert ReadFileRecordRequest([(1, 0, 121)]).encode() == read_file(read_group(count=121))
    with pytest.raises(ValueError, match="data length must be at most 245 bytes .* got 246"):
        ReadFileRecordRequest([(1, 0, 122)])
    with pytest.raises(ValueError, match=r"data length must be 4\.\.245 bytes .* got 246"):
        ReadFileRecordResponse([[0] * 122])
    decode_request(read_file(read_group(count=124)))
    assert refused(read_file(read_group(count=125))) == VALUE
    decode_request(read_file(read_group(count=60), read_group(count=63)))
    assert refused(read_file(read_group(count=60), read_group(count=64))) == VALUE


def test_the_data_of_a_file_write_must_fit() -> None:
    assert len(WriteFileRecordRequest([(1, 0, [0] * 122)]).encode()) == 253
    for records in ([], [(1, 0, [0] * 123)], [(1, 0, [0] * 60), (2, 0, [0] * 59)]):
        with pytest.raises(ValueError, match="must be"):
            WriteFileRecordRequest(records)


# Function 8.


@pytest.mark.parametrize("sub_function", [*range(5, 10), *range(22, 30), 0xFFFF])
@pytest.mark.parametrize("words", [(), (7,), (1, 2), (0,) * 125])
def test_other_sub_functions_take_any_words(sub_function: int, words: tuple[int, ...]) -> None:
    """A device may have more of them than the specification; modwire stands in nobody's way."""
    pdu = b"\x08" + word(sub_function) + b"".join(map(word, words))
    request = DiagnosticsRequest(sub_function, words)
    assert decode_request(pdu) == request
    assert request.encode() == pdu
    assert decode_response(pdu) == request.decode_response(pdu)
    assert request.decode_response(pdu).data == words
    assert request.is_write, "it must neither be repeated nor refused as a broadcast"


@pytest.mark.parametrize("sub_function", [5, 0xFFFF])
def test_other_sub_functions_have_whole_words(sub_function: int) -> None:
    """With code 01, a unit that passes requests on gets the bytes as they are."""
    assert refused(b"\x08" + word(sub_function) + bytes(3)) == FUNCTION
    with pytest.raises(InvalidResponseError):
        decode_response(b"\x08" + word(sub_function) + bytes(3))
    with pytest.raises(InvalidResponseError, match="answer has sub-function 6, "):
        DiagnosticsRequest(sub_function).decode_response(b"\x08\0\x06\0\0")
    for wrong in (65536, -1):
        with pytest.raises(ValueError, match=f"sub-function must be 0..65535, got {wrong}"):
            DiagnosticsRequest(wrong)
    with pytest.raises(ValueError, match=r"count must be 0\.\.125 data words, got 126"):
        DiagnosticsRequest(sub_function, [0] * 126)


def test_sub_functions_are_those_of_the_list() -> None:
    listed = {each["sub"] for each in LIMITS[8, None]["subfunctions"]}
    assert set(DiagnosticsSubFunction) == listed | {19, 21}


@pytest.mark.parametrize("sub_function", DiagnosticsSubFunction)
def test_data_of_sub_functions(sub_function: DiagnosticsSubFunction) -> None:
    allowed: Any = {1: (0, 0xFF00), 3: range(0, 0x10000, 256), 21: (3, 4), 0: range(0x10000)}.get(
        sub_function, (0,)
    )
    for value in (0, 1, 2, 3, 4, 5, 0x00FF, 0x0100, 0x2100, 0x2121, 0xFEFF, 0xFF00, 0xFF01, 0xFFFF):
        pdu = b"\x08" + word(sub_function) + word(value)
        if value in allowed:
            assert decode_request(pdu).encode() == pdu
        else:
            assert refused(pdu) == VALUE
            with pytest.raises(ValueError, match="data of sub-function"):
                DiagnosticsRequest(sub_function, value)


@pytest.mark.parametrize("sub_function", DiagnosticsSubFunction)
def test_numbers_of_data_words(sub_function: DiagnosticsSubFunction) -> None:
    start = b"\x08" + word(sub_function)
    good = {1: b"\x00\x00", 21: b"\x00\x03"}.get(sub_function, b"\x00\x00")
    assert refused(start) == VALUE
    assert refused(start + good[:1]) == VALUE
    assert refused(start + good + b"\x00") == VALUE
    if sub_function:
        assert refused(start + good + good) == VALUE
        assert refused(start + good * 125) == VALUE
    else:
        decode_request(start + good + good)
        decode_request(start + good * 125)
    with pytest.raises(ValueError, match=r"count must be 1\.\.125 data words, got 0"):
        DiagnosticsRequest(sub_function, [])
    with pytest.raises(ValueError, match="must be"):
        DiagnosticsRequest(sub_function, [0] * 126)


# Device identification.


@pytest.mark.parametrize(("read_code", "good"), [(0, False), (1, True), (4, True), (5, False)])
def test_read_device_id_codes(read_code: int, good: bool) -> None:
    pdu = bytes((43, 14, read_code, 0))
    if good:
        assert decode_request(pdu).encode() == pdu
        return
    assert refused(pdu) == VALUE
    with pytest.raises(ValueError, match=rf"1\.\.4, got {read_code}"):
        ReadDeviceIdentificationRequest(read_code)
    with pytest.raises(InvalidResponseError, match=rf"1\.\.4, got {read_code}"):
        decode_response(bytes((43, 14, read_code, 1, 0, 0, 0)))


@pytest.mark.parametrize("mei_type", [0, 12, 15, 255])
def test_other_mei_types(mei_type: int) -> None:
    assert refused(bytes((43, mei_type, 1, 0))) == FUNCTION


def test_conformity_levels_that_exist() -> None:
    allowed = {int(level, 16) for level in LIMITS[43, 14]["conformity"]}
    for level in range(256):
        if level in allowed:
            ReadDeviceIdentificationResponse(1, level, False, 0, [])
        else:
            with pytest.raises(ValueError, match=r"01\.\.03 or 81\.\.83"):
                ReadDeviceIdentificationResponse(1, level, False, 0, [])


def test_objects_must_fit_a_pdu() -> None:
    assert LIMITS[43, 14]["response"]["object_length"] == {"min": 0, "max": 244}
    full = ReadDeviceIdentificationResponse(1, 1, False, 0, [(0, bytes(120)), (1, bytes(122))])
    assert len(full.encode()) == 253
    with pytest.raises(ValueError, match="at most 246 bytes .* got 247"):
        ReadDeviceIdentificationResponse(1, 1, False, 0, [(0, bytes(120)), (1, bytes(123))])
    with pytest.raises(ValueError, match="0 when nothing follows"):
        ReadDeviceIdentificationResponse(1, 1, False, 3, [])


def test_the_id_length_is_checked() -> None:
    for bad in (-1, 252):
        with pytest.raises(ValueError, match=r"0\.\.251 bytes or None"):
            ReportServerIdRequest(bad)
    with pytest.raises(ValueError, match="needs a run indicator"):
        ReportServerIdResponse(b"\x01", None, b"more")


# Two broken rules at once: the state diagrams define the exception code.


@pytest.mark.parametrize(
    ("pdu", "code"),
    [
        pytest.param("01 ffff 0000", VALUE, id="quantity before address, coils"),
        pytest.param("03 ea60 0000", VALUE, id="quantity before address, registers"),
        pytest.param("04 ffff 007e", VALUE, id="quantity before address, input registers"),
        pytest.param("0f ffff 000a 01 00", VALUE, id="byte count before address, coils"),
        pytest.param("10 ffff 0002 02 0000", VALUE, id="byte count before address, registers"),
        pytest.param("17 ffff 0002 0000 0001 01 00", VALUE, id="byte count before read address"),
        pytest.param("17 ffff 0002 0000 0000 00", VALUE, id="write quantity before read address"),
        pytest.param("17 0000 0000 ffff 0001 02 0000", VALUE, id="read quantity"),
        pytest.param("17 0000 0000 ffff 0002 04 00000000", VALUE, id="quantity before address, 23"),
        pytest.param("14 08 05 0000 0000 0001 00", VALUE, id="byte count before reference type"),
        pytest.param(
            "14 07 05 0000 2710 00ff", ADDRESS, id="reference type before the answer's size"
        ),
        pytest.param("14 07 06 0001 270f 007e", ADDRESS, id="record before the answer's size"),
        pytest.param("15 09 05 0000 0000 0002 0000", VALUE, id="groups before reference type"),
        pytest.param("08 0016 12", FUNCTION, id="sub-function before its data"),
        pytest.param("08 0001 1234 00", VALUE, id="length and data of a sub-function"),
        pytest.param("2b 0f 09", FUNCTION, id="MEI type before the rest"),
        pytest.param("41", FUNCTION, id="function before everything"),
    ],
)
def test_order_of_checks(pdu: str, code: int) -> None:
    assert refused(bytes.fromhex(pdu)) == code


@pytest.mark.parametrize(
    ("request_class", "arguments", "error"),
    [
        (ReadHoldingRegistersRequest, (0, 126), "count must be 1..125 registers, got 126"),
        (ReadCoilsRequest, (65535, 2), "address + count must be at most 65536, got 65535 + 2"),
        (ReadFileRecordRequest, ([],), "count must be 1..35 groups of file records, got 0"),
        (DiagnosticsRequest, (1, 5), "data of sub-function 1 must be 0000 or FF00, got 0005"),
        (DiagnosticsRequest, ("99",), "sub-function must be an integer 0..65535, got '99'"),
        (CanopenGeneralReferenceRequest, (bytes(252),), "data must be 0..251 bytes, got 252"),
        (ReadDeviceIdentificationRequest, (5,), "read device id code must be 1..4, got 5"),
    ],
)
def test_errors_say_what_was_wrong_and_what_is_allowed(
    request_class: Callable[..., object], arguments: tuple[object, ...], error: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        request_class(*arguments)
    assert str(caught.value) == error


@pytest.mark.parametrize(
    "build",
    [
        lambda flag: ReadCoilsRequest(flag, 1),
        lambda flag: ReadCoilsRequest(0, flag),
        lambda flag: ReadHoldingRegistersRequest(flag, flag),
        lambda flag: WriteSingleCoilRequest(flag, True),
        lambda flag: WriteSingleRegisterRequest(flag, 1),
        lambda flag: WriteMultipleRegistersRequest(flag, [1]),
        lambda flag: MaskWriteRegisterRequest(flag, 1, 1),
        lambda flag: ReadFifoQueueRequest(flag),
        lambda flag: ReadWriteMultipleRegistersRequest(0, flag, 0, [1]),
        lambda flag: ReadWriteMultipleRegistersRequest(0, 1, flag, [1]),
    ],
)
def test_addresses_and_counts_are_no_bools(build: Callable[[Any], object]) -> None:
    """`write_coil(True, 5)` has its arguments in the wrong order."""
    for flag in (True, False):
        with pytest.raises(InvalidRequestError, match=f"must be .*, got {flag}"):
            build(flag)
