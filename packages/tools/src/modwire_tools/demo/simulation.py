"""The last part of `modwire demo`: the meter in a simulator, with its web page."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import trio

from modwire_trio import connect

from ..cli.output import print_line
from ..simulator.meter import energy_meter
from ..simulator.simulation import Simulation, place
from ..web import format_link, serve_page

_HOST = "127.0.0.1"
_TIMEOUT = 20.0  # seconds for the page, and for the meter


async def live(*, once: bool) -> None:
    """Serve the meter and its page until cancelled; with `once`, check both and return.

    Raises OSError if the page does not respond, or does not show the meter.
    """
    modbus, web = (0, 0) if once else (_free(5020), _free(8080))
    simulation = Simulation(place([energy_meter()], [f"tcp://{_HOST}:{modbus}"]))
    async with trio.open_nursery() as nursery:
        await nursery.start(simulation.run)
        _, port = await nursery.start(partial(serve_page, simulation.view, _HOST, web))
        link = format_link(_HOST, port)
        endpoint = simulation.view.devices()[0].endpoints[0]
        print_line("\nThe meter is alive now, in a simulator")
        print_line(f"  its page  {link}")
        print_line(f"  over TCP  {endpoint}")
        print_line(
            f"  try       {_command()} read {endpoint} ir:0 --count 3 --scale 0.1 --watch 1s"
        )
        if once:
            voltage = await _check(link, endpoint)
            print_line(f"The page answers, and Voltage L1 is {voltage} V.")
            nursery.cancel_scope.cancel()
        else:
            print_line("Ctrl+C ends it.")
            await trio.sleep_forever()


def _command() -> str:
    """Return the command to type for `modwire`: `make demo` has it in a virtual environment."""
    beside = Path(sys.executable).with_name("modwire")
    if shutil.which("modwire") is not None or not beside.exists():
        return "modwire"
    with suppress(ValueError):
        beside = beside.relative_to(Path.cwd())
    return shlex.quote(str(beside))


def _free(wanted: int) -> int:
    """Return `wanted` if the port is free, else 0, which lets the system choose."""
    with suppress(OSError), socket.socket() as probe:
        if os.name == "posix":  # on Windows, a port in use would look free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((_HOST, wanted))
        return wanted
    return 0


async def _check(link: str, endpoint: str) -> str:
    """Return the first voltage, read over Modbus; raises OSError if the page lacks the meter."""
    page = await trio.to_thread.run_sync(_get, link)
    if b"<html" not in page.lower():
        raise OSError(f"{link} answers, but not with a page: {page[:60]!r}")
    devices = await trio.to_thread.run_sync(_get, f"{link}api/devices")
    if endpoint not in json.dumps(json.loads(devices)):
        raise OSError(f"{link} does not show the meter at {endpoint}: {devices[:200]!r}")
    async with connect(f"{endpoint}?timeout={_TIMEOUT:g}") as client:
        (voltage,) = await client.read_input_registers(0)
    return f"{voltage / 10:.1f}"


def _get(link: str) -> bytes:
    # A proxy could not reach this machine.
    with build_opener(ProxyHandler({})).open(link, timeout=_TIMEOUT) as answer:
        data: bytes = answer.read()
        return data
