"""A connection after its handshake, or instead of one: resumption, the end, garbage and silence."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from modwire.tls import Credentials, role_of
from plant_pki import Pki
from tls_peers import BOTH, PATIENCE, V12, V13, Peer, client_side, connected, credentials, pump


@BOTH
def test_a_session_is_resumed_with_its_role(own_pki: Pki, version: ssl.TLSVersion) -> None:
    """R-42 and section 8.4; but not by a client that was revoked since."""
    issued = own_pki.client("operator")
    given = credentials(own_pki)
    context = client_side(own_pki.ca, issued, version)
    first = exchange(given, Peer(context))
    session = first.tls.session
    assert session is not None
    second = Peer(context, session=session)
    ours = given.new_filter(0.0, PATIENCE)
    pump(second, ours)
    assert second.tls.session_reused and ours.is_resumed
    assert ours.certificate == issued.der
    assert role_of(issued.der) == "operator"

    revoked = credentials(own_pki, own_pki.revoke(issued))
    given.context = revoked.context  # as a reload does
    third = Peer(context, session=session)
    ours = given.new_filter(0.0, PATIENCE)
    pump(third, ours)
    assert not ours.is_open
    assert third.alert == "certificate_revoked"


def exchange(given: Credentials, peer: Peer) -> Peer:
    """Let a client and a server exchange some bytes, and close properly."""
    ours = given.new_filter(0.0, PATIENCE)
    pump(peer, ours)
    ours.write(b"hello")
    pump(peer, ours)
    assert peer.received == b"hello"
    peer.close()
    ours.receive_data(peer.data_to_send())
    assert ours.read(1) == b""
    assert ours.has_ended and ours.fault is None
    ours.close()  # OpenSSL forgets the session of a connection that was only cut
    return peer


@BOTH
def test_an_expired_client_cannot_resume(
    pki: Pki, version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL looks at the dates of a certificate only in a full handshake."""
    given = credentials(pki)
    context = client_side(pki.ca, pki.client("operator"), version)
    session = exchange(given, Peer(context)).tls.session
    monkeypatch.setattr("modwire.tls.contexts.expired", lambda certificate: "it has expired")
    peer = Peer(context, session=session)
    ours = given.new_filter(0.0, PATIENCE)
    pump(peer, ours)
    assert ours.is_resumed
    assert not ours.is_open
    assert str(ours.fault) == "the client is refused: it has expired"


@BOTH
def test_a_session_is_not_resumed_after_a_fatal_alert(pki: Pki, version: ssl.TLSVersion) -> None:
    """R-11."""
    given = credentials(pki)
    context = client_side(pki.ca, pki.client("operator"), version)
    peer = Peer(context)
    ours = given.new_filter(0.0, PATIENCE)
    pump(peer, ours)
    ours.write(b"hello")
    pump(peer, ours)
    session = peer.tls.session
    peer.write(b"damaged on its way")
    sent = bytearray(peer.data_to_send())
    sent[-1] ^= 1
    ours.receive_data(bytes(sent))
    assert ours.read(100) == b""
    assert ours.fault is not None
    again = Peer(context, session=session)
    ours = given.new_filter(0.0, PATIENCE)
    pump(again, ours)
    assert ours.is_open
    assert not again.tls.session_reused


# The end.


@BOTH
def test_a_ragged_end_is_no_fault(pki: Pki, version: ssl.TLSVersion) -> None:
    ours, _ = connected(pki, pki.client("operator"), version)
    ours.receive_eof()
    assert ours.has_ended and ours.fault is None
    assert (ours.read(1), ours.has_more) == (b"", False)
    ours.close()
    ours.close()
    assert ours.data_to_send()  # its close_notify


@BOTH
def test_a_close_notify_ends_the_connection_of_the_peer(pki: Pki, version: ssl.TLSVersion) -> None:
    ours, peer = connected(pki, pki.client("operator"), version)
    ours.write(b"the last answer")
    ours.close()
    assert not ours.is_open
    ours.write(b"dropped")
    peer.receive_data(ours.data_to_send())
    assert peer.received == b"the last answer"
    assert peer.has_ended and peer.error is None


@BOTH
def test_a_close_with_unread_requests_raises_nothing(pki: Pki, version: ssl.TLSVersion) -> None:
    ours, peer = connected(pki, pki.client("operator"), version)
    peer.write(b"a request that nobody reads")
    ours.receive_data(peer.data_to_send())
    ours.close()
    peer.receive_data(ours.data_to_send())
    assert peer.has_ended


def test_an_end_in_the_handshake_is_told(pki: Pki) -> None:
    ours = credentials(pki).new_filter(0.0, PATIENCE)
    ours.receive_data(Peer(client_side(pki.ca)).data_to_send()[:50])
    ours.receive_eof()
    assert str(ours.fault) == "the client closed the connection in the TLS handshake"


def test_a_handshake_has_a_deadline(pki: Pki) -> None:
    ours = credentials(pki).new_filter(100.0, 3.0)
    assert ours.deadline() == 103.0
    ours.handle_timeout(102.9)
    assert ours.fault is None
    ours.handle_timeout(103.0)
    assert str(ours.fault) == "the client did not end the TLS handshake within 3 s"
    assert ours.deadline() is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (bytes.fromhex("000100000006010300000001"), "the client speaks Modbus without TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", "the client speaks HTTP"),
        (b":010300000001FB\r\n", "the client speaks no TLS: 3a 30 31"),
        (b"\0", "the client speaks no TLS: 00"),
    ],
)
def test_what_is_no_tls_is_told(pki: Pki, data: bytes, text: str) -> None:
    ours = credentials(pki).new_filter(0.0, PATIENCE)
    ours.receive_data(data)
    assert str(ours.fault).startswith(text)
    assert ours.data_to_send() == b""


def test_a_handshake_without_end_is_ended(pki: Pki) -> None:
    ours = credentials(pki).new_filter(0.0, PATIENCE)
    fragment = b"\x16\x03\x01\x40\x00" + b"\x01\x00\xff\xff" + b"\0" * (0x4000 - 4)
    for _ in range(40):
        ours.receive_data(fragment)
    assert ours.fault is not None


def test_key_updates_without_end_are_ended(pki: Pki) -> None:
    """An empty record costs work, and no request comes of it."""
    ours, peer = connected(pki, pki.client("operator"), V12)
    for _ in range(100_000):
        if ours.fault is not None or ours.has_ended:
            break
        peer.write(b"x")
        record = peer.data_to_send()
        ours.receive_data(record)  # and nobody reads
    assert ours.fault is not None


def test_nothing_shows_the_key_or_the_password(own_pki: Pki, tmp_path: Path) -> None:
    server = own_pki.server(password=b"open sesame")
    given = Credentials(server.certificate, server.key, own_pki.ca, password="open sesame")
    ours, _ = connected(own_pki, None, V13, given)
    shown = f"{given!r} {ours!r} {ours.fault!r} {ours.fault} {vars(ours)}"
    for secret in ("sesame", "PRIVATE", *server.key.read_text().split()[5:8]):
        assert secret not in shown
