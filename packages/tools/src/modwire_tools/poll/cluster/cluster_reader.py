"""`ClusterReader`: the lines of a plant, spread over the nodes of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ..checking import request_rate
from ..reader import DeviceFigures, LineFigures, Take
from ..tasks import Tasks
from .batch import SILENCE
from .group import Group
from .mirror import Mirror
from .nodes import Cluster, LostError, Node
from .spreading import spread

if TYPE_CHECKING:
    from ...values.item_texts import Assignment
    from ..plant.spec import LineKey, PlantDevice
    from ..sample import Sample

_MOVING = 5.0  # seconds for a move; by then, the lease of an actor without an answer has ended
_FRESH = 1.0  # seconds since the last answer of a node that is fit to take over lines


class ClusterReader:
    """A `Reader` with an actor on each node; `report` is called with sentences."""

    def __init__(self, take: Take, cluster: Cluster, report: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._report = report
        self._mirror = Mirror(take)
        self._devices: dict[str, PlantDevice] = {}
        self._groups: list[Group] = []
        self._given_up: set[str] = set()  # nodes whose lines were given to others
        self._tasks = Tasks(self._fail)
        self._failed: asyncio.Future[None] | None = None
        self._once = False

    async def start(self, devices: Sequence[PlantDevice], *, once: bool = False) -> None:
        """Begin with these devices; with `once`, read each point once."""
        self._failed = asyncio.get_running_loop().create_future()
        self._once = once
        await self.change([], devices)

    async def run(self) -> None:
        """Read until cancelled, then end the actors."""
        assert self._failed is not None
        try:
            await self._failed
        finally:
            await self._tasks.cancel_all()

    def _fail(self, error: BaseException) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_exception(error)

    async def change(self, gone: Sequence[PlantDevice], come: Sequence[PlantDevice]) -> None:
        """Read some devices no longer, then others, and spread the lines over the nodes anew.

        Lines that need not move go on undisturbed.
        """
        for each in gone:
            del self._devices[each.name]
            self._mirror.remove(each)
        for each in come:
            self._devices[each.name] = each
            self._mirror.add(each)
        nodes = await self._alive()
        wanted = self._wanted(nodes)
        old = {name: group for group in self._groups for name in group.devices}
        moving: set[Group] = set()
        for group, devices in wanted.items():
            stays = {name: each for name, each in devices.items() if old.get(name, group) is group}
            moving |= {old[name] for name in devices.keys() - stays.keys()}
            group.want(stays)
        # Another actor begins once the first one has ended, so that no device is read by two.
        if moving:
            settled = [asyncio.ensure_future(each.settled()) for each in moving]
            _, late = await asyncio.wait(settled, timeout=_MOVING)
            for task in late:
                task.cancel()
        for group, devices in wanted.items():
            group.want(devices)
        await self._end([each for each in self._groups if not each.devices])
        self._look_for_names(nodes)

    async def _alive(self) -> Sequence[Node]:
        """Return the nodes that are alive: Ray has those for long that have died."""
        nodes = await asyncio.to_thread(self._cluster.nodes)
        doubtful = [each.id for each in nodes if each.id in self._given_up]
        answers = await asyncio.gather(*map(self._is_alive, doubtful))
        self._given_up = {
            node for node, is_alive in zip(doubtful, answers, strict=True) if not is_alive
        }
        return [each for each in nodes if each.id not in self._given_up]

    async def _is_alive(self, node: str) -> bool:
        """True if a node answers that was given up before."""
        actor = self._cluster.start(node, "")
        try:
            _, _, found = await asyncio.wait_for(actor.call("hello"), SILENCE)
        except (LostError, asyncio.TimeoutError):
            return False
        finally:
            actor.end()
        return bool(found == node)

    def _wanted(self, nodes: Sequence[Node]) -> Mapping[Group, dict[str, PlantDevice]]:
        """Return the devices that each group should have; all groups are there."""
        lines: dict[LineKey, list[PlantDevice]] = {}
        for device in self._devices.values():
            lines.setdefault(device.line, []).append(device)
        rates = {line: sum(map(request_rate, devices)) for line, devices in lines.items()}
        bound = {line: devices[0].node for line, devices in lines.items() if devices[0].node}
        loads = {each.id: 0.0 for each in nodes} or {self._cluster.here: 0.0}
        for line, name in bound.items():
            holder = next((each.id for each in nodes if name in each.names), None)
            if holder is not None:
                loads[holder] += rates[line]
        free = {line: rate for line, rate in rates.items() if line not in bound}
        first: dict[str, Group] = {}  # of each node; others have come from nodes that died
        runs: dict[LineKey, Group] = {}
        for group in sorted(self._groups, key=lambda each: each.is_guest):
            if not group.pin:
                first.setdefault(group.node, group)
                runs.update((each.line, group) for each in group.devices.values())
        homes = {line: runs[line].node for line in free if line in runs}
        guests = {line for line in homes if first[homes[line]] is not runs[line]}
        places = spread(free, loads, homes, guests)
        wanted: dict[Group, dict[str, PlantDevice]] = {each: {} for each in self._groups}
        for line, devices in lines.items():
            if line in bound:
                group = self._bound(bound[line])
            elif line in homes and homes[line] == places[line]:
                group = runs[line]
            else:
                node = places[line]
                group = first.get(node) or self._add(node=node)
                first[node] = group
            wanted.setdefault(group, {}).update((each.name, each) for each in devices)
        return wanted

    def _bound(self, name: str) -> Group:
        """Return the group of a named node."""
        found = next((each for each in self._groups if each.pin == name), None)
        return found or self._add(name=name)

    def _add(self, *, node: str = "", name: str = "") -> Group:
        group = Group(
            self._cluster, self._mirror, name, node, self._choose, self._report, once=self._once
        )
        self._groups.append(group)
        self._tasks.start(group, group.run())
        return group

    async def _end(self, groups: Sequence[Group]) -> None:
        self._groups = [each for each in self._groups if each not in groups]
        await self._tasks.cancel(groups)

    def _look_for_names(self, nodes: Sequence[Node]) -> None:
        """Let values be bad at once if a plant names a node that is not there."""
        for group in self._groups:
            if group.pin and not any(group.pin in each.names for each in nodes):
                group.lose("it is not in the cluster")

    def _choose(self, lost: Group) -> str:
        """Return the node that takes over the lines of a group: the one with least to do.

        Ray takes long to notice that a node has died. One whose actor has just answered is alive,
        and so is that of the driver.
        """
        self._given_up.add(lost.node)
        now = asyncio.get_running_loop().time()
        loads: dict[str, float] = {}
        for group in self._groups:
            if group.node != lost.node and not group.is_lost and now - group.heard_at < _FRESH:
                rate = sum(map(request_rate, group.devices.values()))
                loads[group.node] = loads.get(group.node, 0.0) + rate
        return min(loads, key=loads.__getitem__, default=self._cluster.here)

    async def finish(self) -> None:
        """Begin no more readings, and hand on those that were begun."""
        with suppress(asyncio.TimeoutError):
            all_ = asyncio.gather(*(each.finish() for each in self._groups))
            await asyncio.wait_for(all_, SILENCE)

    async def write(self, device: PlantDevice, assignment: Assignment) -> None:
        """Write a value now, and let the point be read again. Raises ModbusError, ValueError."""
        group = next((each for each in self._groups if device.name in each.devices), None)
        if group is None:
            raise ValueError(f"{device.name} is not read now: the plant is being changed")
        await group.write(device.name, assignment.item.name, assignment.text)

    def devices(self) -> Sequence[DeviceFigures]:
        """Return the figures of all devices."""
        return self._mirror.devices()

    def lines(self) -> Sequence[LineFigures]:
        """Return the figures of all lines."""
        return self._mirror.lines()

    def samples(self) -> Iterable[tuple[str, Sequence[Sample | None]]]:
        """Return the devices, each with the latest values of its points, None before the first."""
        return self._mirror.samples()
