"""`Cluster` and `Actor`: what groups of lines need of Ray."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple, Protocol


class Node(NamedTuple):
    """A node: its id, its address, and the names that plant files may have for it."""

    id: str
    address: str
    names: frozenset[str]


class LostError(Exception):
    """Raised if an actor does not answer, because its process or its node has ended.

    `is_final` is True if it will not be started again, as when modwire is missing on its node.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Actor(Protocol):
    """A `LineActor` on a node."""

    def call(self, method: str, *args: object) -> Coroutine[Any, Any, Any]:
        """Return what a method returns. Raises LostError, and an error of the method."""
        ...

    def end(self) -> None:
        """End the actor, if it can be reached; it is not started again."""
        ...


class Cluster(Protocol):
    """The nodes that actors run on."""

    @property
    def here(self) -> str:
        """The id of the driver's node."""
        ...

    def address(self, node: str) -> str:
        """Return the address of a node, for people."""
        ...

    def nodes(self) -> Sequence[Node]:
        """Return the nodes that are alive, as far as is known; may block for a moment."""
        ...

    def start(self, node: str, name: str) -> Actor:
        """Start an actor: on a node with this name if there is one, else preferably on `node`.

        If its process or node ends, it is started again, by the same rule. With a `name`, it waits
        until there is such a node.
        """
        ...
