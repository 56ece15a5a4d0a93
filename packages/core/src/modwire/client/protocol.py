"""`ClientProtocol`: the whole client without I/O. It makes every decision about time.

An exchange goes through these stages:

    start() -> queued -> data_to_send() -> open -> receive_data() -> done
                                            |  handle_timeout() -> queued again (retry), or done
                                            +- cancel(), connection_lost() -> done

On TCP, transaction ids match replies to requests, so up to `max_in_flight` exchanges are open. An
id whose reply is overdue is not reused before. Without transaction ids one exchange is open at a
time, and a unit whose reply is overdue gets no request until it has come or its time is over. So a
late reply is never taken for the reply to a later request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConnectionLostError, FrameError, InvalidResponseError, ModbusError
from ..framing.ascii import expect_delimiter
from ..framing.base import Framing
from ..framing.tcp import LooseTcpFraming, TcpFraming
from ..messages.base import MAX_PDU, Request, Response, SizedRule
from ..messages.diagnostics import DiagnosticsRequest
from ..options import check_timeout, check_unit
from ..quirks import Quirks, Tolerance
from .exchange import Exchange
from .late_replies import LateReplies
from .line import LineUse
from .options import ClientOptions
from .queue import RequestQueue

if TYPE_CHECKING:
    from ..framing.frame import Raw

ResponseT = TypeVar("ResponseT", bound=Response)

_NEVER_AGAIN = float("inf")
_NO_FRAME = "the server sent bytes that are no Modbus frame"
_TORN = "the rest of an answer did not come"
_NO_ANSWER = "{} requests in a row had no answer: it is reopened"


class ClientProtocol:
    """A client on one link; the link itself belongs to the caller.

    After each `start`, `receive_data`, `handle_timeout` and `cancel`, send what `data_to_send`
    returns, and call `handle_timeout` at `deadline()` at the latest.

    - `skipped`: number of well-formed replies that answered no open request.
    - `frame_errors`: number of times that received bytes were not a valid frame.
    - `unanswered`: number of attempts in a row that timed out while no frame came; the link is
      `broken` after `most_unanswered`.
    - `is_datagram`: set it to True if each frame needs its own datagram. `name`: peer in errors.
    - `broadcasts_zero`: True if requests to unit 0 are broadcasts. `has_transactions`: True if
      transaction ids match replies to requests.
    - `waiting`, `opened`: the exchanges that wait to be sent, and by key those that are sent.
    - `broken`: True if the next frame cannot be found (see `fault`): reopen the link and `reset()`.
    """

    def __init__(self, framing: type[Framing], options: ClientOptions | None = None) -> None:
        Framing.check_class(framing)
        self.options = options if options is not None else ClientOptions()
        options, quirks = self.options, self.options.quirks
        if Quirks.wrong_length in quirks and framing is TcpFraming:
            framing = LooseTcpFraming
        self.framing = framing(
            options.decoder, is_server=False, silence=options.silence + options.tolerance
        )
        self.skipped = self.frame_errors = self.unanswered = 0
        self.broken, self.fault = False, ""
        self.most_unanswered = _NEVER_AGAIN
        self.is_datagram, self.name = False, ""
        self._tolerance = Tolerance(quirks, options.decoder)
        self._decodes = self._tolerance.decodes
        self._mistakes_ids = framing.has_transactions and self._tolerance.mistakes_ids
        self.has_transactions = framing.has_transactions and not self._mistakes_ids
        self.broadcasts_zero = framing.is_serial and Quirks.answers_unit_zero not in quirks
        self._has_echo = options.suppress_echo and not self.has_transactions
        # True if the framing has to know which response comes next.
        self._expects = not self.has_transactions or framing is LooseTcpFraming
        self._most_open = 1 if self._expects else options.max_in_flight
        self.opened: dict[int, Exchange[Response]] = {}
        self.late = LateReplies(options, has_transactions=self.has_transactions)
        self._queue = RequestQueue(options, self.late)
        self.waiting, self._is_paced = self._queue.waiting, self._queue.is_paced
        self._line = LineUse(options.silence if framing.needs_silence else 0.0)

    # Requests.

    def start(
        self,
        request: Request[ResponseT],
        unit: int | None = None,
        *,
        now: float,
        timeout: float | None = None,
    ) -> Exchange[ResponseT]:
        """Queue `request` for `unit`; see `prepare` for the arguments and the errors."""
        exchange = self.prepare(request, unit, timeout)
        self.waiting.append(exchange)
        return exchange

    def prepare(
        self, request: Request[ResponseT], unit: int | None, timeout: float | None
    ) -> Exchange[ResponseT]:
        """Return an exchange for `waiting`; nothing has changed before it is in there.

        `unit` is 0..255, on a serial line 0 is a broadcast (Serial Line, 2.1). `timeout` is in
        seconds from the sending of the request. None stands for those of the options. Raises
        ValueError for an argument out of range, a request that cannot be encoded, and a broadcast
        that is no plain write; TypeError unless `encode()` of a `Request` returns bytes.
        """
        if not isinstance(request, Request):
            raise TypeError(f"request must be a Request, got {request!r}")
        options = self.options
        unit = options.unit if unit is None else check_unit(unit)
        timeout = options.response_timeout if timeout is None else check_timeout(timeout)
        is_answered = request.expects_response
        if not unit and self.broadcasts_zero:
            if not request.may_be_broadcast:
                raise ValueError(f"a broadcast (unit 0) must be a plain write, got {request!r}")
            is_answered = False
        pdu = request.encode()
        if not isinstance(pdu, bytes):
            raise TypeError(f"encode() must give bytes, got {pdu!r} of {request!r}")
        if not 1 <= len(pdu) <= MAX_PDU:
            raise ValueError(f"a PDU must be 1..{MAX_PDU} bytes, got {len(pdu)}")
        exchange: Exchange[ResponseT] = Exchange()
        exchange.request, exchange.unit, exchange.pdu, exchange.wait = request, unit, pdu, timeout
        if not is_answered:
            exchange.is_answered, exchange.wait = False, options.turnaround
        elif options.retries and (options.retry_writes or not request.is_write):
            exchange.attempts_left = options.retries
        exchange.busy_left = options.busy_retries
        return exchange

    def data_to_send(self, now: float) -> bytes:
        """Return the bytes to send now; b"" if there are none or the line must stay silent.

        If `is_datagram`, each call returns one frame: call again until it returns b"".
        """
        queue, opened, late, line = self.waiting, self.opened, self.late, self._line
        data, is_noisy = b"", False
        while queue and len(opened) < self._most_open:
            if late.rest_due <= now and self._lacks_rest():
                break
            if not self.has_transactions:
                is_noisy = now < max(line.sent_at, line.received_at) + line.silence
                if is_noisy and line.must_wait(now):
                    return b""
                line.noisy_since = _NEVER_AGAIN
            exchange = self._queue.first_free(now) if self._is_paced or late.units else queue[0]
            if exchange is None:
                break
            queue.remove(exchange)
            if self.has_transactions:
                transaction = exchange.transaction = late.next_id(opened)
            else:
                transaction, exchange.is_noisy = 0, is_noisy
                line.began_at = line.sent_at = now
            if self._expects:
                request = exchange.request
                # Without a length field, only the request determines the response's length.
                rule = request.response_type.length_rule
                is_fixed = type(rule) is SizedRule and not rule.count_at
                length = rule.size if is_fixed else request.expected_length()
                self.framing.expected = (exchange.unit, exchange.pdu[0], length)
                if isinstance(request, DiagnosticsRequest):
                    expect_delimiter(self.framing, request)
            if self._is_paced:
                self._queue.used(exchange, now)
            opened[transaction] = exchange
            exchange.deadline = now + exchange.wait
            exchange.sent += 1
            if self._mistakes_ids:
                transaction = late.next_id(opened)
            data += self.framing.wrap(exchange.unit, transaction, exchange.pdu)
            if self.is_datagram:
                break
        if data and self._has_echo:
            line.expect_echo(data)
        return data

    def data_sent(self, now: float) -> None:
        """Record that the last byte of `data_to_send` is sent at `now`, which may be in the future.

        On serial lines the timeout, the turnaround and the silent interval count from then.
        """
        for exchange in self.opened.values():
            exchange.deadline = now + exchange.wait
        self._line.sent_at = now

    # Responses.

    def receive_data(self, data: bytes, now: float) -> None:
        """Process bytes received at `now`: replies end exchanges, or are skipped and counted.

        If `is_datagram`, they are a whole datagram: an incomplete frame at its end is discarded.
        With b"", only frames that silence has ended are processed.
        """
        framing = self.framing
        if data:
            if not self.has_transactions:
                line = self._line
                if now > line.received_at + line.silence:
                    line.busy_since = now
                line.received_at = now
                if line.echo:
                    data = line.without_echo(data)
            framing.receive_data(data, now)
            if self.is_datagram:
                for each in self.opened.values():
                    each.saw_part(framing.buffered)
                framing.end_datagram()
        frames = framing.frames
        if frames:
            self.unanswered = 0
        while frames:
            frame = frames.popleft()
            if type(frame) is not tuple:
                self._take_other(frame)
                continue
            unit, transaction, pdu = frame
            if self._mistakes_ids:
                transaction = self._tolerance.key(transaction, self.late.last_id)
            exchange = self.opened.get(transaction)
            if (
                exchange is None
                or not exchange.is_answered
                or (exchange.unit != unit and not self._tolerance.takes_unit(exchange.unit))
            ):
                self._skip(unit, transaction, pdu)
            elif self._has_echo and self._line.echo_due and pdu == exchange.pdu:
                self._line.echo_due = False
            else:
                try:
                    if self._decodes:
                        exchange.response = self._tolerance.decode(exchange.request, pdu)
                    else:
                        exchange.response = exchange.request.decode_response(pdu)
                    exchange.done = True
                except Exception as error:  # noqa: BLE001 - custom classes may raise any
                    if not self._ends(exchange, error, pdu, now):
                        continue
                del self.opened[exchange.transaction]
                if self._is_paced:
                    self._queue.used(exchange, now)
                if not self.has_transactions and (
                    exchange.sent > 1 or isinstance(exchange.request, DiagnosticsRequest)
                ):
                    self.late.note_answered(exchange)
                    exchange.follow_delimiter(framing)

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Process one datagram, and set `is_datagram`."""
        self.is_datagram = True
        self.receive_data(data, now)

    def adu(self, exchange: Exchange[Any]) -> bytes:
        """Return the ADU of an exchange as it was sent."""
        transaction = self.late.last_id if self._mistakes_ids else exchange.transaction
        return self.framing.wrap(exchange.unit, transaction, exchange.pdu)

    def _ends(self, exchange: Exchange[Response], error: Exception, pdu: bytes, now: float) -> bool:
        """End `exchange` with an exception response, or an answer that does not fit.

        A busy device may be asked again instead. Returns False if the answer may be a late one.
        """
        if isinstance(error, InvalidResponseError) and not self.has_transactions:
            exchange.saw_misfit(error, pdu)
            self.skipped += 1
            return False
        if not self.has_transactions:
            self.late.note_refused(exchange, error)
        if exchange.refuses(error, self.options, now):
            exchange.fail(error, self.name)
        else:
            self.late.expect(exchange, now)
            self.waiting.appendleft(exchange)
        return True

    def _skip(self, unit: int, transaction: int, pdu: bytes) -> None:
        self.skipped += 1
        is_late = self.late.came(unit, transaction, pdu)
        for exchange in self.opened.values():
            exchange.saw(unit, transaction, pdu, is_late=is_late)

    def _take_other(self, frame: Raw | FrameError) -> None:
        if not isinstance(frame, FrameError):
            self.skipped += 1
            for exchange in self.opened.values():
                exchange.saw_request(frame[2])
            return
        self.frame_errors += 1
        advice = ": wrong baud rate, parity or wiring?" if self.framing.is_serial else ""
        for exchange in self.opened.values():
            exchange.came = f"{frame}{advice}"
        if frame.fatal and not self.is_datagram:  # the next datagram starts with a new frame
            is_torn = self.late.rest_due < _NEVER_AGAIN
            self._fail_all(ConnectionLostError(f"{_TORN}: {frame}") if is_torn else frame)
            self.broken, self.fault = True, f"{_NO_FRAME}: {frame}"

    def _lacks_rest(self) -> bool:
        """Fail everything if the rest of an answer, which is overdue, has not come."""
        if self.late.lacks_rest(self.framing, self.opened):
            self._break(_TORN)
        return self.broken

    def _break(self, reason: str) -> None:
        self._fail_all(ConnectionLostError(reason))
        self.broken, self.fault = True, reason

    # The link.

    def receive_eof(self, now: float, error: ModbusError | None = None) -> None:
        """Handle the end of the stream: everything queued or open fails with `error`.

        None stands for a `ConnectionLostError`. A frame that silence would end ends here too.
        """
        self.framing.handle_timeout(_NEVER_AGAIN)
        self.receive_data(b"", now)
        self.connection_lost(error or ConnectionLostError("the server closed the connection"))

    def connection_lost(self, error: ModbusError) -> None:
        """Handle the loss of the link: everything queued or open fails with `error`."""
        for each in self.opened.values():
            self.late.expect(each, each.deadline)
        self._fail_all(error)
        self.reset()

    def _fail_all(self, error: ModbusError) -> None:
        for exchange in (*self.opened.values(), *self.waiting):
            exchange.is_due = exchange.sent > 0 and exchange in self.waiting
            exchange.fail(error, self.name)
        self.opened.clear()
        self.waiting.clear()

    def reset(self, opened_at: float = -_NEVER_AGAIN) -> None:
        """Start on a link that was reopened at that time; on a serial line, late replies may come.

        Nothing is sent for the `connect_delay` of the options.
        """
        self.framing.reset()
        self.broken, self.unanswered = False, 0
        self.late.reset(is_serial=self.framing.is_serial)
        self._queue.opened(opened_at)

    # Time.

    def deadline(self) -> float | None:
        """Time to call `handle_timeout` or `data_to_send` again; None if there is no deadline."""
        opened, queue = self.opened, self._queue
        if self.has_transactions:
            if len(opened) == 1 and not queue.waiting:
                return next(iter(opened.values())).deadline
            times = [each.deadline for each in opened.values()]
            if queue.is_paced and queue.waiting and len(opened) < self._most_open:
                times.append(queue.next_at())
            return min(times) if times else None
        if opened:
            silence = self.framing.deadline()
            return min(opened[0].deadline, _NEVER_AGAIN if silence is None else silence)
        return max(queue.next_at(), self._line.quiet_from()) if queue.waiting else None

    def handle_timeout(self, now: float) -> None:
        """Process what is due at `now`: frames that silence ends, attempts and broadcasts."""
        self.framing.handle_timeout(now)
        self.receive_data(b"", now)
        overdue = [each for each in self.opened.values() if each.deadline <= now]
        for exchange in overdue:
            del self.opened[exchange.transaction]
            if self._is_paced:
                self._queue.used(exchange, now)
            self.unanswered += exchange.is_answered
            exchange.saw_part(self.framing.buffered, self._line.noise(now))
            self.late.expect(exchange, now)
            if exchange.timed_out(self.name):
                self.waiting.appendleft(exchange)
        if overdue:
            self.late.note_part(self.framing, self.opened, now)
        if self.unanswered >= self.most_unanswered:
            self._break(_NO_ANSWER.format(self.unanswered))
        elif self.opened and self.late.rest_due <= now:
            self._lacks_rest()  # the answers to other requests come behind it

    def cancel(self, exchange: Exchange[ResponseT], now: float) -> None:
        """Cancel `exchange`. Its reply is skipped if it comes; other exchanges are not affected.

        Without transaction ids the line stays in use until the reply has come, or is overdue.
        """
        if exchange.done:
            return
        exchange.cancel()
        if self.opened.get(exchange.transaction) is not exchange:
            self.waiting.remove(exchange)
        elif self.has_transactions:
            del self.opened[exchange.transaction]
            self.late.expect(exchange, now)
            self.late.note_part(self.framing, self.opened, exchange.deadline)
