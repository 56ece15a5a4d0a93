"""`ClientProtocol`: the whole client but for the I/O. Every decision about time is taken here.

An exchange goes through these stages:

    start() -> queued -> data_to_send() -> open -> receive_data() -> done
                                            |  handle_timeout() -> queued again (retry), or done
                                            +- cancel(), connection_lost() -> done

On TCP, transaction ids tell the replies apart, so up to `max_in_flight` exchanges are open. An id
whose reply is overdue is not used again until the reply has come. Elsewhere one exchange is open
at a time, and a unit that owes a reply is not asked again until it came or its time is over: a
late reply is never taken for that of a later request.

On a link with transaction ids, a caller that finds nothing else going on may take a shorter way:
`start_alone` and `finish_alone`. Whenever something else happens than the one right reply, that
becomes an ordinary open exchange, which `adopt` gives to its caller.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

from ..errors import ConnectionLostError, FrameError, InvalidResponseError, ModbusError
from ..framing.ascii import expect_delimiter, follow_delimiter
from ..framing.base import Frame, Framing
from ..messages.base import MAX_PDU, Response
from ..messages.diagnostics import DiagnosticsRequest
from ..options import check_timeout, check_unit
from .exchange import Alone, Exchange, new_exchange
from .late_replies import LateReplies
from .options import ClientOptions, Quirks

if TYPE_CHECKING:
    from ..messages.base import AnyRequest, Request

ResponseT = TypeVar("ResponseT", bound=Response)

_NEVER_AGAIN = float("inf")


class ClientProtocol:
    """A client on one link, without the link.

    After each of `start`, `receive_data`, `handle_timeout` and `cancel`, send what `data_to_send`
    gives, and come back at `deadline()` at the latest. `skipped` counts well-formed replies that
    answered nothing, `frame_errors` the bytes that were no frame. Set `is_datagram` where a frame
    has to go in a datagram of its own, and `name` to what errors shall call the peer. When
    `broken` is True the stream cannot be followed any further: close the link, open it anew and
    call `reset()`.
    """

    def __init__(self, framing: type[Framing], options: ClientOptions | None = None) -> None:
        Framing.check_class(framing)
        self.options = options if options is not None else ClientOptions()
        silence = self.options.silence + self.options.tolerance
        self.framing = framing(self.options.decoder, is_server=False, silence=silence)
        self.skipped = 0
        self.frame_errors = 0
        self.broken = False
        self.is_datagram = False
        self.name = ""
        quirks = self.options.quirks
        self._takes_zero = Quirks.zero_transaction_id in quirks
        self._takes_any_unit = Quirks.any_unit in quirks
        self._takes_trailing_bytes = Quirks.trailing_bytes in quirks
        self._has_transactions = framing.has_transactions
        self._is_serial = framing.is_serial
        self._default_unit = self.options.unit
        self._default_timeout = self.options.response_timeout
        self._most_open = self.options.max_in_flight if framing.has_transactions else 1
        self._queue: deque[Exchange[Response]] = deque()
        self._open: dict[int, Exchange[Response]] = {}
        self._alone: Alone | None = None
        self._adopted: dict[int, Exchange[Response]] = {}  # that their callers have not asked for
        self._may_be_alone = framing.has_transactions and quirks is Quirks.none
        self._ready: dict[int, bytes] = {}  # transaction id -> ADU that is open and not sent yet
        self._transaction = 0
        window = self.options.late_reply_window
        self._late = LateReplies(self.options.response_timeout if window is None else window)
        self._line_silence = self.options.silence if framing.needs_silence else 0.0
        self._quiet_from = float("-inf")  # when the line may be used: silence since the last byte

    def start(
        self,
        request: Request[ResponseT],
        unit: int | None = None,
        *,
        now: float,
        timeout: float | None = None,
    ) -> Exchange[ResponseT]:
        """Queue `request` for `unit` (0..255); `timeout` in seconds, from when it is sent.

        Unit 0 is a broadcast on a serial line, so only a write may go there. Raises ValueError
        for arguments outside these ranges and for a request that cannot be encoded.
        """
        options = self.options
        unit = options.unit if unit is None else check_unit(unit)
        timeout = options.response_timeout if timeout is None else check_timeout(timeout)
        is_answered = request.expects_response
        if not unit and self._is_serial:
            if not request.may_be_broadcast:
                raise ValueError(f"a broadcast (unit 0) must be a plain write, got {request!r}")
            is_answered = False
        exchange = new_exchange(request, unit, timeout, options, is_answered=is_answered)
        self._end_alone()
        if self._queue or len(self._open) >= self._most_open or not self._has_transactions:
            self._queue.append(exchange)  # type: ignore[arg-type]
        else:
            self._open_exchange(exchange, now)  # type: ignore[arg-type]
        return exchange

    def start_alone(
        self, request: AnyRequest, unit: int | None, timeout: float | None, now: float
    ) -> Alone | None:
        """`start` and `data_to_send` for a request that goes alone; None if it has to take those.

        Send its `adu`, and hand what comes to `finish_alone`. Raises ValueError like `start`.
        """
        transaction = self._transaction + 1 & 0xFFFF
        if (
            self._open
            or self._queue
            or self._alone is not None
            or transaction in self._late.transactions
            or not self._may_be_alone
            or not request.expects_response
        ):
            return None
        if unit is None:
            unit = self._default_unit
        else:
            check_unit(unit)
        if timeout is None:
            timeout = self._default_timeout
        else:
            check_timeout(timeout)
        pdu = request.encode()
        if not isinstance(pdu, bytes) or not 1 <= len(pdu) <= MAX_PDU:
            return None  # start() says what is wrong
        self._transaction = transaction
        adu = self.framing.wrap(unit, transaction, pdu)
        self._alone = alone = Alone(request, unit, transaction, timeout, now, adu)
        return alone

    def finish_alone(
        self, alone: Alone, request: Request[ResponseT], data: bytes
    ) -> ResponseT | None:
        """The response to `request`, if it is still alone and `data` is its one right reply.

        None in every other case, and nothing is done: `adopt` it, and let `receive_data` see.
        """
        if self._alone is not alone:
            return None
        pdu = self.framing.sole_pdu(data, alone.unit, alone.transaction)
        if pdu is None:
            return None
        try:
            response = request.decode_response(pdu)
        except Exception:  # noqa: BLE001 - what it is comes out on the ordinary way
            return None
        self._alone = None
        return response

    def adopt(self, alone: Alone, request: Request[ResponseT]) -> Exchange[ResponseT]:
        """The exchange of the request that was started alone, and is not any more."""
        self._end_alone()
        return self._adopted.pop(alone.transaction)  # type: ignore[return-value]

    def _end_alone(self) -> None:
        """Something else happens than the one right reply: make an ordinary exchange of it."""
        if self._alone is None:
            return
        alone, self._alone = self._alone, None
        exchange = new_exchange(
            alone.request, alone.unit, alone.timeout, self.options, is_answered=True
        )
        exchange.transaction = alone.transaction
        exchange.sent = 1
        exchange.deadline = alone.started + alone.timeout
        self._open[alone.transaction] = self._adopted[alone.transaction] = exchange

    def _open_exchange(self, exchange: Exchange[Response], now: float) -> None:
        """Give an exchange its transaction id; its time runs from here."""
        opened = self._open
        transaction = self._transaction + 1 & 0xFFFF
        while transaction in opened or transaction in self._late.transactions:
            transaction = transaction + 1 & 0xFFFF
        self._transaction = exchange.transaction = transaction
        self._ready[transaction] = self._send(exchange, now)

    def data_to_send(self, now: float) -> bytes:
        """The bytes to send now; b"" when there is nothing to send or the line must stay quiet.

        Where `is_datagram`, one frame at a time: ask again until it gives b"".
        """
        queue = self._queue
        if queue:
            if not self._has_transactions:
                return self._send_next(now)
            while queue and len(self._open) < self._most_open:
                self._open_exchange(queue.popleft(), now)
        ready = self._ready
        if not ready:
            return b""
        if len(ready) == 1:
            return ready.popitem()[1]
        if self.is_datagram:
            return ready.pop(next(iter(ready)))
        data = b"".join(ready.values())
        ready.clear()
        return data

    def _send_next(self, now: float) -> bytes:
        """One frame on a line without transaction ids, when its turn has come."""
        if self._open or now < self._quiet_from:
            return b""
        for exchange in self._queue:
            if exchange.sent or now >= self._late.free_at(exchange.unit):
                self._queue.remove(exchange)
                data = self._send(exchange, now)
                self._quiet_from = now + self._line_silence
                exchange.echo_due = self.options.suppress_echo
                self.framing.expect(exchange.pdu[0], exchange.request.expected_length())
                if isinstance(exchange.request, DiagnosticsRequest):
                    expect_delimiter(self.framing, exchange.request)
                return data
        return b""

    def _send(self, exchange: Exchange[Response], now: float) -> bytes:
        exchange.sent += 1
        if exchange.is_answered:
            exchange.deadline = now + exchange.timeout
        else:
            exchange.deadline = now + self.options.turnaround
        self._open[exchange.transaction] = exchange
        return self.framing.wrap(exchange.unit, exchange.transaction, exchange.pdu)

    def data_sent(self, now: float) -> None:
        """What `data_to_send` gave has left the line only at `now`, or will have by then.

        To be called where bytes take time, on serial lines: the time for the answer, the
        turnaround and the silence count from then.
        """
        for exchange in self._open.values():
            wait = exchange.timeout if exchange.is_answered else self.options.turnaround
            exchange.deadline = now + wait
        self._quiet_from = now + self._line_silence

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes that came at `now`; they finish exchanges, or are skipped and counted."""
        self._quiet_from = now + self._line_silence
        self._end_alone()
        framing = self.framing
        if len(self._open) == 1 and self._has_transactions and not self._takes_trailing_bytes:
            # Nearly always one whole reply comes, and it is the right one.
            (exchange,) = self._open.values()
            pdu = framing.sole_pdu(data, exchange.unit, exchange.transaction)
            if pdu is not None and exchange.is_answered:
                try:
                    exchange.finish(exchange.request.decode_response(pdu))
                    self._open.clear()
                    return
                except Exception:  # noqa: BLE001 - what is wrong is found again below
                    pass
        framing.receive_data(data, now)
        frames = framing.frames
        while frames:
            self._take(frames.popleft(), now)

    def receive_datagram(self, data: bytes, now: float) -> None:
        """Take one datagram: what is no whole frame at its end is dropped."""
        self._end_alone()
        self.framing.receive_data(data, now)
        self.framing.end_datagram()
        while (frame := self.framing.next_frame()) is not None:
            if isinstance(frame, FrameError):  # the next datagram begins anew, fatal or not
                self.frame_errors += 1
            else:
                self._take(frame, now)

    def _take(self, frame: Frame | FrameError, now: float) -> None:
        if type(frame) is not Frame:
            self._take_other(frame, now)
            return
        exchange = self._open.get(frame.transaction)
        if exchange is None and self._takes_zero:
            exchange = self._only_open(frame)
        if (
            exchange is None
            or not exchange.is_answered
            or (exchange.unit != frame.unit and not self._takes_any_unit)
        ):
            self._skip(frame)
            return
        if exchange.echo_due and frame.pdu == exchange.pdu:
            exchange.echo_due = False
        elif not self._take_answer(exchange, frame.pdu):
            self._skip(frame)

    def _take_answer(self, exchange: Exchange[Response], pdu: bytes) -> bool:
        """End `exchange` with the answer in `pdu`; False if the right one may still come."""
        try:
            if self._takes_trailing_bytes:
                pdu = self._without_trailing_bytes(pdu)
            response = exchange.request.decode_response(pdu)
        except InvalidResponseError as error:
            if not self._has_transactions:
                exchange.mismatch = error
                return False
            self._close(exchange)
            exchange.finish(None, error)
        except Exception as error:  # noqa: BLE001 - an exception response, or a custom class
            self._close(exchange)
            exchange.finish(None, error)
        else:
            self._close(exchange)
            exchange.finish(response)
            if isinstance(exchange.request, DiagnosticsRequest):
                follow_delimiter(self.framing, exchange.request)
        return True

    def _without_trailing_bytes(self, pdu: bytes) -> bytes:
        length = self.options.decoder.response_length(pdu, 0)
        return pdu[:length] if length > 0 else pdu

    def _close(self, exchange: Exchange[Response]) -> None:
        """An exchange has its reply. Each further attempt may bring one more: it is owed."""
        del self._open[exchange.transaction]
        if exchange.sent > 1 and not self._has_transactions:
            self._late.note_unit(exchange.unit, exchange.sent - 1, exchange.deadline)

    def _skip(self, frame: Frame) -> None:
        self.skipped += 1
        self._late.came(frame)

    def _only_open(self, frame: Frame) -> Exchange[Response] | None:
        if frame.transaction or len(self._open) != 1:
            return None
        return next(iter(self._open.values()))

    def _take_other(self, frame: Frame | FrameError, now: float) -> None:
        if not isinstance(frame, FrameError):
            self.skipped += 1
            return
        self.frame_errors += 1
        if frame.fatal:
            self._fail_all(frame)
            self.broken = True

    def receive_eof(self, now: float, error: ModbusError | None = None) -> None:
        """The other side closed the link: what is open fails with `error`.

        None stands for a `ConnectionLostError` that says so. Where silence ends a frame, the end
        of the stream does too.
        """
        self._end_alone()
        self.framing.handle_timeout(_NEVER_AGAIN)
        while (frame := self.framing.next_frame()) is not None:
            self._take(frame, now)
        self.connection_lost(error or ConnectionLostError("the server closed the connection"))

    def connection_lost(self, error: ModbusError) -> None:
        """The link is gone: everything queued or open fails with `error`."""
        self._fail_all(error)
        self.reset()

    def _fail_all(self, error: ModbusError) -> None:
        self._end_alone()
        for exchange in (*self._open.values(), *self._queue):
            exchange.finish(None, error)
        self._open.clear()
        self._ready.clear()
        self._queue.clear()

    def reset(self) -> None:
        """Begin on a link that was opened anew; on a serial line, late replies may still come."""
        self.framing.reset()
        self.broken = False
        self._late.reset(is_serial=self._is_serial)

    def deadline(self) -> float | None:
        """When to call `handle_timeout` or `data_to_send` again; None if only bytes matter."""
        self._end_alone()
        if self._has_transactions and len(self._open) == 1:
            (exchange,) = self._open.values()
            return exchange.deadline
        times = [exchange.deadline for exchange in self._open.values()]
        if self._has_transactions:
            return min(times) if times else None
        if times and (silence := self.framing.deadline()) is not None:
            times.append(silence)
        elif self._queue and not times:
            turn = min(
                self._quiet_from if exchange.sent else self._late.free_at(exchange.unit)
                for exchange in self._queue
            )
            times.append(max(turn, self._quiet_from))
        return min(times) if times else None

    def handle_timeout(self, now: float) -> None:
        """Do what is due at `now`: silence ends frames, attempts end, broadcasts are done."""
        self._end_alone()
        self.framing.handle_timeout(now)
        while (frame := self.framing.next_frame()) is not None:
            self._take(frame, now)
        for exchange in [each for each in self._open.values() if each.deadline <= now]:
            del self._open[exchange.transaction]
            if not exchange.is_answered:
                exchange.finish(None)
                continue
            if self._has_transactions:
                self._late.note_transaction(exchange.transaction)
            if exchange.attempts_left and not exchange.cancelled:
                exchange.attempts_left -= 1
                self._queue.appendleft(exchange)
                continue
            if not self._has_transactions:
                self._late.note_unit(exchange.unit, exchange.sent, now)
            exchange.finish(None, exchange.timeout_error(self.name))

    def cancel(self, exchange: Exchange[ResponseT], now: float) -> None:
        """The caller gave up. A reply that still comes is dropped; no other exchange notices.

        On a line without transaction ids the line stays taken until the reply has come or its
        time is over, for the unit may be sending it.
        """
        if exchange.done:
            return
        exchange.finish(None, ModbusError("the exchange was cancelled"))
        exchange.cancelled = True
        if self._open.get(exchange.transaction) is not exchange:
            self._queue.remove(exchange)  # type: ignore[arg-type]
        elif self._has_transactions:
            del self._open[exchange.transaction]
            if self._ready.pop(exchange.transaction, None) is None:
                self._late.note_transaction(exchange.transaction)
