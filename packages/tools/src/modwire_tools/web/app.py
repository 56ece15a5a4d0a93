"""`make_app`: the page, the REST interface and the WebSocket, behind the guard, as one ASGI app."""

from __future__ import annotations

import logging

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from ..simulator.view import View
from .access import Access, RefusedError
from .api import Api, answer, refuse
from .files import File, read_files
from .guard import Guard, PeerError, token_in_query
from .live import Live

_LOG = logging.getLogger("modwire.web")


def make_app(view: View, access: Access, stopping: trio.Event) -> ASGIApp:
    """All that one server gives; `stopping` ends the WebSockets."""
    files = read_files()
    pages = {"/": "index.html", "/api/docs": "docs.html"}
    assets = {f"/pages/{name}": file for name, file in files.items() if ".html" not in name}
    routes = [
        *Api(view, access).routes(),
        *[
            Route(path, _Page(files[name], files["sign-in.html"], access).get)
            for path, name in pages.items()
        ],
        *[Route(path, file.__call__) for path, file in assets.items()],
        WebSocketRoute("/live", Live(view, stopping).serve),
    ]
    errors = (RefusedError, HTTPException, ValueError, LookupError)
    app = Starlette(
        routes=routes,
        exception_handlers={**dict.fromkeys(errors, refuse), Exception: _fail},
    )
    # No value is in these, so they are given to whoever is to show the token.
    return Guard(app, access, frozenset((*pages, *assets, "/api/session")))


class _Page:
    """An HTML page, or the one that asks for the token; a token in the link becomes a cookie."""

    def __init__(self, page: File, sign_in: File, access: Access) -> None:
        self._page = page
        self._sign_in = sign_in
        self._access = access

    async def get(self, request: Request) -> Response:
        token, query = token_in_query(request.scope["query_string"])
        if token is not None and self._access.is_token(token):
            # The link without the token: it is not to stay in the history.
            response = RedirectResponse(request.url.path + (f"?{query}" if query else ""), 303)
            response.headers["set-cookie"] = self._access.cookie()
            return response
        try:
            self._access.check_token(request.headers)
        except RefusedError as refusal:
            return self._sign_in.response(refusal.status)
        return await self._page(request)


async def _fail(_: Request, error: Exception) -> Response:
    """An error of ours: the log has all of it, the client learns its kind."""
    if not isinstance(error, PeerError):
        _LOG.error("A request to the simulator's page failed", exc_info=error)
    return answer({"error": f"the simulator failed: {type(error).__name__}"}, 500)
