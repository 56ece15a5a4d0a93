"""`Unit`, a device with all that Modbus can ask of one, and `Units`, those that a server serves.

The server protocol calls `Unit.answer` for a PDU, or `Unit.execute` for a decoded request; both
keep the counters and the log, map errors to exception responses, and never raise on what came in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from typing import TYPE_CHECKING, ClassVar

from ..errors import (
    ExceptionCode,
    ExceptionResponseError,
    IllegalDataAddressError,
    IllegalFunctionError,
    InvalidRequestError,
)
from ..messages.base import ExceptionResponse
from .block import Block
from .datastore import Datastore
from .diagnostics import Communication

if TYPE_CHECKING:
    from ..messages.base import AnyRequest, Response
    from ..messages.decoder import Decoder
    from .identity import Identity

_DIAGNOSTICS = 8
_RESTART_COMMUNICATIONS = 1
_GET_COMM_EVENT_COUNTER = 11  # is no event itself, section 6.9
_MAX_ID_BYTES = 250  # of function 17: server id and additional data beside the run indicator
_MAX_RECORDS = 10000  # of a file, section 6.14

_CO_COROUTINE = 0x80  # of the flags of a code object: it is that of an `async def`

_READ_REQUEST = Struct(">BHH")
_MAX_READ_BITS = 2000
_MAX_READ_REGISTERS = 125
# Function code and byte count of the answers to functions 3 and 4, by count of registers.
_HOLDING_HEADERS = tuple(bytes((3, count << 1)) for count in range(_MAX_READ_REGISTERS + 1))
_INPUT_HEADERS = tuple(bytes((4, count << 1)) for count in range(_MAX_READ_REGISTERS + 1))


class Unit(Datastore, Communication):
    """A device: four tables, and what the other functions ask for.

    - `coils`, `discrete_inputs`, `holding_registers`, `input_registers`: a block, or None where
      every address is illegal (exception 02).
    - `identity` is what function 43/14 reads; None answers 01.
    - `files` maps file numbers (1..65535) to blocks whose addresses are the record numbers,
      0..9999: `SequentialBlock(0, [0] * 10000)` is a whole file (functions 20 and 21).
    - `fifo_queues` maps the address of a FIFO's count register to a sequence, oldest value first,
      such as a deque that the owner appends to; reading does not empty it (function 24).
    - `server_id`, `run_indicator` and `additional_id_data` are the answer to function 17; the two
      byte strings have at most 250 bytes together. A `run_indicator` of None is for a device whose
      answer ends with the id.
    - `exception_status` is the eight coils of function 7.
    - `blocking=True` tells an adapter that `execute` may wait for something, such as a database.

    All of these are attributes too. Subclass `Unit` and override
    `execute(self, request, *, broadcast=False)` to see every request. Where that is an
    `async def`, `is_async` is True and the unit blocks: only async servers can serve it.
    """

    is_async: ClassVar[bool] = False
    cooperative: ClassVar[bool] = False
    """True in a class whose `execute` lets others run by itself while it waits, as gevent does."""
    forwards: ClassVar[bool] = False
    """True in a class that passes requests on, as a gateway does: `execute_for` is called in place
    of `execute`, for functions too that the server does not know, as a `RawRequest`."""

    # Whether `answer` may serve plain reads itself: not past an override of execute.
    _execute_is_ours: ClassVar[bool] = True

    def __init__(
        self,
        coils: Block | None = None,
        discrete_inputs: Block | None = None,
        holding_registers: Block | None = None,
        input_registers: Block | None = None,
        *,
        identity: Identity | None = None,
        files: Mapping[int, Block] | None = None,
        fifo_queues: Mapping[int, Sequence[int]] | None = None,
        server_id: bytes = b"modwire",
        run_indicator: bool | None = True,
        additional_id_data: bytes = b"",
        exception_status: int = 0,
        blocking: bool = False,
    ) -> None:
        Datastore.__init__(self, coils, discrete_inputs, holding_registers, input_registers)
        Communication.__init__(self)
        self.identity = identity
        self.files = dict(files or {})
        for number, block in self.files.items():
            if not 1 <= number <= 0xFFFF:
                raise ValueError(f"file number must be 1..65535, got {number}")
            if not isinstance(block, Block):
                raise TypeError(f"file {number} must be a block, got {type(block).__name__}")
        self.fifo_queues = dict(fifo_queues or {})
        for address in self.fifo_queues:
            if not 0 <= address <= 0xFFFF:
                raise ValueError(f"FIFO pointer address must be 0..65535, got {address}")
        size = len(server_id) + len(additional_id_data)
        if size > _MAX_ID_BYTES:
            raise ValueError(
                f"server_id and additional_id_data must be at most {_MAX_ID_BYTES} bytes, "
                f"got {size}"
            )
        self.server_id = server_id
        self.run_indicator = run_indicator
        self.additional_id_data = additional_id_data
        self.exception_status = exception_status
        self.blocking = blocking or self.is_async

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._execute_is_ours = cls.execute is Unit.execute
        code = getattr(cls.execute, "__code__", None)
        cls.is_async = code is not None and bool(code.co_flags & _CO_COROUTINE)

    @property
    def exception_status(self) -> int:
        """The eight exception status outputs, bit 0 the lowest one (section 6.7)."""
        return self._exception_status

    @exception_status.setter
    def exception_status(self, value: int) -> None:
        if not 0 <= value <= 0xFF:
            raise ValueError(f"exception_status must be 0..255, got {value}")
        self._exception_status = value

    # What a server calls.

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        """Do what `request` asks; the response, an `ExceptionResponse` if it fails, or None.

        None means silence: the answer to a broadcast, to anything in listen-only mode, and to
        the diagnostic that enters it. A broadcast is executed only if it writes (section 2.1 of
        MODBUS over Serial Line). An error that is no `ExceptionResponseError` answers 04; either
        is the `cause` of the exception response.
        """
        self._message_received(broadcast)
        code = request.function_code
        ignored = broadcast and not request.is_write
        if ignored or (self._listen_only and not _restarts(request)):
            self._message_done(success=False, answered=False)
            return None
        try:
            response = request.execute(self)
        except ExceptionResponseError as error:
            response = _refusal(code, error.code, error)
        except Exception as error:  # noqa: BLE001 - a peer cannot be let to stop the server
            response = _refusal(code, ExceptionCode.SERVER_DEVICE_FAILURE, error)
        answer = None if broadcast else response
        if isinstance(response, ExceptionResponse):
            self._message_refused(response.exception_code, answered=not broadcast)
        else:
            self._message_done(success=code != _GET_COMM_EVENT_COUNTER, answered=answer is not None)
        return answer

    def execute_for(
        self, asker: object, request: AnyRequest, *, broadcast: bool = False
    ) -> Response | None:
        """`execute` where `forwards`; `asker` is whoever shares the way with others."""
        return self.execute(request, broadcast=broadcast)

    def refuse(
        self, error: InvalidRequestError, *, broadcast: bool = False
    ) -> ExceptionResponse | None:
        """The response to a request that could not be decoded; None means silence."""
        self._message_received(broadcast)
        if self._listen_only:
            self._message_done(success=False, answered=False)
            return None
        self._message_refused(error.exception_code, answered=not broadcast)
        return None if broadcast else _refusal(error.function_code, error.exception_code, error)

    def answer(self, pdu: bytes, decoder: Decoder, *, broadcast: bool = False) -> bytes:
        """The PDU that answers the request `pdu`; b"" means silence.

        It is `decode_request`, `execute` (or `refuse`) and `encode` in one, by `answer_read` where
        that can serve.
        """
        if decoder.standard_reads and not broadcast:
            answer = self.answer_read(pdu)
            if answer is not None:
                return answer
        try:
            request = decoder.decode_request(pdu)
        except InvalidRequestError as error:
            refusal = self.refuse(error, broadcast=broadcast)
            return b"" if refusal is None else refusal.encode()
        response = self.execute(request, broadcast=broadcast)
        if response is None:
            return b""
        try:
            return response.encode()
        except Exception as error:  # noqa: BLE001 - a custom response that cannot be encoded
            code = request.function_code
            return _refusal(code, ExceptionCode.SERVER_DEVICE_FAILURE, error).encode()

    def answer_read(self, pdu: bytes) -> bytes | None:
        """The PDU that answers `pdu` if it is a good read (functions 1 to 4) of a plain block.

        The outcome and the bookkeeping are those of `execute`, without making messages. None,
        with nothing done, for any other request, in listen-only mode and where `execute` is
        overridden.
        """
        if len(pdu) != 5 or self._listen_only or not self._execute_is_ours:
            return None
        code: int
        address: int
        count: int
        code, address, count = _READ_REQUEST.unpack(pdu)
        try:
            if code == 3:
                block = self.holding_registers
                if not block.plain_reads or not 1 <= count <= _MAX_READ_REGISTERS:
                    return None
                answer = _HOLDING_HEADERS[count] + block.read_registers(address, count)
            elif code == 4:
                block = self.input_registers
                if not block.plain_reads or not 1 <= count <= _MAX_READ_REGISTERS:
                    return None
                answer = _INPUT_HEADERS[count] + block.read_registers(address, count)
            elif code == 1 or code == 2:
                block = self.coils if code == 1 else self.discrete_inputs
                if not block.plain_reads or not 1 <= count <= _MAX_READ_BITS:
                    return None
                answer = bytes((code, (count + 7) >> 3)) + block.read_bits(address, count)
            else:
                return None
        except IllegalDataAddressError:
            return None
        self._good_exchanges += 1
        return answer

    # What requests ask for beside the tables and the communication.

    def check_file(self, file: int, record: int, count: int, *, write: bool = False) -> None:
        """Raise `IllegalDataAddressError` unless the file has these records (section 6.14)."""
        block = self.files.get(file)
        if block is None:
            raise IllegalDataAddressError(detail=f"file {file} does not exist")
        if record + count > _MAX_RECORDS:
            raise IllegalDataAddressError(
                detail=f"records must be 0..{_MAX_RECORDS - 1}, got {record} + {count}"
            )
        if write:
            block.check_write(record, count)
        else:
            block.check(record, count)

    def read_file(self, file: int, record: int, count: int) -> bytes:
        """`count` records of a file as big-endian bytes; raises like `check_file`."""
        self.check_file(file, record, count)
        return self.files[file].read_registers(record, count)

    def write_file(self, file: int, record: int, data: bytes) -> None:
        """Write records from big-endian bytes; raises like `check_file`."""
        self.check_file(file, record, len(data) >> 1, write=True)
        self.files[file].write_registers(record, data)

    def read_fifo_queue(self, address: int) -> Sequence[int]:
        """The values of the queue at a pointer address, oldest first (section 6.18)."""
        try:
            return tuple(self.fifo_queues[address])
        except KeyError:
            raise IllegalDataAddressError(detail=f"there is no FIFO queue at {address}") from None

    def canopen_general_reference(self, data: bytes) -> bytes:
        """The answer's data to function 43/13 (section 6.20); to be overridden, refuses with 01."""
        raise IllegalFunctionError(detail="the unit has no CANopen objects")


def _restarts(request: AnyRequest) -> bool:
    """Whether `request` is the one diagnostic that leads out of listen-only mode."""
    return (
        request.function_code == _DIAGNOSTICS
        and getattr(request, "sub_function", None) == _RESTART_COMMUNICATIONS
    )


def _refusal(function_code: int, code: int, cause: Exception) -> ExceptionResponse:
    # A raw request may have any function code, and a block may raise any number.
    if not 0 <= code <= 0xFF:
        code = ExceptionCode.SERVER_DEVICE_FAILURE
    return ExceptionResponse(function_code & 0x7F, code, cause)
