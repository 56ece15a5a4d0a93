"""The bases of the clients whose calls are awaited: of any, and of those on an open stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ..arguments import explained
from ..calls import AsyncCalls
from ..calls.handles import AsyncUnitCalls
from ..framing.tcp import TcpFraming
from .constructors import ClientBase
from .options import ClientOptions, network_client_options

if TYPE_CHECKING:
    from ..framing.base import Framing

StreamT = TypeVar("StreamT")


class AsyncClientBase(ClientBase, AsyncCalls):
    """Base of the clients whose calls are awaited; see `ClientBase`."""

    if not TYPE_CHECKING:

        @property
        def close(self) -> None:
            """Name the method that programs of packages without `await` call so."""
            raise AttributeError(f"{type(self).__name__} has no close(): await its aclose()")

    @explained
    def unit(self, unit: int, *, timeout: float | None = None) -> AsyncUnitCalls:
        """Return the calls to the unit with the id `unit`, 0..255, which share this link.

        `timeout` is theirs, in seconds; None stands for the client's. Raises ValueError for
        numbers out of range.
        """
        return AsyncUnitCalls(self, unit, timeout=timeout)


class StreamClientBase(AsyncClientBase, Generic[StreamT]):
    """Base of the clients on what somebody else has opened; see `__init__` for the arguments."""

    _stream: StreamT | None = None  # until the link takes it

    @explained
    def __init__(
        self,
        stream: StreamT,
        *,
        framing: type[Framing] = TcpFraming,
        unit: int = 1,
        timeout: float = 1.0,
        retries: int = 0,
        max_in_flight: int = 1,
        options: ClientOptions | None = None,
        name: str = "stream",
    ) -> None:
        """Make a client that owns `stream`, which the class of the package describes.

        The stream cannot be reopened: after it is lost or closed, calls raise
        `ConnectionLostError`. `name` is the name of the peer in errors and logs; the other
        arguments are those of `TcpClient`.
        """
        options = network_client_options(
            unit=unit,
            timeout=timeout,
            retries=retries,
            max_in_flight=max_in_flight,
            options=options,
            framing=framing,
        )
        self._check_stream(stream)
        self._set_up(name, framing, options)
        self._stream = stream

    def _check_stream(self, stream: StreamT) -> None:
        """Raise TypeError unless the package can use `stream`."""
