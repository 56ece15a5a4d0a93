"""`Exchange`: one request of a client on its way to its response; `Alone`: the short way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ..errors import InvalidResponseError, ResponseTimeoutError
from ..messages.base import MAX_PDU, Response

if TYPE_CHECKING:
    from ..messages.base import AnyRequest, Request
    from .options import ClientOptions

ResponseT = TypeVar("ResponseT", bound=Response)


class Exchange(Generic[ResponseT]):
    """One request on its way to its response.

    `done` turns True once, and then `result()` gives the response or raises. `deadline` is when
    the current attempt ends, in the caller's time; `sent` how often the request was sent.
    """

    # Defaults of the class, so that making an exchange sets only what differs.
    transaction = 0
    sent = 0
    deadline = 0.0
    done = False
    cancelled = False
    echo_due = False
    mismatch: InvalidResponseError | None = None
    _response: ResponseT | None = None
    _error: BaseException | None = None

    def __init__(
        self,
        request: Request[ResponseT],
        unit: int,
        pdu: bytes,
        timeout: float,
        attempts: int,
        is_answered: bool,
    ) -> None:
        self.request = request
        self.unit = unit
        self.pdu = pdu
        self.timeout = timeout
        self.attempts_left = attempts
        self.is_answered = is_answered

    def result(self) -> ResponseT:
        """The response.

        None for what is never answered: a broadcast, and diagnostics that force listen-only mode.
        Raises an `ExceptionResponseError` for an exception response, `ResponseTimeoutError`,
        `InvalidResponseError` for an answer that does not fit, `ConnectionLostError`, and
        RuntimeError before it is done.
        """
        if self._error is not None:
            try:
                raise self._error
            finally:
                del self  # or the error, its traceback and this frame would keep each other
        if not self.done:
            raise RuntimeError("the exchange is not done; wait until exchange.done is True")
        return self._response  # type: ignore[return-value]

    def finish(self, response: ResponseT | None, error: BaseException | None = None) -> None:
        """Note the outcome; the first one counts."""
        if not self.done:
            self._response = response
            # The frames of the decoding hold this exchange; who asks for the result has his own.
            self._error = error if error is None else error.with_traceback(None)
            self.done = True

    def timeout_error(self, peer: str = "") -> ResponseTimeoutError | InvalidResponseError:
        """Why the exchange ends when its time is over: nothing came, or nothing that fits.

        `peer` is the name of the link in the error.
        """
        if self.mismatch is not None:
            return self.mismatch
        attempts = f" in {self.sent} attempts" if self.sent > 1 else ""
        prefix = f"{peer}: " if peer else ""
        return ResponseTimeoutError(
            f"{prefix}unit {self.unit} did not answer {self.request!r} "
            f"within {self.timeout:g} s{attempts}"
        )


def new_exchange(
    request: Request[ResponseT],
    unit: int,
    timeout: float,
    options: ClientOptions,
    *,
    is_answered: bool,
) -> Exchange[ResponseT]:
    """An exchange of `request`; what writes is sent again only where the options say so.

    Raises TypeError or ValueError for a request whose encoding is no PDU.
    """
    pdu = request.encode()
    if not isinstance(pdu, bytes):
        raise TypeError(f"encode() must give bytes, got {pdu!r} of {request!r}")
    if not 1 <= len(pdu) <= MAX_PDU:
        raise ValueError(f"a PDU must be 1..{MAX_PDU} bytes, got {len(pdu)}")
    attempts = options.retries
    if attempts and (not is_answered or (request.is_write and not options.retry_writes)):
        attempts = 0
    return Exchange(request, unit, pdu, timeout, attempts, is_answered)


class Alone:
    """A request that is the only one on its link; see `ClientProtocol.start_alone`."""

    __slots__ = ("adu", "request", "started", "timeout", "transaction", "unit")

    def __init__(
        self,
        request: AnyRequest,
        unit: int,
        transaction: int,
        timeout: float,
        started: float,
        adu: bytes,
    ) -> None:
        self.request = request
        self.unit = unit
        self.transaction = transaction
        self.timeout = timeout
        self.started = started
        self.adu = adu
