"""Endpoints as arguments: of a device, of a server, and of a simulated device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from modwire_tools.values.numbers import Seconds

from .annotations import Endpoint, Listen
from .ending import WrongArgumentError
from .types import DURATION, UNIT_ID, Completions, ParamType, Time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SCHEMES = {
    "tcp://": "Modbus/TCP",
    "udp://": "Modbus/TCP frames in datagrams",
    "tls://": "Modbus/TCP Security",
    "unix:///": "Modbus/TCP frames on a Unix socket",
    "rtu:///": "RTU on a serial port",
    "ascii:///": "ASCII on a serial port",
    "binary:///": "Binary on a serial port",
    **{
        f"{framing}+{transport}://{'/' if transport == 'unix' else ''}": (
            f"{name} frames over {transport}"
        )
        for framing, name in (("rtu", "RTU"), ("ascii", "ASCII"), ("binary", "Binary"))
        for transport in ("tcp", "udp", "tls", "unix")
    },
}
BAUDRATES = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
Parity = Literal["N", "E", "O"]
PARITIES: tuple[Parity, ...] = ("E", "N", "O")
_SERIAL = ("rtu", "ascii", "binary")
# The options that the shell offers, each with usual values; those of quirks are in the core.
_OFFERS: dict[str, Sequence[object]] = {
    "unit": ("1",),
    "timeout": ("1",),
    "retries": ("1",),
    "baudrate": BAUDRATES,
    "parity": PARITIES,
    "stopbits": ("1", "2"),
    "bytesize": ("7", "8"),
    "pause": ("0.1",),
    "unit_pause": ("0.1",),
    "connect_delay": ("1",),
    "reconnect_after": ("1", "never"),
    "busy_retries": ("3",),
    "busy_pause": ("1",),
    "retry_writes": ("true",),
    "turnaround": ("0.2",),
    "late_reply_window": ("5",),
    "silence": ("0.01",),
    "tolerance": ("0.1",),
    "suppress_echo": ("true",),
    "max_in_flight": ("4",),
    "connect_timeout": ("10",),
    "keepalive": ("false",),
    "rs485": ("true",),
    "exclusive": ("false",),
    "ca": ("ca.pem",),
    "certificate": ("client.pem",),
    "key": ("client.key",),
    "password_file": ("client.password",),
    "server_hostname": ("plc.example",),
    "pinned": ("SHA256",),
}


class DeviceEndpoint(ParamType["Endpoint"]):
    """The endpoint of a device: tcp://192.0.2.7, rtu:///dev/ttyUSB0?baudrate=9600."""

    metavar = "ENDPOINT"

    def parse(self, text: str) -> Endpoint:
        from modwire import Endpoint

        try:
            endpoint = Endpoint.parse(text)
        except ValueError as error:
            from modwire_tools.endpoint_forms import explained

            raise ValueError(explained(text, error)) from None
        if endpoint.transport == "serial":
            from modwire_tools.endpoint_forms import check_settings

            check_settings(endpoint)
        if endpoint.host and not endpoint.port:
            raise ValueError(f"endpoint {text!r}: port must be 1..65535, got 0")
        return endpoint

    def complete(self, incomplete: str) -> Completions:
        return complete_endpoint(incomplete, self.parse)


class ListenEndpoint(ParamType["Listen"]):
    """The endpoint of a server: tcp://127.0.0.1:5020, tcp://:5020, rtu:///dev/ttyUSB0."""

    def parse(self, text: str) -> Listen:
        from modwire_tools.server.listening import parse_listen

        return parse_listen(text)

    def complete(self, incomplete: str) -> Completions:
        return complete_endpoint(incomplete, self.parse)


class SimulatedEndpoint(ParamType["Endpoint"]):
    """The endpoint of a simulated device: a URL, HOST:PORT, :PORT, PORT or a serial port.

    `transport` is "tcp", "udp", "tls" or "serial". As for a server, `:PORT` is at all addresses of
    this machine, and PORT is at 127.0.0.1.
    """

    def __init__(self, transport: str) -> None:
        self.transport = transport
        self.metavar = "PORT" if transport == "serial" else "HOST:PORT"

    def parse(self, text: str) -> Endpoint:
        from modwire_tools.server.listening import parse_listen

        found = text
        if "://" not in text:
            scheme = "rtu" if self.transport == "serial" else self.transport
            host = "127.0.0.1:" if text.isdigit() and scheme != "rtu" else ""
            found = f"{scheme}://{host}{text}"
        endpoint = parse_listen(found).endpoint
        if endpoint.transport != self.transport:
            raise ValueError(f"{text!r} is an endpoint of another kind: {endpoint.transport}")
        return endpoint

    def complete(self, incomplete: str) -> Completions:
        if "?" in incomplete:
            return complete_options(incomplete, self.parse)
        return serial_ports() if self.transport == "serial" else []


