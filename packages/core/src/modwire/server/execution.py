"""What is done with a request that came in: `Call`, and the hooks and units that answer it.

`ServerProtocol` is an `Executor`; adapters reach both through it. What `execute` and
`execute_async` decide is decided in the helpers below them, once for both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ExceptionCode, ExceptionResponseError, InvalidRequestError, ModbusError
from ..messages.base import ExceptionResponse, Response

if TYPE_CHECKING:
    from typing import TypeAlias, TypeGuard

    from ..messages.base import AnyRequest
    from ..units.unit import Unit
    from ..units.units import Units
    from .call import Call
    from .options import Authorize, ServerOptions

    # Runs a function that may wait, such as `trio.to_thread.run_sync`.
    InThread: TypeAlias = "Callable[[Callable[[], Response | None]], Awaitable[Response | None]]"


class Executor:
    """Executes calls on units, with the hooks of the options; see `ServerProtocol`."""

    def __init__(
        self,
        options: ServerOptions,
        *,
        is_serial: bool,
        peer: object,
        role: str | None,
        asker: object = None,
    ) -> None:
        self.options = options
        self.peer = peer
        self.role = role
        self._is_serial = is_serial
        self._asker = asker

    @property
    def asker(self) -> object:
        """Who takes turns with others at what they share, such as a line behind a gateway.

        Not the peer: all peers on a Unix socket have the same name.
        """
        return self if self._asker is None else self._asker

    def find(self, unit: int, units: Units) -> Unit | None:
        """The unit that answers for `unit` on this link."""
        return units.get(unit) if self._is_serial else units.for_tcp(unit)

    def blocks(self, call: Call, units: Units) -> bool:
        """Whether `execute` may have to wait for something."""
        if call.broadcast:
            return units.blocking
        unit = self.find(call.unit, units)
        return unit is not None and unit.blocking

    def is_queued(self, call: Call, units: Units) -> bool:
        """Whether the unit itself bounds how many calls may wait for it, as a gateway does."""
        unit = None if call.broadcast or not call.unit else self.find(call.unit, units)
        return unit is not None and unit.forwards

    def addressed(self, call: Call, units: Units) -> tuple[Call, list[Unit]]:
        """`call` and the units that it is for; a broadcast to unit 0 on TCP is seen as one."""
        if not call.unit and not call.broadcast:
            call = self._for_all(call, units)
        if call.broadcast:
            return call, list(units)
        found = self.find(call.unit, units)
        return call, [] if found is None else [found]

    def _for_all(self, call: Call, units: Units) -> Call:
        is_write = call.refusal is None and call.request.may_be_broadcast
        return call._replace(broadcast=True) if is_write and units.broadcasts_zero else call

    def execute(self, call: Call, units: Units) -> Response | None:
        """What `units` answer to `call`; may run in another thread than the protocol's.

        None for a broadcast, and for a unit that is not there or says nothing. What ends a
        program (KeyboardInterrupt, SystemExit) goes through; `failed` is what answers then.
        """
        units.bus.messages += 1
        if not call.unit and not call.broadcast:
            call = self._for_all(call, units)
        if call.broadcast:
            for unit in units:
                self.execute_on(unit, call)
            return None
        found = self.find(call.unit, units)
        return None if found is None else self.execute_on(found, call)

    async def execute_async(self, call: Call, units: Units, in_thread: InThread) -> Response | None:
        """What `execute` gives, for an event loop: it waits without stalling others.

        A unit whose `execute` is a coroutine function is awaited. Another that blocks runs as
        `await in_thread(function)`, in which KeyboardInterrupt and its like count as failures, as
        they are none of the loop's. Units in memory, those that cooperate, and hooks, run at
        once.
        """
        units.bus.messages += 1
        if not call.unit and not call.broadcast:
            call = self._for_all(call, units)
        if call.broadcast:
            for unit in units:
                await self._execute_on_async(unit, call, in_thread)
            return None
        found = self.find(call.unit, units)
        return None if found is None else await self._execute_on_async(found, call, in_thread)

    def failed(self, call: Call, error: BaseException) -> Response | None:
        """What answers a call whose execution raised `error`: 04, which `on_error` is told of."""
        self._report(call.request, error)
        return None if call.broadcast else _failure(call, error)

    def execute_on(self, unit: Unit, call: Call) -> Response | None:
        """What one of the units answers to `call`, which is for it; see `execute`."""
        refusal = self.refusal(unit, call)
        response: Response | None
        try:
            if refusal is not None:
                response = unit.refuse(refusal, broadcast=call.broadcast)
            elif unit.is_async:
                raise TypeError(f"execute() of {unit!r} is async: only async servers can await it")
            elif unit.forwards:
                response = _checked(
                    unit.execute_for(self.asker, call.request, broadcast=call.broadcast)
                )
            else:
                response = _checked(unit.execute(call.request, broadcast=call.broadcast))
        except Exception as error:  # noqa: BLE001 - somebody's own execute() cannot stop the server
            response = _failure(call, error)
        return self._told(call, response)

    async def _execute_on_async(
        self, unit: Unit, call: Call, in_thread: InThread
    ) -> Response | None:
        refusal = self.refusal(unit, call)
        response: Response | None
        try:
            if refusal is not None:
                response = unit.refuse(refusal, broadcast=call.broadcast)
            elif unit.forwards:
                answer: object = unit.execute_for(
                    self.asker, call.request, broadcast=call.broadcast
                )
                response = _checked(await answer if _is_awaitable(answer) else answer)
            elif unit.blocking and not (unit.is_async or unit.cooperative):
                function = partial(_execute_in_thread, unit, call)
                response = _checked(await in_thread(function))
            else:
                answer = unit.execute(call.request, broadcast=call.broadcast)
                response = _checked(await answer if _is_awaitable(answer) else answer)
        except Exception as error:  # noqa: BLE001 - somebody's own execute() cannot stop the server
            response = _failure(call, error)
        return self._told(call, response)

    def refusal(self, unit: Unit, call: Call) -> InvalidRequestError | None:
        """Why the request is not to be executed, or None."""
        refusal = call.refusal
        if refusal is not None and not (
            # The device behind a gateway may know what this server does not.
            unit.forwards and refusal.exception_code == ExceptionCode.ILLEGAL_FUNCTION
        ):
            return refusal
        if self.options.authorize is None:
            return None
        return self._forbid(call, self.options.authorize)

    def concluded(self, call: Call, outcome: object) -> Response | None:
        """What answers `call`, which was executed elsewhere: a response, None, or an error."""
        response: Response | None
        if isinstance(outcome, BaseException):
            response = _failure(call, outcome)
        else:
            try:
                response = _checked(outcome)
            except TypeError as error:
                response = _failure(call, error)
        return self._told(call, response)

    def _forbid(self, call: Call, authorize: Authorize) -> InvalidRequestError | None:
        """The refusal of what `authorize` does not allow; 04 if it cannot tell."""
        request = call.request
        code = ExceptionCode.ILLEGAL_FUNCTION
        try:
            answer: object = authorize(self.peer, self.role, call.unit, request)
            if not isinstance(answer, bool):
                # What is true without being True, such as a coroutine, must not let anyone in.
                raise TypeError(f"authorize() must give True or False, got {answer!r}")
            if answer:
                return None
        except Exception as error:  # noqa: BLE001 - a fault must neither allow nor end anything
            self._report(request, error)
            code = ExceptionCode.SERVER_DEVICE_FAILURE
        return InvalidRequestError(
            f"{self.peer} with role {self.role} may not do {request!r}", request.function_code, code
        )

    def _told(self, call: Call, response: Response | None) -> Response | None:
        """`response`, after the hooks have been told of it."""
        request = call.request
        if isinstance(response, ExceptionResponse) and response.cause is not None:
            if not isinstance(response.cause, ModbusError):
                self._report(request, response.cause)
        if self.options.on_call is not None:
            try:
                self.options.on_call(self.peer, request, response)
            except Exception as error:  # noqa: BLE001 - what is done has to be answered
                self._report(request, error)
        self._answered(call, response)
        return response

    def _answered(self, call: Call, response: Response | None) -> None:
        """Tell the hook of the protocol, which knows more of the call than its request."""

    def _report(self, request: AnyRequest, error: BaseException) -> None:
        if self.options.on_error is not None:
            self.options.on_error(self.peer, request, error)


def _is_awaitable(answer: object) -> TypeGuard[Awaitable[object]]:
    return isinstance(answer, Awaitable)


def _checked(response: object) -> Response | None:
    if response is not None and not isinstance(response, Response):
        raise TypeError(f"execute() must give a response or None, got {response!r}")
    return response


def _failure(call: Call, error: BaseException) -> ExceptionResponse:
    """What answers an error: the code that it names, else 04."""
    code: int = ExceptionCode.SERVER_DEVICE_FAILURE
    if isinstance(error, ExceptionResponseError) and 0 <= error.code <= 0xFF:
        code = error.code
    return ExceptionResponse(call.request.function_code & 0x7F, code, error)


def _execute_in_thread(unit: Unit, call: Call) -> Response | None:
    try:
        return unit.execute(call.request, broadcast=call.broadcast)
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f"execute() of {unit!r} raised {error!r}") from error
