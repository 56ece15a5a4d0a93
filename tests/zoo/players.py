"""The players, which ask a device: the client of each package, a gateway and the command.

A new package needs one class here, and its name in `PLAYERS`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from modwire import (
    AsciiFraming,
    ClientOptions,
    Endpoint,
    ModbusError,
    Quirks,
    ReadHoldingRegistersRequest,
    RtuFraming,
    TcpFraming,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from .device import Ask

FRAMINGS: Final = {"tcp": TcpFraming, "udp": TcpFraming, "rtu": RtuFraming, "ascii": AsciiFraming}
LINE_SETTINGS: Final = ("baudrate", "bytesize", "parity", "stopbits")

Found = object
"""The response to an `Ask`, or the `ModbusError` that was raised, or a `Said`."""


class Said(str):
    """An error of the command: the text that the user reads."""


def client_arguments(
    scheme: str, place: str, setting: Mapping[str, Any], timeout: float
) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Return the name of the client's class for an endpoint, and the arguments of that class."""
    options = {"response_timeout": timeout, **setting}
    line = {name: options.pop(name) for name in LINE_SETTINGS if name in options}
    arguments: dict[str, Any] = {"options": ClientOptions(**options), **line}
    framing, _, carrier = scheme.partition("+")
    arguments["framing"] = FRAMINGS[framing]
    if scheme in ("rtu", "ascii"):
        return "SerialClient", (place,), arguments
    host, _, port = place.partition(":")
    name = "UdpClient" if "udp" in (scheme, carrier) else "TcpClient"
    return name, (host, int(port)), arguments


class Player:
    """Asks a device; `name` is that of the package, or "gateway" or "command"."""

    name: str

    def can_play(self, asks: Sequence[Ask], setting: Mapping[str, Any]) -> bool:
        """True if this player has a way to ask all this with these options."""
        return True

    def play(
        self,
        scheme: str,
        place: str,
        setting: Mapping[str, Any],
        asks: Sequence[Ask],
        timeout: float,
        *,
        keeps_on: bool,
    ) -> list[Found]:
        """Ask, one after the other; return what came, up to the first error or after it too."""
        raise NotImplementedError


