"""Tables of the packages' interfaces: features, functions, errors, options of endpoints, quirks."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import modwire
from modwire.endpoint import Endpoint
from modwire.endpoint_options import OPTIONS, options_of
from modwire.framing import FRAMINGS
from modwire.options import uses

from .markdown import code, table, text

_PACKAGES = ("modwire_sync", "modwire_asyncio", "modwire_trio", "modwire_gevent")
# Each feature with the names that a package may have for it: a class, a function, an argument.
_FEATURES = {
    "client over TCP": ("TcpClient",),
    "client over UDP": ("UdpClient",),
    "client over a Unix socket": ("UnixClient",),
    "client over TLS": ("TlsClient",),
    "client on a serial line": ("SerialClient",),
    "client for any endpoint": ("connect",),
    "client on a stream of your own": ("Client(stream)",),
    "up to 16 requests at once": ("TcpClient(max_in_flight)",),
    "server over TCP": ("TcpServer", "serve_tcp"),
    "server over UDP": ("UdpServer", "serve_udp"),
    "server on a Unix socket": ("serve_unix", "TcpServer(address)"),
    "server over TLS": ("TlsServer", "serve_tls"),
    "server on a serial line": ("SerialServer", "serve_serial"),
    "server on a stream of your own": ("serve_stream",),
    "several processes at one port": ("TcpServer(reuse_port)", "serve_tcp(reuse_port)"),
    "gateway with queues": ("Gateway",),
    "another device as a unit": ("RemoteUnit",),
    "unit that is awaited": ("AsyncUnit",),
    "sniffer on a serial line": ("sniffing.SerialSniffer",),
    "backend of modbus-connection": ("modbus_connection",),
}


def features() -> str:
    """Return the matrix of features and packages."""
    rows = []
    for feature, names in _FEATURES.items():
        found = [next((name for name in names if _has(each, name)), "") for each in _PACKAGES]
        if any(found):
            rows.append([feature, *(code(name) if name else "-" for name in found)])
    return table(["feature", *(each.replace("_", "-") for each in _PACKAGES)], rows)


def _has(package: str, name: str) -> bool:
    """True if a package has a name, a name of a module in it, or an argument of a function."""
    found = re.fullmatch(r"(?:(\w+)\.)?(\w+)(?:\((\w+)\))?", name)
    assert found is not None
    module, own, argument = found.groups()
    place = f"{package}.{module or own}"
    if name == own and importlib.util.find_spec(place) and own.islower():
        return True
    if module and not importlib.util.find_spec(place):
        return False
    value = getattr(importlib.import_module(place if module else package), own, None)
    if value is None or argument is None:
        return value is not None
    return argument in inspect.signature(value).parameters


def functions() -> str:
    """Return the table of the calls of a client, by function code."""
    rows: list[tuple[tuple[int, ...], list[str]]] = []
    for name, method in vars(modwire.BlockingCalls).items():
        about = (inspect.getdoc(method) or "").partition("\n\n")[0]
        about = " ".join(about.split())
        found = re.match(r"Function (\d+)(?:[^\d:]+(\d+))?[^:]*: ", about)
        if found is not None:
            codes = [each for each in found.groups() if each]
            arguments = list(inspect.signature(method).parameters)[1:]
            own = ", ".join(each for each in arguments if each not in ("unit", "timeout"))
            row = [
                "/".join(codes),
                f"{{py:obj}}`{name}({own}) <modwire.BlockingCalls.{name}>`",
                text(_sentence(about[found.end() :])),
            ]
            rows.append((tuple(map(int, codes)), row))
    return table(["code", "call", "what it does"], [row for _, row in sorted(rows)])


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"


def errors() -> str:
    """Return the table of errors: the class, its other base, when it is raised."""
    rows = []
    for name in _error_names():
        kind = getattr(modwire, name)
        bases = [
            each.__name__ for each in kind.__bases__ if not issubclass(each, modwire.ModbusError)
        ]
        about = (inspect.getdoc(kind) or "").partition("\n\n")[0]
        also = ", ".join(map(code, bases)) or "-"
        rows.append(
            [f"{{py:obj}}`~modwire.{name}`", also, text(_sentence(about.removeprefix("Raised ")))]
        )
    return table(["error", "also a", "when"], rows)


def _error_names() -> list[str]:
    """Return the errors in the order of the code: the specific ones after their base."""
    source = Path(inspect.getfile(modwire.ModbusError)).read_text(encoding="utf-8")
    names = [each.name for each in ast.parse(source).body if isinstance(each, ast.ClassDef)]
    return [each for each in names if each.endswith("Error")]


def quirks() -> str:
    """Return the table of quirks, from the texts below them in the code."""
    source = ast.parse(inspect.getsource(modwire.Quirks)).body[0]
    assert isinstance(source, ast.ClassDef)
    rows = []
    for member, about in zip(source.body, source.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(about, ast.Expr):
            (target,) = member.targets
            assert isinstance(target, ast.Name)
            assert isinstance(about.value, ast.Constant)
            rows.append([code(target.id), text(str(about.value.value))])
    return table(["quirk", "what the device does, and what it means"], rows)


def endpoint_options() -> str:
    """Return the table of the options of endpoints, each with the schemes that take it."""
    links = {
        scheme: options_of(place.transport, FRAMINGS[place.framing])
        for scheme in ("tcp", "udp", "unix", "rtu", "ascii", "rtu+tcp", "rtu+udp", "ascii+tcp")
        for place in [_example(scheme)]
    }
    purposes = uses()
    rows = []
    for option in OPTIONS:
        marks = ["yes" if option in known else "-" for known in links.values()]
        rows.append([code(option), *marks, purposes.get(option, "all links")])
    return table(["option", *(f"`{each}`" for each in links), "for"], rows)


def _example(scheme: str) -> Endpoint:
    place = "///dev/ttyUSB0" if scheme in ("rtu", "ascii", "unix") else "//192.0.2.1"
    return Endpoint.parse(f"{scheme}:{place}")