def complete_endpoint(incomplete: str, parse: Callable[[str], object]) -> Completions:
    """Offer schemes, the serial ports of this machine, and the options that `parse` accepts."""
    scheme, separator, rest = incomplete.partition("://")
    if not separator:
        # bash splits words at colons, so only the part from "//" on may arrive here.
        if incomplete.startswith("//"):
            return [(f"//{port}", text) for port, text in serial_ports()]
        ports = [(f"rtu://{port}", text) for port, text in serial_ports()]
        return [*SCHEMES.items(), *ports]
    if "?" in rest:
        return complete_options(incomplete, parse)
    if scheme in _SERIAL:
        return [(f"{scheme}://{port}", text) for port, text in serial_ports()]
    return []


def complete_options(incomplete: str, parse: Callable[[str], object]) -> Completions:
    """Offer the options behind the `?` that are not given yet, if `parse` accepts them."""
    place, mark, query = incomplete.partition("?")
    done, ampersand, last = query.rpartition("&")
    start = place + mark + done + ampersand
    given = {each.partition("=")[0] for each in done.split("&")}
    return [
        (start + offer, "")
        for name, offer in _offers(last)
        if name not in given and offer.startswith(last) and _is_accepted(start + offer, parse)
    ]


def _offers(last: str) -> Iterator[tuple[str, str]]:
    """Yield the names of options, each with an offer for the word; `last` has the quirks so far."""
    from modwire import Quirks

    for name, values in _OFFERS.items():
        yield from ((name, f"{name}={value}") for value in values)
    begun, comma, _ = last.rpartition(",")
    taken = begun.removeprefix("quirks=").split(",")
    before = begun + comma if comma else "quirks="
    for each in Quirks:
        if each and each.name not in taken:  # Python 3.10 has `none` among them
            yield "quirks", f"{before}{each.name}"


def _is_accepted(text: str, parse: Callable[[str], object]) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


def serial_ports() -> Completions:
    """Return the serial ports of this machine, each with a description of the adapter."""
    from serial.tools.list_ports import comports

    return sorted((port.device, port.description.replace("n/a", "")) for port in comports())


DEVICE = DeviceEndpoint()
NO_DELAY = Seconds(0)
LISTEN = ListenEndpoint()

ENDPOINT_HELP = (
    "The device: tcp://192.0.2.7, rtu:///dev/ttyUSB0?baudrate=9600&parity=N, rtu://COM3, "
    "rtu://rfc2217://192.0.2.9:2217, rtu+tcp://192.0.2.8:4001. After the ? may come unit, timeout, "
    "retries, pause, quirks and other options: see Endpoints in the documentation. TLS is "
    "tls://192.0.2.7?ca=ca.pem&certificate=client.pem&key=client.key."
)
EndpointArgument = Annotated[Endpoint, DEVICE.argument("ENDPOINT", help=ENDPOINT_HELP)]
UnitOption = Annotated[
    int | None,
    UNIT_ID.option(
        "--unit", "-u", help="The unit to ask, 0..255; else that of the endpoint, or 1."
    ),
]
TimeoutOption = Annotated[
    float | None,
    DURATION.option("--timeout", help="How long to wait for each answer."),
]
DelayOption = Annotated[
    float,
    Time(zero=True).option(
        "--delay", help="Pause between two requests, such as 50ms, for slow devices."
    ),
]


def unit_of(endpoint: Endpoint, unit: int | None) -> int:
    """Return the unit id for requests: from `--unit`, from the endpoint, or 1."""
    if unit is None:
        return 1 if endpoint.unit is None else endpoint.unit
    return unit


def check_no_broadcast(endpoint: Endpoint, unit: int) -> None:
    """Raise WrongArgumentError for a unit id that means broadcast: it cannot be read."""
    if not unit and endpoint.broadcasts_zero:
        raise WrongArgumentError(
            "--unit 0 is a broadcast on a serial line, which no unit answers: take 1..255, "
            "or add ?quirks=answers_unit_zero for a device that answers"
        )


def check_units(endpoint: Endpoint, option: str, units: Sequence[int]) -> None:
    """Raise WrongArgumentError for unit ids that are not allowed at `endpoint`."""
    if 0 in units and endpoint.broadcasts_zero:
        raise WrongArgumentError(f"{option} must be 1..255 on a serial line, got 0")


def with_line(
    endpoint: Endpoint, *, baudrate: int | None = None, parity: Parity | None = None
) -> Endpoint:
    """Return the endpoint of a serial port with other settings of the line."""
    changes: dict[str, object] = {} if baudrate is None else {"baudrate": baudrate}
    if parity is not None:
        # Another parity needs its own number of stop bits (Serial Line V1.02, 2.5.1).
        changes |= {"parity": parity, "stopbits": None}
    return endpoint.replace(**changes)
