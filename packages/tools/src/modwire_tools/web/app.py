"""`make_app`: the ASGI application: the page, the REST interface and the WebSocket."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from modwire import ExceptionResponseError, Units

from .. import __version__
from ..metrics import CONTENT_TYPE
from ..simulator.view import ServerView
from .access import Access, RefusedError, check_token, is_loopback
from .api import operations_of
from .files import File, read_files
from .guard import SESSION, Guard, PeerError, route_of
from .live import Live, Stopping
from .openapi import describe
from .operations import Host, answer, refuse
from .units_view import UnitsView

_LOG = logging.getLogger("modwire.web")


def make_app(
    view: ServerView,
    access: Access,
    stopping: Stopping | None = None,
    metrics: Callable[[], str] | None = None,
) -> ASGIApp:
    """Return the application of one server; its WebSockets are closed when `stopping` is set.

    `metrics` returns the text at `/metrics`; None for no such path.
    """
    operations = operations_of(view)
    document = describe(operations, __version__, wants_token=access.wants_token)
    host = Host(view, access, document)
    files = read_files()
    pages = {"/": ("index.html", ""), "/api/docs": ("docs.html", "../")}
    assets = {f"/pages/{name}": file for name, file in files.items() if ".html" not in name}
    routes = [
        *[operation.route(host) for operation in operations],
        *[
            Route(path, _Page(files[name], files["sign-in.html"].below(up), access).get)
            for path, (name, up) in pages.items()
        ],
        *[Route(path, file.__call__) for path, file in assets.items()],
        WebSocketRoute("/live", Live(view, stopping).serve),
    ]
    if metrics is not None:
        routes.append(Route("/metrics", _Metrics(metrics).get))
    errors = (RefusedError, HTTPException, ExceptionResponseError, ValueError, LookupError)
    app = Starlette(
        routes=routes,
        exception_handlers={**dict.fromkeys(errors, refuse), Exception: _fail},
    )
    # The page to enter the token needs these files; they show no values.
    return Guard(app, access, frozenset((*pages, *assets, SESSION)))


def page_app(
    served: ServerView | Units,
    *,
    token: str | None = None,
    names: Iterable[str] = (),
    is_protected: bool = False,
) -> ASGIApp:
    """Return the page and the REST interface as an ASGI application, for any server of such.

    It may be mounted below any path of another application, in asyncio and in trio; `served` is a
    `UnitsView`, or units for one without endpoints. Whoever calls it has to be in the loop of the
    servers of the units.

    - `token`: with one, everything except the page's own files needs it. Without one, only clients
      on this machine are served.
    - `names`: hosts in the links of browsers, such as "plant.example"; those of loopback are always
      allowed. This refuses the pages of other sites (DNS rebinding).
    - `is_protected`: True if the application around it decides who may use it, from anywhere.

    Raises ValueError for a token that is too short, and for `names` beyond this machine without a
    token, unless it `is_protected`.
    """
    names = list(names)
    if token is not None:
        check_token(token)
    elif not is_protected and (beyond := [name for name in names if not is_loopback(name)]):
        raise ValueError(
            f"to serve the page as {beyond[0]}, beyond this machine, needs a token, or "
            "is_protected=True if another application decides who may use it"
        )
    view = UnitsView(served) if isinstance(served, Units) else served
    only_local = token is None and not is_protected
    return make_app(view, Access(names, secrets.token_hex(4), token, only_local=only_local))


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
            self._access.give_cookie(response, route_of(request.scope)[1])
            return response
        try:
            self._access.check_token(request.headers)
        except RefusedError as refusal:
            return self._sign_in.response(refusal.status)
        return await self._page(request)


async def _fail(_: Request, error: Exception) -> Response:
    """Respond after an internal error: log the traceback, and send only the type."""
    if not isinstance(error, PeerError):
        _LOG.error("A request to the page failed", exc_info=error)
    return answer({"error": f"the server failed: {type(error).__name__}"}, 500)
