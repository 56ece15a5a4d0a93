"""The four packages have the same names, parameters and documentation, except for this list.

To move a program to another package, only the import and `await` change. The sync package is the
reference; each exception has a comment with its reason.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import chain
from typing import Any

import pytest
import trio

import modwire
import modwire.gateway.units
import modwire.server.constructors
import modwire_asyncio
import modwire_gevent
import modwire_sync
import modwire_trio
from modwire import ServerOptions, Units
from modwire.calls import AsyncCalls, BlockingCalls
from modwire.client.streams import AsyncClientBase
from modwire.tls.contexts import CredentialsError

PACKAGES = {
    "sync": modwire_sync,
    "gevent": modwire_gevent,
    "trio": modwire_trio,
    "asyncio": modwire_asyncio,
}
CLIENTS = ("Client", "TcpClient", "TlsClient", "UdpClient", "UnixClient", "SerialClient")
ASYNC = (modwire_trio, modwire_asyncio)
SERVERS = ("TcpServer", "TlsServer", "UdpServer", "SerialServer")

# Public names that sync does not have: trio's servers are functions, which serve until cancelled,
# and only trio and asyncio await units.
FUNCTIONS = {
    "serve_tcp",
    "serve_tls",
    "serve_udp",
    "serve_unix",
    "serve_serial",
    "serve_stream",
}
MORE_NAMES: dict[str, set[str]] = {
    "gevent": set(),
    "trio": {"AsyncUnit", *FUNCTIONS},
    "asyncio": {"AsyncUnit"},
}
FEWER_NAMES: dict[str, set[str]] = {"gevent": set(), "trio": set(SERVERS), "asyncio": set()}

# Methods that sync does not have: gevent's own servers have `stop`.
MORE_METHODS = {("gevent", name): {"stop"} for name in SERVERS}
# A trio.abc.AsyncResource has `aclose`, and so have the client libraries for asyncio.
RENAMED: dict[str, dict[str, str]] = {
    "gevent": {},
    "trio": {"close": "aclose"},
    "asyncio": {"close": "aclose"},
}

# Methods of sync that a package does not have: asyncio's streams have TLS of their own.
FEWER_METHODS = {("asyncio", name): {"wrap_socket"} for name in ("TcpServer", "TlsServer")}

# Constructors with other parameters: the `Client` of trio and asyncio is itself one, on a stream.
OTHER_CONSTRUCTORS = {("trio", "Client"), ("asyncio", "Client")}

# gevent's servers serve in greenlets, and these docstrings mention them. asyncio's listen at their
# start, not when they are made, because looking up a name is awaited; and they may be cancelled.
OTHER_DOCSTRINGS = {
    *(("gevent", method) for method in ("start", "serve_forever", "shutdown", "wrap_socket")),
    *(("asyncio", method) for method in ("start", "serve_forever", "shutdown")),
}

# Words in the annotations and docstrings of sync, and their equivalents in another package.
WORDS: dict[str, dict[str, str]] = {
    "gevent": {},
    "trio": {
        "BlockingCall": "AsyncCall",
        "BlockingUnitCall": "AsyncUnitCall",
        "entering `with`": "entering `async with`",
    },
    "asyncio": {
        "BlockingCall": "AsyncCall",
        "BlockingUnitCall": "AsyncUnitCall",
        "entering `with`": "entering `async with`",
    },
}

# Parameters of trio's functions: those of sync's server that they have not, and those that it has
# not. An address is a port and a host, or a path; the rest belongs to cancelling and to nurseries.
_WAY = {"grace", "task_status"}
OTHER_PARAMETERS = {
    "serve_tcp": ("TcpServer", {"address"}, {"port", "host", *_WAY}),
    "serve_tls": ("TlsServer", {"address"}, {"port", "host", *_WAY}),
    # The directory decides who may use a Unix socket; several processes cannot listen at one.
    "serve_unix": ("TcpServer", {"address", "allow", "reuse_port"}, {"path", *_WAY}),
    "serve_udp": ("UdpServer", {"address"}, {"port", "host", *_WAY}),
    "serve_serial": ("SerialServer", set[str](), _WAY),
    # It neither listens nor accepts.
    "serve_stream": (
        "TcpServer",
        {"address", "max_connections", "backlog", "reuse_port"},
        {"stream", "peer", "role", *_WAY},
    ),
}

shared = pytest.mark.parametrize(
    ("package", "name"),
    [
        (each, name)
        for each in MORE_NAMES
        for name in modwire_sync.__all__
        if hasattr(PACKAGES[each], name)
    ],
)


def in_words_of(package: str, text: object) -> str:
    said = text if isinstance(text, str) else inspect.formatannotation(text)
    for word, other in WORDS.get(package, {}).items():
        said = said.replace(word, other)
    return " ".join(said.split())


def signature(function: Callable[..., Any], package: str = "") -> list[tuple[object, ...]]:
    """Return the parameters in order and the return type, in the words of a package."""
    found = inspect.signature(function)
    parameters = [
        (each.name, each.kind, each.default, in_words_of(package, each.annotation))
        for each in found.parameters.values()
    ]
    return [*parameters, (in_words_of(package, found.return_annotation),)]


HINT = inspect.getattr_static(AsyncClientBase, "close").fget  # its error names `aclose`


def methods(kind: type) -> dict[str, Callable[..., Any]]:
    """The public methods and properties of a class, inherited ones too, as functions."""
    found: dict[str, Callable[..., Any]] = {}
    for name in dir(kind):
        each = inspect.getattr_static(kind, name)
        each = each.fget if isinstance(each, property) else getattr(each, "__func__", each)
        if not name.startswith("_") and inspect.isfunction(each) and each is not HINT:
            found[name] = inspect.unwrap(each)
    return found


def properties(kind: type) -> set[str]:
    found = {each: inspect.getattr_static(kind, each) for each in dir(kind)}
    return {
        name for name, each in found.items() if isinstance(each, property) and each.fget is not HINT
    }


@pytest.mark.parametrize("package", MORE_NAMES)
def test_public_names(package: str) -> None:
    theirs, ours = set(PACKAGES[package].__all__), set(modwire_sync.__all__)
    assert theirs - ours == MORE_NAMES[package]
    assert ours - theirs == FEWER_NAMES[package]


@shared
def test_constructors_and_functions(package: str, name: str) -> None:
    ours, theirs = getattr(modwire_sync, name), getattr(PACKAGES[package], name)
    if (package, name) not in OTHER_CONSTRUCTORS:
        assert signature(theirs) == signature(ours, package)


@pytest.mark.parametrize("package", [modwire_trio, modwire_asyncio])
def test_the_client_on_a_stream_has_the_options_of_every_client(package: Any) -> None:
    ours = inspect.signature(modwire_sync.TcpClient).parameters
    theirs = dict(inspect.signature(package.Client).parameters)
    assert theirs.pop("stream").kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert theirs.pop("name").kind is inspect.Parameter.KEYWORD_ONLY
    for name, parameter in theirs.items():
        assert parameter == ours[name]


@shared
def test_methods(package: str, name: str) -> None:
    ours, theirs = getattr(modwire_sync, name), getattr(PACKAGES[package], name)
    if not isinstance(ours, type):
        return
    renamed = RENAMED[package]
    wanted = {renamed.get(each, each): method for each, method in methods(ours).items()}
    found = methods(theirs)
    more, fewer = (each.get((package, name), set()) for each in (MORE_METHODS, FEWER_METHODS))
    assert set(found) == set(wanted) - fewer | more
    assert properties(theirs) == properties(ours)
    for method, our in wanted.items():
        if method in fewer:
            continue
        their = found[method]
        assert signature(their) == signature(our, package), method
        if (package, method) not in OTHER_DOCSTRINGS and our.__doc__ and their.__doc__:
            assert in_words_of("", their.__doc__) == in_words_of(package, our.__doc__), method


@pytest.mark.parametrize("name", CLIENTS)
def test_what_waits_is_awaited_by_async_clients_and_nothing_else_is(name: str) -> None:
    for package in ASYNC:
        found = methods(getattr(package, name))
        awaited = {each for each, method in found.items() if inspect.iscoroutinefunction(method)}
        assert awaited == {"connect", "aclose", *methods(AsyncCalls)}
    for package in PACKAGES.values():
        calls = AsyncCalls if package in ASYNC else BlockingCalls
        assert {calls, package.Client} <= set(getattr(package, name).__mro__)


@pytest.mark.parametrize("name", SERVERS)
def test_what_waits_is_awaited_in_asyncios_servers_and_nothing_else_is(name: str) -> None:
    found = methods(getattr(modwire_asyncio, name))
    awaited = {each for each, method in found.items() if inspect.iscoroutinefunction(method)}
    assert awaited == {"start", "serve_forever", "shutdown"}


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_trio_servers(function: str) -> None:
    server, without, more = OTHER_PARAMETERS[function]
    serve = getattr(modwire_trio, function)
    assert inspect.iscoroutinefunction(inspect.unwrap(serve))
    ours = inspect.signature(getattr(modwire_sync, server)).parameters
    theirs = inspect.signature(serve).parameters
    assert set(ours) - set(theirs) == without
    assert set(theirs) - set(ours) == more
    assert [theirs[name] for name in theirs if name in ours] == [
        ours[name] for name in ours if name in theirs
    ]
    kinds = [parameter.kind for parameter in theirs.values()]
    assert kinds[:2] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2
    assert set(kinds[2:]) == {inspect.Parameter.KEYWORD_ONLY}


# Documentation: what `help()` shows, and where it points to.

PLACES = (modwire, modwire.server.constructors, modwire.gateway.units)


def documents(thing: Any) -> Iterator[str]:
    """The docstrings of a function, or of a class, its bases and their constructors."""
    if isinstance(thing, type):
        for each in thing.__mro__[:-1]:
            yield from (each.__doc__ or "", each.__init__.__doc__ or "")
    else:
        yield inspect.getdoc(thing) or ""


def described(package: Any, *things: object) -> str:
    """Return the docstrings of these, and of everything they mention, such as `TcpServer`."""
    text = " ".join(chain.from_iterable(map(documents, things)))
    for name in set(re.findall(r"`(?:\w+\.)*(\w+)`", text)):
        for place in (package, *PLACES):
            if hasattr(place, name):
                text += " ".join(documents(getattr(place, name)))
                break
    return " ".join(text.split())


@pytest.mark.parametrize("package", PACKAGES.values())
def test_every_public_class_method_and_argument_is_documented(package: Any) -> None:
    """An argument is documented if its name is in the text, with underscores or spaces."""
    assert package.__all__ == sorted(package.__all__)
    missing: list[str] = []
    for name in package.__all__:
        public = getattr(package, name)
        found = [(name, public, (public,))]
        if isinstance(public, type):
            for method, function in methods(public).items():
                bound = getattr(public, method)
                found.append((f"{name}.{method}", function, (bound, public)))
        for label, function, things in found:
            if not inspect.getdoc(things[0]):
                missing.append(label)
            text = described(package, *things)
            for argument in inspect.signature(function).parameters:
                words = argument.replace("_", "[_ ]")
                if argument not in ("self", "cls") and not re.search(rf"(?i)\b{words}\b", text):
                    missing.append(f"{label}({argument})")
    assert not missing


# Arguments that every package has to refuse, with the same words.

WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception]]] = [
    ("TcpClient", ("127.0.0.1", 70000), {}, ValueError),
    ("TcpClient", ("127.0.0.1",), {"framing": "rtu"}, TypeError),
    ("TcpClient", ("127.0.0.1",), {"options": ServerOptions(), "unit": 2}, ValueError),
    ("UdpClient", ("127.0.0.1", -1), {}, ValueError),
    ("SerialClient", ("/dev/null",), {"framing": modwire_sync.TcpClient}, TypeError),
    ("connect", ("http://127.0.0.1",), {}, ValueError),
    ("connect", ("tls://127.0.0.1",), {}, CredentialsError),
    ("connect", ("tls://127.0.0.1?pinned=12",), {}, ValueError),
    ("TlsClient", ("127.0.0.1",), {"ca": "/no/such/file"}, CredentialsError),
    ("TlsClient", ("127.0.0.1",), {"pinned": "12"}, ValueError),
    ("TlsClient", ("127.0.0.1",), {"context": 5}, TypeError),
    ("TlsClient", ("127.0.0.1",), {"cert": "a.pem"}, TypeError),
    ("TlsClient", ("127.0.0.1", 0), {"ca": "/no/such/file"}, ValueError),
    ("TlsServer", (0, "127.0.0.1"), {}, ValueError),
    ("TlsServer", (0, "127.0.0.1"), {"certificate": "a.pem"}, ValueError),
    ("TlsServer", (0, "127.0.0.1"), {"credentials": 5}, TypeError),
    ("TlsServer", (0, "127.0.0.1"), {"handshake_timeout": 0}, ValueError),
    ("Gateway", (17,), {}, TypeError),
    *(("Gateway", (units,), {}, ValueError) for units in ({1: 256}, {256: 1}, "1", ["x"])),
    *(("Gateway", (), {"timeout": timeout}, ValueError) for timeout in (0, "1")),
    ("Gateway", (), {"longest_pause": 0.5}, ValueError),
    ("TcpServer", (70000, "127.0.0.1"), {}, ValueError),
    ("TcpServer", (0, "127.0.0.1"), {"allow": "127.0.0.1"}, ValueError),
    ("TcpServer", (0, "127.0.0.1"), {"allow": ["127.0.0.1/8"]}, ValueError),
    ("TcpServer", (0, "127.0.0.1"), {"workers": 0}, ValueError),
    ("TcpServer", (0, "127.0.0.1"), {"authorize": 5}, TypeError),
    ("TcpServer", (0, "127.0.0.1"), {"on_call": "x"}, TypeError),
    ("TcpServer", (0, "127.0.0.1"), {"framing": "rtu"}, TypeError),
    ("UdpServer", (0, "127.0.0.1"), {"max_calls": 0}, ValueError),
    ("UdpServer", (70000, "127.0.0.1"), {}, ValueError),
    ("SerialServer", ("/dev/null",), {"parity": "X"}, ValueError),
    ("SerialServer", ("/dev/null",), {"workers": 0}, ValueError),
    ("SerialSniffer", ("/dev/null",), {"parity": "X"}, ValueError),
    ("SerialSniffer", ("/dev/null",), {"timeout": 0}, ValueError),
    ("SerialSniffer", ("/dev/null",), {"tolerance": -1}, ValueError),
    ("SerialSniffer", ("/dev/null",), {"exclusive": 1}, ValueError),
    ("SerialSniffer", ("/dev/null",), {"framing": "rtu"}, TypeError),
    ("SerialSniffer", ("/dev/null",), {"on_frame": 5}, TypeError),
    ("SerialSniffer", (5,), {}, ValueError),
]


def use(package: Any, name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Make a client, a gateway or a server, or let trio serve."""
    if name == "Gateway":
        arguments = (package.TcpClient("127.0.0.1"), *arguments)
    elif name in SERVERS and package is modwire_trio:
        serve = getattr(modwire_trio, "serve_" + name.removesuffix("Server").lower())
        port, *host = arguments
        options = {**options, **({"host": host[0]} if host else {})}

        async def run() -> None:
            with trio.fail_after(5):
                await serve(Units({}), port, **options)

        trio.run(run)
        return
    elif name == "SerialSniffer":
        package = import_module(f"{package.__name__}.sniffing")
    elif name in SERVERS:
        arguments = (Units({}), arguments[::-1] if arguments[1:] else arguments[0])
    getattr(package, name)(*arguments, **options)


@pytest.mark.parametrize(("name", "arguments", "options", "kind"), WRONG)
def test_wrong_arguments(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], kind: type[Exception]
) -> None:
    refusals: list[tuple[object, str]] = []
    for package in PACKAGES.values():
        with pytest.raises(kind) as caught:
            use(package, name, arguments, options)
        refusals.append((type(caught.value), str(caught.value)))
    assert refusals == [(kind, refusals[0][1])] * len(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES.values())
def test_a_gateway_takes_the_clients_of_its_own_package(package: Any) -> None:
    others = [each for each in PACKAGES.values() if each is not package]
    for line in (17, None, *(other.TcpClient("127.0.0.1") for other in others)):
        with pytest.raises(TypeError, match=f"^line must be a client of {package.__name__}, got "):
            package.Gateway(line)
    made = package.Gateway(package.TcpClient("127.0.0.1"), [1])
    with pytest.raises(ValueError, match="^unit 1 is in use already$"):
        made.add_line(package.TcpClient("127.0.0.1"), [1])
    assert repr(made) == "<Gateway [1]>"
