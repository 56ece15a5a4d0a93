"""`Unit`: a device that supports all functions of Modbus.

Servers call its `execute`, which keeps the counters and the log, maps errors to exception
responses, and never raises because of a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from struct import Struct
from typing import TYPE_CHECKING, ClassVar

from ..arguments import explained
from ..errors import (
    ExceptionCode,
    ExceptionResponseError,
    IllegalDataAddressError,
    IllegalFunctionError,
    InvalidRequestError,
)
from ..hooks import check_methods, is_coroutine_function
from ..messages.base import ExceptionResponse
from ..messages.bit_access import MAX_READ_BITS
from ..messages.forms import MAX_READ_REGISTERS
from .block import Block, check_block
from .datastore import Datastore
from .diagnostics import Communication
from .identity import Identity

if TYPE_CHECKING:
    from ..messages.base import AnyRequest, Response

_DIAGNOSTICS = 8
_RESTART_COMMUNICATIONS = 1
_GET_COMM_EVENT_COUNTER = 11  # not counted as an event itself, section 6.9
_MAX_ID_BYTES = 250  # of function 17: server id and additional data beside the run indicator
_MAX_RECORDS = 10000  # of a file, section 6.14


# Functions that read or change the counters and the log, which `execute` writes (6.8 to 6.10).
_DIAGNOSTIC_FUNCTIONS = (8, 11, 12)

_unpack_read = Struct(">BHH").unpack
# Function code and byte count of the answers to functions 3 and 4, by count of registers.
_HOLDING_HEADERS = tuple(bytes((3, count << 1)) for count in range(MAX_READ_REGISTERS + 1))
_INPUT_HEADERS = tuple(bytes((4, count << 1)) for count in range(MAX_READ_REGISTERS + 1))


class Waits(Enum):
    """The kind of waiting in a unit's `execute`, by which a server decides where to call it."""

    NEVER = auto()
    """It answers from memory: servers call it directly."""
    THREAD = auto()
    """It may block, on a database for example: servers call it in a thread."""
    LOOP = auto()
    """It waits in the event loop of its package: in trio and asyncio it is a coroutine function,
    in gevent a function that lets other greenlets run."""
    QUEUE = auto()
    """Like LOOP, in the queue of a gateway, which limits the number that wait; see `QueuedUnit`."""


