"""`Exchange`: one request of a client, from `start` to its response or error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ..errors import InvalidResponseError, ModbusError, ResponseTimeoutError
from ..messages.base import Response

if TYPE_CHECKING:
    from ..messages.base import Request
    from .link import LinkHistory

ResponseT = TypeVar("ResponseT", bound=Response)


class Exchange(Generic[ResponseT]):
    """A request and its outcome; created and filled in by `ClientProtocol`.

    `done` becomes True once. From then on `error` is the error that `result()` raises, or None,
    and `response` is the answer. It is None for a request that has no answer: a broadcast, or the
    diagnostic that forces listen-only mode. `deadline` is the time at which the current attempt
    ends, `sent` the number of times the request was sent.
    """

    # Filled in by ClientProtocol.start; a constructor would cost a function call per request.
    request: Request[ResponseT]
    unit: int
    pdu: bytes
    wait: float  # seconds: the timeout, or the turnaround of a broadcast

    attempts_left = 0
    is_answered = True
    transaction = 0
    sent = 0
    deadline = 0.0
    done = False
    cancelled = False
    is_noisy = False  # sent while the line was not silent
    came = "nothing came"  # in place of the answer
    mismatch: InvalidResponseError | None = None
    history: LinkHistory | None = None
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

    def fail(self, error: BaseException) -> None:
        """End the exchange with `error`, unless it is done."""
        if not self.done:
            # Drop the traceback: its frames would keep this exchange alive.
            self.error = error.with_traceback(None)
            self.done = True

    def cancel(self) -> None:
        """End the exchange because its caller gave up."""
        self.fail(ModbusError("the exchange was cancelled"))
        self.cancelled = True

    def timeout_error(self, peer: str = "") -> ResponseTimeoutError | InvalidResponseError:
        """Return the error of an exchange that has timed out.

        That is the last answer that did not fit, or otherwise a timeout; its text names `peer`.
        """
        if self.mismatch is not None:
            return self.mismatch
        attempts = f" in {self.sent} attempts" if self.sent > 1 else ""
        prefix = f"{peer}: " if peer else ""
        came = "the line is never quiet" if self.is_noisy else self.came
        error = ResponseTimeoutError(
            f"{prefix}unit {self.unit} did not answer {self.request!r} "
            f"within {self.wait:g} s{attempts}: {came}"
        )
        error.request, error.unit = self.request, self.unit
        return error
