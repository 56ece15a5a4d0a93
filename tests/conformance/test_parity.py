"""The three packages have the same names, parameters and docstrings, but for what is listed here.

The sync package is the measure. Whoever changes a name, a default or a sentence in one package
has to change it in the others, or to say here why not.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import modwire_gevent
import modwire_sync
import modwire_trio
from modwire import ServerOptions, Units
from modwire.calls import AsyncCalls, BlockingCalls

PACKAGES = {"gevent": modwire_gevent, "trio": modwire_trio}
CLIENTS = ("Client", "TcpClient", "UdpClient", "UnixClient", "SerialClient")
SERVERS = ("TcpServer", "UdpServer", "SerialServer")

# Public names of a package that the sync package has not, and the other way round.
MORE_NAMES = {
    "gevent": frozenset[str](),
    "trio": frozenset(
        {"AsyncUnit", "serve_tcp", "serve_udp", "serve_unix", "serve_serial", "serve_stream"}
    ),
}
FEWER_NAMES = {
    "gevent": frozenset[str](),
    "trio": frozenset(SERVERS),  # trio's servers are functions, which serve until cancelled
}

# Methods that a class has more, and those that have another name.
MORE_METHODS = {
    ("gevent", "TcpServer"): {"stop"},  # what gevent's own servers call it
    ("gevent", "UdpServer"): {"stop"},
    ("gevent", "SerialServer"): {"stop"},
}
RENAMED = {
    "gevent": {},
    "trio": {"close": "aclose", "__enter__": "__aenter__", "__exit__": "__aexit__"},
}

# Attributes that only one package needs, by class.
MORE_ATTRIBUTES = {("gevent", "RemoteUnit"): {"cooperative"}}

# Constructors whose parameters differ: trio's `Client` is itself a client, on a stream.
OTHER_CONSTRUCTORS = {("trio", "Client")}

# Words that mean the same on another backend, in annotations and docstrings.
WORDS = {
    "gevent": {"threads share": "greenlets share"},
    "trio": {
        "threads share": "tasks share",
        "BlockingCalls": "AsyncCalls",
        "entering `with`": "entering `async with`",
        "`TcpServer(Gateway(line), address)`": "`serve_tcp(Gateway(line), port)`",
    },
}

# The beginnings of the sync package's sentences that are not true, or not said, elsewhere. What
# is listed, if only with an empty list, may say more than the sync package does.
OTHER_SENTENCES = {
    ("gevent", "Client"): ["A Modbus client that waits"],
    ("gevent", "TcpServer"): [
        "Answers for `units` on TCP or on a Unix socket, in one thread",
        "Hooks are called in the server's thread",
        "`workers`: how many calls",
        "`with` starts serving in a thread",
    ],
    ("gevent", "TcpServer.start"): ["Serve in a thread of its own"],
    ("gevent", "TcpServer.serve_forever"): ["When it raises, KeyboardInterrupt included"],
    ("gevent", "TcpServer.shutdown"): [
        "End the serving and close everything; from any thread",
        "Calls that are being executed may end",
        "Waits until all is closed",
    ],
    ("gevent", "UdpServer"): ["Answers for `units` on UDP, in one thread"],
    ("gevent", "UdpServer.start"): ["Serve in a thread of its own"],
    ("gevent", "UdpServer.serve_forever"): ["When it raises, KeyboardInterrupt included"],
    ("gevent", "UdpServer.shutdown"): [
        "End the serving and close everything; from any thread",
        "Calls that are being executed may end",
        "Waits until all is closed",
    ],
    ("gevent", "SerialServer"): [
        "A unit that blocks is waited for in another thread",
        "`workers` is how many threads",
    ],
    ("gevent", "SerialServer.start"): ["Serve in a thread of its own"],
    ("gevent", "SerialServer.serve_forever"): ["When it raises, KeyboardInterrupt included"],
    ("gevent", "SerialServer.shutdown"): [
        "End the serving and close everything; from any thread",
        "Calls that are being executed may end",
        "Waits until all is closed",
    ],
    ("trio", "Client"): [
        "A Modbus client that waits",
        "Subclasses define `_open_link`",
        "`name` stands for the peer",
    ],
    ("trio", "TcpClient"): ["`host` is a name, an IPv4 or an IPv6 address"],
    ("gevent", "TcpServer.wrap_socket"): [],
}

# How the parameters of trio's functions differ from those of the sync package's servers: those
# of an address, and those that belong to the way of serving.
_WAY = {"grace", "task_status"}
FUNCTIONS = {
    "serve_tcp": ("TcpServer", {"address"}, {"port", "host", *_WAY}),
    "serve_unix": ("TcpServer", {"address", "allow", "reuse_port"}, {"path", *_WAY}),
    "serve_udp": ("UdpServer", {"address"}, {"port", "host", *_WAY}),
    "serve_serial": ("SerialServer", set[str](), _WAY),
    "serve_stream": (
        "TcpServer",
        {"address", "max_connections", "allow", "backlog", "reuse_port"},
        {"stream", "peer", "role", *_WAY},
    ),
}


def _public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def _text(annotation: object, words: dict[str, str]) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    for word, other in words.items():
        text = text.replace(word, other)
    return text


def _parameters(function: Callable[..., Any], words: dict[str, str]) -> dict[str, tuple[Any, ...]]:
    return {
        name: (parameter.kind, parameter.default, _text(parameter.annotation, words))
        for name, parameter in inspect.signature(function).parameters.items()
    }


def _returns(function: Callable[..., Any], words: dict[str, str]) -> str:
    return _text(inspect.signature(function).return_annotation, words)


def _sentences(text: str | None) -> set[str]:
    """The sentences of a docstring, each on one line."""
    assert text, "there is no docstring"
    found: set[str] = set()
    for paragraph in re.split(r"\n\s*\n|\n\s*- ", inspect.cleandoc("\n" + text)):
        joined = " ".join(paragraph.split()).removeprefix("- ")
        found |= {each.strip(" .") for each in re.split(r"(?<=\.) ", joined)}
    return found - {""}


def _check_docstrings(adapter: str, name: str, ours: object, theirs: object) -> None:
    text = ours.__doc__ or ""
    for word, other in WORDS[adapter].items():
        text = text.replace(word, other)
    said, wanted = _sentences(theirs.__doc__), _sentences(text)
    declared = OTHER_SENTENCES.get((adapter, name))
    if declared is None:
        assert said == wanted, f"{adapter}'s {name}"
    else:
        missing = {each for each in wanted - said if not each.startswith(tuple(declared))}
        assert not missing, f"{adapter}'s {name} does not say: {missing}"


def _methods(kind: type) -> dict[str, Any]:
    """The methods and properties of a class, inherited ones too, as they stand in it."""
    names = [*_public(kind), "__enter__", "__exit__", "__aenter__", "__aexit__", "__repr__"]
    found = {name: inspect.getattr_static(kind, name, None) for name in names}
    return {
        name: each
        for name, each in found.items()
        if isinstance(each, property) or inspect.isfunction(each)
    }


classes = pytest.mark.parametrize(
    ("adapter", "name"),
    [("gevent", name) for name in (*CLIENTS, *SERVERS, "RemoteUnit", "Gateway")]
    + [("trio", name) for name in (*CLIENTS, "RemoteUnit", "Gateway")],
)


@pytest.mark.parametrize("adapter", PACKAGES)
def test_public_names(adapter: str) -> None:
    names = set(PACKAGES[adapter].__all__)
    ours = set(modwire_sync.__all__)
    assert names - ours == MORE_NAMES[adapter]
    assert ours - names == FEWER_NAMES[adapter]


@pytest.mark.parametrize("package", [modwire_sync, modwire_gevent, modwire_trio])
def test_every_public_name_is_there_and_has_a_docstring(package: Any) -> None:
    assert package.__all__ == sorted(package.__all__)
    for name in package.__all__:
        assert _sentences(getattr(package, name).__doc__)


@classes
def test_constructors(adapter: str, name: str) -> None:
    words = WORDS[adapter]
    ours = _parameters(getattr(modwire_sync, name), words)
    theirs = _parameters(getattr(PACKAGES[adapter], name), {})
    if (adapter, name) in OTHER_CONSTRUCTORS:
        # As far as it has options, they are those of every client.
        client = _parameters(modwire_sync.TcpClient, words)
        assert theirs["name"][0] == inspect.Parameter.KEYWORD_ONLY
        assert {key: client[key] for key in theirs if key in client} == {
            key: theirs[key] for key in theirs if key not in ("stream", "name")
        }
    else:
        assert list(theirs) == list(ours)
        assert theirs == ours


@classes
def test_methods(adapter: str, name: str) -> None:
    ours, theirs = getattr(modwire_sync, name), getattr(PACKAGES[adapter], name)
    renamed = RENAMED[adapter]
    expected = {renamed.get(each, each) for each in _public(ours)}
    expected |= MORE_METHODS.get((adapter, name), set())
    expected |= MORE_ATTRIBUTES.get((adapter, name), set())
    assert _public(theirs) == expected
    their_methods = _methods(theirs)
    for method, our in _methods(ours).items():
        their = their_methods[renamed.get(method, method)]
        label = name if method == "__init__" else f"{name}.{method}"
        assert type(their) is type(our), label
        if not method.startswith("__"):
            _check_docstrings(adapter, label, our, their)
        if isinstance(our, property):
            assert our.fget is not None
            assert _returns(their.fget, {}) == _returns(our.fget, WORDS[adapter]), label
        else:
            assert _parameters(their, {}) == _parameters(our, WORDS[adapter]), label
            assert _returns(their, {}) == _returns(our, WORDS[adapter]), label


@classes
def test_docstrings_of_classes(adapter: str, name: str) -> None:
    _check_docstrings(adapter, name, getattr(modwire_sync, name), getattr(PACKAGES[adapter], name))


@pytest.mark.parametrize("adapter", PACKAGES)
def test_connect(adapter: str) -> None:
    ours, theirs = modwire_sync.connect, PACKAGES[adapter].connect
    assert _parameters(theirs, {}) == _parameters(ours, {})
    assert _returns(theirs, {}) == _returns(ours, {})
    _check_docstrings(adapter, "connect", ours, theirs)


@pytest.mark.parametrize("name", CLIENTS)
def test_what_waits_is_awaited_in_trio_and_nothing_else_is(name: str) -> None:
    waits = {"connect", "aclose", "__aenter__", "__aexit__"}
    waits |= {call for call in dir(AsyncCalls) if not call.startswith("_")}
    methods = _methods(getattr(modwire_trio, name))
    awaited = {
        each
        for each, method in methods.items()
        if inspect.iscoroutinefunction(inspect.unwrap(method))
    }
    assert awaited == waits


@pytest.mark.parametrize("package", [modwire_sync, modwire_gevent])
def test_clients_have_the_calls_of_the_core(package: Any) -> None:
    for name in CLIENTS:
        assert issubclass(getattr(package, name), BlockingCalls)
        assert issubclass(getattr(modwire_trio, name), AsyncCalls)
        assert issubclass(getattr(package, name), package.Client)
        assert issubclass(getattr(modwire_trio, name), modwire_trio.Client)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_trio_servers(function: str) -> None:
    server, without, more = FUNCTIONS[function]
    serve = getattr(modwire_trio, function)
    assert inspect.iscoroutinefunction(serve)
    ours = _parameters(getattr(modwire_sync, server), {})
    theirs = _parameters(serve, {})
    assert set(ours) - set(theirs) == without
    assert set(theirs) - set(ours) == more
    for name in set(ours) & set(theirs):
        assert theirs[name] == ours[name], name
    kinds = [kind for kind, _, _ in theirs.values()]
    assert kinds[:2] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2
    assert set(kinds[2:]) == {inspect.Parameter.KEYWORD_ONLY}
    shared = [name for name in ours if name in theirs]
    assert [name for name in theirs if name in shared] == shared, "in another order"


# Arguments that every adapter has to refuse, with the same words.

WRONG_CLIENTS: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception]]] = [
    ("TcpClient", ("127.0.0.1", 70000), {}, ValueError),
    ("TcpClient", ("127.0.0.1",), {"unit": 256}, ValueError),
    ("TcpClient", ("127.0.0.1",), {"timeout": 0}, ValueError),
    ("TcpClient", ("127.0.0.1",), {"retries": -1}, ValueError),
    ("TcpClient", ("127.0.0.1",), {"max_in_flight": 17}, ValueError),
    ("TcpClient", ("127.0.0.1",), {"connect_timeout": 0}, ValueError),
    ("TcpClient", ("127.0.0.1",), {"framing": "rtu"}, TypeError),
    ("TcpClient", ("127.0.0.1",), {"options": ServerOptions(), "unit": 2}, ValueError),
    ("UdpClient", ("127.0.0.1", -1), {}, ValueError),
    ("UnixClient", ("/run/x",), {"timeout": -1}, ValueError),
    ("SerialClient", ("/dev/null",), {"parity": "X"}, ValueError),
    ("SerialClient", ("/dev/null",), {"baudrate": 0}, ValueError),
    ("SerialClient", ("/dev/null",), {"bytesize": 9}, ValueError),
    ("SerialClient", ("/dev/null",), {"framing": modwire_sync.TcpClient}, TypeError),
    ("connect", ("http://127.0.0.1",), {}, ValueError),
    ("connect", ("tls://127.0.0.1",), {}, ValueError),
]


def _refusal(package: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - compared with the others
        getattr(package, name)(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(("name", "args", "kwargs", "kind"), WRONG_CLIENTS)
def test_wrong_arguments_of_clients(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], kind: type[Exception]
) -> None:
    ours = _refusal(modwire_sync, name, args, kwargs)
    assert type(ours) is kind
    for package in PACKAGES.values():
        theirs = _refusal(package, name, args, kwargs)
        assert type(theirs) is kind
        assert str(theirs) == str(ours)


WRONG_GATEWAYS: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception]]] = [
    ((17,), {}, TypeError),
    (({1: 0},), {}, ValueError),
    (({256: 1},), {}, ValueError),
    (("1",), {}, ValueError),
    ((["x"],), {}, ValueError),
    ((5.0,), {}, TypeError),
    ((), {"timeout": 0}, ValueError),
    ((), {"timeout": "1"}, ValueError),
    ((), {"queue": 0}, ValueError),
    ((), {"queue": 1.5}, ValueError),
    ((), {"patience": 0}, ValueError),
    ((), {"pause": float("nan")}, ValueError),
    ((), {"longest_pause": 0.5}, ValueError),
]


@pytest.mark.parametrize(("args", "kwargs", "kind"), WRONG_GATEWAYS)
def test_wrong_arguments_of_gateways(
    args: tuple[Any, ...], kwargs: dict[str, Any], kind: type[Exception]
) -> None:
    def refusal(package: Any) -> Exception:
        return _refusal(package, "Gateway", (package.TcpClient("127.0.0.1"), *args), kwargs)

    ours = refusal(modwire_sync)
    assert type(ours) is kind
    for package in PACKAGES.values():
        theirs = refusal(package)
        assert (type(theirs), str(theirs)) == (kind, str(ours))


@pytest.mark.parametrize("package", [modwire_sync, modwire_gevent, modwire_trio])
def test_a_gateway_takes_the_clients_of_its_own_package(package: Any) -> None:
    others = {modwire_sync, modwire_gevent, modwire_trio} - {package}
    for line in (17, None, *(other.TcpClient("127.0.0.1") for other in others)):
        with pytest.raises(TypeError, match=f"^line must be a client of {package.__name__}, got "):
            package.Gateway(line)
    made = package.Gateway(package.TcpClient("127.0.0.1"), [1])
    with pytest.raises(ValueError, match="^unit 1 is in use already$"):
        made.add_line(package.TcpClient("127.0.0.1"), [1])
    assert repr(made) == "<Gateway [1]>"


WRONG_SERVERS: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception]]] = [
    ("TcpServer", ("127.0.0.1", 70000), {}, ValueError),
    ("TcpServer", ("127.0.0.1", 0), {"max_connections": 0}, ValueError),
    ("TcpServer", ("127.0.0.1", 0), {"idle_timeout": 0}, ValueError),
    ("TcpServer", ("127.0.0.1", 0), {"allow": "127.0.0.1"}, ValueError),
    ("TcpServer", ("127.0.0.1", 0), {"allow": ["127.0.0.1/8"]}, ValueError),
    ("TcpServer", ("127.0.0.1", 0), {"workers": 0}, ValueError),
    ("TcpServer", ("127.0.0.1", 0), {"authorize": 5}, TypeError),
    ("TcpServer", ("127.0.0.1", 0), {"on_call": "x"}, TypeError),
    ("TcpServer", ("127.0.0.1", 0), {"framing": "rtu"}, TypeError),
    ("UdpServer", ("127.0.0.1", -1), {}, ValueError),
    ("UdpServer", ("127.0.0.1", 0), {"max_calls": 0}, ValueError),
    ("SerialServer", ("/dev/null",), {"parity": "X"}, ValueError),
    ("SerialServer", ("/dev/null",), {"bytesize": 9}, ValueError),
    ("SerialServer", ("/dev/null",), {"workers": 0}, ValueError),
]
_SERVE: dict[str, Callable[..., Any]] = {
    "TcpServer": modwire_trio.serve_tcp,
    "UdpServer": modwire_trio.serve_udp,
    "SerialServer": modwire_trio.serve_serial,
}


@pytest.mark.parametrize(("name", "address", "kwargs", "kind"), WRONG_SERVERS)
def test_wrong_arguments_of_servers(
    name: str, address: tuple[Any, ...], kwargs: dict[str, Any], kind: type[Exception]
) -> None:
    import trio

    where = address[0] if name == "SerialServer" else address
    ours = _refusal(modwire_sync, name, (Units({}), where), kwargs)
    assert type(ours) is kind
    theirs = _refusal(modwire_gevent, name, (Units({}), where), kwargs)
    assert (type(theirs), str(theirs)) == (kind, str(ours))

    async def serve() -> None:
        with trio.fail_after(5):
            if name == "SerialServer":
                await _SERVE[name](Units({}), *address, **kwargs)
            else:
                await _SERVE[name](Units({}), address[1], host=address[0], **kwargs)

    with pytest.raises(kind) as caught:
        trio.run(serve)
    assert (type(caught.value), str(caught.value)) == (kind, str(ours))
