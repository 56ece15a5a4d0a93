"""`Executor`: authorizes a call, executes it on its units, and calls the hooks.

`ServerProtocol` has one. The methods that the blocking and the async way share are below both.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from ..errors import (
    ExceptionCode,
    ExceptionResponseError,
    GatewayTargetFailedError,
    InvalidRequestError,
    ModbusError,
)
from ..messages.base import ExceptionResponse, RawRequest, RawResponse, Response
from ..units.unit import QueuedUnit, Unit, Waits
from .audit import DENIED, AuditEvent, Denied, outcome_of
from .call import Call
from .faulty_responses import FaultyResponse
from .options import LoggedErrors
from .workers import Job

if TYPE_CHECKING:
    from typing import TypeAlias, TypeGuard

    from ..messages.base import AnyRequest
    from ..units.unit import BaseUnit
    from ..units.units import Units
    from .options import Authorize, ServerOptions

    # Runs a job in a thread, while the caller's loop serves others; see `WorkerQueue`.
    InThread: TypeAlias = Callable[[Job], object]
    InThreadAsync: TypeAlias = Callable[[Job], Awaitable[object]]


_NEVER = Waits.NEVER
_DIAGNOSTICS = 8
_ALWAYS_ALLOWED = (ExceptionResponse, FaultyResponse, RawResponse)


class Executor:
    """Executes calls of one peer on units, with the hooks of `options`.

    `peer` and `role` are passed to the hooks, and `subject`, that of the peer's certificate, to the
    audit. `client` is the identity used for fair queuing
    behind a gateway; it is not the peer, because all peers on a Unix socket have the same name.
    """

    def __init__(
        self, options: ServerOptions, *, is_serial: bool, peer: object, role: str | None
    ) -> None:
        self.options = options
        self.peer = peer
        self.role = role
        self.subject = ""
        self.client: object = self
        self._on_answer: Callable[[Call, Response | None], object] | None = None
        self._is_serial = is_serial
        self._authorize = options.authorize
        self._has_no_hooks = options.on_call is None and options.audit is None

    @property
    def on_answer(self) -> Callable[[Call, Response | None], object] | None:
        """Hook that gets each executed call and the response to it."""
        return self._on_answer

    @on_answer.setter
    def on_answer(self, hook: Callable[[Call, Response | None], object] | None) -> None:
        self._on_answer = hook
        options = self.options
        self._has_no_hooks = hook is None and options.on_call is None and options.audit is None

    def find(self, unit: int, units: Units) -> BaseUnit | None:
        """Return the unit with the id `unit` on this link, or None."""
        if self._is_serial:
            return units.get(unit)
        found = units.for_tcp(unit)
        return _MISSING if found is None and self.options.answer_missing_units else found

    def waits(self, call: Call, units: Units) -> Waits:
        """Return the kind of waiting of `call`; THREAD for a broadcast to units that wait."""
        if call.broadcast:
            return Waits.THREAD if units.wait else Waits.NEVER
        unit = self.find(call.unit, units)
        return Waits.NEVER if unit is None else unit.waits

    def addressed(self, call: Call, units: Units) -> tuple[Call, list[BaseUnit]]:
        """Return `call` and its units; a call to unit 0 on TCP may become a broadcast."""
        if not (call.unit or call.broadcast) and units.broadcasts_zero:
            is_known = call.refusal is None and not isinstance(call.request, RawRequest)
            if is_known and call.request.may_be_broadcast:
                call = call._replace(broadcast=True)
        if call.broadcast:
            return call, list(units)
        found = self.find(call.unit, units)
        return call, [] if found is None else [found]

    def execute(
        self, call: Call, units: Units, in_thread: InThread | None = None
    ) -> Response | None:
        """Execute `call`, wait for it and return the response.

        None means no answer: for a broadcast, or a unit that does not exist or does not answer.
        With `in_thread`, units that block are executed by `in_thread(job)`; hooks are called
        by the caller's thread. KeyboardInterrupt and SystemExit are raised; `failed` returns the
        answer then.
        """
        units.bus.messages += 1
        if call.broadcast or not call.unit:
            call, found = self.addressed(call, units)
            if call.broadcast:
                for each in found:
                    self.execute_on(each, call, in_thread)
                return None
        unit = units.by_id.get(call.unit) or self.find(call.unit, units)
        return None if unit is None else self.execute_on(unit, call, in_thread)

    def execute_on(
        self, unit: BaseUnit, call: Call, in_thread: InThread | None = None
    ) -> Response | None:
        """Execute `call` on one of its units; see `execute`."""
        outcome: object
        _, _, request, broadcast, refusal = call
        try:
            if refusal is None and self._authorize is None and unit.waits is _NEVER:
                outcome = unit.execute(request, broadcast=broadcast)
            else:
                outcome = self.start(unit, call, in_thread)
            if self._has_no_hooks and not broadcast and type(outcome) is request.response_type:
                return outcome  # fast path: there is no hook to call
            outcome = _checked(unit, call, outcome)
        except Exception as error:  # noqa: BLE001 - a user's unit must not stop the server
            outcome = error
        return self.conclude(call, outcome)

    async def execute_async(
        self, call: Call, units: Units, in_thread: InThreadAsync
    ) -> Response | None:
        """Execute `call` in an event loop without blocking it, and return the response.

        A unit whose `waits` is LOOP or QUEUE is awaited, one that blocks is executed by
        `await in_thread(job)`; units in memory and hooks are called directly.
        """
        units.bus.messages += 1
        call, found = self.addressed(call, units)
        response: Response | None = None
        for unit in found:
            outcome: object
            try:
                outcome = self.start(unit, call, in_thread)
                if _is_awaitable(outcome):
                    outcome = await outcome
                outcome = _checked(unit, call, outcome)
            except Exception as error:  # noqa: BLE001 - a user's unit, as above
                outcome = error
            response = self.conclude(call, outcome)
        return None if call.broadcast else response

    def start(
        self, unit: BaseUnit, call: Call, in_thread: Callable[[Job], object] | None
    ) -> object:
        """Call the unit, or refuse the call. Return the result, for `conclude`."""
        if call.refusal is not None:
            return unit.refuse(call.refusal, broadcast=call.broadcast)
        if self._authorize is not None:
            refusal = self._forbid(call, self._authorize)
            if refusal is not None:
                return Denied(unit.refuse(refusal, broadcast=call.broadcast))
        if isinstance(unit, QueuedUnit):
            return unit.execute(call.request, broadcast=call.broadcast, client=self.client)
        if in_thread is not None and unit.waits is Waits.THREAD:
            job = Job(unit, call, self.client)
            job.run = partial(_execute_in_thread, unit, call)
            return in_thread(job)
        return unit.execute(call.request, broadcast=call.broadcast)

    def conclude(self, call: Call, outcome: object) -> Response | None:
        """Return the response to `call` for the `outcome` of its execution, and call the hooks.

        The outcome is what `start` returned, a response, None, or an error.
        """
        response: Response | None
        is_denied = isinstance(outcome, Denied)
        if isinstance(outcome, Denied):
            outcome = outcome.response
        if outcome is None or isinstance(outcome, Response):
            response = outcome
        else:
            error = outcome if isinstance(outcome, BaseException) else TypeError(repr(outcome))
            response = _failure(call, error)
        if isinstance(response, ExceptionResponse) and response.cause is not None:
            if not isinstance(response.cause, ModbusError):
                self.report(call.request, response.cause, call.unit)
        self._audit(call, response, is_denied)
        if self.options.on_call is not None:
            try:
                self.options.on_call(self.peer, call.request, response)
            except Exception as error:  # noqa: BLE001 - an executed call has to be answered
                self.report(call.request, error, call.unit)
        if self._on_answer is not None:
            try:
                self._on_answer(call, response)
            except Exception as error:  # noqa: BLE001 - as above
                self.report(call.request, error, call.unit)
        return None if call.broadcast else response

    def failed(self, call: Call, error: BaseException) -> Response | None:
        """Return exception 04 for a call whose execution raised `error`, which is reported."""
        self.report(call.request, error, call.unit)
        response = _failure(call, error)
        self._audit(call, response, False)
        return None if call.broadcast else response

    def _audit(self, call: Call, response: Response | None, is_denied: bool) -> None:
        """Pass a write, or a request that was denied, to the audit."""
        audit, request = self.options.audit, call.request
        if audit is None or not (is_denied or request.is_write):
            return
        outcome = DENIED if is_denied else outcome_of(call, response)
        try:
            audit(AuditEvent(self.peer, self.subject, self.role, call.unit, request, outcome))
        except Exception as error:  # noqa: BLE001 - an executed call has to be answered
            self.report(request, error, call.unit)

    def report(self, request: AnyRequest, error: BaseException, unit: int | None = None) -> None:
        """Call the hook `on_error`, if there is one; `unit` is the unit id of the request."""
        hook = self.options.on_error
        if isinstance(hook, LoggedErrors):
            hook.report(self.peer, unit, request, error)
        elif hook is not None:
            hook(self.peer, request, error)

    def _forbid(self, call: Call, authorize: Authorize) -> InvalidRequestError | None:
        """Return a refusal unless `authorize` allows the call; its code is 04 if that fails."""
        request = call.request
        code = ExceptionCode.ILLEGAL_FUNCTION
        try:
            answer: object = authorize(self.peer, self.role, call.unit, request)
            if not isinstance(answer, bool):
                # A coroutine, for example, is true: it must not authorize the call.
                raise TypeError(f"authorize() must give True or False, got {answer!r}")
            if answer:
                return None
        except Exception as error:  # noqa: BLE001 - a failure must neither authorize nor stop
            self.report(request, error, call.unit)
            code = ExceptionCode.SERVER_DEVICE_FAILURE
        return InvalidRequestError(
            f"{self.peer} with role {self.role} may not do {request!r}", request.function_code, code
        )


class _MissingUnit(Unit):
    """The unit for ids that no unit has, which answers 0B, gateway target failed to respond."""

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        return self._answer(request.function_code, GatewayTargetFailedError(request))

    def refuse(
        self, error: InvalidRequestError, *, broadcast: bool = False
    ) -> ExceptionResponse | None:
        return self._answer(error.function_code, GatewayTargetFailedError())

    def _answer(self, function_code: int, error: GatewayTargetFailedError) -> ExceptionResponse:
        return ExceptionResponse(function_code & 0x7F, error.code, error)


_MISSING = _MissingUnit()


def _is_awaitable(outcome: object) -> TypeGuard[Awaitable[object]]:
    return isinstance(outcome, Awaitable)


def _failure(call: Call, error: BaseException) -> ExceptionResponse:
    """Return the exception response to an error: with its own code, otherwise 04."""
    code: int = ExceptionCode.SERVER_DEVICE_FAILURE
    if isinstance(error, ExceptionResponseError) and 0 <= error.code <= 0xFF:
        code = error.code
    return ExceptionResponse(call.request.function_code & 0x7F, code, error)


def _checked(unit: BaseUnit, call: Call, outcome: object) -> object:
    """Return what `execute` of `unit` has returned for `call`; raise TypeError for anything else.

    A unit may be silent on a broadcast, in listen-only mode, on a diagnostic, which may begin or
    end that mode, and on a custom request without a response.
    """
    request = call.request
    if isinstance(outcome, Denied):
        _checked(unit, call, outcome.response)
        return outcome
    if outcome is None:
        if call.broadcast or unit.listen_only or not request.expects_response:
            return None
        if request.function_code == _DIAGNOSTICS:
            return None
    elif isinstance(outcome, _ALWAYS_ALLOWED):
        return outcome
    elif isinstance(outcome, Response):
        if getattr(outcome, "function_code", None) == request.function_code:
            return outcome
    name = type(unit).__name__
    close = getattr(outcome, "close", None)
    if _is_awaitable(outcome):
        if close is not None:
            close()  # otherwise Python warns that the coroutine was never awaited
        raise TypeError(f"{name}.execute() is async: only async servers can await it")
    wanted = getattr(request.response_type, "__name__", "Response")
    raise TypeError(
        f"{name}.execute() must return a {wanted} for {request!r}, or raise an error, got "
        f"{outcome!r}; FaultyResponse(None) leaves a request without an answer"
    )


def _execute_in_thread(unit: BaseUnit, call: Call) -> object:
    try:
        return unit.execute(call.request, broadcast=call.broadcast)
    except Exception:
        raise
    except BaseException as error:  # such as KeyboardInterrupt: it must not end the thread
        raise RuntimeError(f"execute() of {unit!r} raised {error!r}") from error
