"""`make_app`: the ASGI application: the page, the REST interface and the WebSocket."""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from .. import __version__
from ..metrics import CONTENT_TYPE
from ..simulator.view import View
from .access import Access, RefusedError
from .api import OPERATIONS
from .files import File, read_files
from .guard import SESSION, Guard, PeerError
from .live import Live
from .openapi import describe
from .operations import Host, answer, refuse

_LOG = logging.getLogger("modwire.web")


def make_app(
    view: View,
    access: Access,
    stopping: trio.Event,
    metrics: Callable[[], str] | None = None,
) -> ASGIApp:
    """Return the application of one server; its WebSockets are closed when `stopping` is set.

    `metrics` returns the text at `/metrics`; None for no such path.
    """
    document = describe(__version__, wants_token=access.wants_token)
    host = Host(view, access, document)
    files = read_files()
    pages = {"/": "index.html", "/api/docs": "docs.html"}
    assets = {f"/pages/{name}": file for name, file in files.items() if ".html" not in name}
    routes = [
        *[operation.route(host) for operation in OPERATIONS],
        *[
            Route(path, _Page(files[name], files["sign-in.html"], access).get)
            for path, name in pages.items()
        ],
        *[Route(path, file.__call__) for path, file in assets.items()],
        WebSocketRoute("/live", Live(view, stopping).serve),
    ]
    if metrics is not None:
        routes.append(Route("/metrics", _Metrics(metrics).get))
    errors = (RefusedError, HTTPException, ValueError, LookupError)
    app = Starlette(
        routes=routes,
        exception_handlers={**dict.fromkeys(errors, refuse), Exception: _fail},
    )
    # The page to enter the token needs these files; they show no values.
    return Guard(app, access, frozenset((*pages, *assets, SESSION)))


class _Metrics:
    """The counters for Prometheus."""

    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text

    async def get(self, request: Request) -> Response:
        return Response(
            self._text(), headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"}
        )


class _Page:
    """An HTML page, or the sign-in page without a token; a token in the link sets the cookie."""

    def __init__(self, page: File, sign_in: File, access: Access) -> None:
        self._page = page
        self._sign_in = sign_in
        self._access = access

    async def get(self, request: Request) -> Response:
        if self._access.is_token(request.query_params.get("token", "")):
            # Redirect to the link without the token, to keep it out of the browser's history.
            url = request.url.remove_query_params("token")
            response = RedirectResponse(url.path + (f"?{url.query}" if url.query else ""), 303)
            self._access.give_cookie(response)
            return response
        try:
            self._access.check_token(request.headers)
        except RefusedError as refusal:
            return self._sign_in.response(refusal.status)
        return await self._page(request)


async def _fail(_: Request, error: Exception) -> Response:
    """Respond after an internal error: log the traceback, and send only the type."""
    if not isinstance(error, PeerError):
        _LOG.error("A request to the simulator's page failed", exc_info=error)
    return answer({"error": f"the simulator failed: {type(error).__name__}"}, 500)
