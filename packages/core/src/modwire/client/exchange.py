"""`Exchange`: one request of a client, from `start` to its response or error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ..errors import (
    ConnectionLostError,
    ExceptionCode,
    ExceptionResponseError,
    InvalidResponseError,
    ModbusError,
    ResponseTimeoutError,
)
from ..framing.ascii import follow_delimiter
from ..messages.base import Response
from .line import NEVER_QUIET

if TYPE_CHECKING:
    from ..framing.base import Framing
    from ..messages.base import Request
    from .link import LinkHistory
    from .options import ClientOptions

ResponseT = TypeVar("ResponseT", bound=Response)


class Exchange(Generic[ResponseT]):
    """A request and its outcome; created and filled in by `ClientProtocol`.

    `done` becomes True once. From then on `error` is the error that `result()` raises, or None,
    and `response` is the answer. It is None for a request that has no answer: a broadcast, or the
    diagnostic that forces listen-only mode. `deadline` is the time at which the current attempt
    ends, `sent` the number of times the request was sent.
    """

    # Filled in by ClientProtocol.prepare; a constructor would cost a function call per request.
    request: Request[ResponseT]
    unit: int
    pdu: bytes
    wait: float  # seconds: the timeout, or the turnaround of a broadcast

    attempts_left = 0
    busy_left = 0  # further attempts after the device was busy
    not_before = float("-inf")  # time until which a busy device is left alone
    is_answered = True
    transaction = 0
    sent = 0
    sent_before = 0  # on links that were lost
    is_due = False  # waited to be sent again when the link was lost
    is_repeated = False  # on a new link, because the one before was lost
    deadline = 0.0
    done = False
    cancelled = False
    is_noisy = False  # sent while the line was not silent
    came = "nothing came"  # in place of the answer
    mismatch: InvalidResponseError | None = None
    history: LinkHistory | None = None
    caller: object = None  # of `Turns.begin`
    response: ResponseT = None  # type: ignore[assignment]
    error: BaseException | None = None

    def result(self) -> ResponseT:
        """Return the response; None if the request has no answer.

        Raises:
            ExceptionResponseError: The device refused the request.
            ResponseTimeoutError: No answer came in time.
            InvalidResponseError: The answer does not fit the request.
            ConnectionLostError: The link was lost.
            RuntimeError: The exchange is not done.
        """
        if self.error is not None:
            try:
                raise self.error
            finally:
                del self  # the traceback refers to this frame, which would keep the error alive
        if not self.done:
            raise RuntimeError("the exchange is not done; wait until exchange.done is True")
        return self.response

    def fail(self, error: BaseException, peer: str = "") -> None:
        """End the exchange, unless it is done, with a copy of `error` that names it and `peer`."""
        if not self.done:
            if isinstance(error, ModbusError):
                error = error.about(peer, self.unit, self.request)
            # Drop the traceback: its frames would keep this exchange alive.
            self.error = error.with_traceback(None)
            self.done = True

    def cancel(self) -> None:
        """End the exchange because its caller gave up; it is not sent again."""
        self.fail(ModbusError("the exchange was cancelled"))
        self.cancelled = True
        self.attempts_left = self.busy_left = 0

    def follow(self, former: Exchange[ResponseT]) -> None:
        """Go on with the attempts of `former`, whose link was lost, on a new link."""
        self.is_repeated = True
        self.attempts_left, self.busy_left = former.attempts_left, former.busy_left
        self.sent_before = former.sent_before + former.sent

    def may_repeat(self) -> bool:
        """True if the request may be started again on a new link.

        It may if the link was lost, not closed by `close`, and another attempt was due; or once if
        either the request was never sent, or `LinkHistory.may_repeat` allows it.
        """
        history, is_lost = self.history, isinstance(self.error, ConnectionLostError)
        if history is None or history.is_closed or not is_lost:
            return False
        if self.is_due or self.is_repeated:
            return self.is_due
        return not self.sent or history.may_repeat(self.request)

    def follow_delimiter(self, framing: Framing) -> None:
        """Use the new delimiter of an ASCII line, if the answer has confirmed one."""
        if self.done and self.error is None:
            follow_delimiter(framing, self.request)

    def timed_out(self, peer: str) -> bool:
        """Return True if the request is to be sent again; otherwise end the exchange."""
        if self.attempts_left:
            self.attempts_left -= 1
            return True
        if self.is_answered:
            self.fail(self.timeout_error(), peer)
        self.done = True
        return False

    def saw(self, unit: int, transaction: int, pdu: bytes, *, is_late: bool) -> None:
        """Note an answer that is not the one to this request, for the text of the error."""
        if is_late:
            self.came = f"an answer to another request came, a late one of unit {unit}"
        elif unit == self.unit or transaction != self.transaction:
            self.came = "an answer to another request came"
        else:  # a gateway may refuse in the name of its own unit
            refused = f" with exception {pdu[1]:02X}" if pdu[0] & 0x80 and len(pdu) > 1 else ""
            self.came = f"unit {unit} answered{refused}"

    def saw_part(self, size: int, noise: str = "") -> None:
        """Note that so many bytes of an unfinished frame came, or `noise`, if nothing else did."""
        self.is_noisy = self.is_noisy or noise is NEVER_QUIET
        if self.came is Exchange.came:
            plural = "" if size == 1 else "s"
            part = f"{size} byte{plural} of an unfinished frame came"
            self.came = part if size else noise or self.came

    def saw_request(self, pdu: bytes) -> None:
        """Note a request that came; it may be the echo of this one."""
        if pdu == self.pdu:
            self.came = "the request itself came back: the adapter has an echo, see suppress_echo"

    def saw_misfit(self, error: InvalidResponseError, pdu: bytes) -> None:
        """Note an answer that does not fit, or an echo of the request, which is none."""
        if pdu == self.pdu:
            self.saw_request(pdu)
        else:
            self.mismatch = error

    def refuses(self, error: Exception, options: ClientOptions, now: float) -> bool:
        """True if the exchange ends with `error`; False if the device is busy, and it is repeated.

        A device that answers 05 executes the request, so one that writes is not repeated then.
        """
        if not self.busy_left or not isinstance(error, ExceptionResponseError):
            return True
        if error.code == ExceptionCode.SERVER_DEVICE_BUSY:
            self.sent -= 1  # this attempt is answered, and nothing was executed
        elif error.code != ExceptionCode.ACKNOWLEDGE or (
            self.request.is_write and not options.retry_writes
        ):
            return True
        self.busy_left -= 1
        self.not_before = now + options.busy_pause
        return False

    def timeout_error(self) -> ResponseTimeoutError | InvalidResponseError:
        """Return the error of an exchange that has timed out.

        That is the last answer that did not fit, or otherwise a timeout.
        """
        if self.mismatch is not None:
            return self.mismatch
        sent = self.sent_before + self.sent
        attempts = f" in {sent} attempts" if sent > 1 else ""
        came = NEVER_QUIET if self.is_noisy else self.came
        return ResponseTimeoutError(
            f"unit {self.unit} did not answer {self.request!r} "
            f"within {self.wait:.3g} s{attempts}: {came}"
        )
