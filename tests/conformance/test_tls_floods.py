"""Floods of handshakes at servers over TLS; benchmarks/tls.py measures them in full."""

from __future__ import annotations

import gc
import logging
import ssl
import threading
from contextlib import ExitStack
from typing import Any
from weakref import ref

import pytest

from modwire.server.constructors import TcpServerBase
from modwire.server.rounds import Rounds
from modwire.tls.connection import SecureConnection
from modwire.tls.filter import Filter
from modwire.tls.servers import TlsServerBase
from plant_pki import Pki
from server_peers import wait_until
from tls_peers import V13, credentials

from .hostile_peers import BOUND, connected
from .test_tls_servers import open_files
from .tls_sides import READ, ask, dialled, every_package, refusal, served


def hello(pki: Pki) -> bytes:
    """Return the first bytes of a client."""
    context = ssl.create_default_context(cafile=str(pki.ca))
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def filters() -> int:
    """Return the number of connections over TLS that are still in memory."""
    gc.collect()
    return sum(isinstance(each, Filter) for each in gc.get_objects())


def test_garbage_costs_little_memory(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL's object takes fifty kilobytes, and a thousand peers may wait with an alert."""
    made: list[ref[ssl.SSLObject]] = []
    ours = credentials(pki)
    wrap = ssl.SSLContext.wrap_bio

    def counted(self: ssl.SSLContext, *args: Any, **options: Any) -> ssl.SSLObject:
        found = wrap(self, *args, **options)
        made.append(ref(found))
        return found

    monkeypatch.setattr(ssl.SSLContext, "wrap_bio", counted)
    silent, plain, broken = (ours.new_filter(0.0, 1.0) for _ in range(3))
    plain.receive_data(READ)
    assert plain.fault is not None
    assert not made
    broken.receive_data(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
    assert broken.fault is not None
    assert broken.data_to_send()  # its alert
    gc.collect()
    assert [each() for each in made] == [None]
    assert silent.fault is None


def test_no_more_connections_are_accepted_than_handshakes_are_made() -> None:
    """Those that wait for their turn take memory, too."""
    rounds = Rounds[int, int]()
    for number in range(10):
        rounds.enter(number, number)
    assert TlsServerBase.accepts_at_once < len(rounds.take()) < TcpServerBase.accepts_at_once


@pytest.fixture
def unlogged(caplog: pytest.LogCaptureFixture) -> None:
    """No log: pytest keeps its records, whose errors have frames with the connections."""
    caplog.set_level(logging.CRITICAL, "modwire.server")


@every_package
@pytest.mark.usefixtures("unlogged")
def test_stalled_handshakes_do_not_keep_others_out(package: str, pki: Pki) -> None:
    """Those who were served stay, new clients come in, and nothing is left at the end."""
    first, known = hello(pki), filters()
    operator = pki.client("operator")
    with (
        served(package, pki, max_connections=20) as address,
        dialled(address, pki, operator) as peer,
    ):
        assert ask(peer)
        before = open_files()
        with ExitStack() as stack:
            for number in range(100):
                stalled = stack.enter_context(connected(address))
                stalled.sendall(first[: number + 1] if number % 2 else first)
                if not number % 20:
                    assert ask(peer)
                    with dialled(address, pki, operator) as other:
                        assert ask(other)
            # Of each connection there are two ends in this process.
            wait_until(lambda: open_files() <= before + 100 + 20)
        wait_until(lambda: open_files() <= before)
        assert ask(peer)
    wait_until(lambda: filters() <= known)


@pytest.mark.parametrize("package", ["sync", "trio", "gevent"])
def test_handshakes_that_come_at_once_let_others_pass(
    package: str, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty of them take ten milliseconds: a request among them waits for a few.

    The loops of asyncio call all connections that are ready one after the other.
    """
    seen, first = list[str](), hello(pki)
    accepted, blocked, free = threading.Semaphore(0), threading.Event(), threading.Event()
    receive = Filter.receive_data

    def note(self: Filter, data: bytes) -> None:
        if not self.is_open:
            seen.append("handshake")
        receive(self, data)

    def authorize(peer: object, role: str | None, unit: int, request: object) -> bool:
        seen.append(role or "")
        if role == "blocking":
            blocked.set()
            assert free.wait(BOUND)
        return True

    begin = SecureConnection.__init__

    def count(*arguments: Any, **more: Any) -> None:
        begin(*arguments, **more)
        accepted.release()

    monkeypatch.setattr(SecureConnection, "__init__", count)
    with (
        served(package, pki, authorize=authorize) as address,
        dialled(address, pki, pki.client("operator")) as peer,
        dialled(address, pki, pki.client("blocking")) as other,
        ExitStack() as stack,
    ):
        assert ask(peer)
        stalled = [stack.enter_context(connected(address)) for _ in range(40)]
        for _ in range(len(stalled) + 2):
            assert accepted.acquire(timeout=BOUND)
        other.sendall(READ)
        assert blocked.wait(BOUND)
        monkeypatch.setattr(Filter, "receive_data", note)
        seen.clear()
        for number, each in enumerate(stalled):
            each.sendall(first)
            if number == 20:  # loops begin with the first, or with the last
                peer.sendall(READ)
        free.set()
        wait_until(lambda: "operator" in seen)
        assert seen.index("operator") <= 8
        wait_until(lambda: seen.count("handshake") == len(stalled))


@every_package
def test_a_flood_of_handshakes_is_bounded(
    package: str, pki: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    """Each costs a signature of the server; they must neither add up nor fill the log."""
    caplog.set_level(logging.WARNING)
    refused: list[str] = []

    def flood() -> None:
        for _ in range(25):
            refused.append(refusal(address, pki, None, V13))

    with (
        served(package, pki, max_connections=10) as address,
        dialled(address, pki, pki.client("operator")) as peer,
    ):
        assert ask(peer)
        before = open_files()
        threads = [threading.Thread(target=flood) for _ in range(4)]
        for each in threads:
            each.start()
        while any(each.is_alive() for each in threads):
            assert ask(peer)
        for each in threads:
            each.join()
        wait_until(lambda: open_files() <= before)
        assert ask(peer)
    assert len(refused) == 100
    assert set(refused) == {"certificate_required"}
    assert len([each for each in caplog.records if each.name == "modwire.server"]) <= 2


@every_package
@pytest.mark.usefixtures("unlogged")
def test_garbage_leaves_no_connection_in_memory(package: str, pki: Pki) -> None:
    first, known = hello(pki), filters()
    garbage = [first[:60], first[:-1] + b"\xff" * 50, b"\x16\x03\x03\x00\x02ab", b"\x15\x03\x03"]
    with served(package, pki) as address:
        for number in range(100):
            with connected(address) as bad:
                bad.sendall(garbage[number % len(garbage)])
        wait_until(lambda: filters() <= known)
