"""Draws docs/watch.svg: what `modwire read --watch` shows of a simulated meter, for the README.

Run it in the root: `.venv/bin/python docs/watch.py`. The meter lives twenty times as fast, so that
its trends can be seen after a few seconds.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from modwire import Endpoint
from modwire_sync import connect
from modwire_tools.cli.live_table import LiveTable
from modwire_tools.cli.screen import fitted
from modwire_tools.client.reading import Reading, limits_for
from modwire_tools.values.item_texts import parse_item

COMMAND = [sys.executable, "-m", "modwire_tools"]
READINGS = 40
INTERVAL = 0.1  # seconds
ITEMS = ["ir:0", "ir:3", "ir:6", "ir:8/float32", "ir:10/uint32", "hr:4/string:8", "co:0"]
SHOWN = "tcp://127.0.0.1:5020"
PATH = Path(__file__).with_name("watch.svg")
FONTS = re.compile(r"\s*@font-face \{\{.*?\}\}", re.DOTALL)  # from the network: the README has none


def main() -> None:
    """Watch a simulated meter for a while, and draw what is shown."""
    simulator = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "modwire_tools",
            "simulate",
            "--tcp",
            "127.0.0.1:0",
            "--speed",
            "20",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert simulator.stderr is not None
        lines = iter(simulator.stderr.readline, "")
        endpoint = next(found[0] for line in lines if (found := re.search(r"tcp://[\d.:]+", line)))
        console = Console(
            file=io.StringIO(), record=True, width=96, force_terminal=True, highlight=False
        )
        items = [parse_item(item) for item in ITEMS]
        live = LiveTable(SHOWN, items, show_registers=False, on=console)
        place = Endpoint.parse(endpoint)
        reading = Reading(items, 1, limits_for(place))
        with connect(place) as client:
            for number in range(READINGS):
                started = monotonic()
                outcomes = reading.read(client)
                now = monotonic()
                live.note(outcomes, None, reading.requests, now - started, now)
                if number == READINGS - 3:
                    client.write_coil(0, True)
                sleep(INTERVAL)
        console.print(f"$ modwire read {SHOWN} --watch 100ms \\\n    {' '.join(ITEMS)}\n")
        console.print(fitted(live.sheet, console, is_whole=True))
        form = FONTS.sub("", CONSOLE_SVG_FORMAT)
        PATH.write_text(console.export_svg(title="modwire", code_format=form), encoding="utf-8")
    finally:
        simulator.terminate()
        simulator.wait()


if __name__ == "__main__":
    main()
