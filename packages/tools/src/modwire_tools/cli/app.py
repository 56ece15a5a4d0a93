"""The `modwire` command itself: its subcommands, and its exit.

A subcommand is a function in a module of the same name in this folder. The module is imported when
the subcommand is used, so that `modwire --help` starts at once. If it has `SUBCOMMANDS`, these
functions are the subcommands of that one.
"""

from __future__ import annotations

from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from .ending import INTERRUPTED, run
from .help import Command, examples
from .version import print_version

if TYPE_CHECKING:
    from typer._click import Context

COMMANDS = {
    "read": """
        Read values, with as few requests as possible.
        modwire read tcp://127.0.0.1:5020 40001 co:3
        modwire read tcp://127.0.0.1:5020 ir:8 --type float32 --word-order little
        modwire read tcp://127.0.0.1:5020 ir:0 --count 3 --scale 0.1 --watch 1s
        modwire read tcp://127.0.0.1:5020 ir:0..2/0.1 ir:8/float32/CDAB
        modwire read 'rtu:///dev/ttyUSB0?baudrate=9600' hr:0/string:16 --unit 17 --json
        modwire read 'tcp://192.0.2.7?pause=0.1&quirks=any_unit' hr:0
        modwire read 'tls://plc.example?ca=ca.pem&certificate=me.pem&key=me.key' hr:0
        modwire read tcp://192.0.2.7 hr:0 --device meter.toml
        modwire read --device meter.toml voltage_l1
    """,
    "write": """
        Write values, and print what was written.
        modwire write tcp://127.0.0.1:5020 hr:2=4200.5 --type float32 --verify
        modwire write tcp://127.0.0.1:5020 co:0=on co:1=off hr:0=15,40
        modwire write tcp://127.0.0.1:5020 hr:1/bit:3=on hr:4/string:6=pump
        modwire write tcp://127.0.0.1:5020 hr:2/int16/0.1=22.5 hr:4/float32/CDAB=230.4
        modwire write --device meter.toml setpoint=22.5
    """,
    "scan": """
        Find units, line settings, and readable addresses.
        modwire scan tcp://127.0.0.1:5020 --units 1..10
        modwire scan tcp://127.0.0.1:5020 --table hr --table ir --json
        modwire scan rtu:///dev/ttyUSB0 --baudrates all --parities all --resume scan.json
        modwire scan rtu:///dev/ttyUSB0 --table hr --unit 17 --delay 50ms
    """,
    "ports": """
        List the serial ports of this machine, with what is plugged in.
        modwire ports
        modwire ports --json
    """,
    "bench": """
        Measure requests per second, latencies and errors.
        modwire bench tcp://127.0.0.1:5020 --duration 10s
        modwire bench tcp://127.0.0.1:5020 -a ir:0 -n 10 --concurrency 4 --pipeline 8 --json
    """,
    "poll": """
        Read the devices of a plant for ever, and hand their values on.
        modwire poll plant.toml
        modwire poll check plant.toml
        modwire poll plant.toml --once
        modwire poll plant.toml --watch --reload
    """,
    "gateway": """
        Forward requests to devices on other lines until Ctrl+C.
        modwire gateway tcp://:5021 'rtu:///dev/ttyUSB0?baudrate=9600' --map 1=17
        modwire gateway tcp://:5021 rtu:///dev/ttyUSB0 rtu:///dev/ttyUSB1 --map 1..9 --map 10=2/1
        modwire gateway rtu:///dev/ttyUSB0 tcp://192.0.2.7
        modwire gateway tcp://:5021 tcp://192.0.2.7 --read-only
    """,
    "serve": """
        Serve coils and registers until Ctrl+C.
        modwire serve tcp://127.0.0.1:5021 --coils 100 --set ir:8/float32=230.4
        modwire serve tcp://127.0.0.1:5021 --store sqlite:///plant.db --processes 2
        modwire serve 'rtu:///dev/ttyUSB0?baudrate=9600' --units 17
        modwire serve tls://:802 --certificate plc.pem --key plc.key --client-ca ca.pem
        modwire serve tcp://127.0.0.1:5021 --web 127.0.0.1:8080
    """,
    "scrape": """
        Copy a whole device into a file; `modwire simulate` serves it.
        modwire scrape tcp://127.0.0.1:5020 -o meter.toml
        modwire scrape tcp://127.0.0.1:5020 -o meter.json --unit 1 --addresses 0..999
        modwire scrape 'rtu:///dev/ttyUSB0?baudrate=9600' -o meter.toml --unit 17 --delay 20ms
    """,
    "map": """
        Turn register lists of other tools into device files and classes.
        modwire map import telegraf.conf -o meter.toml
        modwire map import modbus.yml -o meters/
        modwire map import registers.csv --unit 17 --endpoint tcp://192.0.2.7 -o meter.toml
        modwire map class meter.toml -o meter.py
    """,
    "simulate": """
        Serve simulated devices over TCP, UDP, TLS and serial lines.
        modwire simulate
        modwire simulate device.toml --tcp 127.0.0.1:5021 --udp 127.0.0.1:5021
        modwire simulate --web 127.0.0.1:8080
        modwire simulate --devices 50 --tcp 127.0.0.1:6000
        modwire simulate --devices 50 --tcp 127.0.1.1:502 --consecutive addresses
        modwire simulate -n 50 --tcp 10.9.0.1:502 --consecutive addresses --interface eth0
        modwire simulate device.toml --serial '/dev/ttyUSB0?baudrate=9600&parity=N'
    """,
    "gui": """
        Open a window that simulates devices.
        modwire gui
        modwire gui device.toml --port 5021 --devices 3 --start
        modwire gui --toolkit gtk
    """,
    "parse": """
        Explain messages, field by field, and the Modbus in captures.
        modwire parse 000112340006ff076d
        modwire parse 01 03 00 6b 00 03 74 17
        modwire parse --framing rtu --response 010304000100022a32
        modwire parse capture.pcap --port 502 --port 5020
        modwire parse gateway.pcapng --port 4001 --framing rtu --fields
    """,
    "sniff": """
        Listen on a serial line, without ever writing to it.
        modwire sniff 'rtu:///dev/ttyUSB0?baudrate=9600&parity=N'
        modwire sniff 'rtu:///dev/ttyUSB0?baudrate=115200' -o bus.pcap --duration 1m
        modwire sniff bus.pcap --fields
        modwire sniff recorded.bin --framing ascii --json
    """,
    "generate": """
        Print messages in each framing, as requests and as responses.
        modwire generate
        modwire generate read_coils 8/11 --framing rtu
        modwire generate 16 --address 0x10 --values 1,2,3 --unit 17 --json
        modwire generate 3 --exception 2 --response
    """,
    "pki": """
        Issue certificates with roles, for servers and clients over TLS.
        modwire pki init plant
        modwire pki issue plant plc --host plc.example --host 192.0.2.7
        modwire pki issue plant alice --role operator
        modwire pki revoke plant alice
        modwire pki show plant --json
    """,
    "demo": """
        Show all packages in use, with a small energy meter.
        modwire demo
        modwire demo --once
    """,
}
"""The subcommands: the first line of their help, then examples."""

