"""Running a poller in the command: signals, files that change, and the live table."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modwire_tools.poll.local_reader import LocalReader
from modwire_tools.poll.plant import PlantError, read_plant
from modwire_tools.poll.poller import Poller
from modwire_tools.server.systemd import tell_manager
from modwire_tools.simulator.file_limit import raise_file_limit

from .ending import FailedError, WrongArgumentError
from .output import is_terminal, note

if TYPE_CHECKING:
    from modwire_tools.poll.cluster.nodes import Cluster
    from modwire_tools.poll.plant import Plant, SinkSpec
    from modwire_tools.poll.reader import Reader, Take

_CONNECTED = 60.0  # seconds, after which devices that were not asked yet are waited for no longer
_LOOK = 1.0  # seconds between two looks at the files, and two drawings of the table


def run_plant(
    plant: Plant, *, once: bool, watch: bool, follow: bool, ray: str | None = None
) -> None:
    """Poll until a signal ends it, or with `once` until each point was read.

    `ray` is the address of a Ray cluster that reads the lines; without it, this process does.

    Raises KeyboardInterrupt for Ctrl+C, FailedError if `once` has read or delivered nothing.
    """
    if watch and not is_terminal():
        raise WrongArgumentError("--watch needs a terminal")
    if watch and any(_is_output(each) for each in plant.sinks):
        raise WrongArgumentError('--watch and a sink "-" cannot both use standard output')
    raise_file_limit()  # each TCP device has a connection
    plant = _with_sink(plant, watch=watch)
    with _cluster(plant, ray) as cluster:
        running = _Running(plant, cluster)
        asyncio.run(running.main(once=once, watch=watch, follow=follow))
    if running.is_interrupted:
        raise KeyboardInterrupt
    if once:
        _check_once(running.poller)


@contextmanager
def _cluster(plant: Plant, address: str | None) -> Generator[Cluster | None]:
    """Join a Ray cluster for the time of the block; None without an address."""
    if address is None:
        if any(each.node for each in plant.devices):
            note("Without --ray, lines with a node are read here, as all others.")
        yield None
        return
    from modwire_tools.poll.cluster.ray_cluster import join

    try:
        cluster = join(address)
    except ValueError as error:
        raise WrongArgumentError(str(error)) from None
    except OSError as error:
        raise FailedError(str(error)) from None
    try:
        yield cluster
    finally:
        cluster.leave()


def _with_sink(plant: Plant, *, watch: bool) -> Plant:
    """Return a plant that prints its values, if it has no sink and the output is free."""
    from modwire_tools.poll.plant.output import output_sink

    return plant if plant.sinks or watch else replace(plant, sinks=[output_sink(plant)])


def _is_output(sink: SinkSpec) -> bool:
    return sink.values.get(sink.kind) == "-"


def _check_once(poller: Poller) -> None:
    dead = [f"{each.name}: {each.reason}" for each in poller.reader.devices() if each.failures]
    problems = [f"sink {each.name}: {each.problem}" for each in poller.deliveries.values()
                if each.problem]  # fmt: skip
    if dead or problems:
        raise FailedError("; ".join([*dead, *problems]))


@contextmanager
def _handled(
    loop: asyncio.AbstractEventLoop, actions: Mapping[int, Callable[[], None]]
) -> Generator[None]:
    """Call an action in the loop at each signal; that of Windows cannot do it by itself."""
    former: dict[int, Any] = {}

    def call(number: int, frame: object) -> None:
        loop.call_soon_threadsafe(actions[number])

    for number, action in actions.items():
        try:
            loop.add_signal_handler(number, action)
        except NotImplementedError:
            former[number] = signal.signal(number, call)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class _Running:
    def __init__(self, plant: Plant, cluster: Cluster | None) -> None:
        self.is_interrupted = False
        self._note: Callable[[str], None] = note
        self._cluster = cluster
        self.poller = Poller(plant, lambda text: self._note(text), self._reader)
        self._tasks: list[asyncio.Task[None]] = []
        self._reloading = asyncio.Lock()  # a second signal waits for the first

    def _reader(self, take: Take) -> Reader:
        """Make what reads the devices: here, or in the cluster."""
        if self._cluster is None:
            return LocalReader(take)
        from modwire_tools.poll.cluster.cluster_reader import ClusterReader

        return ClusterReader(take, self._cluster, lambda text: self._note(text))

    async def main(self, *, once: bool, watch: bool, follow: bool) -> None:
        loop = asyncio.get_running_loop()
        actions: dict[int, Callable[[], None]] = {
            signal.SIGINT: self._interrupt,
            signal.SIGTERM: self.poller.stop,
        }
        if hasattr(signal, "SIGHUP"):
            actions[signal.SIGHUP] = self._reload_soon
        if follow:
            self._tasks.append(asyncio.create_task(self._follow()))
        if watch:
            self._tasks.append(asyncio.create_task(self._watch()))
        loop.call_soon(tell_manager, "READY=1")
        if not once:
            self._tasks.append(asyncio.create_task(self._freeze()))
        with _handled(loop, actions):
            try:
                await self.poller.run(once=once)
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _freeze(self) -> None:
        """Leave what stays for ever out of garbage collections: now, and with all connections.

        With thousands of devices, a full one takes a fifth of a second, in which none is asked.
        """
        gc.freeze()
        until = time.monotonic() + _CONNECTED
        is_connected = False
        while not is_connected and time.monotonic() < until:
            await asyncio.sleep(_LOOK)
            is_connected = all(each.is_tried for each in self.poller.reader.devices())
        gc.freeze()

    def _interrupt(self) -> None:
        self.is_interrupted = True
        self.poller.stop()

    def _reload_soon(self) -> None:
        self._tasks.append(asyncio.create_task(self._reload()))

    async def _reload(self) -> None:
        """Read the plant file again; a mistake in it is said, and changes nothing."""
        async with self._reloading:
            await self._read_again()

    async def _read_again(self) -> None:
        old = self.poller.plant
        try:
            # Beside the readings: thousands of devices take a second.
            plant = await asyncio.to_thread(read_plant, old.file)
        except (PlantError, OSError) as error:
            self.poller.reloads["refused"] += 1
            texts = error.mistakes if isinstance(error, PlantError) else [str(error)]
            # A mistake comes last: below the table of --watch, the latest sentence is shown.
            self._note("The plant file was not taken, all goes on as before:")
            for text in texts:
                self._note(f"modwire: {text}")
            return
        if not plant.sinks:
            plant = replace(plant, sinks=[each for each in old.sinks if each.name == "output"])
        self._note(f"The plant file was read again: {await self.poller.reload(plant)}.")

    async def _follow(self) -> None:
        seen = _changes(self.poller.plant)
        while True:
            await asyncio.sleep(_LOOK)
            now = _changes(self.poller.plant)
            if now != seen:
                await self._reload()
                seen = _changes(self.poller.plant)

    async def _watch(self) -> None:
        import logging

        from .poll_table import PollTable

        # What clients log is in the table, and lines between would tear it.
        logging.getLogger("modwire").addHandler(logging.NullHandler())
        table = PollTable(self.poller)
        self._note = table.note
        table.start()
        try:
            while True:
                table.draw()
                await asyncio.sleep(_LOOK)
        finally:
            table.stop()
            self._note = note


def _changes(plant: Plant) -> list[object]:
    """Return what changes when a file of a plant does."""
    return [_change(each) for each in (plant.file, *plant.device_files)]


def _change(file: Path) -> object:
    try:
        found = file.stat()
    except OSError:
        return None
    return file, found.st_mtime_ns, found.st_size, found.st_ino
