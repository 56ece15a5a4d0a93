"""TLS clients of every package: what they refuse, who refuses them, and that they say which."""

from __future__ import annotations

import hashlib
import logging
import socket
import ssl
import time
from typing import Any

import pytest

from modwire import ConnectionLostError, ResponseTimeoutError
from plant_pki import DAY, NOW, Issued, Pki
from tls_peers import V12, V13, server_side

from .hostile_peers import BOUND
from .tls_sides import (
    FarServer,
    Watched,
    answers_to,
    every_package,
    every_version,
    far_server,
    played,
    served,
)

READ_ONE = ("read_holding_registers", 0)
SEVEN = [7]


def files(pki: Pki, issued: Issued | None = None, **more: Any) -> dict[str, Any]:
    """Return the arguments of a client with a certificate."""
    issued = issued or pki.client("operator")
    return {"ca": pki.ca, "certificate": issued.certificate, "key": issued.key, **more}


@every_package
@every_version
def test_it_reads_and_writes(package: str, pki: Pki, version: ssl.TLSVersion) -> None:
    with far_server(server_side(pki.ca, pki.server(), version)) as server:
        found = played(package, server.address, [READ_ONE] * 20, **files(pki))
    assert found == [SEVEN] * 20
    assert server.handshakes == 1


@every_package
def test_it_works_with_a_server_of_modwire(package: str, pki: Pki) -> None:
    unit = Watched()
    steps = [("write_registers", 0, list(range(123))), ("read_holding_registers", 0, 125)]
    with served("sync", pki, unit) as address:
        found = played(package, address, steps * 3, **files(pki))
    assert found == [None, [*range(123), 7, 7]] * 3


@every_package
def test_an_endpoint_names_all(package: str, pki: Pki) -> None:
    issued = pki.client("operator")
    with served("sync", pki) as address:
        place = f"tls://localhost:{address[1]}?unit=3&ca={str(pki.ca).replace(' ', '%20')}"
        endpoint = f"{place}&certificate={issued.certificate}&key={issued.key}"
        assert played(package, address, [READ_ONE], endpoint=endpoint) == [SEVEN]


@every_package
@every_version
def test_many_callers_share_it(package: str, pki: Pki, version: ssl.TLSVersion) -> None:
    with far_server(server_side(pki.ca, pki.server(), version)) as server:
        steps = [("together", 8, *READ_ONE)] * 5
        found = played(package, server.address, steps, max_in_flight=4, **files(pki))
    assert found == [[SEVEN] * 8] * 5


@every_package
@every_version
def test_answers_may_come_in_any_pieces(package: str, pki: Pki, version: ssl.TLSVersion) -> None:
    """Records cut into single bytes, and several records at once."""

    def behave(server: FarServer, plain: socket.socket) -> None:
        assert server.context is not None
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = server.context.wrap_bio(incoming, outgoing, server_side=True)
        is_open = False
        while data := plain.recv(4096):
            incoming.write(data)
            try:
                if not is_open:
                    tls.do_handshake()
                    is_open = True
                request = tls.read(4096)
                answer = answers_to(request)
                for at in range(0, len(answer), 4):
                    tls.write(answer[at : at + 4])
            except ssl.SSLWantReadError:
                pass
            sent = outgoing.read()
            for at in range(0, len(sent), 50 if not is_open else 1):
                plain.sendall(sent[at : at + (50 if not is_open else 1)])

    with far_server(server_side(pki.ca, pki.server(), version), behave) as server:
        assert played(package, server.address, [READ_ONE] * 5, **files(pki)) == [SEVEN] * 5


# The client refuses.


def error_of(found: list[Any]) -> str:
    """Return the text of the only result, an error."""
    [error] = found
    assert isinstance(error, ConnectionLostError), error
    return str(error)


@every_package
@every_version
def test_it_refuses_a_wrong_server_and_says_why(
    package: str, pki: Pki, strangers: Pki, version: ssl.TLSVersion
) -> None:
    expired = pki.server(begins=NOW - 3 * DAY, ends=NOW - DAY)
    named = "its certificate is CN=server,O=Plant, valid from "
    cases: list[tuple[Issued, dict[str, Any], str]] = [
        (pki.server(), {"server_hostname": "other.example"}, "Hostname mismatch"),
        (expired, {}, "certificate has expired"),
        (strangers.server(), {}, "unable to get local issuer certificate"),
    ]
    for issued, arguments, reason in cases:
        with far_server(server_side(pki.ca, issued, version)) as server:
            text = error_of(played(package, server.address, [READ_ONE], **files(pki, **arguments)))
            assert text.startswith(
                f"tls://localhost:{server.address[1]}, unit 1: cannot be opened: "
            )
            assert f"the server is refused: {reason}" in text
            assert named in text
            assert server.requests == []


@every_package
def test_it_refuses_a_server_without_tls_and_says_so(package: str, pki: Pki) -> None:
    def is_http(server: FarServer, plain: socket.socket) -> None:
        plain.recv(4096)
        plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        plain.recv(4096)

    def is_modbus(server: FarServer, plain: socket.socket) -> None:
        plain.recv(4096)  # whose header is wrong for MBAP

    for behave, text in (
        (is_http, "the server speaks HTTP"),
        (is_modbus, "the server closed the connection in the TLS handshake"),
    ):
        with far_server(None, behave) as server:
            assert text in error_of(played(package, server.address, [READ_ONE], **files(pki)))
    with served("sync", pki) as address:
        pass
    assert "Connection refused" in error_of(played(package, address, [READ_ONE], **files(pki)))


