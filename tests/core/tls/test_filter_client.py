"""The filter as a client, against Python's own TLS as a server: which side refused, and why."""

from __future__ import annotations

import hashlib
import pickle
import ssl
import warnings

import pytest

from modwire.tls import ClientCredentials
from modwire.tls.faults import TlsError
from modwire.tls.filter import Filter
from plant_pki import DAY, HOST, NOW, Issued, Pki
from tls_peers import BOTH, PATIENCE, V12, V13, VERSIONS, Peer, pump, server_side

# isort: split
from cryptography.hazmat.primitives import serialization


def trusting(pki: Pki, issued: Issued | None = None, **more: object) -> ClientCredentials:
    """Return the credentials of a client of HOST that trusts `pki`."""
    names = (None, None) if issued is None else (issued.certificate, issued.key)
    given = {"ca": pki.ca, "certificate": names[0], "key": names[1], **more}
    return ClientCredentials(HOST, **given)  # type: ignore[arg-type]


def shaken(given: ClientCredentials, context: ssl.SSLContext) -> tuple[Filter, Peer]:
    """Return the filter of a client and a server that have said to each other what they have."""
    ours = given.new_filter(0.0, PATIENCE)
    peer = Peer(context, is_server=True)
    pump(ours, peer)
    ours.read(1)  # in TLS 1.3 the server's refusal comes after the handshake
    return ours, peer


@BOTH
def test_it_connects_and_talks(pki: Pki, version: ssl.TLSVersion) -> None:
    given = trusting(pki, pki.client("operator"))
    ours, peer = shaken(given, server_side(pki.ca, pki.server(), version))
    assert ours.is_open and ours.fault is None
    assert ours.version == VERSIONS[version]
    ours.write(b"a request")
    pump(ours, peer)
    assert peer.received == b"a request"
    peer.write(b"an answer")
    ours.receive_data(peer.data_to_send())
    assert ours.read(100) == b"an answer"
    peer.close()
    ours.receive_data(peer.data_to_send())
    assert ours.read(100) == b""
    assert ours.has_ended and ours.fault is None


@BOTH
def test_bytes_may_come_in_any_pieces(pki: Pki, version: ssl.TLSVersion) -> None:
    ours = trusting(pki, pki.client("operator")).new_filter(0.0, PATIENCE)
    peer = Peer(server_side(pki.ca, pki.server(), version), is_server=True)
    pump(ours, peer, 1)
    assert ours.is_open and peer.is_open


@BOTH
def test_it_names_the_alert_and_its_own_certificate(
    pki: Pki, strangers: Pki, version: ssl.TLSVersion
) -> None:
    issued = strangers.client("operator")
    ours, _ = shaken(trusting(pki, issued), server_side(pki.ca, pki.server(), version))
    assert isinstance(ours.fault, TlsError) and isinstance(ours.fault, ConnectionError)
    copied = pickle.loads(pickle.dumps(ours.fault))
    assert (type(copied), str(copied), copied.alert) == (TlsError, str(ours.fault), "unknown_ca")
    assert ours.fault.alert == "unknown_ca"
    begins, ends = (
        f"{each:%Y-%m-%d %H:%M:%S}"
        for each in (issued.parsed.not_valid_before_utc, issued.parsed.not_valid_after_utc)
    )
    assert str(ours.fault) == (
        "the server refused: alert unknown_ca about our certificate, CN=client,O=Plant, "
        f"valid from {begins} to {ends} UTC"
    )


@BOTH
def test_it_says_that_a_certificate_is_missing(pki: Pki, version: ssl.TLSVersion) -> None:
    ours, _ = shaken(trusting(pki), server_side(pki.ca, pki.server(), version))
    alert = {V12: "handshake_failure", V13: "certificate_required"}[version]
    assert str(ours.fault) == (
        f"the server refused: alert {alert} about our certificate, which is missing"
    )


def fault_with(pki: Pki, server: Issued, version: ssl.TLSVersion, **more: object) -> str:
    """Return the reason why a client refuses `server`, which sees an alert for it."""
    given = trusting(pki, pki.client("operator"), **more)
    ours, peer = shaken(given, server_side(pki.ca, server, version))
    assert not ours.is_open
    assert ours.read(1) == b""
    ours.write(b"a secret")
    pump(ours, peer)
    assert peer.received == b""
    assert isinstance(ours.fault, TlsError)
    assert ours.fault.alert == ""
    return str(ours.fault)


@BOTH
def test_it_refuses_an_expired_server(pki: Pki, version: ssl.TLSVersion) -> None:
    server = pki.server(begins=NOW - 3 * DAY, ends=NOW - DAY)
    text = fault_with(pki, server, version)
    assert text.startswith("the server is refused: certificate has expired; its certificate is CN=")
    assert f"to {NOW - DAY:%Y-%m-%d}" in text


