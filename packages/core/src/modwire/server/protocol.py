"""`ServerProtocol`: the whole server side of one connection or line, without I/O.

Pass received bytes to `receive_data`; `answer_all(units)` executes the complete requests and
returns the bytes to send. It stops before a request to a unit that waits for something: get that
one from `next_call`, execute it where waiting is allowed, and pass its response to `answer`.
`Connection`, `LineServer` and `DatagramServer` decide the order of all this for adapters.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..arguments import explained
from ..errors import ExceptionCode, FrameError, InvalidRequestError
from ..framing.ascii import AsciiFraming, follow_delimiter
from ..framing.base import Framing
from ..messages.base import MAX_PDU, ExceptionResponse, RawRequest, Response
from ..messages.diagnostics import DiagnosticsRequest, DiagnosticsResponse
from ..units.unit import Waits
from .call import Call, new_call
from .execution import Executor
from .faulty_responses import FaultyResponse
from .options import ServerOptions

if TYPE_CHECKING:
    from ..framing.frame import Raw
    from ..units.units import Units
    from .options import OnAnswer, OnConnection

_NEVER = Waits.NEVER
_FORCE_LISTEN_ONLY = b"\x08\x00\x04"
DROPPED = "a fault drops it"


class ServerProtocol:
    """A server on one connection or line; the link itself belongs to the caller.

    - `peer`, `role`: passed to the hooks of the options.
    - `executor`: executes calls; see `Executor`.
    - `closed`: True if the connection has to be closed, after a fatal frame error, an idle
      timeout, or a `FaultyResponse` that drops it.
    - `frame_errors`: number of times that bytes were not a valid frame.
    - `requests`: number of requests that came.
    - `may_silence`: True if function 8, sub-function 4 may put a unit into listen-only mode:
      on serial framings, unless a `Connection` or a `DatagramServer` goes by the options.
    - `has_call`: True if `answer_all` has stopped before a request, which `next_call` returns.
    - `heard`: time at which bytes last came (seconds, monotonic).
    - `asked`: time at which a whole frame last came; the idle timeout starts there, so that single
      bytes keep no connection open.
    """

    @explained
    def __init__(
        self,
        framing: type[Framing],
        options: ServerOptions | None = None,
        *,
        peer: object = None,
        role: str | None = None,
    ) -> None:
        Framing.check_class(framing)
        self.options = options if options is not None else ServerOptions()
        self.executor = Executor(self.options, is_serial=framing.is_serial, peer=peer, role=role)
        silence = self.options.silence + self.options.tolerance
        self.framing = framing(self.options.decoder, is_server=True, silence=silence)
        self.closed = False
        self.frame_errors = 0
        self.requests = 0
        self.heard = self.asked = float("-inf")
        self.on_answer = self.options.on_answer
        self._is_serial = framing.is_serial
        self.may_silence = framing.is_serial or self.options.listen_only
        self._is_open = False
        self._is_dropped = False
        self._fault = ""  # the fatal frame error
        self.has_call = False
        self._waiting: Raw | None = None  # the request before which `answer_all` stopped
        self._errors_to_tell = 0
        self._has_overrun = False
        self._overheard_to_tell = 0
        self._echo = b""
        self._follows_delimiter = isinstance(self.framing, AsciiFraming)
        self._hears_echo = self.options.suppress_echo
        self._wrap = self._wrap_noting_echo if self._hears_echo else self.framing.wrap

    @property
    def peer(self) -> object:
        """Peer on the connection or line, passed to hooks."""
        return self.executor.peer

    @property
    def role(self) -> str | None:
        """Role of the peer, passed to hooks."""
        return self.executor.role

    @property
    def subject(self) -> str:
        """Subject of the certificate of the peer; "" without TLS."""
        return self.executor.subject

    def identify(self, subject: str, role: str | None) -> None:
        """Set the subject and the role of the peer, which has shown its certificate."""
        self.executor.subject, self.executor.role = subject, role

    @property
    def on_answer(self) -> OnAnswer | None:
        """Hook from the options; it may be set and removed while the server runs."""
        return self._on_answer

    @on_answer.setter
    def on_answer(self, hook: OnAnswer | None) -> None:
        self._on_answer = hook
        self.executor.on_answer = None if hook is None else partial(hook, self)
        options = self.options
        # Fast path: functions 1 to 4 are answered without making messages if no hook needs them.
        self._may_answer_reads = (
            hook is None
            and options.authorize is None
            and options.on_call is None
            and options.decoder.standard_reads
        )

    # The link.

    def follow(self, units: Units) -> None:
        """Use the delimiter that the owner of `units` sets for ASCII frames, now and later."""
        if isinstance(self.framing, AsciiFraming):
            units.follow(self.framing)

    def connected(self, now: float) -> None:
        """Start the idle timeout at `now`."""
        self.heard = self.asked = now

    def opened(self, now: float) -> None:
        """Start an accepted connection: as `connected`, and call `on_connect`."""
        self.heard = self.asked = now
        self._is_open = True
        self._tell_hook(self.options.on_connect)

    def ended(self) -> None:
        """End a closed connection: call `on_disconnect`, once."""
        if self._is_open:
            self._is_open = False
            self._tell_hook(self.options.on_disconnect)

    def _tell_hook(self, hook: OnConnection | None) -> None:
        if hook is not None:
            try:
                hook(self)
            except Exception as error:  # noqa: BLE001 - a hook must not end a connection
                self.executor.report(RawRequest(0), error)

    @property
    def closing_reason(self) -> str:
        """Reason why it is `closed`, for logs; not used for an idle timeout."""
        if self._is_dropped:
            return DROPPED
        if not self._fault:
            return "it sent nothing but bytes that are no Modbus frame"
        return f"it sent bytes that are no Modbus frame: {self._fault}"

    def receive_data(self, data: bytes, now: float) -> None:
        """Process bytes received at `now` (seconds, monotonic)."""
        self.heard = now
        self.framing.receive_data(data, now)

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Process one datagram; an incomplete frame at its end is discarded."""
        self.heard = now
        self._follows_delimiter = False  # each datagram may come from another peer
        self.framing.receive_data(data, now)
        self.framing.end_datagram()

    def overrun(self) -> None:
        """Record lost characters: the next damaged frame counts as a character overrun."""
        self._has_overrun = True

    def deadline(self) -> float | None:
        """Time to call `handle_timeout`; None if there is no deadline."""
        silence = self.framing.deadline()
        idle = self.options.idle_timeout
        if idle is None:
            return silence
        end = self.asked + idle
        return end if silence is None else min(silence, end)

    def handle_timeout(self, now: float) -> None:
        """Process what is due at `now`: the end of a frame by silence, and the idle timeout."""
        self.framing.handle_timeout(now)
        idle = self.options.idle_timeout
        if idle is not None and now >= self.asked + idle:
            self.closed = True

    def send_at(self) -> float:
        """Time at which an answer may be sent: on RTU lines after 3.5 characters of silence."""
        return self.heard + (self.options.silence if self.framing.needs_silence else 0.0)

    # Requests.

    def next_call(self) -> Call | None:
        """Return the next request that waits for its answer, or None."""
        frame, self._waiting = self._waiting, None
        self.has_call = False
        while frame is None:
            if not self.framing.frames:
                return None
            frame = self._request_in(self.framing.frames.popleft())
        self.asked = self.heard
        return self._call(frame)

    def answer_all(self, units: Units) -> bytes:
        """Execute the complete requests on units in memory. Return the bytes to send, in order.

        Stops before a request to a unit that waits, and before a broadcast if any unit waits.
        """
        return b"".join(self.answers(units))

    def answers(self, units: Units, *, only_one: bool = False) -> list[bytes]:
        """Execute the complete requests, or `only_one`. Return the answer to each.

        An answer is b"" if nothing is sent. Stops as `answer_all` does.
        """
        answers: list[bytes] = []
        if self.has_call or self._is_dropped:
            return answers
        frames, by_id, bus = self.framing.frames, units.by_id, units.bus
        while frames:
            found = frames.popleft()
            if type(found) is not tuple or found[2][0] >= 0x80 or self._hears_echo:
                request = self._request_in(found)
                self.tell(units)
                if request is None:
                    continue
                found = request
            unit_id, transaction, pdu = found
            unit = by_id.get(unit_id) or self.executor.find(unit_id, units)
            if not unit_id and self._is_serial:
                if units.wait:
                    self._stop_at(found)
                    break
                call = self._call(found)
                answers.append(self.answer(call, self.executor.execute(call, units)))
            elif unit is None:
                bus.messages += 1
                answers.append(b"")  # for another device, or for a unit that does not exist
            elif unit.waits is not _NEVER:
                self._stop_at(found)
                break
            else:
                bus.messages += 1
                if pdu[0] <= 4 and self._may_answer_reads and (answer := unit.answer_read(pdu)):
                    self.requests += 1
                    answers.append(self._wrap(unit_id, transaction, answer))
                else:
                    call = self._call(found)
                    answers.append(self.answer(call, self.executor.execute_on(unit, call)))
                    if self._is_dropped:
                        break
            if only_one:
                break
        if answers or self.has_call:
            self.asked = self.heard
        return answers

    def _stop_at(self, frame: Raw) -> None:
        """Keep a request for `next_call`."""
        self._waiting = frame
        self.has_call = True

    def _request_in(self, found: Raw | FrameError) -> Raw | None:
        """Return `found` if it may be a request; otherwise count it and return None."""
        if isinstance(found, FrameError):
            self.frame_errors += 1
            self._errors_to_tell += 1
            if found.fatal:
                self.closed = True
                self._fault = str(found)
        elif type(found) is not tuple or found[2][0] & 0x80:
            self._overheard_to_tell += 1  # a response of another device
            self.asked = self.heard
        elif not self._echo or not self._is_echo(found):
            return found
        return None

    def _is_echo(self, frame: Raw) -> bool:
        echo, self._echo = self._echo, b""
        return frame[2] == echo[1:] and frame[0] == echo[0]

    def tell(self, units: Units) -> None:
        """Add damaged frames and overheard responses to the units' counters."""
        units.bus.messages += self._overheard_to_tell
        self._overheard_to_tell = 0
        if self._errors_to_tell:
            units.communication_error(self._errors_to_tell, overrun=self._has_overrun)
            self._errors_to_tell = 0
            self._has_overrun = False

    def _call(self, frame: Raw) -> Call:
        self.requests += 1
        unit, transaction, pdu = frame
        broadcast = self._is_serial and not unit
        refusal: InvalidRequestError | None = None
        if pdu[:3] == _FORCE_LISTEN_ONLY and not self.may_silence:
            text = "listen-only mode is for serial lines, see listen_only of ServerOptions"
            refusal = InvalidRequestError(text, pdu[0], ExceptionCode.ILLEGAL_FUNCTION)
            return Call(unit, transaction, RawRequest(pdu[0], pdu[1:MAX_PDU]), broadcast, refusal)
        try:
            request = self.options.decoder.request_decoders[pdu[0]](pdu)
            if len(pdu) <= MAX_PDU:
                return new_call(Call, (unit, transaction, request, broadcast, None))
            refusal = InvalidRequestError(
                f"a PDU must be 1..{MAX_PDU} bytes, got {len(pdu)}", pdu[0]
            )
        except InvalidRequestError as error:
            # Units may execute a function that is unknown here.
            if error.exception_code != ExceptionCode.ILLEGAL_FUNCTION or len(pdu) > MAX_PDU:
                refusal = error
        except Exception as error:  # noqa: BLE001 - a custom class must not stop the server
            self.executor.report(RawRequest(pdu[0], pdu[1:MAX_PDU]), error, unit)
            refusal = InvalidRequestError(
                f"the request could not be decoded: {error!r}",
                pdu[0],
                ExceptionCode.SERVER_DEVICE_FAILURE,
            )
        return Call(unit, transaction, RawRequest(pdu[0], pdu[1:MAX_PDU]), broadcast, refusal)

    # Answers.

    def answer(self, call: Call, response: Response | None) -> bytes:
        """Return the bytes that answer `call`; b"" if the specification allows no answer."""
        unit, transaction, request, broadcast, _ = call
        if self._follows_delimiter and isinstance(request, DiagnosticsRequest):
            if broadcast or isinstance(response, DiagnosticsResponse):
                follow_delimiter(self.framing, request)
        if response is None or broadcast:
            return b""
        if isinstance(response, FaultyResponse):
            return self._answer_badly(call, response)
        try:
            pdu = response.encode()
            if not isinstance(pdu, bytes):
                raise TypeError(f"encode() must give bytes, got {pdu!r} of {response!r}")
            if not 1 <= len(pdu) <= MAX_PDU:
                raise ValueError(f"a PDU must be 1..{MAX_PDU} bytes, got {len(pdu)}: {response!r}")
        except Exception as error:  # noqa: BLE001 - a custom class must not stop the server
            pdu = self._no_pdu(call, error)
        return self._wrap(unit, transaction, pdu)

    def _no_pdu(self, call: Call, error: Exception) -> bytes:
        """Return exception 04 for a response that cannot be encoded, and report `error`."""
        self.executor.report(call.request, error, call.unit)
        code = call.request.function_code & 0x7F
        return ExceptionResponse(code, ExceptionCode.SERVER_DEVICE_FAILURE).encode()

    def _answer_badly(self, call: Call, faulty: FaultyResponse) -> bytes:
        if faulty.drops:
            # Only a connection can be closed. Its other requests are not answered either.
            if self._is_open:
                self.closed = self._is_dropped = True
            return b""
        if not faulty.is_damaged:
            return self.answer(call, faulty.response)
        if faulty.response is None:
            return b""
        try:
            pdu = faulty.response.encode()
        except Exception as error:  # noqa: BLE001 - a custom class must not stop the server
            pdu = self._no_pdu(call, error)
        return self.framing.wrap_damaged(call.unit, call.transaction, pdu)

    def _wrap_noting_echo(self, unit: int, transaction: int, pdu: bytes) -> bytes:
        self._echo = bytes((unit,)) + pdu
        return self.framing.wrap(unit, transaction, pdu)