class BaseUnit(Datastore, Communication):
    """A device: four tables, and the data of the other functions.

    Use `Unit`, or `AsyncUnit` for a unit that is awaited. They take these arguments:

    - `coils`, `discrete_inputs`, `holding_registers`, `input_registers`: a block, or None if
      every address is illegal (exception 02).
    - `identity`: the objects for function 43/14; None to answer 01.
    - `files`: maps file numbers (1..65535) to blocks whose addresses are the record numbers,
      0..9999: `SequentialBlock(0, [0] * 10000)` is a whole file (functions 20 and 21).
    - `fifo_queues`: maps the address of a FIFO's count register to a sequence, oldest value first,
      such as a deque that the owner appends to; reading does not empty it (function 24).
    - `server_id`, `run_indicator`, `additional_id_data`: the answer to function 17; the two byte
      strings have at most 250 bytes together. With a `run_indicator` of None the answer ends
      after the id.
    - `exception_status`: the eight outputs of function 7, as a number 0..255.
    - `blocking`: True if `execute` may wait for something, such as a database; it sets `waits` to
      THREAD.

    All of these except `blocking` are attributes too.
    """

    waits: Waits = Waits.NEVER
    """Kind of waiting in `execute`; a class or a unit may set it."""

    # False if a subclass overrides `execute`, which `answer_read` would bypass.
    _execute_is_ours: ClassVar[bool] = False

    @explained
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
        if identity is not None and not isinstance(identity, Identity):
            raise TypeError(
                'identity must be an Identity, such as Identity({0: "ACME", 1: "M1", 2: "1.0"}), '
                f"or None, got {identity!r}"
            )
        self.identity = identity
        self.files = dict(files or {})
        for number, block in self.files.items():
            if not 1 <= number <= 0xFFFF:
                raise ValueError(f"file number must be 1..65535, got {number}")
            check_block(f"file {number}", block)
        self.fifo_queues = dict(fifo_queues or {})
        for address in self.fifo_queues:
            if not 0 <= address <= 0xFFFF:
                raise ValueError(f"FIFO pointer address must be 0..65535, got {address}")
        for name, part in (("server_id", server_id), ("additional_id_data", additional_id_data)):
            if not isinstance(part, bytes):
                raise TypeError(f"{name} must be bytes, such as b'pump', got {part!r}")
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
        if blocking and self.waits is Waits.NEVER:
            self.waits = Waits.THREAD

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_methods(cls, BaseUnit, awaited="execute")
        cls._execute_is_ours = cls.execute is BaseUnit.perform
        if "execute" in cls.__dict__ and "waits" not in cls.__dict__:
            inherited: object = getattr(super(cls, cls), "execute", None)
            if is_coroutine_function(cls.execute):
                cls.waits = Waits.LOOP if cls.waits is Waits.NEVER else cls.waits
            elif is_coroutine_function(inherited) and cls.waits is Waits.LOOP:
                cls.waits = Waits.NEVER

    @property
    def blocking(self) -> bool:
        """True if `waits` is not NEVER; setting it sets `waits` to THREAD or NEVER."""
        return self.waits is not Waits.NEVER

    @blocking.setter
    def blocking(self, value: bool) -> None:
        self.waits = Waits.THREAD if value else Waits.NEVER

    @property
    def exception_status(self) -> int:
        """The eight exception status outputs, the lowest in bit 0 (section 6.7)."""
        return self._exception_status

    @exception_status.setter
    def exception_status(self, value: int) -> None:
        if not 0 <= value <= 0xFF:
            raise ValueError(f"exception_status must be 0..255, got {value}")
        self._exception_status = value

    # Methods that a server calls.

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> object:
        """Execute `request`; every server calls this.

        Returns the response, or an object that a server of the same package can await, see `waits`.
        Returns None where a unit must not answer: to a broadcast, in listen-only mode, and to
        function 8. Elsewhere None is a mistake, which is logged and answered with 04; to leave a
        request without an answer on purpose, return `FaultyResponse(None)`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define execute()")

    def perform(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        """Execute `request` on the tables of this unit, and return the response.

        That is an `ExceptionResponse` if it fails, and None for no answer: to a broadcast, to any
        request in listen-only mode, and to the diagnostic that enters this mode. A broadcast is
        executed only if it writes (Serial Line, 2.1). An `ExceptionResponseError` is answered with
        its code, another error with 04; the error is the `cause` of the response.
        """
        code = request.function_code
        is_plain = not (broadcast or self._listen_only or code in _DIAGNOSTIC_FUNCTIONS)
        if is_plain:
            self._good_exchanges += 1  # taken back if it fails
        else:
            self._message_received(broadcast)
            ignored = broadcast and not request.is_write
            if ignored or (self._listen_only and not _restarts(request)):
                self._message_done(success=False, answered=False)
                return None
        try:
            response = request.execute(self)
        except ExceptionResponseError as error:
            response = _refusal(code, error.code, error)
        except Exception as error:  # noqa: BLE001 - a peer must not be able to stop the server
            response = _refusal(code, ExceptionCode.SERVER_DEVICE_FAILURE, error)
        if is_plain:
            if response is not None and not isinstance(response, ExceptionResponse):
                return response
            self._good_exchanges -= 1
            self._message_received(broadcast)
        if isinstance(response, ExceptionResponse):
            self._message_refused(response.exception_code, answered=not broadcast)
        else:
            answered = response is not None and not broadcast
            self._message_done(success=code != _GET_COMM_EVENT_COUNTER, answered=answered)
        return None if broadcast else response

    def refuse(
        self, error: InvalidRequestError, *, broadcast: bool = False
    ) -> ExceptionResponse | None:
        """Return the response to a request refused for `error`, or None for no answer."""
        self._message_received(broadcast)
        if self._listen_only:
            self._message_done(success=False, answered=False)
            return None
        self._message_refused(error.exception_code, answered=not broadcast)
        return None if broadcast else _refusal(error.function_code, error.exception_code, error)

    def answer_read(self, pdu: bytes) -> bytes | None:
        """Return the PDU that answers `pdu`, if that is a valid read (functions 1 to 4).

        The answer and the bookkeeping are those of `execute`, but no messages are made, which are
        a third of the time of a server's answer. Returns None and does nothing for other requests,
        in listen-only mode, for blocks that override `read`, and if `execute` is overridden.
        """
        if len(pdu) != 5 or self._listen_only or not self._execute_is_ours:
            return None
        code: int
        address: int
        count: int
        code, address, count = _unpack_read(pdu)
        try:
            if code == 3:
                block = self.holding_registers
                if not block.plain_reads or not 1 <= count <= MAX_READ_REGISTERS:
                    return None
                answer = _HOLDING_HEADERS[count] + block.read_registers(address, count)
            elif code == 4:
                block = self.input_registers
                if not block.plain_reads or not 1 <= count <= MAX_READ_REGISTERS:
                    return None
                answer = _INPUT_HEADERS[count] + block.read_registers(address, count)
            elif code == 1 or code == 2:
                block = self.coils if code == 1 else self.discrete_inputs
                if not block.plain_reads or not 1 <= count <= MAX_READ_BITS:
                    return None
                answer = bytes((code, (count + 7) >> 3)) + block.read_bits(address, count)
            else:
                return None
        except IllegalDataAddressError:
            return None
        self._good_exchanges += 1
        return answer

    # Files, FIFO queues and CANopen objects.

    def check_file(self, file: int, record: int, count: int, *, write: bool = False) -> None:
        """Raise `IllegalDataAddressError` unless the file has these records (section 6.14).

        With `write` they must be writable too.
        """
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
        """Return `count` records of a file as big-endian bytes; raises like `check_file`."""
        self.check_file(file, record, count)
        return self.files[file].read_registers(record, count)

    def write_file(self, file: int, record: int, data: bytes) -> None:
        """Write records from `data`, big-endian bytes; raises like `check_file`."""
        self.check_file(file, record, len(data) >> 1, write=True)
        self.files[file].write_registers(record, data)

    def read_fifo_queue(self, address: int) -> Sequence[int]:
        """Return the values of the queue at a pointer address, oldest first (section 6.18)."""
        try:
            return tuple(self.fifo_queues[address])
        except KeyError:
            raise IllegalDataAddressError(detail=f"there is no FIFO queue at {address}") from None

    def canopen_general_reference(self, data: bytes) -> bytes:
        """Return the data that answer 43/13 (section 6.20); refuses with 01 unless overridden."""
        raise IllegalFunctionError(detail="the unit has no CANopen objects")


def _restarts(request: AnyRequest) -> bool:
    """True if `request` is the only diagnostic that ends listen-only mode."""
    return (
        request.function_code == _DIAGNOSTICS
        and getattr(request, "sub_function", None) == _RESTART_COMMUNICATIONS
    )


def _refusal(function_code: int, code: int, cause: Exception) -> ExceptionResponse:
    # A raw request may have any function code, and a block may raise any number.
    if not 0 <= code <= 0xFF:
        code = ExceptionCode.SERVER_DEVICE_FAILURE
    return ExceptionResponse(function_code & 0x7F, code, cause)


class Unit(BaseUnit):
    """A device that a server answers for: four tables, and the data of the other functions.

    The arguments are those of `BaseUnit`. Override `execute(self, request, *, broadcast=False)`
    to get every request, and call `super().execute` for the others. If it is an `async def`,
    `waits` is LOOP, and only async servers can serve the unit; `AsyncUnit` has the right types.
    """

    if TYPE_CHECKING:

        def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
            """Execute `request` as `perform` does."""
            raise NotImplementedError

    else:
        execute = BaseUnit.perform  # without another call, which every request would pay for


class AsyncUnit(BaseUnit):
    """A unit for async servers, which await its `execute`.

    Override `async def execute(self, request, *, broadcast=False)`; other clients are served while
    it waits. An `ExceptionResponseError` is answered with its code, any other error with 04.
    """

    waits = Waits.LOOP

    async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        """Execute `request` as `perform` does."""
        return self.perform(request, broadcast=broadcast)


class QueuedUnit(BaseUnit):
    """A unit in the queue of a gateway: its `execute` gets the client, so that clients take turns.

    It also gets requests of functions that the server does not know, as a `RawRequest`.
    """

    waits = Waits.QUEUE

    def execute(
        self, request: AnyRequest, *, broadcast: bool = False, client: object = None
    ) -> object:
        """Wait for the turn of `client`, the identity for fair queuing, then for the device."""
        raise NotImplementedError(f"{type(self).__name__} must define execute()")
