"""Wrong arguments: the error names what the user called, what was wrong, and what is allowed."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest

from modwire import (
    ClientOptions,
    Endpoint,
    Identity,
    SequentialBlock,
    ServerOptions,
    SparseBlock,
    Unit,
    Units,
)
from modwire.arguments import explained
from modwire.planner import PlanLimits, Planner, plan

PACKAGES = ("sync", "gevent", "trio", "asyncio")
UNITS = Units.single(Unit())
LOOPBACK = ("127.0.0.1", 0)

with_servers = pytest.mark.parametrize("package", ["sync", "gevent", "asyncio"])
with_clients = pytest.mark.parametrize("package", PACKAGES)


def public(package: str, name: str) -> Any:
    return getattr(import_module(f"modwire_{package}"), name)


@with_servers
@pytest.mark.parametrize("kind", ["TcpServer", "UdpServer"])
def test_a_host_and_a_port_are_one_argument(package: str, kind: str) -> None:
    text = f"^{kind} takes the address as one argument, the pair \\('127.0.0.1', 5020\\)$"
    with pytest.raises(TypeError, match=text):
        public(package, kind)(UNITS, "127.0.0.1", 5020)


SERVER_MISTAKES: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    (
        "TcpServer",
        (UNITS,),
        {"idle_timeot": 3},
        "has no argument 'idle_timeot'; did you mean 'idle_",
    ),
    ("TcpServer", (UNITS,), {"host": "::"}, "has no argument 'host'; did you mean 'address'?"),
    (
        "TcpServer",
        (UNITS,),
        {"color": 3},
        "has no argument 'color'; it has units, address, framing,",
    ),
    ("TcpServer", (), {}, "needs an argument: 'units' is missing"),
    ("UdpServer", (UNITS,), {"alow": []}, "has no argument 'alow'; did you mean 'allow'?"),
    (
        "SerialServer",
        (UNITS, "x"),
        {"baud": 9600},
        "has no argument 'baud'; did you mean 'baudrate'",
    ),
    ("SerialServer", (UNITS,), {}, "needs the arguments units, port: 'port' is missing"),
    (
        "SerialServer",
        (UNITS, "x", 9600),
        {},
        "takes only units, port without a name, got 9600 too: give it by its name, one of framing,",
    ),
    ("Gateway", (None,), {"tiemout": 3}, "has no argument 'tiemout'; did you mean 'timeout'?"),
    ("RemoteUnit", (None, 1), {"time": 3}, "has no argument 'time'; did you mean 'timeout'?"),
]


@with_servers
@pytest.mark.parametrize(("kind", "given", "named", "text"), SERVER_MISTAKES)
def test_servers_name_the_class_that_was_called(
    package: str, kind: str, given: tuple[Any, ...], named: dict[str, Any], text: str
) -> None:
    with pytest.raises(TypeError, match=f"^{kind} {re.escape(text)}"):
        public(package, kind)(*given, **named)


CLIENT_MISTAKES: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("TlsClient", ("h",), {"certficate": "x"}, "has no argument 'certficate'; did you mean 'certi"),
    ("TlsClient", ("h",), {"zz": 1}, "has no argument 'zz'; it has context, ca, certificate, key,"),
    ("TcpClient", ("h",), {"tiemout": 3}, "has no argument 'tiemout'; did you mean 'timeout'?"),
    ("TcpClient", ("h", 502, 3), {}, "takes only host, port without a name, got 3 too"),
    ("TcpClient", (), {}, "needs an argument: 'host' is missing"),
    ("SerialClient", ("x", 9600), {}, "takes only port without a name, got 9600 too: give it by"),
    ("SerialClient", ("x",), {"baud": 1}, "has no argument 'baud'; did you mean 'baudrate'?"),
]


@with_clients
@pytest.mark.parametrize(("kind", "given", "named", "text"), CLIENT_MISTAKES)
def test_clients_name_the_class_that_was_called(
    package: str, kind: str, given: tuple[Any, ...], named: dict[str, Any], text: str
) -> None:
    with pytest.raises(TypeError, match=f"^{kind} {re.escape(text)}"):
        public(package, kind)(*given, **named)


@pytest.mark.parametrize(
    ("function", "named", "text"),
    [
        (
            "serve_tcp",
            {"idle": 3},
            "serve_tcp has no argument 'idle'; did you mean 'idle_timeout'?",
        ),
        (
            "serve_udp",
            {"max_call": 3},
            "serve_udp has no argument 'max_call'; did you mean 'max_ca",
        ),
        (
            "serve_serial",
            {"baud": 3},
            "serve_serial has no argument 'baud'; did you mean 'baudrate",
        ),
        (
            "serve_unix",
            {"backlogs": 3},
            "serve_unix has no argument 'backlogs'; did you mean 'backl",
        ),
    ],
)
def test_the_functions_of_trio_name_themselves(
    function: str, named: dict[str, Any], text: str
) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(text)}"):
        public("trio", function)(UNITS, 0, **named)


@pytest.mark.parametrize(
    ("function", "given", "named", "text"),
    [
        (Unit, (), {"coil": 1}, "Unit has no argument 'coil'; did you mean 'coils'?"),
        (Unit, (), {"xyz": 1}, "Unit has no argument 'xyz'; it has coils, discrete_inputs,"),
        (Units, (), {}, "Units needs an argument: 'units' is missing"),
        (
            SequentialBlock,
            (0,),
            {},
            "SequentialBlock needs the arguments start, values: 'values' is",
        ),
        (SequentialBlock, (0, [1], True), {}, "SequentialBlock takes only start, values without a"),
        (
            SparseBlock,
            ({},),
            {"readonly": True},
            "SparseBlock has no argument 'readonly'; did you me",
        ),
        (
            Identity,
            ({},),
            {"x": 1},
            "Identity has no argument 'x'; it has objects, individual_access",
        ),
        (
            ClientOptions,
            (),
            {"slave": 1},
            "ClientOptions has no argument 'slave'; did you mean 'unit",
        ),
        (
            ServerOptions,
            (),
            {"idle": 1},
            "ServerOptions has no argument 'idle'; did you mean 'idle_t",
        ),
        (
            ServerOptions,
            (3,),
            {},
            "ServerOptions takes nothing without a name, got 3 too: give it by",
        ),
        (
            Endpoint,
            ("tcp",),
            {},
            "Endpoint needs the arguments transport, framing: 'framing' is miss",
        ),
        (
            PlanLimits,
            (),
            {"max_regs": 1},
            "PlanLimits has no argument 'max_regs'; did you mean 'max_",
        ),
        (Planner, ([],), {"limit": 1}, "Planner has no argument 'limit'; did you mean 'limits'?"),
        (plan, ([],), {"limit": 1}, "plan has no argument 'limit'; did you mean 'limits'?"),
    ],
)
def test_the_parts_of_core_name_themselves(
    function: Any, given: tuple[Any, ...], named: dict[str, Any], text: str
) -> None:
    with pytest.raises(TypeError, match=f"^{re.escape(text)}"):
        function(*given, **named)


def test_a_subclass_is_named_by_its_own_name() -> None:
    class Meter(Unit):
        pass

    with pytest.raises(TypeError, match="^Meter has no argument 'coil'; did you mean 'coils'"):
        Meter(coil=None)  # type: ignore[call-arg]


def test_a_type_error_inside_a_function_stays_as_it_is() -> None:
    def inner() -> None:
        inner(3)  # type: ignore[call-arg]

    @explained
    def outer(first: object, *, second: int = 0) -> object:
        """Do something."""
        if second:
            inner()
        return first + 1  # type: ignore[operator]

    with pytest.raises(TypeError, match="takes 0 positional arguments but 1 was given"):
        outer(1, second=1)
    assert outer(1) == 2
    with pytest.raises(TypeError, match="^outer got the argument 'first' twice"):
        outer(1, first=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unsupported operand"):
        outer(None)
    assert (outer.__name__, outer.__doc__) == ("outer", "Do something.")


@with_servers
@pytest.mark.parametrize("allow", [["nonsense"], ["192.168.1.1/24"], [5], "::1"])
@pytest.mark.parametrize("kind", ["TcpServer", "UdpServer"])
def test_a_wrong_network_names_the_argument(package: str, kind: str, allow: Any) -> None:
    with pytest.raises(ValueError, match="^allow must "):
        public(package, kind)(UNITS, LOOPBACK, allow=allow)


# Options beside an endpoint.


@with_clients
def test_connect_takes_options_in_place_of_those_of_the_endpoint(package: str) -> None:
    connect = public(package, "connect")
    for endpoint in (
        "tcp://192.0.2.1?timeout=9&retries=1",
        Endpoint.parse("tcp://192.0.2.1?retries=1"),
    ):
        options = connect(endpoint, timeout=2, unit=17, pause=0.5).options
        assert (options.response_timeout, options.unit, options.retries) == (2, 17, 1)
        assert options.pause == 0.5
    line = connect("rtu:///dev/ttyUSB0", baudrate=9600, parity="N")
    assert (line._settings.baudrate, line._settings.parity, line._settings.stopbits) == (
        9600,
        "N",
        2,
    )


@with_clients
@pytest.mark.parametrize(
    ("named", "error", "text"),
    [
        (
            {"tiemout": 2},
            TypeError,
            "option must be one of unit, timeout, .* did you mean 'timeout'",
        ),
        ({"baudrate": 9600}, ValueError, "tcp has no serial line, so no baudrate"),
        ({"timeout": 0}, ValueError, "timeout must be greater than 0 seconds"),
        ({"silence": 0.1}, ValueError, "has no silence, which is for RTU frames"),
    ],
)
def test_connect_refuses_what_the_endpoint_cannot_have(
    package: str, named: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        public(package, "connect")("tcp://192.0.2.1", **named)


@with_clients
@pytest.mark.parametrize("unit", ["2", None, 256, -1, 1.0, True])
def test_a_handle_names_the_argument_and_its_range(package: str, unit: Any) -> None:
    client = public(package, "TcpClient")("192.0.2.1")
    with pytest.raises(ValueError, match=re.escape(f"unit must be 0..255, got {unit!r}")):
        client.unit(unit)
    with pytest.raises(TypeError, match="^unit has no argument 'tiemout'; did you mean 'timeout'"):
        client.unit(1, tiemout=2)


@pytest.mark.parametrize("package", ["trio", "asyncio"])
def test_an_async_client_names_its_aclose(package: str) -> None:
    client = public(package, "TcpClient")("192.0.2.1")
    assert not hasattr(client, "close")
    with pytest.raises(AttributeError, match=r"^TcpClient has no close\(\): await its aclose\(\)$"):
        client.close()
