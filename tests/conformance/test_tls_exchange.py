"""Certificates, lists of revoked ones, and rights are exchanged while servers run."""

from __future__ import annotations

import ssl
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from modwire import SequentialBlock, Unit, Units
from modwire.tls import Credentials, Rights
from modwire.tls.contexts import CredentialsError
from plant_pki import Issued, Pki
from server_peers import wait_until
from tls_peers import client_side

from .hostile_peers import BOUND, serving
from .tls_sides import READ, WRITE, Watched, ask, dialled, every_package, every_version, refusal


def given(pki: Pki, crl: Path | None = None) -> Credentials:
    server = pki.server()
    return Credentials(server.certificate, server.key, pki.ca, crl)


def closes(peer: ssl.SSLSocket) -> bool:
    """True if the server closes the connection, and says so."""
    peer.suppress_ragged_eofs = False
    return peer.recv(100) == b""


@every_package
@every_version
def test_a_revoked_client_is_out_at_once(
    package: str, own_pki: Pki, version: ssl.TLSVersion
) -> None:
    bad, good = own_pki.client("operator"), own_pki.client("operator")
    credentials = given(own_pki, own_pki.revoke())
    unit = Watched()
    with (
        serving(package, lambda: Units.single(unit), "tls", credentials=credentials) as address,
        ExitStack() as stack,
    ):
        idle = stack.enter_context(dialled(address, own_pki, bad, version))
        assert ask(idle, WRITE) == WRITE
        other = stack.enter_context(dialled(address, own_pki, good, version))
        assert ask(other)
        unit.executed.clear()
        own_pki.revoke(bad)
        credentials.reload()
        assert closes(idle)
        assert closes(other)
        assert ask(idle, WRITE) == b""
        assert refusal(address, own_pki, bad, version) == "certificate_revoked"
        assert unit.executed == []
        with dialled(address, own_pki, good, version) as again:
            assert ask(again, WRITE) == WRITE


@every_package
@every_version
def test_a_request_on_its_way_is_not_executed(
    package: str, own_pki: Pki, version: ssl.TLSVersion
) -> None:
    """It may arrive before the server has looked at its idle connections."""
    issued = own_pki.client("operator")
    credentials = given(own_pki, own_pki.revoke())
    unit = Watched()
    with serving(package, lambda: Units.single(unit), "tls", credentials=credentials) as address:
        for _ in range(20):
            with dialled(address, own_pki, issued, version) as peer:
                assert ask(peer)
                unit.executed.clear()
                credentials.reload()
                assert ask(peer, WRITE) == b""
    assert unit.executed == []


@every_package
@every_version
def test_a_session_is_resumed_with_its_role_but_not_after_a_reload(
    package: str, own_pki: Pki, version: ssl.TLSVersion
) -> None:
    issued = own_pki.client("operator")
    credentials = given(own_pki, own_pki.revoke())
    roles: list[str | None] = []

    def authorize(peer: Any, role: str | None, unit: int, request: Any) -> bool:
        roles.append(role)
        return True

    context = client_side(own_pki.ca, issued, version)
    with serving(
        package, lambda: Units.single(Watched()), "tls", credentials=credentials,
        authorize=authorize,
    ) as address:  # fmt: skip
        with dialled(address, own_pki, context=context) as peer:
            assert ask(peer)
            session = peer.session
            assert session is not None
            peer.unwrap().close()
        with dialled(address, own_pki, context=context, session=session) as peer:
            assert ask(peer)
            assert peer.session_reused
            session = peer.session
            peer.unwrap().close()
        assert roles == ["operator", "operator"]
        credentials.reload()
        with dialled(address, own_pki, context=context, session=session) as peer:
            assert ask(peer)
            assert not peer.session_reused
            session = peer.session
            peer.unwrap().close()
        own_pki.revoke(issued)
        credentials.reload()
        assert refused(address, own_pki, context, session) == "certificate_revoked"
    assert roles == ["operator"] * 3


def refused(
    address: tuple[str, int],
    pki: Pki,
    context: ssl.SSLContext,
    session: ssl.SSLSession | None,
) -> str:
    """Resume a session, and return the name of the alert that comes."""
    try:
        with dialled(address, pki, context=context, session=session) as peer:
            return f"no alert but {ask(peer)!r}"
    except ssl.SSLError as error:
        return (error.reason or "").partition("_ALERT_")[2].lower()


