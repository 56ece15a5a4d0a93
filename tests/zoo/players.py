"""The players, which ask a device: the client of each package, a gateway and the command.

A new package needs one class here, and its name in `PLAYERS`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

from modwire import AsciiFraming, ClientOptions, ModbusError, RtuFraming, TcpFraming

from . import command
from .asks import Ask, Found, Gather
from .texts import query

FRAMINGS: Final = {"tcp": TcpFraming, "udp": TcpFraming, "rtu": RtuFraming, "ascii": AsciiFraming}
LINE_SETTINGS: Final[Sequence[str]] = ("baudrate", "bytesize", "parity", "stopbits")


class Place(NamedTuple):
    """A device as a user names it: the scheme and the rest of its endpoint, options, a timeout."""

    scheme: str
    place: str
    setting: Mapping[str, Any]
    timeout: float

    def client(self, module: Any) -> Any:
        """Return a client of the device, of a package."""
        options: dict[str, Any] = {"response_timeout": self.timeout, **self.setting}
        line: dict[str, Any] = {
            name: options.pop(name) for name in LINE_SETTINGS if name in options
        }
        arguments: dict[str, Any] = {"options": ClientOptions(**options), **line}
        framing, _, carrier = self.scheme.partition("+")
        arguments["framing"] = FRAMINGS[framing]
        if self.scheme in ("rtu", "ascii"):
            return module.SerialClient(self.place, **arguments)
        host, _, port = self.place.partition(":")
        kind = module.UdpClient if "udp" in (self.scheme, carrier) else module.TcpClient
        return kind(host, int(port), **arguments)


class Player:
    """Asks a device; `name` is that of the package, or "gateway" or "command"."""

    name: str

    def can_play(self, asks: Sequence[Ask], setting: Mapping[str, Any]) -> bool:
        """True if this player has a way to ask all this with these options."""
        return True

    def play(self, device: Place, asks: Sequence[Ask], *, keeps_on: bool) -> list[Found]:
        """Ask, one after the other; return what came, up to the first error or after it too."""
        raise NotImplementedError


class Sync(Player):
    """The client of modwire_sync."""

    name = "sync"

    def play(self, device: Place, asks: Sequence[Ask], *, keeps_on: bool) -> list[Found]:
        with closing(device.client(import_module("modwire_sync"))) as client:
            return ask_all(client, asks, in_threads, keeps_on=keeps_on)


class Gevent(Player):
    """The client of modwire_gevent, in a hub of its own."""

    name = "gevent"

    def play(self, device: Place, asks: Sequence[Ask], *, keeps_on: bool) -> list[Found]:
        import gevent

        def at_once(calls: Sequence[Callable[[], Any]]) -> list[Found]:
            greenlets: list[Any] = [gevent.spawn(came_of, each) for each in calls]
            gevent.joinall(greenlets)
            return [each.get() for each in greenlets]

        try:
            with closing(device.client(import_module("modwire_gevent"))) as client:
                return ask_all(client, asks, at_once, keeps_on=keeps_on)
        finally:
            gevent.get_hub().destroy(destroy_loop=True)


class Trio(Player):
    """The client of modwire_trio."""

    name = "trio"

    def play(self, device: Place, asks: Sequence[Ask], *, keeps_on: bool) -> list[Found]:
        import trio

        async def at_once(calls: Sequence[Callable[[], Any]]) -> list[Found]:
            found: list[Found] = [None] * len(calls)

            async def one(at: int) -> None:
                try:
                    found[at] = await calls[at]()
                except ModbusError as error:
                    found[at] = error

            async with trio.open_nursery() as nursery:
                for at in range(len(calls)):
                    nursery.start_soon(one, at)
            return found

        async def run() -> list[Found]:
            found: list[Found] = []
            client = device.client(import_module("modwire_trio"))
            try:
                for ask in asks:
                    try:
                        found += parts_of(ask, await ask.put(client, at_once))
                    except ModbusError as error:
                        found.append(error)
                        if not keeps_on:
                            break
            finally:
                await client.aclose()
            return found

        return trio.run(run)


class Asyncio(Player):
    """The client of modwire_asyncio."""

    name = "asyncio"

    def new_loop(self) -> asyncio.AbstractEventLoop:
        """Return a loop to play on."""
        return asyncio.new_event_loop()

    def play(self, device: Place, asks: Sequence[Ask], *, keeps_on: bool) -> list[Found]:
        async def came(call: Callable[[], Any]) -> Found:
            try:
                return await call()
            except ModbusError as error:
                return error

        async def at_once(calls: Sequence[Callable[[], Any]]) -> list[Found]:
            return await asyncio.gather(*map(came, calls))

        async def run() -> list[Found]:
            found: list[Found] = []
            client = device.client(import_module("modwire_asyncio"))
            try:
                for ask in asks:
                    try:
                        found += parts_of(ask, await ask.put(client, at_once))
                    except ModbusError as error:
                        found.append(error)
                        if not keeps_on:
                            break
            finally:
                await client.aclose()
            return found

        loop = self.new_loop()
        try:
            return loop.run_until_complete(run())
        finally:
            loop.close()


class Uvloop(Asyncio):
    """The client of modwire_asyncio, on the loop of uvloop."""

    name = "uvloop"

    def new_loop(self) -> asyncio.AbstractEventLoop:
        import uvloop

        return uvloop.new_event_loop()


class Gateway(Player):
    """A client of a gateway that has the device on its line."""

    name = "gateway"

    def play(self, device: Place, asks: Sequence[Ask], *, keeps_on: bool) -> list[Found]:
        sync: Any = import_module("modwire_sync")
        units = {1: device.setting["unit"]} if "unit" in device.setting else None
        with (
            closing(device.client(sync)) as line,
            sync.TcpServer(sync.Gateway(line, units, patience=60.0), ("127.0.0.1", 0)) as server,
            sync.TcpClient(*server.address, timeout=60.0) as client,
        ):
            return ask_all(client, asks, in_threads, keeps_on=keeps_on)


class Command(Player):
    """The command: `modwire read` with all addresses at once, `modwire write` for each write."""

    name = "command"

    def can_play(self, asks: Sequence[Ask], setting: Mapping[str, Any]) -> bool:
        return query(setting) is not None and all(ask.words for ask in asks)

    def play(self, device: Place, asks: Sequence[Ask], *, keeps_on: bool) -> list[Found]:
        options = query({"response_timeout": device.timeout, **device.setting})
        return command.play(f"{device.scheme}://{device.place}?{options}", asks)


def ask_all(client: Any, asks: Sequence[Ask], gather: Gather, *, keeps_on: bool) -> list[Found]:
    """Ask by a blocking client, one after the other."""
    found: list[Found] = []
    for ask in asks:
        try:
            found += parts_of(ask, ask.put(client, gather))
        except ModbusError as error:
            found.append(error)
            if not keeps_on:
                break
    return found


def parts_of(ask: Ask, found: Any) -> list[Found]:
    """Return what came of each part of an ask."""
    return [found] if ask.parts() == (ask,) else found


def in_threads(calls: Sequence[Callable[[], Any]]) -> list[Found]:
    """Make blocking calls at once."""
    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(came_of, calls))


def came_of(call: Callable[[], Any]) -> Found:
    """Return the answer of a call, or its error."""
    try:
        return call()
    except ModbusError as error:
        return error


def _installed() -> list[Player]:
    found: list[Player] = []
    needs = {Sync: "sync", Gevent: "gevent", Trio: "trio", Asyncio: "asyncio", Uvloop: "asyncio"}
    needs |= {Gateway: "sync", Command: "tools"}
    for kind, package in needs.items():
        if find_spec(f"modwire_{package}") is not None:
            found.append(kind())
    return found


PLAYERS: Final = {player.name: player for player in _installed()}
