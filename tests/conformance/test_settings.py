"""A setting has the same check and the same error in every place that accepts it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from itertools import chain
from typing import Any, NamedTuple

import pytest

import modwire_asyncio
import modwire_gevent
import modwire_sync
import modwire_trio
from modwire import (
    FRAMINGS,
    ClientOptions,
    ClientProtocol,
    ConnectionLostError,
    Endpoint,
    ServerOptions,
    Unit,
    Units,
    silent_interval,
)
from modwire.calls import BlockingCalls
from modwire.messages.register_access import ReadHoldingRegistersRequest
from modwire.planner import PlanLimits
from modwire.serial_settings import SerialSettings

Way = Callable[[Any], object]

PACKAGES = (modwire_sync, modwire_gevent, modwire_trio, modwire_asyncio)

NAN, INF = float("nan"), float("inf")
NO_NUMBERS = [True, False, "1", b"1", [1]]
NO_WHOLE_NUMBERS = [*NO_NUMBERS, 1.0, 1.5, NAN, INF]

GOOD_TIMES, BAD_TIMES = (
    [0.001, 1, 2.5, 1e9],
    [0, -1, 0.0, 2e9, 10**400, NAN, INF, -INF, *NO_NUMBERS],
)
BYTESIZE = "bytesize must be 7 or 8 for ascii, 8 for rtu and binary, got {}"
BAD_BYTESIZES = [0, 6, 9, 8.0, "8", b"8", True]


def of_time(name: str) -> str:
    return f"{name} must be greater than 0 seconds, at most 1e9, got {{}}"


def endpoint(transport: str, framing: str, name: str) -> dict[str, Way]:
    """Return the ways through an endpoint; `connect` makes a client of it."""
    places = {"serial": {"path": "/dev/ttyS0"}, "unix": {"path": "/run/m"}}
    place: dict[str, Any] = places.get(transport, {"host": "meter"})

    def make(value: object) -> Endpoint:
        return Endpoint(transport, framing, **place, **{name: value})  # type: ignore[arg-type]

    ways: dict[str, Way] = {"Endpoint": make}
    for package in PACKAGES:
        ways[f"{package.__name__}.connect"] = lambda value, each=package: each.connect(make(value))
    return ways


def parsed(transport: str, framing: str, name: str) -> Way:
    """Return the way through text, for values that text can express."""
    scheme = framing if transport == "serial" else f"{framing}+{transport}"
    scheme = transport if framing == "tcp" else scheme
    place = {"serial": "/dev/ttyS0", "unix": "/run/m"}.get(transport, "meter")
    return lambda value: Endpoint.parse(f"{scheme}://{place}?{name}={value}")


def clients(transport: str, framing: str, name: str) -> dict[str, Way]:
    """Return the constructor of the client for a transport, for every adapter."""
    kind, place = {
        "tcp": ("TcpClient", "meter"),
        "udp": ("UdpClient", "meter"),
        "unix": ("UnixClient", "/run/m"),
        "serial": ("SerialClient", "/dev/ttyS0"),
    }[transport]
    return {
        f"{package.__name__}.{kind}": lambda value, package=package: getattr(package, kind)(
            place, framing=FRAMINGS[framing], **{name: value}
        )
        for package in PACKAGES
    }


def lines(framing: str, name: str) -> dict[str, Way]:
    """Return all ways to set up a serial line."""
    kind = FRAMINGS[framing]
    return {
        "SerialSettings": lambda value: SerialSettings(kind, **{name: value}),
        "SerialServer": lambda value: modwire_sync.SerialServer(
            Units({}), "/dev/ttyS0", framing=kind, **{name: value}
        ).shutdown(),
        **{
            f"{package.__name__}.SerialSniffer": lambda value, package=package: import_module(
                f"{package.__name__}.sniffing"
            ).SerialSniffer("/dev/ttyS0", framing=kind, **{name: value})
            for package in PACKAGES
        },
        **endpoint("serial", framing, name),
        **clients("serial", framing, name),
    }


def calls(name: str) -> dict[str, Way]:
    """Return a single request that fails before a link is opened: no host has this address."""
    client: BlockingCalls = modwire_sync.TcpClient("192.0.2.1", connect_timeout=0.001)

    def call(value: object) -> None:
        with suppress(ConnectionLostError):  # only a good value gets to this point
            client.read_coils(0, **{name: value})  # type: ignore[arg-type]

    return {"read_coils": call}


def tcp_servers(name: str) -> dict[str, Way]:
    return {
        "TcpServer": lambda value: modwire_sync.TcpServer(
            Units({}), ("127.0.0.1", 0), **{name: value}
        ).shutdown()
    }


def client_options(name: str) -> dict[str, Way]:
    return {"ClientOptions": lambda value: ClientOptions(**{name: value})}


class Case(NamedTuple):
    """A setting, all ways to give it, right and wrong values, and the expected error."""

    name: str
    where: str
    ways: dict[str, Way]
    good: list[Any]
    bad: list[Any]
    sentence: str


NETWORKS = ("tcp", "udp", "unix")
SERIAL_FRAMINGS = ("rtu", "ascii", "binary")


def of_clients(transport: str, framing: str) -> Iterator[Case]:
    def ways(name: str) -> dict[str, Way]:
        return {**endpoint(transport, framing, name), **clients(transport, framing, name)}

    where = f"{transport}-{framing}"
    good, bad, sentence = [1, 247, 248, 255], [-1, 0, 256], "unit must be 1..255, got {}"
    if framing == "tcp":
        good, bad, sentence = [0, 1, 248, 255], [-1, 256], "unit must be 0..255, got {}"
    yield Case("unit", where, ways("unit"), good, [*bad, *NO_WHOLE_NUMBERS], sentence)
    times = {**ways("timeout"), **client_options("response_timeout")}
    yield Case("timeout", where, times, GOOD_TIMES, BAD_TIMES, of_time("timeout"))
    retries = {**ways("retries"), **client_options("retries")}
    sentence = "retries must be a whole number, at least 0, got {}"
    yield Case("retries", where, retries, [0, 3, 10**12], [-1, *NO_WHOLE_NUMBERS], sentence)


def of_lines(framing: str) -> Iterator[Case]:
    good, bad = ([7, 8], BAD_BYTESIZES) if framing == "ascii" else ([8], [7, *BAD_BYTESIZES])
    yield Case("bytesize", framing, lines(framing, "bytesize"), good, bad, BYTESIZE)
    rates: dict[str, Way] = {
        "silent_interval": silent_interval,
        "for_line": PlanLimits.for_line,
        **lines(framing, "baudrate"),
    }
    bad = [True, "9600", b"9600", 9600.0, NAN, INF]
    sentence = "baudrate must be a whole number, got {}"
    yield Case("baudrate", framing, rates, [1, 9600, 10**6], bad, sentence)
    sentence = "baudrate must be greater than 0, got {}"
    yield Case("low baudrate", framing, rates, [300], [0, -9600], sentence)
    bad, sentence = ["X", "e", "", b"E", 1, True], "parity must be N, E or O, got {}"
    yield Case("parity", framing, lines(framing, "parity"), ["N", "E", "O"], bad, sentence)
    bad, sentence = (
        [0, 3, 1.0, 1.5, "1", b"1", True],
        "a serial line must have stopbits 1 or 2, got {}",
    )
    yield Case("stopbits", framing, lines(framing, "stopbits"), [1, 2], bad, sentence)


def of_calls() -> Iterator[Case]:
    units = {**client_options("unit"), **calls("unit")}
    bad, sentence = [-1, 256, *NO_WHOLE_NUMBERS], "unit must be 0..255, got {}"
    yield Case("unit", "call", units, [0, 255], bad, sentence)
    yield Case("timeout", "call", calls("timeout"), [0.001], BAD_TIMES, of_time("timeout"))


def of_options() -> Iterator[Case]:
    for name in ("silence", "tolerance", "turnaround", "late_reply_window"):
        ways: dict[str, Way] = client_options(name)
        if name in ("silence", "tolerance"):
            ways["ServerOptions"] = lambda value, each=name: ServerOptions(**{each: value})
        bad = [-1, 2e9, NAN, INF, *NO_NUMBERS]
        sentence = f"{name} must be at least 0 seconds, at most 1e9, got {{}}"
        yield Case(name, "options", ways, [0, 0.5, 1e9], bad, sentence)
    ways = {**clients("tcp", "tcp", "max_in_flight"), **client_options("max_in_flight")}
    sentence = "max_in_flight must be 1..16, got {}"
    yield Case("max_in_flight", "tcp", ways, [1, 16], [0, 17, *NO_WHOLE_NUMBERS], sentence)
    name = "connect_timeout"
    ways = {**clients("tcp", "tcp", name), **clients("unix", "rtu", name)}
    yield Case(name, "tcp", ways, GOOD_TIMES, BAD_TIMES, of_time(name))


def of_servers() -> Iterator[Case]:
    name = "idle_timeout"
    ways: dict[str, Way] = {"ServerOptions": lambda value: ServerOptions(idle_timeout=value)}
    # A server may keep idle connections for ever.
    good, bad = [0.001, 1, 1e300, INF], [0, -1, NAN, -INF, *NO_NUMBERS]
    sentence = "idle_timeout must be greater than 0 seconds, got {}"
    yield Case(name, "tcp", ways | tcp_servers(name), good, bad, sentence)
    ways = {
        "Gateway": lambda value: modwire_sync.Gateway(
            modwire_sync.TcpClient("meter"), patience=value
        )
    }
    yield Case("patience", "gateway", ways, GOOD_TIMES, BAD_TIMES, of_time("patience"))
    counts = {
        "workers": tcp_servers("workers"),
        "max_connections": tcp_servers("max_connections"),
        "queue": {
            "Gateway": lambda value: modwire_sync.Gateway(
                modwire_sync.TcpClient("meter"), queue=value
            )
        },
    }
    for name, ways in counts.items():
        sentence = f"{name} must be a whole number, at least 1, got {{}}"
        yield Case(name, "server", ways, [1, 8], [0, -1, *NO_WHOLE_NUMBERS], sentence)


CASES = [
    *(case for each in NETWORKS for case in of_clients(each, "tcp")),
    *(
        case
        for each in NETWORKS
        for framing in SERIAL_FRAMINGS
        for case in of_clients(each, framing)
    ),
    *(case for framing in SERIAL_FRAMINGS for case in of_clients("serial", framing)),
    *(case for framing in SERIAL_FRAMINGS for case in of_lines(framing)),
    *of_calls(),
    *of_options(),
    *of_servers(),
]


@pytest.mark.parametrize(
    ("ways", "good", "bad", "sentence"),
    [case[2:] for case in CASES],
    ids=[f"{case.name}-{case.where}" for case in CASES],
)
def test_a_setting_has_one_verdict_and_one_sentence_wherever_it_is_given(
    ways: dict[str, Way], good: list[Any], bad: list[Any], sentence: str
) -> None:
    for label, way in ways.items():
        for value in good:
            way(value)  # accepted
        for value in bad:
            wanted = sentence.format(repr(value))
            try:
                way(value)
            except ValueError as error:
                assert str(error) == wanted, label
            else:
                pytest.fail(f"{label} took {value!r}")


TEXTS = {
    "unit": ["-1", "0", "1", "247", "248", "255", "256", "1.0", "x", "true", "9" * 700],
    "timeout": ["0", "1", "2.5", "1e9", "2e9", "-1", "9" * 700],
    "retries": ["-1", "0", "5", "1" + 12 * "0", "1.5", "x"],
    "baudrate": ["0", "9600", "1e4", "fast", "9600.0"],
    "bytesize": ["6", "7", "8", "9", "8.0"],
    "stopbits": ["0", "1", "2", "3", "1.5"],
    "parity": ["N", "E", "O", "n", "M"],
}


@pytest.mark.parametrize(
    ("transport", "framing", "name"),
    [
        (transport, framing, name)
        for transport, framing in (
            ("tcp", "tcp"),
            ("udp", "rtu"),
            ("unix", "ascii"),
            ("serial", "rtu"),
            ("serial", "ascii"),
        )
        for name in TEXTS
        if transport == "serial" or name in ("unit", "timeout", "retries")
    ],
)
def test_text_is_judged_as_the_value_that_it_stands_for(
    transport: str, framing: str, name: str
) -> None:
    """A number in text counts as that number; other text is refused as it is."""
    make, parse = endpoint(transport, framing, name)["Endpoint"], parsed(transport, framing, name)
    for text in TEXTS[name]:
        value: object = text.upper() if text == "n" else text
        if text.isdigit() and len(text) < 640:
            value = int(text)
        elif name == "timeout":
            value = float(text)
        try:
            wanted = make(value)
        except ValueError as error:
            with pytest.raises(ValueError, match=f": {re.escape(str(error))}$"):
                parse(text)
        else:
            assert parse(text) == wanted


def test_a_client_that_only_broadcasts_has_unit_0_in_its_options() -> None:
    options = ClientOptions(unit=0)
    for package in PACKAGES:
        client = package.TcpClient("meter", framing=FRAMINGS["rtu"], options=options)
        assert client.options.unit == 0


@pytest.mark.parametrize("host", [b"meter", "", None, 7, "a meter", "::g", "me@meter"])
def test_a_host_has_one_verdict_too(host: Any) -> None:
    with pytest.raises(ValueError, match="^host must be a name or an address") as wanted:
        Endpoint("tcp", "tcp", host=host)
    for package in PACKAGES:
        for kind in (package.TcpClient, package.UdpClient):
            with pytest.raises(ValueError, match=f"^{re.escape(str(wanted.value))}$"):
                kind(host)


@pytest.mark.parametrize("path", [b"/run/m", None, 7])
def test_a_path_must_be_text(path: Any) -> None:
    ways: list[Way] = [
        lambda value: Endpoint("unix", "tcp", path=value),
        lambda value: Endpoint("serial", "rtu", path=value),
    ]
    for package in PACKAGES:
        ways += [package.UnixClient, package.SerialClient]
    for way in ways:
        with pytest.raises(ValueError, match=f"^path must be text, got {re.escape(repr(path))}$"):
            way(path)


@pytest.mark.parametrize("value", [None, 5, b"tcp://meter", ["tcp://meter"]])
@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_connected_must_be_an_endpoint(package: Any, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^endpoint must be .*, got {re.escape(repr(value))}$"):
        package.connect(value)


@pytest.mark.parametrize("backlog", [-1, 2**31, 10**30, *NO_WHOLE_NUMBERS, None])
@pytest.mark.parametrize("package", [modwire_sync, modwire_gevent, modwire_asyncio])
def test_a_backlog_is_a_whole_number(package: Any, backlog: Any) -> None:
    with pytest.raises(ValueError, match="^backlog must be 0..2147483647, got "):
        package.TcpServer(Units({}), ("127.0.0.1", 0), backlog=backlog)


@pytest.mark.parametrize("request_", [None, "x", 5, b"\3\0\0\0\1", ReadHoldingRegistersRequest])
def test_what_is_called_must_be_a_request(request_: Any) -> None:
    with pytest.raises(TypeError, match="^request must be a Request, got "):
        ClientProtocol(FRAMINGS["tcp"]).start(request_, now=0.0)


@pytest.mark.parametrize("host", ["127.0.0.1:502", "meter:502", "tcp://meter", "tcp://meter:502"])
def test_a_host_is_no_endpoint(host: str) -> None:
    with pytest.raises(ValueError, match="host must be a name or an address, (and|without) .*"):
        modwire_sync.TcpClient(host)


@pytest.mark.parametrize("address", ["127.0.0.1:502", "127.0.0.1", ":502", "tcp://meter:502"])
def test_an_address_in_one_text_is_no_unix_socket(address: str) -> None:
    """The file of a socket would be made under that name, and no client would come."""
    for package in (modwire_sync, modwire_gevent, modwire_asyncio):
        with pytest.raises(ValueError, match=r"address must be \(host, port\)"):
            package.TcpServer(Units.single(Unit()), address)


@pytest.mark.parametrize("source", [5, ("127.0.0.1",), ("127.0.0.1", True), ("127.0.0.1", 65536)])
def test_a_source_address_is_a_pair(source: Any) -> None:
    for client in chain.from_iterable((each.TcpClient, each.UdpClient) for each in PACKAGES):
        with pytest.raises(ValueError, match="source_address"):
            client("127.0.0.1", source_address=source)