@every_package
def test_a_call_under_way_is_answered(package: str, own_pki: Pki) -> None:
    began, goes_on = threading.Event(), threading.Event()

    class Slow(Unit):
        def execute(self, request: Any, *, broadcast: bool = False) -> object:
            began.set()
            assert goes_on.wait(BOUND)
            return super().execute(request, broadcast=broadcast)

    def units() -> Units:
        unit = Slow(holding_registers=SequentialBlock(0, [7]))
        unit.blocking = True
        return Units.single(unit)

    credentials = given(own_pki)
    with (
        serving(package, units, "tls", credentials=credentials) as address,
        dialled(address, own_pki, own_pki.client("operator")) as peer,
    ):
        peer.sendall(READ + WRITE)
        assert began.wait(BOUND)
        credentials.reload()
        goes_on.set()
        assert peer.recv(100)[7:] == b"\3\2\0\7", "what was received after it is not executed"
        assert closes(peer)


@every_package
@every_version
def test_a_new_certificate_of_the_server_is_shown(
    package: str, own_pki: Pki, version: ssl.TLSVersion
) -> None:
    server = own_pki.server()
    credentials = Credentials(server.certificate, server.key, own_pki.ca)
    client = own_pki.client("operator")
    with serving(
        package, lambda: Units.single(Watched()), "tls", credentials=credentials
    ) as address:
        with dialled(address, own_pki, client, version) as peer:
            assert peer.getpeercert(True) == server.der
        other = own_pki.server()
        server.certificate.write_bytes(other.certificate.read_bytes())
        with pytest.raises(CredentialsError, match="does not fit"):
            credentials.reload()
        with dialled(address, own_pki, client, version) as peer:
            assert peer.getpeercert(True) == server.der
        server.key.write_bytes(other.key.read_bytes())
        credentials.reload()
        with dialled(address, own_pki, client, version) as peer:
            assert peer.getpeercert(True) == other.der
            assert ask(peer)


@every_package
def test_two_servers_may_share_credentials(package: str, own_pki: Pki) -> None:
    credentials = given(own_pki)
    client = own_pki.client("operator")

    def start() -> Any:
        return serving(package, lambda: Units.single(Watched()), "tls", credentials=credentials)

    with ExitStack() as stack:
        peers = [stack.enter_context(dialled(stack.enter_context(start()), own_pki, client))
                 for _ in range(2)]  # fmt: skip
        assert all(ask(each) for each in peers)
        credentials.reload()
        assert all(closes(each) for each in peers)


# Servers that are objects.

with_objects = pytest.mark.parametrize("package", ["sync", "gevent", "asyncio", "uvloop"])


@with_objects
def test_a_server_reloads_its_files_and_its_rights(
    package: str, own_pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modwire.tls.servers import TlsServerBase

    servers: list[TlsServerBase] = []
    init = TlsServerBase.__init__

    def remember(self: TlsServerBase, *arguments: Any, **more: Any) -> None:
        init(self, *arguments, **more)
        servers.append(self)

    monkeypatch.setattr(TlsServerBase, "__init__", remember)
    path = tmp_path / "rights.toml"
    rule = '[[role.operator]]\nunits = "all"\naccess = "read"\nfunctions = [{}]\n'
    path.write_text(rule.format(4))
    client = own_pki.client("operator")
    files = server_files(own_pki)
    with serving(
        package, lambda: Units.single(Watched()), "tls", authorize=Rights.load(path), **files
    ) as address:
        with dialled(address, own_pki, client) as peer:
            assert ask(peer)[7:] == b"\x83\x01"
            path.write_text("not TOML")
            with pytest.raises(ValueError, match=r"rights\.toml"):
                servers[0].reload()
            assert ask(peer)[7:] == b"\x83\x01"
            path.write_text(rule.format(3))
            servers[0].reload()
            assert closes(peer)
        with dialled(address, own_pki, client) as peer:
            assert ask(peer)[7:] == b"\3\2\0\7"
        files["crl"].write_bytes(b"")
        path.write_text(rule.format(4))
        with pytest.raises(CredentialsError):
            servers[0].reload()
        with dialled(address, own_pki, client) as peer:
            assert ask(peer)[7:] == b"\3\2\0\7", "nothing was exchanged"


def server_files(pki: Pki) -> dict[str, Path]:
    server: Issued = pki.server()
    names = ("certificate", "key", "client_ca", "crl")
    return dict(zip(names, (server.certificate, server.key, pki.ca, pki.revoke()), strict=True))


def test_a_server_that_is_gone_is_forgotten(own_pki: Pki) -> None:
    import gc

    credentials = given(own_pki)
    with serving("sync", lambda: Units.single(Watched()), "tls", credentials=credentials):
        credentials.reload()
    gc.collect()
    credentials.reload()
    wait_until(lambda: not credentials._servers)