class Blocking(Player):
    """A client with blocking calls."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.module = import_module(f"modwire_{name}")

    def play(
        self,
        scheme: str,
        place: str,
        setting: Mapping[str, Any],
        asks: Sequence[Ask],
        timeout: float,
        *,
        keeps_on: bool,
    ) -> list[Found]:
        name, place_of, arguments = client_arguments(scheme, place, setting, timeout)
        client = getattr(self.module, name)(*place_of, **arguments)
        try:
            return ask_all(client.call, asks, keeps_on=keeps_on)
        finally:
            client.close()


class Trio(Player):
    """The client of modwire_trio."""

    name = "trio"

    def play(
        self,
        scheme: str,
        place: str,
        setting: Mapping[str, Any],
        asks: Sequence[Ask],
        timeout: float,
        *,
        keeps_on: bool,
    ) -> list[Found]:
        import trio

        import modwire_trio

        name, place_of, arguments = client_arguments(scheme, place, setting, timeout)

        async def run() -> list[Found]:
            found: list[Found] = []
            client = getattr(modwire_trio, name)(*place_of, **arguments)
            try:
                for request, _, unit in asks:
                    try:
                        found.append(await client.call(request, unit=unit))
                    except ModbusError as error:
                        found.append(error)
                        if not keeps_on:
                            break
            finally:
                await client.aclose()
            return found

        return trio.run(run)


class Gateway(Player):
    """A client of a gateway that has the device on its line."""

    name = "gateway"

    def play(
        self,
        scheme: str,
        place: str,
        setting: Mapping[str, Any],
        asks: Sequence[Ask],
        timeout: float,
        *,
        keeps_on: bool,
    ) -> list[Found]:
        import modwire_sync

        name, place_of, arguments = client_arguments(scheme, place, setting, timeout)
        line = getattr(modwire_sync, name)(*place_of, **arguments)
        units = {1: setting["unit"]} if "unit" in setting else None
        with (
            closing(line),
            modwire_sync.TcpServer(
                modwire_sync.Gateway(line, units, patience=60.0), ("127.0.0.1", 0)
            ) as server,
            modwire_sync.TcpClient(*server.address, timeout=60.0) as client,
        ):
            return ask_all(client.call, asks, keeps_on=keeps_on)


class Command(Player):
    """The command: `modwire read` with all addresses at once, `modwire write` for each write."""

    name = "command"

    def can_play(self, asks: Sequence[Ask], setting: Mapping[str, Any]) -> bool:
        kinds = ReadHoldingRegistersRequest, WriteSingleRegisterRequest
        return query(setting) is not None and all(
            isinstance(ask.request, (*kinds, WriteMultipleRegistersRequest)) and ask.unit is None
            for ask in asks
        )

    def play(
        self,
        scheme: str,
        place: str,
        setting: Mapping[str, Any],
        asks: Sequence[Ask],
        timeout: float,
        *,
        keeps_on: bool,
    ) -> list[Found]:
        options = query({"response_timeout": timeout, **setting})
        endpoint = f"{scheme}://{place}?{options}"
        found: list[Found] = []
        for several in in_commands(asks):
            found += self._run(endpoint, several)
        return found

    def _run(self, endpoint: str, asks: Sequence[Ask]) -> list[Found]:
        from modwire_command import modwire

        first = asks[0].request
        if not isinstance(first, ReadHoldingRegistersRequest):
            is_one = isinstance(first, WriteSingleRegisterRequest)
            values = (first.value,) if is_one else first.values
            text = ",".join(map(str, values))
            functions = ["--functions", "6" if is_one else "16"]
            result = modwire("write", endpoint, f"hr:{first.address}={text}", *functions)
            return ["written" if result.code == 0 else Said(result.err)]
        places = [
            f"hr:{at}"
            for ask in asks
            for at in range(ask.request.address, ask.request.address + ask.request.count)
        ]
        result = modwire("read", endpoint, *places, "--json")
        lines = json.loads(result.out or "[]")
        shown = iter(line.get("value") for line in lines)
        found: list[Found] = []
        for ask in asks:
            values = [next(shown, None) for _ in range(ask.request.count)]
            is_read = None not in values
            found.append(type(ask.response)(values) if is_read else Said(result.err))
        return found


def in_commands(asks: Sequence[Ask]) -> list[list[Ask]]:
    """Return the asks of each command: reads that follow each other are one."""
    found: list[list[Ask]] = []
    for ask in asks:
        is_read = isinstance(ask.request, ReadHoldingRegistersRequest)
        if found and is_read and isinstance(found[-1][0].request, ReadHoldingRegistersRequest):
            found[-1].append(ask)
        else:
            found.append([ask])
    return found


def query(setting: Mapping[str, Any]) -> str | None:
    """Return options as those of an endpoint, "timeout=0.3&quirks=any_unit"; None if it has none.

    An endpoint says `timeout` for `response_timeout`, and names the quirks.
    """
    parts = []
    for name, value in setting.items():
        text = str(value)
        if isinstance(value, Quirks):
            text = quirk_names(value, ",")
        elif isinstance(value, bool):
            text = str(value).lower()
        elif value is None:
            text = "never"
        parts.append(f"{'timeout' if name == 'response_timeout' else name}={text}")
    joined = "&".join(parts)
    try:
        for scheme in ("tcp://a", "rtu:///a"):
            try:
                Endpoint.parse(f"{scheme}?{joined}")
            except ValueError:
                if scheme != "tcp://a":
                    raise
            else:
                break
    except ValueError:
        return None
    return joined


def quirk_names(quirks: Quirks, joint: str) -> str:
    """Return the names of the quirks in `quirks`."""
    return joint.join(each.name or "" for each in Quirks if each and each in quirks)


def ask_all(call: Callable[..., object], asks: Sequence[Ask], *, keeps_on: bool) -> list[Found]:
    """Ask by `call`, one after the other."""
    found: list[Found] = []
    for request, _, unit in asks:
        try:
            found.append(call(request, unit=unit))
        except ModbusError as error:
            found.append(error)
            if not keeps_on:
                break
    return found


def installed() -> list[Player]:
    """Return the players whose packages are installed."""
    players: list[Player] = [
        Blocking(name) for name in ("sync", "gevent") if find_spec(f"modwire_{name}") is not None
    ]
    if find_spec("modwire_trio") is not None:
        players.append(Trio())
    if find_spec("modwire_sync") is not None:
        players.append(Gateway())
        if find_spec("modwire_tools") is not None:
            players.append(Command())
    return players


PLAYERS: Final = {player.name: player for player in installed()}


def plain(text: str) -> str:
    """Return a text without the request in it, which the command leaves out of its errors."""
    return re.sub(r" ?\w+Request\([^()]*\)", "", text)
