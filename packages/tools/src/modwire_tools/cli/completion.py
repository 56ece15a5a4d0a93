"""What the shell may complete: endpoints with serial ports, tables, types, orders, framings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

SCHEMES = {
    "tcp://": "Modbus/TCP",
    "udp://": "Modbus/TCP frames in datagrams",
    "unix:///": "Modbus/TCP frames on a Unix socket",
    "rtu:///": "RTU on a serial port",
    "ascii:///": "ASCII on a serial port",
    "binary:///": "Binary on a serial port",
    **{
        f"{framing}+{transport}://{'/' if transport == 'unix' else ''}": (
            f"{name} frames over {transport}"
        )
        for framing, name in (("rtu", "RTU"), ("ascii", "ASCII"), ("binary", "Binary"))
        for transport in ("tcp", "udp", "unix")
    },
}
TYPES = {
    **{
        f"{sign}int{bits}": f"{'unsigned' if sign else 'signed'} integer of {bits} bits"
        for bits in (8, 16, 32, 64)
        for sign in ("", "u")
    },
    **{f"float{bits}": f"float of {bits} bits" for bits in (16, 32, 64)},
    "string:16": "text of 16 bytes",
    "bcd:4": "4 decimal digits",
    "bits:16": "16 single bits",
    "bit:0": "the lowest bit of a register",
}
TABLES = {
    "co:": "coils",
    "di:": "discrete inputs",
    "hr:": "holding registers",
    "ir:": "input registers",
}
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA", "MODICON")
ENDIANS = ("big", "little")
BAUDRATES = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
PARITIES = ("E", "N", "O")
CONSECUTIVE = ("ports", "addresses")
_SERIAL = ("rtu", "ascii", "binary")

Completions = list[tuple[str, str]]
Completer = Callable[[str], Completions]


def complete_endpoint(incomplete: str) -> Completions:
    """Schemes, the serial ports of this machine, and the options behind a `?`."""
    scheme, separator, rest = incomplete.partition("://")
    if not separator:
        # bash splits words at colons, so that nothing but "//..." may be left.
        if incomplete.startswith("//"):
            return [(f"//{port}", text) for port, text in serial_ports()]
        ports = [(f"rtu://{port}", text) for port, text in serial_ports()]
        return [*SCHEMES.items(), *ports]
    place, mark, options = rest.partition("?")
    if mark:
        return _options(f"{scheme}://{place}?", options, is_serial=scheme in _SERIAL)
    if scheme in _SERIAL:
        return [(f"{scheme}://{port}", text) for port, text in serial_ports()]
    return []


def _options(before: str, options: str, *, is_serial: bool) -> Completions:
    done, ampersand, name = options.rpartition("&")
    start = before + done + ampersand
    names = ["unit=1", "timeout=1", "retries=1"]
    if is_serial:
        names += [f"baudrate={baudrate}" for baudrate in BAUDRATES]
        names += [f"parity={parity}" for parity in PARITIES]
        names += ["stopbits=1", "stopbits=2"]
        names += ["bytesize=7", "bytesize=8"] if before.startswith("ascii") else []
    given = {each.partition("=")[0] for each in done.split("&")}
    return [
        (start + each, "")
        for each in names
        if each.startswith(name) and each.partition("=")[0] not in given
    ]


def serial_ports() -> Completions:
    """The serial ports of this machine, with what is plugged in there."""
    from serial.tools.list_ports import comports

    return sorted((port.device, port.description.replace("n/a", "")) for port in comports())


def complete_address(incomplete: str) -> Completions:
    """Tables, and the types behind a slash."""
    place, slash, _ = incomplete.partition("/")
    if slash:
        return [(f"{place}/{name}", text) for name, text in TYPES.items()]
    return list(TABLES.items())


def complete_table(incomplete: str) -> Completions:
    """Tables without an address."""
    return [(name.rstrip(":"), text) for name, text in TABLES.items()]


def complete_unit(incomplete: str) -> Completions:
    """Unit ids."""
    return [(str(unit), "") for unit in range(1, 248)]


def complete_type(incomplete: str) -> Completions:
    """Types of values."""
    return list(TYPES.items())


def complete_framing(incomplete: str) -> Completions:
    """Framings of messages."""
    from modwire_tools.explain.frames import FRAMINGS

    return [(name, "") for name in FRAMINGS]


def complete_function(incomplete: str) -> Completions:
    """Functions by their names, with their codes."""
    from modwire_tools.explain.kinds import KINDS

    return [
        (kind.name, str(kind.code) if kind.sub_code is None else f"{kind.code}/{kind.sub_code}")
        for kind in KINDS
    ]


def among(choices: Iterable[object]) -> Completer:
    """A completer for fixed choices."""
    found = [(str(choice), "") for choice in choices]

    def complete(incomplete: str) -> Completions:
        return found

    return complete
