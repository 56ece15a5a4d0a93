"""`FakeCluster`: nodes in the loop of a test, whose actors are `LineActor` without Ray."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from typing import Any

from modwire_tools.poll.cluster.line_actor import LineActor
from modwire_tools.poll.cluster.nodes import LostError, Node


class FakeCluster:
    """Nodes with these names, the first of which is that of the driver.

    `silent` are nodes that answer nothing, `dead` those whose actors have ended, for good.
    """

    here = "0"

    def __init__(self, *names: str) -> None:
        self.names = dict(enumerate(names))
        self.silent: set[str] = set()
        self.dead: set[str] = set()
        self.version = ""
        self.actors: list[FakeActor] = []

    def address(self, node: str) -> str:
        return f"address {node}"

    def nodes(self) -> Sequence[Node]:
        return [
            Node(str(number), self.address(str(number)), frozenset({name}))
            for number, name in self.names.items()
            if str(number) not in self.dead
        ]

    def start(self, node: str, name: str) -> FakeActor:
        self.actors.append(FakeActor(self, node, name))
        return self.actors[-1]

    def running(self) -> list[FakeActor]:
        """Return the actors that have not been ended."""
        return [each for each in self.actors if not each.is_ended]


class FakeActor:
    """An actor; arguments and results are pickled, as on their way to another machine."""

    def __init__(self, cluster: FakeCluster, node: str, name: str) -> None:
        self.name = name
        self.is_ended = False
        self._cluster = cluster
        self._node = node
        self._actor: LineActor | None = None

    @property
    def node(self) -> str:
        """The id of its node; "" if it waits for one."""
        if not self.name:
            return self._node
        known = self._cluster.nodes()
        return next((each.id for each in known if self.name in each.names), "")

    async def call(self, method: str, *args: object) -> Any:
        cluster = self._cluster
        if self.is_ended or self.node in cluster.dead:
            raise LostError("it does not answer", is_final=self.is_ended)
        while not self.node or self.node in cluster.silent:  # noqa: ASYNC110 - tests change it
            await asyncio.sleep(0.01)
        if self._actor is None:
            self._actor = LineActor(self.node)
        given = pickle.loads(pickle.dumps(args))
        found = await getattr(self._actor, method)(*given)
        if method == "hello" and cluster.version:
            found = (cluster.version, *found[1:])
        while self.node in cluster.silent:  # noqa: ASYNC110 - tests change it
            await asyncio.sleep(0.01)
        return pickle.loads(pickle.dumps(found))

    def end(self) -> None:
        """Answer no more; unlike with Ray, what it reads ends with its lease only."""
        self.is_ended = True
