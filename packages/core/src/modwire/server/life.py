"""`BlockingServerBase`: the life of a server that a thread or a greenlet starts and waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .constructors import ServerBase

if TYPE_CHECKING:
    from typing_extensions import Self


class BlockingServerBase(ServerBase):
    """The base of the servers of packages without `await`."""

    @property
    def is_serving(self) -> bool:
        """True while it serves in a thread or in greenlets of its own."""
        raise NotImplementedError

    def start(self) -> Self:
        """Serve without waiting for the end; return this server."""
        raise NotImplementedError

    def shutdown(self, grace: float = 5.0) -> None:
        """Stop the server and close everything."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Start serving; leaving the `with` block shuts the server down.

        `serve_forever()` in the block waits until the server has stopped.
        """
        return self if self.is_serving else self.start()

    def __exit__(self, *error: object) -> None:
        self.shutdown()

    # To be defined by each server.

    def _open(self) -> None:
        """Open what the constructor left closed; called in the thread that starts the server."""

    def _close_links(self) -> None:
        """Close all sockets or the port in any state; may be called again."""
        raise NotImplementedError

    def _stop_taking(self) -> None:
        """Accept no more requests; running calls continue."""
        raise NotImplementedError
