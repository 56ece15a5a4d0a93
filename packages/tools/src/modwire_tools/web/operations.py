"""`Operation`: an operation of the REST interface; makes its route and its description."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard, TypeVar

import anyio.to_thread
import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modwire import ExceptionResponseError

from ..simulator.fields import fields_of
from ..simulator.view import Feature, ServerView, View
from .access import Access, RefusedError
from .reading import check_names, parse_object, read

AskedT = TypeVar("AskedT", bound=Struct)
_LONGEST_SENTENCE = 500  # characters; it may quote a long value from the request


def answer(value: object, status: int = 200) -> Response:
    """Return a response with `value` in JSON, which browsers must not cache."""
    headers = {"cache-control": "no-store"}
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def refuse(_: Request, error: Exception) -> Response:
    """Return the response for an error of an operation: an HTTP status, and a sentence."""
    if isinstance(error, RefusedError):
        return answer({"error": error.sentence}, error.status)
    if isinstance(error, HTTPException):
        response = answer({"error": error.detail.lower()}, error.status_code)
        response.headers.update(error.headers or {})
        return response
    if isinstance(error, ExceptionResponseError):
        sentence = f"the unit refuses it: {error.detail or error}"
        return answer({"error": sentence[:_LONGEST_SENTENCE]}, 503)
    status = 404 if isinstance(error, LookupError) else 400
    # str() of a KeyError would add quotes.
    sentence = error.args[0] if error.args else "there is no such thing"
    return answer({"error": str(sentence)[:_LONGEST_SENTENCE]}, status)


@dataclass(frozen=True)
class Host:
    """The view and the access rules for the operations; `document` is the OpenAPI document."""

    view: ServerView
    access: Access
    document: Mapping[str, object]

    @property
    def simulation(self) -> View:
        """The view, for operations that only simulations have."""
        assert is_simulation(self.view)
        return self.view


def is_simulation(view: ServerView) -> TypeGuard[View]:
    """Return True for the view of a simulation."""
    return "points" in view.features()


@dataclass(frozen=True)
class Operation:
    """An operation.

    `asks` is the model of its arguments. Names in braces in `path` come from the path, the others
    from the query, or from the body of a POST or PUT. `gives` is the type of the response.
    Views without `feature` do not have the operation.
    """

    method: str
    path: str
    asks: type[Struct]
    gives: object
    tag: str
    summary: str
    example: Mapping[str, object] | None
    run: Callable[[Host, Request], Awaitable[object]]
    feature: Feature | None = None

    def only_with(self, feature: Feature) -> Operation:
        """Return this operation for views with `feature`."""
        return replace(self, feature=feature)

    def has_in_path(self, name: str) -> bool:
        """Return True if an argument comes from the path."""
        return is_in_path(self.path, name)

    def route(self, host: Host) -> Route:
        """Return the route for Starlette."""

        async def serve(request: Request) -> Response:
            found = await self.run(host, request)
            return found if isinstance(found, Response) else answer(found)

        # The name of a point may contain slashes, and a network does.
        path = self.path.replace("{name}", "{name:path}").replace("{network}", "{network:path}")
        return Route(path, serve, methods=[self.method])


def is_in_path(path: str, name: str) -> bool:
    """Return True if `path` has the argument `name`, in braces."""
    return f"{{{name}}}" in path


def get(
    path: str,
    asks: type[AskedT],
    gives: object,
    tag: str,
    summary: str,
    query: Callable[[Host, AskedT], object],
    *,
    waits: bool = False,
) -> Operation:
    """Return an operation that only reads; `waits` if it reads what a view may have to wait for."""
    named = _named_outside(path, asks)

    async def run(host: Host, request: Request) -> object:
        check_query(request, named)
        asked = read(asks, {**request.query_params, **request.path_params})
        return await _done(host, query, asked, waits=waits)

    return Operation("GET", path, asks, gives, tag, summary, None, run)


def change(
    method: str,
    path: str,
    asks: type[AskedT],
    gives: object,
    tag: str,
    summary: str,
    act: Callable[[Host, AskedT], object],
    example: Mapping[str, object] | None = None,
    *,
    waits: bool = False,
) -> Operation:
    """Return an operation with a body; `example` is an example of it. `waits` as in `get`."""
    named = _named_outside(path, asks)

    async def run(host: Host, request: Request) -> object:
        check_query(request, ())
        body = parse_object(await request.body())
        check_names("field", body, named)
        return await _done(host, act, read(asks, {**body, **request.path_params}), waits=waits)

    return Operation(method, path, asks, gives, tag, summary, example or {}, run)


def remove(
    path: str,
    asks: type[AskedT],
    gives: object,
    tag: str,
    summary: str,
    act: Callable[[Host, AskedT], object],
) -> Operation:
    """Return an operation that removes what its path names."""

    async def run(host: Host, request: Request) -> object:
        check_query(request, ())
        return act(host, read(asks, request.path_params))

    return Operation("DELETE", path, asks, gives, tag, summary, None, run)


async def _done(
    host: Host, act: Callable[[Host, AskedT], object], asked: AskedT, *, waits: bool
) -> object:
    """Return what `act` returns; it is called in a worker thread if it may wait there."""
    if waits and host.view.waits():
        return await anyio.to_thread.run_sync(act, host, asked)
    return act(host, asked)


def _named_outside(path: str, asks: type[Struct]) -> list[str]:
    """Return the names of the arguments that are not in the path."""
    return [name for name in fields_of(asks) if not is_in_path(path, name)]


def check_query(request: Request, allowed: Sequence[str]) -> None:
    """Raise ValueError for a query parameter that is unknown, or is there twice."""
    check_names(
        "query parameter", (name for name, _ in request.query_params.multi_items()), allowed
    )
