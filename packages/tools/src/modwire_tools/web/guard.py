"""`Guard`: the outermost ASGI application; checks each request by `Access`, and adds headers."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import parse_qs

import anyio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import Access, RefusedError, bearer_token
from .guesses import Guesses, TooManyGuessesError

BODY_LIMIT = 64 * 1024  # bytes; a write of 1,000 values needs a tenth of it
_PATIENCE = 10.0  # seconds for the body of a request to arrive

_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        b"object-src 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


SESSION = "/api/session"
"""The path to which a token is sent for a cookie."""


class Guard:
    """An ASGI application around `app`. Requests for `open_paths` need no token.

    Clients that try tokens are slowed down: in the Authorization header, in the link of a page, and
    at `SESSION`.
    """

    def __init__(self, app: ASGIApp, access: Access, open_paths: frozenset[str]) -> None:
        self._app = app
        self._access = access
        self._open_paths = open_paths
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path, root = route_of(scope)
        if not path:  # the root of a mounted application, without its slash
            await RedirectResponse(f"{root}/", 307)(scope, receive, send)
            return
        sender = _with_headers(send)
        try:
            self._check(scope)
            if self._access.wants_token and (right := _status_if_right(scope)):
                sender = self._counted(scope, sender, right)
        except RefusedError as refusal:
            if scope["type"] == "http":
                with suppress(RefusedError):
                    await _read_body(receive)
            await _refused(refusal)(scope, receive, sender)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, sender)
            return
        try:
            body = await _read_body(receive)
        except RefusedError as refusal:
            await _refused(refusal)(scope, receive, sender)
        else:
            await self._app(scope, _give_body(body, receive), sender)

    def _check(self, scope: Scope) -> None:
        self._access.check_client(_host(scope))
        headers = Headers(scope=scope)
        server = scope.get("server")
        local = str(server[0]).partition("%")[0].removeprefix("::ffff:") if server else None
        self._access.check_host(headers.get("host"), local)
        is_socket = scope["type"] == "websocket"
        path, _ = route_of(scope)
        method = "GET" if is_socket else scope["method"]
        # A link on another site may open the page, but not the interface.
        if is_socket or method not in ("GET", "HEAD") or f"{path}/".startswith("/api/"):
            if not (path == "/api/docs" and headers.get("sec-fetch-mode") == "navigate"):
                self._access.check_origin(
                    method, headers, is_socket=is_socket, scheme=scope.get("scheme", "http")
                )
        if path not in self._open_paths:
            tries = self._access.wants_token and bearer_token(headers) != ""
            if tries:
                self._guesses.begin(_host(scope), anyio.current_time())
            self._access.check_token(headers)
            if tries and self._access.is_token(bearer_token(headers)):
                self._guesses.succeeded(_host(scope))

    def _counted(self, scope: Scope, send: Send, right: int) -> Send:
        """Count an attempt, which has succeeded if the application answers with status `right`."""
        host = _host(scope)
        self._guesses.begin(host, anyio.current_time())

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == right:
                self._guesses.succeeded(host)
            await send(message)

        return sender


def route_of(scope: Scope) -> tuple[str, str]:
    """Return the path below the root of this application, and that root, "" if not mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :], root
    return path, root


def _host(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _status_if_right(scope: Scope) -> int:
    """Return the status for the right token if a request tries one, else 0."""
    if scope["type"] != "http":
        return 0
    if route_of(scope)[0] == SESSION:
        return 200 if scope["method"] == "POST" else 0
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return 303 if "token" in query else 0


async def _read_body(receive: Receive) -> bytes:
    """Return the body of a request; raises RefusedError if it is too long or too late.

    The rest of a body that is too long is read and discarded: many clients read the response only
    after they have sent everything, and hypercorn closes the connection after the response.
    """
    body = b""
    size = 0
    with anyio.move_on_after(_PATIENCE) as patience:
        is_over = False
        while not is_over:
            message = await receive()
            is_over = not message.get("more_body", False)
            part: bytes = message.get("body", b"")
            size += len(part)
            body = body + part if size <= BODY_LIMIT else b""
    if size > BODY_LIMIT:
        raise RefusedError(413, f"the body must be at most {BODY_LIMIT} bytes")
    if patience.cancelled_caught:
        raise RefusedError(408, "the body of the request did not come in time")
    return body


def _give_body(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` for the application that first returns the body, which was read."""
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


class PeerError(OSError):
    """Raised when a response cannot be sent: the peer is gone, or its request allows none."""


def _refused(refusal: RefusedError) -> Response:
    headers: dict[str, str] = {}
    if refusal.status == 401:
        headers["www-authenticate"] = 'Bearer realm="modwire"'
    if isinstance(refusal, TooManyGuessesError):
        headers["retry-after"] = str(refusal.wait)
    return JSONResponse({"error": refusal.sentence}, refusal.status, headers)


def _with_headers(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        try:
            await send(message)
        except Exception as error:
            raise PeerError("the answer could not be sent") from error

    return sender
