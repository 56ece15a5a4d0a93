"""`ServerProtocol`: the whole server side of one connection or line, but for the I/O.

Bytes go in with `receive_data`; `answer_all(units)` executes what is complete and gives the bytes
to send. It stops in front of a request to a unit that blocks: that one is taken with `next_call`,
executed wherever waiting is allowed, and answered with `answer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ExceptionCode, FrameError, InvalidRequestError
from ..framing.ascii import follow_delimiter
from ..framing.base import Frame, Framing
from ..messages.base import MAX_PDU, ExceptionResponse, RawRequest, Response
from ..messages.diagnostics import DiagnosticsRequest, DiagnosticsResponse
from .call import Call
from .execution import Executor
from .faults import FaultyResponse
from .options import ServerOptions

if TYPE_CHECKING:
    from ..units.units import Units
    from .options import OnAnswer, OnConnection


class ServerProtocol(Executor):
    """A server on one connection or line, without the link.

    `peer` and `role` are handed to the hooks of the options. `asker` is who takes turns with
    others behind a gateway: None for this protocol, the peer where each has several. `closed`
    turns True when the connection has to be closed: after a fatal frame error, when it was idle
    too long, or where a `FaultyResponse` drops it. `frame_errors` counts what was no frame,
    `requests` what was asked; `heard` is when bytes last came (seconds, monotonic).
    """

    def __init__(
        self,
        framing: type[Framing],
        options: ServerOptions | None = None,
        *,
        peer: object = None,
        role: str | None = None,
        asker: object = None,
    ) -> None:
        Framing.check_class(framing)
        options = options if options is not None else ServerOptions()
        super().__init__(options, is_serial=framing.is_serial, peer=peer, role=role, asker=asker)
        silence = self.options.silence + self.options.tolerance
        self.framing = framing(self.options.decoder, is_server=True, silence=silence)
        self.closed = False
        self.frame_errors = 0
        self.requests = 0
        self.heard = float("-inf")
        self.on_answer = self.options.on_answer
        self._is_open = False
        self._is_dropped = False
        self._waiting: Frame | None = None
        self._errors_to_tell = 0
        self._has_overrun = False
        self._overheard_to_tell = 0
        self._echo = b""
        self._follows_delimiter = True

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes that came at `now` (seconds, monotonic)."""
        self.heard = now
        self.framing.receive_data(data, now)

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Take one datagram: what is no whole frame at its end is dropped."""
        self.heard = now
        self._follows_delimiter = False  # each datagram may be another peer's
        self.framing.receive_data(data, now)
        self.framing.end_datagram()

    def overrun(self) -> None:
        """Characters were lost: the next damaged frame counts as a character overrun."""
        self._has_overrun = True

    @property
    def on_answer(self) -> OnAnswer | None:
        """The hook of the options, which may be set and taken away while the server runs."""
        return self._on_answer

    @on_answer.setter
    def on_answer(self, hook: OnAnswer | None) -> None:
        self._on_answer = hook
        options = self.options
        self._may_shorten = (
            hook is None
            and options.authorize is None
            and options.on_call is None
            and not options.suppress_echo
            and options.decoder.standard_reads
        )

    def _answered(self, call: Call, response: Response | None) -> None:
        if self._on_answer is not None:
            try:
                self._on_answer(self, call, response)
            except Exception as error:  # noqa: BLE001 - what is done has to be answered
                self._report(call.request, error)

    def connected(self, now: float) -> None:
        """The connection was accepted: the idle timeout counts from here."""
        self.heard = now

    def opened(self, now: float) -> None:
        """`connected`, and `on_connect` is told: for a connection that `ended` will end."""
        self.heard = now
        self._is_open = True
        self._tell_hook(self.options.on_connect)

    @property
    def closing_reason(self) -> str:
        """Why it is `closed`, for logs; not for one that was idle."""
        return "a fault drops it" if self._is_dropped else "it sent what is no Modbus frame"

    def ended(self) -> None:
        """The connection is closed: `on_disconnect` is told, once."""
        if self._is_open:
            self._is_open = False
            self._tell_hook(self.options.on_disconnect)

    def _tell_hook(self, hook: OnConnection | None) -> None:
        if hook is not None:
            try:
                hook(self)
            except Exception as error:  # noqa: BLE001 - a hook cannot end a connection
                self._report(RawRequest(0), error)

    def deadline(self) -> float | None:
        """When to call `handle_timeout`; None if only bytes matter."""
        silence = self.framing.deadline()
        idle = self.options.idle_timeout
        if idle is None:
            return silence
        end = self.heard + idle
        return end if silence is None else min(silence, end)

    def handle_timeout(self, now: float) -> None:
        """Do what is due at `now`: silence ends a frame, or the connection was idle too long."""
        self.framing.handle_timeout(now)
        idle = self.options.idle_timeout
        if idle is not None and now - self.heard >= idle:
            self.closed = True

    def send_at(self) -> float:
        """When an answer may be sent: on a serial line after 3.5 characters of silence."""
        return self.heard + (self.options.silence if self.framing.needs_silence else 0.0)

    def _next_frame(self) -> Frame | None:
        """The next frame that may be a request; what is none is counted."""
        if self._waiting is not None:
            frame, self._waiting = self._waiting, None
            return frame
        while (found := self.framing.next_frame()) is not None:
            if isinstance(found, FrameError):
                self.frame_errors += 1
                self._errors_to_tell += 1
                self.closed = self.closed or found.fatal
            elif type(found) is not Frame or found.pdu[0] & 0x80:
                self._overheard_to_tell += 1  # a response, which nobody answers
            elif not self._echo or not self._is_echo(found):
                return found
        return None

    def _is_echo(self, frame: Frame) -> bool:
        echo, self._echo = self._echo, b""
        return frame.pdu == echo[1:] and frame.unit == echo[0]

    def _tell(self, units: Units) -> None:
        """Pass to the units' counters what was heard on the line beside requests."""
        units.bus.messages += self._overheard_to_tell
        self._overheard_to_tell = 0
        if self._errors_to_tell:
            units.communication_error(self._errors_to_tell, overrun=self._has_overrun)
            self._errors_to_tell = 0
            self._has_overrun = False

    @property
    def has_call(self) -> bool:
        """Whether `answer_all` has stopped in front of a request, which `next_call` gives."""
        return self._waiting is not None

    def next_call(self) -> Call | None:
        """The next request that waits for its answer."""
        frame = self._next_frame()
        return None if frame is None else self._call(frame)

    def _call(self, frame: Frame) -> Call:
        self.requests += 1
        unit, transaction, pdu = frame
        broadcast = self._is_serial and not unit
        try:
            request = self.options.decoder.decode_request(pdu)
        except InvalidRequestError as error:
            return Call(unit, transaction, RawRequest(pdu[0], pdu[1:]), broadcast, error)
        except Exception as error:  # noqa: BLE001 - a custom class cannot stop the server
            raw = RawRequest(pdu[0], pdu[1:])
            self._report(raw, error)
            refusal = InvalidRequestError(
                f"the request could not be decoded: {error!r}",
                pdu[0],
                ExceptionCode.SERVER_DEVICE_FAILURE,
            )
            return Call(unit, transaction, raw, broadcast, refusal)
        return Call(unit, transaction, request, broadcast)

    def answer(self, call: Call, response: Response | None) -> bytes:
        """The bytes that answer `call`; b"" where the specification wants silence."""
        if (
            self._follows_delimiter
            and isinstance(call.request, DiagnosticsRequest)
            and (call.broadcast or isinstance(response, DiagnosticsResponse))
        ):
            follow_delimiter(self.framing, call.request)
        if response is None or call.broadcast:
            return b""
        if isinstance(response, FaultyResponse):
            return self._answer_badly(call, response)
        pdu = self._encode(call, response)
        return self._reply(call.unit, call.transaction, pdu)

    def _answer_badly(self, call: Call, faulty: FaultyResponse) -> bytes:
        if faulty.drops:
            # Only a connection can be closed, and what waits on it is not answered either.
            if self._is_open:
                self.closed = self._is_dropped = True
            return b""
        if not faulty.is_damaged:
            return self.answer(call, faulty.response)
        if faulty.response is None:
            return b""
        pdu = self._encode(call, faulty.response)
        return self.framing.wrap_damaged(call.unit, call.transaction, pdu)

    def _encode(self, call: Call, response: Response) -> bytes:
        """The PDU of `response`; exception 04 if it is none, which only a custom class can do."""
        try:
            pdu = response.encode()
            if not isinstance(pdu, bytes):
                raise TypeError(f"encode() must give bytes, got {pdu!r} of {response!r}")
            if not 1 <= len(pdu) <= MAX_PDU:
                raise ValueError(f"a PDU must be 1..{MAX_PDU} bytes, got {len(pdu)}: {response!r}")
            return pdu
        except Exception as error:  # noqa: BLE001 - a custom class cannot stop the server
            self._report(call.request, error)
            code = call.request.function_code & 0x7F
            return ExceptionResponse(code, ExceptionCode.SERVER_DEVICE_FAILURE).encode()

    def _reply(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        if self.options.suppress_echo:
            self._echo = bytes((unit,)) + pdu
        return self.framing.wrap(unit, transaction, pdu)

    def answer_all(self, units: Units) -> bytes:
        """Execute what waits on units in memory; all the bytes to send, in order.

        Stops in front of a request to a unit that blocks; `next_call` gives that one. A broadcast
        goes to all units, so it waits for `next_call` if one of them blocks.
        """
        answers: list[bytes] = []
        find = units.get if self._is_serial else units.for_tcp
        while not self._is_dropped:
            if self._may_shorten and self._waiting is None:
                self._answer_reads(units, answers)
            frame = self._next_frame()
            if self._errors_to_tell or self._overheard_to_tell:
                self._tell(units)
            if frame is None:
                break
            unit = find(frame.unit)
            if self._is_serial and not frame.unit:
                if units.blocking:
                    self._waiting = frame
                    break
            elif unit is None:
                units.bus.messages += 1
                continue
            elif unit.blocking:
                self._waiting = frame
                break
            call = self._call(frame)
            answers.append(self.answer(call, self.execute(call, units)))
        return answers[0] if len(answers) == 1 else b"".join(answers)

    def respond(self, data: bytes, now: float, units: Units) -> bytes:
        """`receive_data` and `answer_all` in one, for bytes whose answers are sent at once."""
        self.heard = now
        framing = self.framing
        if self._may_shorten and self._waiting is None and not framing.frames:
            # What a client that waits for each answer sends: one request and nothing else.
            frame = framing.sole_frame(data)
            if frame is not None:
                unit_id, transaction, pdu = frame
                unit = units.get(unit_id)
                if unit is not None and not unit.blocking:
                    answer = unit.answer_read(pdu)
                    if answer is not None:
                        units.bus.messages += 1
                        self.requests += 1
                        return framing.wrap(unit_id, transaction, answer)
            # What a client that pipelines sends: several of the same.
            answers, count, size = framing.answer_run(data, units.find_reads)
            if count:
                units.bus.messages += count
                self.requests += count
                if size == len(data):
                    return answers
                framing.receive_data(data[size:], now)
                return answers + self.answer_all(units)
        framing.receive_data(data, now)
        return self.answer_all(units)

    def _answer_reads(self, units: Units, answers: list[bytes]) -> None:
        """The short path: answer reads of units in memory as long as they come."""
        frames = self.framing.frames
        wrap = self.framing.wrap
        get = units.get
        count = len(answers)
        while frames:
            frame = frames[0]
            if type(frame) is not Frame:
                break
            unit_id, transaction, pdu = frame
            unit = get(unit_id)
            if unit is None or unit.blocking or (not unit_id and self._is_serial):
                break
            answer = unit.answer_read(pdu)
            if answer is None:
                break
            frames.popleft()
            answers.append(wrap(unit_id, transaction, answer))
        units.bus.messages += len(answers) - count
        self.requests += len(answers) - count
