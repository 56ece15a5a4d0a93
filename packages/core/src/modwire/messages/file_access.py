"""Functions 20 and 21: file records (sections 6.14 and 6.15).

A file is 10000 registers, "records" 0 to 9999; one request reads or writes several groups of them.
Messages keep the groups as the bytes of the wire (`data`) and unpack them when they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from ..errors import ExceptionCode, InvalidRequestError, InvalidResponseError
from .base import Request, Response, counted_length, new_message, set_field
from .checks import wrong_length
from .forms import CountedData, set_data
from .packing import as_registers, pack_registers, unpack_registers

if TYPE_CHECKING:
    from typing_extensions import Self

    from .device import Device

__all__ = [
    "FileRecord",
    "FileRecordData",
    "ReadFileRecordRequest",
    "ReadFileRecordResponse",
    "WriteFileRecordRequest",
    "WriteFileRecordResponse",
]

REFERENCE_TYPE = 6
GROUP_SIZE = 7  # bytes of a sub-request without its data
FILE_RECORDS = 10000  # in every file
MAX_READ_GROUPS = 35
MAX_READ_SIZE = GROUP_SIZE * MAX_READ_GROUPS
MIN_READ_LENGTH = 4  # bytes: one group of one register
MIN_WRITE_LENGTH = GROUP_SIZE + 2
# The specification allows F5 bytes in the response to a read, but a PDU has room for FB. Clients
# request F5 at most; servers and clients accept up to FB.
MAX_ASKED_LENGTH = 0xF5
MAX_FILE_LENGTH = 0xFB

_GROUP = Struct(">BHHH")
_RECORD_HEADER = Struct(">BB")


class FileRecord(NamedTuple):
    """The place of `count` registers: in `file` (1..65535) from `record` (0..9999) on."""

    file: int
    record: int
    count: int  # type: ignore[assignment]


class FileRecordData(NamedTuple):
    """The `values` (0..65535) of registers in `file` (1..65535) from `record` (0..9999) on."""

    file: int
    record: int
    values: Sequence[int]


class ReadFileRecordResponse(CountedData, Response):
    """The response to function 20: the registers of each group, in the order of the request.

    The constructor accepts a data length of at most 245 bytes, `decode` accepts 251.
    """

    __slots__ = ()
    __match_args__ = ("records",)
    function_code = 20

    def __init__(self, records: Sequence[Sequence[int]]) -> None:
        code = self.function_code
        groups = [pack_registers(code, values, 125) for values in records]
        data = _joined(groups)
        if not MIN_READ_LENGTH <= len(data) <= MAX_ASKED_LENGTH:
            raise InvalidRequestError(
                f"data length must be {MIN_READ_LENGTH}..{MAX_ASKED_LENGTH} bytes "
                f"(2 + 2 for each register of each group), got {len(data)}",
                code,
            )
        set_data(self, data)

    @classmethod
    def from_data(cls, groups: Iterable[bytes]) -> Self:
        """Return the response with big-endian `groups`; the limit of 251 bytes is not checked."""
        response = new_message(cls)
        set_data(response, _joined(groups))
        return response

    @property
    def groups(self) -> tuple[bytes, ...]:
        """The registers of each group as big-endian bytes."""
        data = self.data
        groups: list[bytes] = []
        at = 0
        while at < len(data):
            end = at + 1 + data[at]
            groups.append(data[at + 2 : end])
            at = end
        return tuple(groups)

    @property
    def records(self) -> tuple[tuple[int, ...], ...]:
        """The registers of each group, 0..65535 each."""
        return tuple([unpack_registers(group) for group in self.groups])

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 2
        if not MIN_READ_LENGTH <= size <= MAX_FILE_LENGTH or pdu[1] != size:
            allowed = f"2 + data length ({MIN_READ_LENGTH}..{MAX_FILE_LENGTH})"
            raise wrong_length(cls, pdu, allowed)
        at = 2
        while at < len(pdu):
            length = pdu[at]
            end = at + 1 + length
            if length < 3 or not length & 1 or end > len(pdu) or pdu[at + 1] != REFERENCE_TYPE:
                raise InvalidResponseError(
                    "file response must have groups of length 1 + 2 for each register and "
                    f"reference type 6, got {pdu[at : at + 2].hex(' ')} with "
                    f"{len(pdu) - at - 2} bytes left"
                )
            at = end
        response = new_message(cls)
        set_data(response, pdu[2:])
        return response


class ReadFileRecordRequest(Request[ReadFileRecordResponse]):
    """Function 20: read 1 to 35 groups of file records (section 6.14).

    `records` are `FileRecord(file, record, count)` or plain tuples of the three. The response, 2
    bytes for each group and 2 for each register, must have at most 245 bytes.
    """

    __slots__ = ("records",)
    __match_args__ = ("records",)
    function_code = 20
    length_rule = staticmethod(counted_length(1))
    response_type = ReadFileRecordResponse
    records: tuple[FileRecord, ...]

    def __init__(self, records: Sequence[FileRecord | tuple[int, int, int]]) -> None:
        set_field(self, "records", _checked_places(self.function_code, records, MAX_ASKED_LENGTH))

    def encode(self) -> bytes:
        header = bytes((self.function_code, GROUP_SIZE * len(self.records)))
        return header + b"".join([_GROUP.pack(REFERENCE_TYPE, *record) for record in self.records])

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        size = len(pdu) - 2
        if not GROUP_SIZE <= size <= MAX_READ_SIZE or size % GROUP_SIZE or pdu[1] != size:
            allowed = f"2 + byte count ({GROUP_SIZE}..{MAX_READ_SIZE}, a multiple of {GROUP_SIZE})"
            raise wrong_length(cls, pdu, allowed)
        code = cls.function_code
        groups = list(_GROUP.iter_unpack(pdu[2:]))
        for reference_type, *_ in groups:
            _check_reference_type(code, reference_type)
        request = new_message(cls)
        places = [FileRecord(file, record, count) for _, file, record, count in groups]
        set_field(request, "records", _checked_places(code, places, MAX_FILE_LENGTH))
        return request

    def check_response(self, response: ReadFileRecordResponse) -> None:
        got = [len(group) >> 1 for group in response.groups]
        asked = [record.count for record in self.records]
        if got != asked:
            raise InvalidResponseError(
                f"answer has groups of {got} registers, the request asked for {asked}"
            )

    def execute(self, unit: Device) -> ReadFileRecordResponse:
        for file, record, count in self.records:
            unit.check_file(file, record, count)
        return ReadFileRecordResponse.from_data([unit.read_file(*place) for place in self.records])


class FileRecords(CountedData):
    """The form of function 21: groups of file records, 9 to 251 bytes in all."""

    __slots__ = ()
    __match_args__ = ("records",)
    function_code = 21

    def __init__(self, records: Sequence[FileRecordData | tuple[int, int, Sequence[int]]]) -> None:
        set_data(self, _packed(self.function_code, records))

    @property
    def records(self) -> tuple[FileRecordData, ...]:
        """Places, and the values to write or already written."""
        groups = _groups(self.data)
        return tuple(
            [FileRecordData(file, at, unpack_registers(values)) for _, file, at, values in groups]
        )

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        """Check lengths first (03), then reference type, file and record of each group (02)."""
        code = cls.function_code
        size = len(pdu) - 2
        if not MIN_WRITE_LENGTH <= size <= MAX_FILE_LENGTH or pdu[1] != size:
            allowed = f"2 + data length ({MIN_WRITE_LENGTH}..{MAX_FILE_LENGTH})"
            raise wrong_length(cls, pdu, allowed)
        at = 2
        while at < len(pdu):
            # A group with an incomplete header is treated as too long, too.
            count = int.from_bytes(pdu[at + 5 : at + 7], "big")
            end = at + 7 + 2 * count
            if end > len(pdu):
                raise InvalidRequestError(
                    f"groups must fill the data length, got one of {count} values with "
                    f"{len(pdu) - at} bytes left for it",
                    code,
                )
            at = end
        for reference_type, file, record, values in _groups(pdu[2:]):
            _check_reference_type(code, reference_type)
            _check_place(code, file, record, len(values) >> 1)
        message = new_message(cls)
        set_data(message, pdu[2:])
        return message


class WriteFileRecordResponse(FileRecords, Response):
    """The response to function 21, which repeats the request."""

    __slots__ = ()

    @classmethod
    def decode(cls, pdu: bytes) -> Self:
        try:
            return super().decode(pdu)
        except InvalidRequestError as error:
            raise InvalidResponseError(str(error)) from None


class WriteFileRecordRequest(FileRecords, Request[WriteFileRecordResponse]):
    """Function 21: write groups of file records, 9 to 251 bytes in all (section 6.15).

    `records` are `FileRecordData(file, record, values)` or plain tuples of the three. Each takes 7
    bytes and 2 for each value, so one group may have 122 values.
    """

    __slots__ = ()
    is_write = True
    response_type = WriteFileRecordResponse

    def check_response(self, response: WriteFileRecordResponse) -> None:
        if response.data != self.data:
            raise InvalidResponseError(
                f"answer must repeat the request, got {response.data.hex(' ')} for "
                f"{self.data.hex(' ')}"
            )

    def execute(self, unit: Device) -> WriteFileRecordResponse:
        for _, file, record, values in _groups(self.data):
            unit.check_file(file, record, len(values) >> 1, write=True)
        for _, file, record, values in _groups(self.data):
            unit.write_file(file, record, values)
        response = new_message(WriteFileRecordResponse)
        set_data(response, self.data)
        return response


def _joined(groups: Iterable[bytes]) -> bytes:
    return b"".join(
        [_RECORD_HEADER.pack(1 + len(group), REFERENCE_TYPE) + group for group in groups]
    )


def _checked_places(
    function_code: int, places: Sequence[FileRecord | tuple[int, int, int]], most: int
) -> tuple[FileRecord, ...]:
    if not 1 <= len(places) <= MAX_READ_GROUPS:
        raise InvalidRequestError(
            f"count must be 1..{MAX_READ_GROUPS} groups of file records, got {len(places)}",
            function_code,
        )
    checked: list[FileRecord] = []
    for place in places:
        try:
            file, record, count = place
        except (TypeError, ValueError):
            _refuse_shape(function_code, "(file, record, count)", place)
        _check_place(function_code, file, record, count)
        checked.append(FileRecord(file, record, count))
    size = sum([2 + 2 * place.count for place in checked])
    if size > most:
        raise InvalidRequestError(
            f"the answer's data length must be at most {most} bytes (2 + 2 for each register of "
            f"each group), got {size}",
            function_code,
        )
    return tuple(checked)


def _check_place(function_code: int, file: int, record: int, count: int) -> None:
    try:
        # The shift raises for floats, which a comparison would accept.
        in_range = not (file | record | count) >> 16
    except TypeError:
        raise InvalidRequestError(
            f"file, record and count must be integers, got {file!r}, {record!r} and {count!r}",
            function_code,
        ) from None
    if in_range and file and count and record + count <= FILE_RECORDS:
        return
    if not 1 <= file <= 0xFFFF:
        message = f"file must be 1..65535, got {file}"
    elif not 0 <= record < FILE_RECORDS:
        message = f"record must be 0..{FILE_RECORDS - 1}, got {record}"
    elif count < 1:
        message = f"count must be at least 1 register, got {count}"
    else:
        message = f"record + count must be at most {FILE_RECORDS}, got {record} + {count}"
    raise InvalidRequestError(message, function_code, ExceptionCode.ILLEGAL_DATA_ADDRESS)


def _check_reference_type(function_code: int, reference_type: int) -> None:
    if reference_type != REFERENCE_TYPE:
        raise InvalidRequestError(
            f"reference type must be {REFERENCE_TYPE}, got {reference_type}",
            function_code,
            ExceptionCode.ILLEGAL_DATA_ADDRESS,
        )


def _refuse_shape(function_code: int, shape: str, got: object) -> NoReturn:
    raise InvalidRequestError(f"a file record must be {shape}, got {got!r}", function_code)


def _packed(
    function_code: int, records: Sequence[FileRecordData | tuple[int, int, Sequence[int]]]
) -> bytes:
    groups: list[bytes] = []
    for place in records:
        try:
            file, record, given = place
            len(given)
        except (TypeError, ValueError):
            _refuse_shape(function_code, "(file, record, values)", place)
        values = as_registers(function_code, given)
        count = len(values)
        _check_place(function_code, file, record, count)
        values_data = pack_registers(function_code, values, 122)
        groups.append(_GROUP.pack(REFERENCE_TYPE, file, record, count) + values_data)
    data = b"".join(groups)
    if not MIN_WRITE_LENGTH <= len(data) <= MAX_FILE_LENGTH:
        raise InvalidRequestError(
            f"data length must be {MIN_WRITE_LENGTH}..{MAX_FILE_LENGTH} bytes "
            f"(7 + 2 for each value of each group), got {len(data)}",
            function_code,
        )
    return data


def _groups(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield reference type, file, record and values of each group in well-formed `data`."""
    at = 0
    while at < len(data):
        reference_type, file, record, count = _GROUP.unpack_from(data, at)
        end = at + 7 + 2 * count
        yield reference_type, file, record, data[at + 7 : end]
        at = end
