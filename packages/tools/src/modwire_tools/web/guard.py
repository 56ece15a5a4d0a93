"""`Guard`: stands before the whole application, lets in whom `Access` allows, adds the headers."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlencode

import trio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import Access, RefusedError

BODY_LIMIT = 64 * 1024  # bytes; a write of 1,000 values takes a tenth
_PATIENCE = 10.0  # seconds for a request's body to arrive

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


class Guard:
    """An ASGI application around `app`. What is under `open_paths` needs no token."""

    def __init__(self, app: ASGIApp, access: Access, open_paths: frozenset[str]) -> None:
        self._app = app
        self._access = access
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        sender = _with_headers(send)
        try:
            self._check(scope)
            body = _Body(scope, receive)
        except RefusedError as refusal:
            await _refuse(scope, sender, refusal)
            if scope["type"] == "http":
                await _drain(receive)
            return
        try:
            await self._app(scope, body.receive, sender)
        finally:
            await body.finish()

    def _check(self, scope: Scope) -> None:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        server = scope.get("server")
        local = str(server[0]).partition("%")[0].removeprefix("::ffff:") if server else None
        self._access.check_host(headers.get("host"), local)
        is_socket = scope["type"] == "websocket"
        path = scope["path"]
        method = "GET" if is_socket else scope["method"]
        # A link from elsewhere may open the page; it reads nothing of what is behind it.
        if is_socket or method not in ("GET", "HEAD") or f"{path}/".startswith("/api/"):
            if not (path == "/api/docs" and headers.get("sec-fetch-mode") == "navigate"):
                self._access.check_origin(method, headers, is_socket=is_socket)
        if path not in self._open_paths:
            self._access.check_token(headers)


class _Body:
    """The body of a request, which must be short and come soon."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._is_http = scope["type"] == "http"
        self._size = 0
        self._is_over = False
        for name, value in scope["headers"]:
            if name.lower() == b"content-length" and int(value) > BODY_LIMIT:
                raise _too_long()

    async def receive(self) -> Message:
        if not self._is_http or self._is_over:
            return await self._receive()
        try:
            with trio.fail_after(_PATIENCE):
                message = await self._receive()
        except trio.TooSlowError:
            raise RefusedError(408, "the body of the request did not come in time") from None
        self._is_over = not message.get("more_body", False)
        self._size += len(message.get("body", b""))
        if self._size > BODY_LIMIT:
            raise _too_long()
        return message

    async def finish(self) -> None:
        """Take what nobody has read, so that the connection goes on."""
        if self._is_http and not self._is_over:
            await _drain(self._receive)


def _too_long() -> RefusedError:
    return RefusedError(413, f"the body must be at most {BODY_LIMIT} bytes")


async def _drain(receive: Receive) -> None:
    """Take the rest of a body, for a while: a client may read the answer only when it sent all."""
    with trio.move_on_after(_PATIENCE):
        while (await receive()).get("more_body", False):
            pass


class PeerError(OSError):
    """An answer could not be sent: the peer is gone, or what it sent allows none."""


def _with_headers(send: Send) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        try:
            await send(message)
        except Exception as error:
            raise PeerError("the answer could not be sent") from error

    return sender


async def _refuse(scope: Scope, send: Send, refusal: RefusedError) -> None:
    kind = "http" if scope["type"] == "http" else "websocket.http"
    body = json.dumps({"error": refusal.sentence}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="modwire"'))
    await send(
        {"type": f"{kind}.response.start", "status": refusal.status, "headers": headers},
    )
    await send({"type": f"{kind}.response.body", "body": body, "more_body": False})


def token_in_query(query: bytes) -> tuple[str | None, str]:
    """The token of a query string, if one is there, and the query without it."""
    fields = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    token = fields.pop("token", None)
    return (token[0] if token else None), urlencode(fields, doseq=True)
