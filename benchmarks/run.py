"""Run the benchmarks and print their table: `make bench`.

    python benchmarks/run.py                 all of them, some minutes
    python benchmarks/run.py codec stream    some families
    python benchmarks/run.py --quick         check that they run; the numbers mean nothing
    python benchmarks/before.py ../before    compare with another checkout
    python benchmarks/run.py --readme        also put the table into benchmarks/README.md

The exit code is 0 even if targets are missed, because a busy machine is no fault of the code.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import client
import codec
import crc
import event_loops
import import_cost
import messages
import planner
import server
import stream
from rounds import FULL, QUICK, Row, markdown, pin_to_one_core, write_table

FAMILIES = {
    "codec": codec.run,
    "stream": stream.run,
    "client": client.run,
    "server": server.run,
    "asyncio": event_loops.run_asyncio,
    "trio": event_loops.run_trio,
    "gevent": event_loops.run_gevent,
    "import": import_cost.run,
    "crc": crc.run,
    "messages": messages.run,
    "planner": planner.run,
}
README = Path(__file__).parent / "README.md"


def tables(rows: list[Row]) -> str:
    """Return a table for each family, and the interpreter that was measured."""
    families = list(dict.fromkeys(row.family for row in rows))
    parts = [
        f"### {family}\n\n{markdown([row for row in rows if row.family == family])}\n"
        for family in families
    ]
    version = f"{platform.python_implementation()} {platform.python_version()}"
    return "\n".join([f"Measured on {version}, {platform.system()}.\n", *parts])


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Run the benchmarks of modwire.")
    parser.add_argument("families", nargs="*", metavar="family", help=", ".join(FAMILIES))
    parser.add_argument("--quick", action="store_true", help="a few rounds only")
    parser.add_argument("--json", action="store_true", help="end with the rows as one line of JSON")
    parser.add_argument("--rounds", type=int, help="rounds of each row")
    parser.add_argument("--readme", action="store_true", help="write the tables to README.md")
    options = parser.parse_args()
    unknown = set(options.families) - set(FAMILIES)
    if unknown:
        parser.error(f"families must be of {', '.join(FAMILIES)}, got {', '.join(sorted(unknown))}")
    if options.readme and (options.quick or options.families):
        parser.error("--readme must stand alone: the page has all families, measured in full")
    settings = QUICK if options.quick else FULL
    if options.rounds is not None:
        settings = settings._replace(rounds=options.rounds)
    pin_to_one_core()
    rows: list[Row] = []
    for name in options.families or FAMILIES:
        print(f"measuring {name} ...", flush=True)
        rows += FAMILIES[name](settings)
    print()
    text = tables(rows)
    print(text)
    missed = [row.name for row in rows if not row.holds]
    print(f"targets missed: {', '.join(missed) or 'none'}")
    if options.readme:
        write_table(README, "run.py", text.rstrip())
    if options.json:
        print(json.dumps([row._asdict() for row in rows]))


if __name__ == "__main__":
    main()