@BOTH
def test_it_refuses_another_name(pki: Pki, version: ssl.TLSVersion) -> None:
    text = fault_with(pki, pki.server(), version, server_hostname="other.example")
    assert "Hostname mismatch" in text
    assert "'other.example'" in text
    assert "its certificate is CN=server,O=Plant, valid from" in text


@BOTH
def test_it_refuses_another_address(pki: Pki, version: ssl.TLSVersion) -> None:
    assert "192.0.2.1" in fault_with(pki, pki.server(), version, server_hostname="192.0.2.1")
    given = trusting(pki, pki.client(), server_hostname="127.0.0.1")
    ours, _ = shaken(given, server_side(pki.ca, pki.server(), version))
    assert ours.is_open


@BOTH
def test_it_refuses_an_unknown_authority(pki: Pki, strangers: Pki, version: ssl.TLSVersion) -> None:
    text = fault_with(pki, strangers.server(), version)
    assert "unable to get local issuer certificate" in text or "self-signed" in text
    assert "its certificate is CN=server,O=Plant" in text


@BOTH
def test_it_refuses_the_certificate_of_a_client(pki: Pki, version: ssl.TLSVersion) -> None:
    server = pki.issue("server", hosts=(HOST,), purpose="client")
    assert "purpose" in fault_with(pki, server, version)


def test_it_refuses_a_server_without_tls(pki: Pki) -> None:
    for data, text in (
        (bytes.fromhex("000100000003018301"), "the server speaks Modbus without TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n", "the server speaks HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "the server speaks no TLS: 53 53 48"),
    ):
        ours = trusting(pki).new_filter(0.0, PATIENCE)
        assert ours.data_to_send()
        ours.receive_data(data)
        assert str(ours.fault).startswith(text)


def test_a_server_that_closes_has_most_likely_no_tls(pki: Pki) -> None:
    ours = trusting(pki).new_filter(0.0, PATIENCE)
    ours.receive_eof()
    assert str(ours.fault) == "the server closed the connection in the TLS handshake"


def test_it_refuses_old_versions(pki: Pki) -> None:
    context = server_side(pki.ca, pki.server())
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    ours, peer = shaken(trusting(pki), context)
    assert not ours.is_open
    assert "protocol" in str(ours.fault)
    assert not peer.is_open


@BOTH
@pytest.mark.parametrize("of", ["certificate", "key"])
def test_a_pinned_server_needs_no_name_and_no_authority(
    strangers: Pki, version: ssl.TLSVersion, of: str
) -> None:
    """A device without a name in its certificate."""
    server = strangers.issue("old device")
    other = strangers.issue("another device")
    pin = hashlib.sha256(server.der if of == "certificate" else public_key(server)).hexdigest()
    own = strangers.client("operator")
    for text in (pin, ":".join(pin.upper()[at : at + 2] for at in range(0, 64, 2))):
        given = ClientCredentials(HOST, certificate=own.certificate, key=own.key, pinned=text)
        ours, _ = shaken(given, server_side(strangers.ca, server, version))
        assert ours.is_open and ours.fault is None
    ours, peer = shaken(given, server_side(strangers.ca, other, version))
    assert not ours.is_open
    ours.write(b"a secret")
    pump(ours, peer)
    assert peer.received == b""
    actual = hashlib.sha256(other.der).hexdigest()
    assert "CN=another device,O=Plant" in str(ours.fault)
    assert f"with SHA-256 {actual}, and {hashlib.sha256(public_key(other)).hexdigest()}" in str(
        ours.fault
    )


def public_key(issued: Issued) -> bytes:
    return issued.parsed.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@BOTH
def test_a_pin_does_not_replace_the_authority_if_there_is_one(
    pki: Pki, strangers: Pki, version: ssl.TLSVersion
) -> None:
    server = strangers.server()
    pin = hashlib.sha256(server.der).hexdigest()
    assert "issuer" in fault_with(pki, server, version, pinned=pin)
    server = pki.server()
    pin = hashlib.sha256(server.der).hexdigest()
    text = fault_with(pki, server, version, pinned=pin, server_hostname="other.example")
    assert "Hostname mismatch" in text


def test_a_context_of_the_user_is_used(pki: Pki) -> None:
    context = ssl.create_default_context(cafile=str(pki.ca))
    issued = pki.client("operator")
    context.load_cert_chain(issued.certificate, issued.key)
    ours, peer = shaken(ClientCredentials(HOST, context=context), server_side(pki.ca, pki.server()))
    assert ours.is_open and peer.is_open
