"""`Group`: the driver's side of some lines, and of the actor that runs them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from modwire import ConnectionLostError

from ... import __version__
from ..reader import ReadingEndedError
from .batch import SILENCE, Batch
from .mirror import Mirror
from .nodes import Actor, Cluster, LostError

if TYPE_CHECKING:
    from ..plant.spec import PlantDevice

_BIRTH = 15.0  # seconds for the first answer of an actor
_SETTING = 0.01  # seconds for an actor to begin with a device, beside those of a silence
_WRITING = 60.0  # seconds for a write
_AGAIN = 1.0  # seconds until an actor is started anew that is of no use
_PAUSE = 0.2  # seconds until an actor that does not answer is asked again


class Group:
    """Lines that one actor runs: on the nodes with the name `pin`, or with "" on any node.

    `node` is the id of the node where it runs, or should; `is_guest` is True if it has come there
    from another one. `choose` returns the node for another actor, once this one does not answer.
    `report` is called with sentences.
    """

    def __init__(
        self,
        cluster: Cluster,
        mirror: Mirror,
        pin: str,
        node: str,
        choose: Callable[[Group], str],
        report: Callable[[str], None],
        *,
        once: bool = False,
    ) -> None:
        self.pin = pin
        self.node = node
        self.is_guest = False
        self.devices: Mapping[str, PlantDevice] = {}
        self.heard_at = 0.0
        self.is_lost = False
        self._cluster = cluster
        self._mirror = mirror
        self._choose = choose
        self._report = report
        self._once = once
        self._revision = 0  # of `devices`
        self._exchanged = asyncio.Condition()
        self._batch: Batch | None = None
        self._accepted: set[str] = set()  # names; values of others come from an actor that was left
        self._is_placed = bool(pin)
        self._reason = ""
        self._start()

    def _start(self) -> None:
        """Start an actor; who it is, and where, it says itself."""
        self._actor: Actor = self._cluster.start(self.node, self.pin)
        self._life = ""
        self._taken = 0
        self._is_born = False
        self.heard_at = asyncio.get_running_loop().time()
        self._call: tuple[str, asyncio.Future[Any]] | None = None
        self._gone = (0, 0)  # a revision, and the number of the last reading before it
        self._accepted = set(self.devices)

    def want(self, devices: Mapping[str, PlantDevice]) -> None:
        """Let the actor read these devices, and no others."""
        if devices == self.devices:
            return
        fresh = [name for name, each in devices.items() if self.devices.get(name) != each]
        self.devices = dict(devices)
        self._accepted |= devices.keys()
        self._revision += 1
        if self.is_lost:
            self._mirror.lose(fresh, self._reason, time.time())

    async def run(self) -> None:
        """Ask the actor for values until cancelled, then end it.

        Raises ReadingEndedError if the driver's own node has ended.
        """
        try:
            while True:
                try:
                    await self._exchange()
                except LostError as error:
                    await self._miss(error)
        finally:
            self._drop_call()
            self._actor.end()

    async def _ask(self, patience: float, method: str, *args: object) -> Any:
        """Return what a method of the actor returns; raises LostError after `patience` seconds.

        A call without an answer is not made again: its answer may still come.
        """
        if self._call is None or self._call[0] != method:
            self._drop_call()
            self._call = method, asyncio.ensure_future(self._actor.call(method, *args))
        _, future = self._call
        done, _ = await asyncio.wait([future], timeout=patience)
        if not done:
            raise LostError("it does not answer")
        self._call = None
        try:
            found = future.result()
        except LostError:
            self._life = ""
            raise
        self.heard_at = asyncio.get_running_loop().time()
        return found

    def _drop_call(self) -> None:
        if self._call is not None:
            self._call[1].cancel()
            self._call = None

    async def _exchange(self) -> None:
        """Take the values that there are, and tell the actor which devices it should read."""
        if not self._life:
            version, life, node = await self._ask(SILENCE, "hello")
            if version != __version__ or not self._is_well_placed(node):
                if version != __version__:
                    self.node = node
                    self.lose(f"it has modwire-tools {version}, and this poller {__version__}")
                await asyncio.sleep(_AGAIN)
                self._replace()
                return
            self.is_guest = self.is_guest or node != self.node
            self._life, self.node, self._taken, self._is_born = life, node, 0, True
        batch: Batch = await self._ask(SILENCE, "collect", self._life, self._taken)
        if batch.life != self._life:
            self._life = ""
            return
        self._mirror.receive(batch, self._accepted)
        self._taken = batch.last
        if batch.revision and self.is_lost:
            self.is_lost = False
            self._report(f"node {self._address()}: {self._count()} read again")
        if batch.revision != self._revision:
            revision, devices = self._revision, list(self.devices.values())
            patience = SILENCE + _SETTING * len(devices)
            last = await self._ask(patience, "set_devices", revision, devices, self._once)
            self._gone = revision, last
        if self._is_settled():
            self._accepted = set(self.devices)
        async with self._exchanged:
            self._batch = batch
            self._exchanged.notify_all()

    async def _miss(self, error: LostError) -> None:
        """Wait a moment; after too long a silence, values are bad and another actor takes over."""
        if error.is_final:
            await self._check_here()
        now = asyncio.get_running_loop().time()
        silence = now - self.heard_at
        # An actor that has not answered yet may only be slow to start.
        is_late = silence >= (SILENCE if self._is_born else _BIRTH)
        if is_late or error.is_final:
            self.lose(str(error))
        if is_late and (error.is_final or not self.pin):
            self.node = self._choose(self)
            self.is_guest = True
            self._replace()
        else:
            await asyncio.sleep(_PAUSE)

    async def _check_here(self) -> None:
        """Raise ReadingEndedError if the driver has no node any more: Ray has ended its actors."""
        nodes = await asyncio.to_thread(self._cluster.nodes)
        if all(each.id != self._cluster.here for each in nodes):
            raise ReadingEndedError(
                "the node of Ray on this machine has ended, and with it all readings; "
                "start it again, and then the poller"
            )

    def _replace(self) -> None:
        """Give the actor up, and start another one; its lease has ended, or it reads nothing."""
        self._drop_call()
        self._actor.end()
        self._start()

    def _is_well_placed(self, node: str) -> bool:
        """True if the actor is where it should be; asked once, so that any node will do then.

        A node that has just come back is not known everywhere at once.
        """
        is_first, self._is_placed = not self._is_placed, True
        return node == self.node or not is_first

    def lose(self, reason: str) -> None:
        """Let the values of all devices be bad, until they are read again."""
        if self.is_lost:
            return
        self.is_lost = True
        where = f"node {self.pin}" if self.pin else f"node {self._address()}"
        then = "the lines wait for it" if self.pin else "another node takes over its lines"
        self._report(f"{where}: {reason}; {then}, {self._count()}")
        self._reason = f"{where}: {reason}"
        self._mirror.lose(self.devices, self._reason, time.time())

    def _count(self) -> str:
        count = len(self.devices)
        return f"{count} device{'s' * (count != 1)}"

    def _address(self) -> str:
        return self._cluster.address(self.node)

    async def settled(self) -> None:
        """Wait until the actor reads the devices that it should, and no older value is to come."""
        async with self._exchanged:
            await self._exchanged.wait_for(self._is_settled)

    def _is_settled(self) -> bool:
        return self._gone[0] == self._revision and self._taken >= self._gone[1]

    async def finish(self) -> None:
        """Let the actor begin no more readings; take the values of those that it had begun."""
        if self.is_lost or not self._is_born:
            return
        try:
            await self._actor.call("finish")
        except LostError:
            return
        async with self._exchanged:
            # The first exchange may have begun before.
            for _ in range(2):
                await self._exchanged.wait()
            await self._exchanged.wait_for(lambda: self._batch and not self._batch.readings)

    async def write(self, device: str, point: str, text: str) -> None:
        """Write a value; raises what `LineActor.write` returns."""
        if self.is_lost:
            raise ConnectionLostError(self._reason)
        try:
            call = self._actor.call("write", device, point, text)
            error = await asyncio.wait_for(call, _WRITING)
        except (LostError, asyncio.TimeoutError) as lost:
            raise ConnectionLostError(f"the node of {device} does not answer: {lost}") from lost
        if error is not None:
            raise error
