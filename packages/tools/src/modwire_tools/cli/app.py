"""The `modwire` command itself: its subcommands, and its exit.

A subcommand is a function in its own module in this folder, registered here. These modules import
other packages inside the function, so that `modwire --help` starts at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from .bench import bench
from .demo import demo
from .ending import run
from .gateway import gateway
from .generate import generate
from .gui import gui
from .help import Command, examples
from .parse import parse
from .read import read
from .scan import scan
from .scrape import scrape
from .serve import serve
from .simulate import simulate
from .sniff import sniff
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
    + "\n\nExit codes: 0 success; 1 the device or the link failed, or a file could not be read or "
    "written; 2 an argument was wrong; 130 Ctrl+C. Data goes to standard output, everything else "
    "to standard error. NO_COLOR is honoured.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    # Frames around the help would double the time until it appears.
    rich_markup_mode=None,
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


_COMMANDS: dict[Callable[..., None], str] = {
    read: """
        modwire read tcp://127.0.0.1:5020 40001 co:3
        modwire read tcp://127.0.0.1:5020 ir:8 --type float32 --word-order little
        modwire read tcp://127.0.0.1:5020 ir:0 --count 3 --scale 0.1 --watch 1s
        modwire read 'rtu:///dev/ttyUSB0?baudrate=9600' hr:0/string:16 --unit 17 --json
        modwire read 'tcp://192.0.2.7?pause=0.1&quirks=any_unit' hr:0
        modwire read tcp://192.0.2.7 hr:0 --device meter.toml
    """,
    write: """
        modwire write tcp://127.0.0.1:5020 hr:2=4200.5 --type float32 --verify
        modwire write tcp://127.0.0.1:5020 co:0=on co:1=off hr:0=15,40
        modwire write tcp://127.0.0.1:5020 hr:1/bit:3=on hr:4/string:6=pump
    """,
    scan: """
        modwire scan tcp://127.0.0.1:5020 --units 1..10
        modwire scan tcp://127.0.0.1:5020 --table hr --table ir --json
        modwire scan rtu:///dev/ttyUSB0 --baudrates all --parities all --resume scan.json
        modwire scan rtu:///dev/ttyUSB0 --table hr --unit 17 --delay 50ms
    """,
    bench: """
        modwire bench tcp://127.0.0.1:5020 --duration 10s
        modwire bench tcp://127.0.0.1:5020 -a ir:0 -n 10 --concurrency 4 --pipeline 8 --json
    """,
    gateway: """
        modwire gateway tcp://:5021 'rtu:///dev/ttyUSB0?baudrate=9600' --map 1=17
        modwire gateway tcp://:5021 rtu:///dev/ttyUSB0 rtu:///dev/ttyUSB1 --map 1..9 --map 10=2/1
        modwire gateway rtu:///dev/ttyUSB0 tcp://192.0.2.7
    """,
    serve: """
        modwire serve tcp://127.0.0.1:5021 --coils 100 --set ir:8/float32=230.4
        modwire serve tcp://127.0.0.1:5021 --store sqlite:///plant.db --processes 2
        modwire serve 'rtu:///dev/ttyUSB0?baudrate=9600' --units 17
    """,
    scrape: """
        modwire scrape tcp://127.0.0.1:5020 -o meter.toml
        modwire scrape tcp://127.0.0.1:5020 -o meter.json --unit 1 --addresses 0..999
        modwire scrape 'rtu:///dev/ttyUSB0?baudrate=9600' -o meter.toml --unit 17 --delay 20ms
    """,
    simulate: """
        modwire simulate
        modwire simulate device.toml --tcp 127.0.0.1:5021 --udp 127.0.0.1:5021
        modwire simulate --web 127.0.0.1:8080
        modwire simulate --devices 50 --tcp 127.0.0.1:6000
        modwire simulate --devices 50 --tcp 127.0.1.1:502 --consecutive addresses
        modwire simulate device.toml --serial '/dev/ttyUSB0?baudrate=9600&parity=N'
    """,
    gui: """
        modwire gui
        modwire gui device.toml --port 5021 --devices 3 --start
    """,
    parse: """
        modwire parse 000112340006ff076d
        modwire parse 01 03 00 6b 00 03 74 17
        modwire parse --framing rtu --response 010304000100022a32
        modwire parse capture.pcap --port 502 --port 5020
        modwire parse gateway.pcapng --port 4001 --framing rtu --fields
    """,
    sniff: """
        modwire sniff 'rtu:///dev/ttyUSB0?baudrate=9600&parity=N'
        modwire sniff 'rtu:///dev/ttyUSB0?baudrate=115200' -o bus.pcap --duration 1m
        modwire sniff bus.pcap --fields
        modwire sniff recorded.bin --framing ascii --json
    """,
    generate: """
        modwire generate
        modwire generate read_coils 8/11 --framing rtu
        modwire generate 16 --address 0x10 --values 1,2,3 --unit 17 --json
        modwire generate 3 --exception 2 --response
    """,
    demo: """
        modwire demo
        modwire demo --once
    """,
}
for _command, _examples in _COMMANDS.items():
    _lines = [line.strip() for line in _examples.strip().splitlines()]
    app.command(cls=Command, epilog=examples(_command.__name__, *_lines))(_command)


def main() -> None:
    """Run the command with the arguments of the process, and end the process."""
    run(app)
