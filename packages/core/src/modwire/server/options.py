"""`ServerOptions`, the types of its hooks, and the options from the arguments of a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ..arguments import explained
from ..hooks import check_hook
from ..options import LineOptions, check_flag, check_options, check_timeout

if TYPE_CHECKING:
    from ..messages.base import AnyRequest, Response
    from ..messages.decoder import Decoder
    from .audit import AuditEvent
    from .call import Call

    Authorize = Callable[[object, "str | None", int, AnyRequest], bool]
    OnCall = Callable[[object, AnyRequest, "Response | None"], object]
    OnError = Callable[[object, AnyRequest, BaseException], object]
    LogError = Callable[[object, int | None, AnyRequest, BaseException], object]
    OnConnection = Callable[["Served"], object]
    OnAnswer = Callable[["Served", Call, "Response | None"], object]
    Audit = Callable[[AuditEvent], object]


class Served(Protocol):
    """The part of a `ServerProtocol` that hooks may use: the connection or line that is served."""

    options: ServerOptions
    closed: bool
    frame_errors: int
    requests: int
    heard: float

    @property
    def peer(self) -> object:
        """Peer on the connection or line."""
        raise NotImplementedError

    @property
    def role(self) -> str | None:
        """Role of the peer."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """Subject of the certificate of the peer; "" without TLS."""
        raise NotImplementedError

    @property
    def on_answer(self) -> OnAnswer | None:
        """Hook for this connection only; it may be set while the connection is open."""
        raise NotImplementedError

    @on_answer.setter
    def on_answer(self, hook: OnAnswer | None) -> None:
        raise NotImplementedError


STREAM_SERVER_TOLERANCE = 0.5
"""Seconds of silence allowed in a serial frame on a stream; this delays no other client."""


class ServerOptions(LineOptions):
    """Options of a server, in addition to those of `LineOptions`.

    `idle_timeout`: seconds without a whole request, above 0, after which a connection is closed;
    None or inf for never. Raises ValueError for a time out of range, and TypeError for a hook that
    is not a function, or is a coroutine function.

    `authorize(peer, role, unit, request)` returns True if the request may be executed; otherwise
    it is answered with exception 01. `on_call(peer, request, response)` gets every call; the
    response is None if there is no answer. `on_error(peer, request, error)` gets the unexpected
    errors of units and hooks, for which the client only gets exception 04.

    `listen_only`: execute function 8, sub-function 4 (Force Listen Only Mode) on TCP and UDP, too.
    It silences a unit for all its clients, and section 6.8 defines it for serial lines only, so by
    default it is answered there with exception 01, as other functions that a device lacks.

    `answer_missing_units`: answer a request to a unit id that no unit has with exception 0B,
    gateway target device failed to respond; by default it has no answer. It is for TCP and UDP
    frames: on a serial line another device may have the id, and frames for one are never answered.

    `on_connect(protocol)` and `on_disconnect(protocol)` get the `ServerProtocol` of a connection
    that was opened or closed: its `peer`, the time `heard`, the number of `requests`.
    `on_answer(protocol, call, response)` is `on_call` with more details: the unit and the
    transaction of `call`, and the time at which `protocol` received the request.

    `audit(event)` gets an `AuditEvent` for each write that was executed, and for each request that
    `authorize` denied; `modwire.tls.AuditLog` is such a hook. It may be called in worker threads.
    """

    @explained
    def __init__(
        self,
        *,
        idle_timeout: float | None = None,
        listen_only: bool = False,
        answer_missing_units: bool = False,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
        on_error: OnError | None = None,
        on_connect: OnConnection | None = None,
        on_disconnect: OnConnection | None = None,
        on_answer: OnAnswer | None = None,
        audit: Audit | None = None,
        silence: float = 0.00175,
        tolerance: float = 0.0,
        suppress_echo: bool = False,
        decoder: Decoder | None = None,
    ) -> None:
        super().__init__(
            silence=silence, tolerance=tolerance, suppress_echo=suppress_echo, decoder=decoder
        )
        if idle_timeout is not None:
            check_timeout(idle_timeout, "idle_timeout", float("inf"))
        self.idle_timeout = idle_timeout
        self.listen_only = check_flag("listen_only", listen_only)
        self.answer_missing_units = check_flag("answer_missing_units", answer_missing_units)
        self.authorize = check_hook("authorize(peer, role, unit, request)", authorize)
        self.on_call = check_hook("on_call(peer, request, response)", on_call)
        self.on_error = check_hook("on_error(peer, request, error)", on_error)
        self.on_connect = check_hook("on_connect(protocol)", on_connect)
        self.on_disconnect = check_hook("on_disconnect(protocol)", on_disconnect)
        self.on_answer = check_hook("on_answer(protocol, call, response)", on_answer)
        self.audit = check_hook("audit(event)", audit)


class LoggedErrors:
    """The `on_error` of an adapter's server: logs an error, then calls the hook of the options."""

    def __init__(self, log: LogError, hook: OnError | None) -> None:
        self._log = log
        self._hook = hook

    def __call__(self, peer: object, request: AnyRequest, error: BaseException) -> None:
        self.report(peer, None, request, error)

    def report(
        self, peer: object, unit: int | None, request: AnyRequest, error: BaseException
    ) -> None:
        """Report an error in a request to `unit`; None if the request named none."""
        self._log(peer, unit, request, error)
        if self._hook is not None:
            try:
                self._hook(peer, request, error)
            except Exception as failure:  # noqa: BLE001 - a user's hook may raise any
                self._log(peer, unit, request, failure)


def merged_server_options(
    options: ServerOptions | None,
    *,
    authorize: Authorize | None,
    on_call: OnCall | None,
    on_error: LogError,
    idle_timeout: float | None = None,
    is_connected: bool = False,
    suppress_echo: bool = False,
    silence: float = 0.0,
    tolerance: float = 0.0,
) -> ServerOptions:
    """Return `options` with a server's own arguments, which take precedence unless None.

    `silence` and `tolerance` are the minimum for the link. Only connections (`is_connected`) have
    an idle timeout. `on_error(peer, unit, request, error)` is the adapter's and does not raise: it
    gets the errors of units and hooks before the `on_error` of the options does, and then the
    errors of that hook. Raises as `ServerOptions` does.
    """
    if options is not None:
        check_options(options, ServerOptions)
    base = ServerOptions() if options is None else options
    if idle_timeout is None and is_connected:
        idle_timeout = base.idle_timeout
    return base.replace(
        idle_timeout=idle_timeout,
        authorize=base.authorize if authorize is None else authorize,
        on_call=base.on_call if on_call is None else on_call,
        on_error=LoggedErrors(on_error, base.on_error),
        silence=max(base.silence, silence),
        tolerance=max(base.tolerance, tolerance),
        suppress_echo=base.suppress_echo or suppress_echo,
    )
