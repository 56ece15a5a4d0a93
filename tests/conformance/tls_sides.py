"""Clients and servers on plain sockets with Python's own TLS, the far ends of those under test."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from modwire import SequentialBlock, Unit, Units
from plant_pki import HOST, Issued, Pki
from tls_peers import VERSIONS, client_side

from .hostile_peers import BOUND, PACKAGES, read, serving, write

every_package = pytest.mark.parametrize("package", PACKAGES)
every_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSIONS.get)

READ, WRITE = read(), write(9)


class Watched(Unit):
    """A unit that remembers what it has executed."""

    def __init__(self) -> None:
        super().__init__(holding_registers=SequentialBlock(0, [7] * 200))
        self.executed: list[Any] = []

    def execute(self, request: Any, *, broadcast: bool = False) -> object:
        self.executed.append(request)
        return super().execute(request, broadcast=broadcast)


@contextmanager
def served(
    package: str, pki: Pki, unit: Unit | None = None, **arguments: Any
) -> Iterator[tuple[str, int]]:
    """Serve a unit over TLS with a new certificate of `pki`, unless `credentials` are given."""
    if "credentials" not in arguments:
        server = pki.server()
        files = {"certificate": server.certificate, "key": server.key, "client_ca": pki.ca}
        arguments = {**files, **arguments}
    given = Watched() if unit is None else unit
    with serving(package, lambda: Units.single(given), "tls", **arguments) as address:
        yield address


@contextmanager
def dialled(
    address: tuple[str, int],
    pki: Pki,
    issued: Issued | None = None,
    version: ssl.TLSVersion | None = None,
    *,
    context: ssl.SSLContext | None = None,
    session: ssl.SSLSession | None = None,
) -> Iterator[ssl.SSLSocket]:
    """Connect to a server and shake hands; raises ssl.SSLError if it refuses at once."""
    context = context or client_side(pki.ca, issued, version)
    plain = socket.create_connection(address, BOUND)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with context.wrap_socket(plain, server_hostname=HOST, session=session) as peer:
        yield peer


def ask(peer: ssl.SSLSocket, request: bytes = READ) -> bytes:
    """Send a request; return its answer, or b"" if the server has closed the connection."""
    try:
        peer.sendall(request)
        answer = b""
        while len(answer) < 6 or len(answer) < 6 + struct.unpack_from(">H", answer, 4)[0]:
            data = peer.recv(4096)
            if not data:
                return b""
            answer += data
    except (ConnectionError, ssl.SSLEOFError):
        return b""
    return answer


def refusal(
    address: tuple[str, int], pki: Pki, issued: Issued | None, version: ssl.TLSVersion
) -> str:
    """Try to write; return the name of the alert that the server has sent.

    In TLS 1.3 the request is on its way before the server has looked at the certificate.
    """
    try:
        with dialled(address, pki, issued, version) as peer:
            peer.sendall(WRITE)
            return f"no alert but {peer.recv(100)!r}"
    except ssl.SSLError as error:
        return (error.reason or "").partition("_ALERT_")[2].lower()


# Clients of every package.

Step = tuple[Any, ...]  # the name of a call, and its arguments


def played(
    package: str, address: tuple[str, int], steps: Sequence[Step], **given: Any
) -> list[Any]:
    """Make calls with a TLS client of a package; return their results, and their errors.

    The step ("together", number, *step) makes so many calls at once.
    """
    return _PLAYERS[package](partial(_new, package), address, steps, given)


def _new(package: str, address: tuple[str, int], given: dict[str, Any]) -> Any:
    from importlib import import_module

    name = "asyncio" if package == "uvloop" else package
    module = import_module(f"modwire_{name}")
    if "endpoint" in given:
        return module.connect(given["endpoint"])
    return module.TlsClient("localhost", address[1], **given)


def _play_blocking(
    new: Any, address: Any, steps: Any, given: Any, together: Callable[..., list[Any]]
) -> list[Any]:
    found: list[Any] = []
    client = new(address, given)

    def call(step: Step) -> Any:
        try:
            return getattr(client, step[0])(*step[1:])
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    for step in steps:
        if step[0] == "together":
            found.append(together(call, [step[2:]] * step[1]))
        else:
            found.append(call(step))
    client.close()
    return found


def _play_sync(new: Any, address: Any, steps: Any, given: Any) -> list[Any]:
    from concurrent.futures import ThreadPoolExecutor

    def together(call: Any, several: list[Step]) -> list[Any]:
        with ThreadPoolExecutor(len(several)) as pool:
            return list(pool.map(call, several))

    return _play_blocking(new, address, steps, given, together)


def _play_gevent(new: Any, address: Any, steps: Any, given: Any) -> list[Any]:
    import gevent

    def together(call: Any, several: list[Step]) -> list[Any]:
        greenlets = [gevent.spawn(call, each) for each in several]
        gevent.joinall(greenlets)
        return [each.value for each in greenlets]

    return _play_blocking(new, address, steps, given, together)


async def _play_async(new: Any, address: Any, steps: Any, given: Any, together: Any) -> list[Any]:
    found: list[Any] = []
    client = new(address, given)

    async def call(step: Step) -> Any:
        try:
            return await getattr(client, step[0])(*step[1:])
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    for step in steps:
        if step[0] == "together":
            found.append(await together(call, [step[2:]] * step[1]))
        else:
            found.append(await call(step))
    await client.aclose()
    return found


def _play_trio(new: Any, address: Any, steps: Any, given: Any) -> list[Any]:
    import trio

    async def together(call: Any, several: list[Step]) -> list[Any]:
        found: list[Any] = []

        async def one(step: Step) -> None:
            found.append(await call(step))

        async with trio.open_nursery() as nursery:
            for each in several:
                nursery.start_soon(one, each)
        return found

    return trio.run(_play_async, new, address, steps, given, together)


def _play_asyncio(
    new: Any,
    address: Any,
    steps: Any,
    given: Any,
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> list[Any]:
    async def together(call: Any, several: list[Step]) -> list[Any]:
        return list(await asyncio.gather(*[call(each) for each in several]))

    loop = new_loop()
    try:
        return loop.run_until_complete(_play_async(new, address, steps, given, together))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _play_uvloop(*arguments: Any) -> list[Any]:
    import uvloop

    return _play_asyncio(*arguments, uvloop.new_event_loop)


_PLAYERS: dict[str, Any] = {
    "sync": _play_sync,
    "gevent": _play_gevent,
    "trio": _play_trio,
    "asyncio": _play_asyncio,
    "uvloop": _play_uvloop,
}


class FarServer:
    """A server of Python's own TLS: it answers each read with one register, 7.

    `context` is None for a server without TLS. `behave(server, peer)` replaces what it does with
    a connection. `requests` are those that came, `handshakes` counts those that ended well.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None,
        behave: Callable[[FarServer, socket.socket], None] | None = None,
    ) -> None:
        self.requests: list[bytes] = []
        self.handshakes = 0
        self.errors: list[str] = []
        self.context = context
        self._behave = behave or FarServer.answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._listener.accept()
                self._open.append(plain)
                threading.Thread(target=self._serve_one, args=(plain,), daemon=True).start()

    def _serve_one(self, plain: socket.socket) -> None:
        plain.settimeout(BOUND)
        try:
            with plain:
                self._behave(self, plain)
        except ssl.SSLError as error:
            self.errors.append(error.reason or str(error))
        except OSError:
            return

    def wrapped(self, plain: socket.socket) -> ssl.SSLSocket:
        """Shake hands with a client."""
        assert self.context is not None
        peer = self.context.wrap_socket(plain, server_side=True)
        self.handshakes += 1
        return peer

    def answer(self, plain: socket.socket) -> None:
        """Answer requests until the client closes."""
        with self.wrapped(plain) if self.context is not None else plain as peer:
            while data := peer.recv(4096):
                self.requests.append(data)
                peer.sendall(answers_to(data))

    def close(self) -> None:
        self._listener.close()
        for each in self._open:
            each.close()


def answers_to(data: bytes) -> bytes:
    """Return the answers to the reads of one register in `data`."""
    answers = b""
    while data:
        answers += data[:4] + b"\0\5" + data[6:8] + b"\2\0\7"
        data = data[12:]
    return answers


@contextmanager
def far_server(
    context: ssl.SSLContext | None,
    behave: Callable[[FarServer, socket.socket], None] | None = None,
) -> Iterator[FarServer]:
    server = FarServer(context, behave)
    try:
        yield server
    finally:
        server.close()
