"""The `modwire` command itself: its subcommands, and how it ends.

A subcommand is a function in a module of its own in this folder, registered here. These modules
import what they work with inside the function, so that `modwire --help` starts at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from .ending import run
from .gui import gui
from .help import examples
from .read import read
from .scan import scan
from .simulate import simulate
from .version import print_version
from .write import write

app = typer.Typer(
    name="modwire",
    help="Read, write, scan, copy, simulate and explain Modbus devices.",
    epilog=examples(
        "modwire",
        "modwire read tcp://127.0.0.1:5020 hr:0x10 ir:8/float32",
        "modwire COMMAND --help",
    )
    + "\n\nExit codes: 0 all was done; 1 the device or the link failed, or a file could not be "
    "read or written; 2 an argument was wrong; 130 Ctrl+C. Data goes to standard output, all else "
    "to standard error; NO_COLOR is honoured.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version),
    ] = False,
) -> None:
    """Read, write, scan, copy, simulate and explain Modbus devices."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command(
    epilog=examples(
        "read",
        "modwire read tcp://127.0.0.1:5020 40001 co:3",
        "modwire read tcp://127.0.0.1:5020 ir:8 --type float32 --word-order little",
        "modwire read tcp://127.0.0.1:5020 ir:0 --count 3 --scale 0.1 --watch 1s",
        "modwire read rtu:///dev/ttyUSB0?baudrate=9600 hr:0/string:16 --unit 17 --json",
    )
)(read)
app.command(
    epilog=examples(
        "write",
        "modwire write tcp://127.0.0.1:5020 hr:2=4200.5 --type float32 --verify",
        "modwire write tcp://127.0.0.1:5020 co:0=on co:1=off hr:0=15,40",
        "modwire write tcp://127.0.0.1:5020 hr:1/bit:3=on hr:4/string:6=pump",
    )
)(write)
app.command(
    epilog=examples(
        "scan",
        "modwire scan tcp://127.0.0.1:5020 --units 1..10",
        "modwire scan tcp://127.0.0.1:5020 --table hr --table ir --json",
        "modwire scan rtu:///dev/ttyUSB0 --baudrates all --parities all --resume scan.json",
        "modwire scan rtu:///dev/ttyUSB0 --table hr --unit 17 --delay 50ms",
    )
)(scan)

app.command(
    epilog=examples(
        "simulate",
        "modwire simulate",
        "modwire simulate device.toml --tcp 127.0.0.1:5021 --udp 127.0.0.1:5021",
        "modwire simulate --devices 50 --tcp 127.0.0.1:6000",
        "modwire simulate --devices 50 --tcp 127.0.1.1:502 --consecutive addresses",
        "modwire simulate device.toml --serial /dev/ttyUSB0?baudrate=9600&parity=N",
    )
)(simulate)

app.command(
    epilog=examples(
        "gui",
        "modwire gui",
        "modwire gui device.toml --port 5021 --devices 3 --start",
    )
)(gui)


def main() -> None:
    """Run the command with the arguments of the process, and end the process."""
    run(app)