FAILURES = {
    "read": "an address could not be read, or the link failed",
    "write": "a value was not written, --verify found another, or the link failed",
    "scan": "no unit answers, no address can be read, or the link failed",
    "ports": "there is no serial port",
    "bench": "no request was answered",
    "poll": "a file could not be read, something does not fit (check), or with --once a device "
    "does not answer or a sink takes nothing",
    "gateway": "it cannot listen, or a serial port cannot be opened or was lost",
    "serve": "it cannot listen, a serial port was lost, or the store is not there",
    "scrape": "the device did not answer, or a file could not be read or written",
    "map": "an entry of the list was left out, or a file could not be read or written",
    "simulate": "a file could not be read, or no device can be served",
    "gui": "the window cannot be opened",
    "parse": "a file could not be read",
    "sniff": "the port cannot be opened or was lost, or a file could not be read or written",
    "generate": "the output could not be written",
    "pki": "a file is there already, or could not be read or written",
    "demo": "a value differs from the expected one, or a port cannot be opened",
}
"""The meaning of exit code 1 of each subcommand."""

_UNTIL_TERMINATED = ("poll", "gateway", "gui", "serve", "simulate")


def exit_codes(name: str) -> str:
    """Return the paragraph about exit codes for the help of a subcommand."""
    end = "Ctrl+C, and 0 for SIGTERM" if name in _UNTIL_TERMINATED else "Ctrl+C"
    return (
        f"Exit codes: 0 success; 1 {FAILURES[name]}; 2 an argument was wrong; {INTERRUPTED} {end}."
    )


_LINES = {name: cleandoc(text).splitlines() for name, text in COMMANDS.items()}
_EPILOGS = {
    name: f"{examples(name, *lines[1:])}\n\n{exit_codes(name)}" for name, lines in _LINES.items()
}


class _Named(TyperCommand):
    """The name and the short help of a subcommand, which is imported when it is used."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Context | None = None, **extra: Any
    ) -> Context:
        """Return the context of the subcommand itself."""
        assert self.name is not None
        module = import_module(f".{self.name}", __package__)
        function = getattr(module, self.name)
        whole = typer.Typer(add_completion=False, rich_markup_mode=None)
        subcommands = getattr(module, "SUBCOMMANDS", ())
        for each in subcommands:
            whole.command(cls=Command)(each)
        if subcommands:
            whole.callback(epilog=_EPILOGS[self.name], invoke_without_command=True)(function)
        else:
            whole.command(cls=Command, epilog=_EPILOGS[self.name])(function)
        return typer.main.get_command(whole).make_context(info_name, args, parent, **extra)


class _Group(TyperGroup):
    """The command with the names of its subcommands."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, lines in _LINES.items():
            self.add_command(_Named(name, short_help=lines[0]))


app = typer.Typer(
    cls=_Group,
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


def main() -> None:
    """Run the command with the arguments of the process, and end the process."""
    run(_answer)


def _answer(**how: Any) -> object:
    """Answer a shell that asks for completions, or else run the command."""
    import os
    import sys

    if (shell := os.environ.get("_MODWIRE_SHELL")) is not None:
        from .completing import print_completions

        print_completions(shell)
        return None
    if any(word.endswith("-completion") for word in sys.argv[1:2]):
        from .shell_scripts import answer_option

        if answer_option(sys.argv[1:]):
            return None
    return app(**how)
