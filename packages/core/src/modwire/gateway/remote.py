"""Units that pass requests on to another device, and the exception responses for its errors.

The `RemoteUnit` of every package is one of the classes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..arguments import explained
from ..errors import ConnectionLostError, ExceptionCode, ExceptionResponseError, ModbusError
from ..hooks import is_coroutine_function
from ..messages.base import ExceptionResponse, RawRequest, Response
from ..messages.diagnostics import DiagnosticsRequest
from ..options import check_timeout, check_unit
from ..units.unit import AsyncUnit, Unit, Waits

if TYPE_CHECKING:
    from ..messages.base import AnyRequest, Request, ResponseT


class BlockingCaller(Protocol):
    """A client whose `call` blocks, such as `BlockingCalls`."""

    def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> ResponseT:
        """Return the response to `request`."""
        raise NotImplementedError


class AsyncCaller(Protocol):
    """A client whose `call` is awaited, such as `AsyncCalls`."""

    async def call(
        self, request: Request[ResponseT], *, unit: int | None = None, timeout: float | None = None
    ) -> ResponseT:
        """Return the response to `request`."""
        raise NotImplementedError


class BlockingRemoteUnit(Unit):
    """The device with id `unit` behind `client`: every request is passed on to it.

    Functions that modwire does not know are passed on, too. Only a request that breaks the limits
    of its function is answered before, with exception 03. None for `unit` or `timeout` stands for
    the client's own. Exception responses of the device are passed back unchanged. If there is no
    link to it the answer is exception 0A, gateway path unavailable; if it does not answer, or its
    answer does not fit, 0B, gateway target failed (section 7). The tables and counters of this
    object are not used: the device has its own.
    """

    waits = Waits.THREAD

    @explained
    def __init__(
        self, client: BlockingCaller, unit: int | None = None, *, timeout: float | None = None
    ) -> None:
        super().__init__()
        _check_target(client, unit, timeout)
        if is_coroutine_function(client.call):
            raise TypeError(f"client must be a blocking client, got {client!r} of {_home(client)}")
        self.client = client
        self.unit = unit
        self.timeout = timeout

    def __repr__(self) -> str:
        return _shown(self)

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        """Pass `request` on to the device and return the response, or None for a broadcast.

        A broadcast is sent to the device's own unit id, not to 0: of several devices behind one
        client each gets it once, one after the other. It has no answer.
        """
        if broadcast and not request.is_write:
            return None
        try:
            response = self.client.call(as_sent(request), unit=self.unit, timeout=self.timeout)
        except ModbusError as error:
            return failed_answer(request, error, broadcast=broadcast)
        return None if broadcast else response


class AsyncRemoteUnit(AsyncUnit):
    """The device with id `unit` behind `client`: every request is passed on to it.

    Functions that modwire does not know are passed on, too. Only a request that breaks the limits
    of its function is answered before, with exception 03. None for `unit` or `timeout` stands for
    the client's own. Exception responses of the device are passed back unchanged. If there is no
    link to it the answer is exception 0A, gateway path unavailable; if it does not answer, or its
    answer does not fit, 0B, gateway target failed (section 7). The tables and counters of this
    object are not used: the device has its own.
    """

    @explained
    def __init__(
        self, client: AsyncCaller, unit: int | None = None, *, timeout: float | None = None
    ) -> None:
        super().__init__()
        _check_target(client, unit, timeout)
        self.client = client
        self.unit = unit
        self.timeout = timeout

    def __repr__(self) -> str:
        return _shown(self)

    async def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        """Pass `request` on to the device and return the response, or None for a broadcast.

        A broadcast is sent to the device's own unit id, not to 0: of several devices behind one
        client each gets it once, one after the other. It has no answer.
        """
        if broadcast and not request.is_write:
            return None
        try:
            response = await self.client.call(
                as_sent(request), unit=self.unit, timeout=self.timeout
            )
        except ModbusError as error:
            return failed_answer(request, error, broadcast=broadcast)
        return None if broadcast else response


def _shown(remote: BlockingRemoteUnit | AsyncRemoteUnit) -> str:
    unit = "the unit" if remote.unit is None else f"unit {remote.unit}"
    return f"<{type(remote).__name__}: {unit} of {remote.client!r}>"


def _check_target(client: object, unit: int | None, timeout: float | None) -> None:
    if not callable(getattr(client, "call", None)):
        raise TypeError(f"client must be a client, with a method call(), got {client!r}")
    if unit is not None:
        check_unit(unit)
    if timeout is not None:
        check_timeout(timeout)


def _home(client: object) -> str:
    return type(client).__module__.partition(".")[0]


def failed_answer(
    request: AnyRequest, error: ModbusError, *, broadcast: bool
) -> ExceptionResponse | None:
    """Return the answer to `request`, which failed with `error` at the device behind a gateway.

    That is the device's exception response if it sent one; 0A, gateway path unavailable, if there
    is no link to it; otherwise 0B, gateway target failed (section 7). None for a broadcast.
    """
    if broadcast:
        return None
    code: int
    if isinstance(error, ExceptionResponseError):
        code = error.code
    elif isinstance(error, ConnectionLostError):
        code = ExceptionCode.GATEWAY_PATH_UNAVAILABLE
    else:
        code = ExceptionCode.GATEWAY_TARGET_FAILED
    return ExceptionResponse(request.function_code & 0x7F, code, error)


class _Unanswered(RawRequest):
    """A request to all units on a line, which none of them answers."""

    __slots__ = ()
    expects_response = False


def as_sent(request: AnyRequest) -> AnyRequest:
    """Return `request`, or its bytes if nobody here knows the form of the answer.

    That is a sub-function of 8 which is not in the list: its answer need not be words.
    """
    if not isinstance(request, DiagnosticsRequest) or request.is_known:
        return request
    pdu = request.encode()
    return RawRequest(pdu[0], pdu[1:])


def passed_on(request: AnyRequest, *, broadcast: bool) -> AnyRequest | None:
    """Return what a gateway sends on a line for `request`; None if a broadcast writes nothing.

    No answer to a broadcast is awaited, not even on TCP, where unit 0 is not a broadcast.
    """
    if not broadcast:
        return as_sent(request)
    if not request.is_write:
        return None
    pdu = request.encode()
    return _Unanswered(pdu[0], pdu[1:])