@every_package
def test_a_pinned_server_needs_no_name(package: str, pki: Pki, strangers: Pki) -> None:
    device, other = strangers.issue("device"), strangers.issue("another")
    pin = hashlib.sha256(device.der).hexdigest()
    own = pki.client("operator")
    arguments = {"certificate": own.certificate, "key": own.key, "pinned": pin}
    with far_server(server_side(pki.ca, device)) as server:
        assert played(package, server.address, [READ_ONE], **arguments) == [SEVEN]
    with far_server(server_side(pki.ca, other)) as server:
        text = error_of(played(package, server.address, [READ_ONE], **arguments))
        assert "its certificate is not pinned; it is CN=another,O=Plant" in text
        assert hashlib.sha256(other.der).hexdigest() in text
        assert server.requests == []


@every_package
def test_a_handshake_that_stalls_ends_in_time(package: str, pki: Pki) -> None:
    def behave(server: FarServer, plain: socket.socket) -> None:
        while plain.recv(4096):
            pass

    with far_server(None, behave) as server:
        began = time.monotonic()
        arguments = files(pki, connect_timeout=0.3)
        text = error_of(played(package, server.address, [READ_ONE], **arguments))
        assert "the server did not end the TLS handshake within 0.3 s" in text
        assert time.monotonic() - began < BOUND


# The server refuses.


@every_package
@every_version
def test_it_says_that_and_why_the_server_has_refused(
    package: str, pki: Pki, strangers: Pki, version: ssl.TLSVersion
) -> None:
    """Also in TLS 1.3, where the client learns it from the first read."""
    issued = strangers.client("operator")
    cases: list[tuple[dict[str, Any], str, str]] = [
        (files(pki, issued), "unknown_ca", "CN=client,O=Plant, valid from "),
        (
            {"ca": pki.ca},
            {V12: "handshake_failure", V13: "certificate_required"}[version],
            "which is missing",
        ),
    ]
    unit = Watched()
    for arguments, alert, ours in cases:
        with far_server(server_side(pki.ca, pki.server(), version)) as server:
            found = played(package, server.address, [("write_register", 0, 1)], **arguments)
            assert f"the server refused: alert {alert} about our certificate, {ours}" in error_of(
                found
            )
            assert server.requests == []
        with served("sync", pki, unit) as address:
            played(package, address, [("write_register", 0, 1)], **arguments)
    assert unit.executed == []


@every_package
@every_version
def test_a_refusal_increases_the_back_off(package: str, pki: Pki, version: ssl.TLSVersion) -> None:
    """A client that goes on must not cost the server a handshake with each call."""
    with far_server(server_side(pki.ca, pki.server(), version)) as server:
        found = played(package, server.address, [READ_ONE] * 8, ca=pki.ca, timeout=0.15)
        assert all(isinstance(each, ConnectionLostError) for each in found)
        assert "the next try is in" in str(found[-1])
        # With TLS 1.3, a server that closes at once may reset the connection, without its alert.
        text = str(found[-1])
        assert "the server refused: alert" in text or "may have refused our certificate" in text
        assert len(server.errors) < 6


@every_package
@every_version
def test_a_server_that_resets_after_the_handshake_may_have_refused(
    package: str, pki: Pki, version: ssl.TLSVersion
) -> None:
    def behave(server: FarServer, plain: socket.socket) -> None:
        with server.wrapped(plain) as peer:
            peer.recv(4096)  # and closes without an answer and a close_notify

    with far_server(server_side(pki.ca, pki.server(), version), behave) as server:
        steps = [("write_register", 0, 1)]
        text = error_of(played(package, server.address, steps, **files(pki)))
        assert "the server has sent nothing since the TLS handshake" in text
        assert "it may have refused our certificate, CN=client,O=Plant" in text


# The link.


@every_package
@every_version
def test_a_lost_connection_is_opened_anew(package: str, pki: Pki, version: ssl.TLSVersion) -> None:
    """The server may say so, or only close its socket."""

    def behave(server: FarServer, plain: socket.socket) -> None:
        with server.wrapped(plain) as peer:
            for _ in range(2):
                peer.sendall(answers_to(peer.recv(4096)))
            if server.handshakes == 1:
                peer.unwrap()

    with far_server(server_side(pki.ca, pki.server(), version), behave) as server:
        assert played(package, server.address, [READ_ONE] * 6, **files(pki)) == [SEVEN] * 6
        assert server.handshakes == 3


@every_package
@every_version
def test_a_timeout_leaves_the_link_in_order(
    package: str, pki: Pki, version: ssl.TLSVersion
) -> None:
    def behave(server: FarServer, plain: socket.socket) -> None:
        with server.wrapped(plain) as peer:
            late = answers_to(peer.recv(4096))
            peer.sendall(late + answers_to(peer.recv(4096)))
            peer.recv(4096)

    with far_server(server_side(pki.ca, pki.server(), version), behave) as server:
        found = played(package, server.address, [READ_ONE] * 2, timeout=0.3, **files(pki))
    assert isinstance(found[0], ResponseTimeoutError)
    assert found[1] == SEVEN


@every_package
def test_nothing_secret_is_shown(
    package: str, pki: Pki, strangers: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issued = strangers.client("operator", password=b"open sesame")
    arguments = files(pki, issued, password="open sesame")
    with far_server(server_side(pki.ca, pki.server())) as server:
        found = played(package, server.address, [READ_ONE, ("__repr__",)][:1], **arguments)
    shown = "\n".join([repr(found), str(found), *[each.getMessage() for each in caplog.records]])
    for secret in ("sesame", "PRIVATE", *issued.key.read_text().split()[3:6]):
        assert secret not in shown
