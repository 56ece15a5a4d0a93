"""The filter as a server, against Python's own TLS as a client: MODBUS/TCP Security, R-01 on."""

from __future__ import annotations

import re
import ssl
import warnings

import pytest

from modwire.tls import role_of
from plant_pki import DAY, NOW, ROLE, SIBLING, Issued, Pki, signed_again, signed_with_sha1, utf8
from tls_peers import (
    BOTH,
    PATIENCE,
    V12,
    V13,
    VERSIONS,
    Peer,
    client_side,
    connected,
    credentials,
    pump,
)


@BOTH
def test_a_client_with_a_role_is_let_in(pki: Pki, version: ssl.TLSVersion) -> None:
    ours, peer = connected(pki, pki.client("operator"), version)
    assert ours.is_open and peer.is_open
    assert (ours.fault, peer.error) == (None, None)
    assert ours.version == VERSIONS[version]
    assert ours.certificate is not None
    assert role_of(ours.certificate) == "operator"
    assert ours.deadline() is None
    peer.write(b"a request")
    ours.receive_data(peer.data_to_send())
    assert ours.has_more is False or ours.read(100) == b"a request"
    ours.write(b"an answer")
    peer.receive_data(ours.data_to_send())
    assert peer.received == b"an answer"
    assert peer.tls.compression() is None


REFUSED = {
    "expired": ("certificate_expired", "certificate has expired"),
    "not yet valid": ("bad_certificate", "not yet valid"),
    "of strangers": ("unknown_ca", "issuer"),
    "for servers only": ("unsupported_certificate", "purpose"),
    "revoked": ("certificate_revoked", "certificate revoked"),
    "with a critical role": ("certificate_unknown", "critical extension"),
}


def refused(kind: str, pki: Pki, strangers: Pki) -> Issued:
    match kind:
        case "expired":
            return pki.client("operator", begins=NOW - 3 * DAY, ends=NOW - DAY)
        case "not yet valid":
            return pki.client("operator", begins=NOW + DAY)
        case "of strangers":
            return strangers.client("operator")
        case "for servers only":
            return pki.issue("client", utf8("operator"), purpose="server")
        case "with a critical role":
            return pki.client("operator", critical=True)
        case _:
            return pki.client("operator")


@BOTH
@pytest.mark.parametrize("kind", REFUSED)
def test_a_bad_certificate_gets_its_alert(
    own_pki: Pki, strangers: Pki, version: ssl.TLSVersion, kind: str
) -> None:
    issued = refused(kind, own_pki, strangers)
    crl = own_pki.revoke(issued) if kind == "revoked" else None
    ours, peer = connected(own_pki, issued, version, credentials(own_pki, crl))
    alert, reason = REFUSED[kind]
    assert re.fullmatch(alert, peer.alert), peer.error
    assert not ours.is_open
    assert ours.fault is not None
    assert reason in str(ours.fault)
    assert str(ours.fault).startswith("the client is refused: ")
    assert ours.read(100) == b""


@BOTH
def test_no_certificate_gets_an_alert(pki: Pki, version: ssl.TLSVersion) -> None:
    """R-10: a fatal alert, which is certificate_required in TLS 1.3 only."""
    ours, peer = connected(pki, None, version)
    assert peer.alert == {V12: "handshake_failure", V13: "certificate_required"}[version]
    assert str(ours.fault) == "the client is refused: it sent no certificate"


@BOTH
def test_what_a_refused_client_has_sent_is_not_read(
    pki: Pki, strangers: Pki, version: ssl.TLSVersion
) -> None:
    """In TLS 1.3 a client may send requests before the server has looked at its certificate."""
    ours = credentials(pki).new_filter(0.0, PATIENCE)
    peer = Peer(client_side(pki.ca, strangers.client("operator"), version))
    while not peer.is_open and peer.error is None:
        ours.receive_data(peer.data_to_send())
        peer.receive_data(ours.data_to_send())
    if peer.is_open:
        peer.write(b"a write request")
    ours.receive_data(peer.data_to_send())
    assert ours.read(100) == b""
    assert ours.fault is not None
    peer.receive_data(ours.data_to_send())
    assert peer.alert == "unknown_ca"
    ours.receive_data(b"more bytes")
    assert (ours.read(100), ours.data_to_send(), ours.has_more) == (b"", b"", False)


def test_old_versions_are_refused(pki: Pki) -> None:
    """R-01, R-32, R-34, R-35."""
    context = client_side(pki.ca, pki.client())
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    ours = credentials(pki).new_filter(0.0, PATIENCE)
    try:
        peer = Peer(context)
    except ssl.SSLError:
        pytest.skip("this OpenSSL has no TLS 1.1")
    pump(peer, ours)
    assert peer.alert == "protocol_version"
    assert ours.fault is not None
    assert "TLS 1.2" in str(ours.fault)


@pytest.mark.parametrize(
    "suites",
    ["ECDHE-RSA-AES128-SHA", "AES128-SHA", "NULL-SHA256", "NULL-SHA", "AES128-GCM-SHA256"],
)
def test_weak_suites_are_refused(rsa_pki: Pki, suites: str) -> None:
    """R-50, R-51, R-54: no HMAC-SHA1; R-66: no NULL unless asked for; no key without secrecy."""
    ours, peer = connected(rsa_pki, rsa_pki.client(), V12, suites=f"{suites}:@SECLEVEL=0")
    assert peer.alert == "handshake_failure"
    assert "cipher suite" in str(ours.fault)


def test_a_hash_that_is_broken_is_refused(pki: Pki) -> None:
    issued = signed_with_sha1(pki, pki.client("operator"))
    context = client_side(pki.ca, suites="DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(issued.certificate, issued.key)
    ours = credentials(pki).new_filter(0.0, PATIENCE)
    peer = Peer(context)
    pump(peer, ours)
    assert not ours.is_open
    assert peer.error is not None
    assert "weak" in str(ours.fault)


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"])
def test_the_suites_with_rsa_are_accepted(rsa_pki: Pki, suite: str) -> None:
    """R-14."""
    ours, peer = connected(rsa_pki, rsa_pki.client("operator"), V12, suites=suite)
    assert ours.is_open and peer.is_open
    assert ours.cipher == suite


def test_the_suite_with_p_256_is_accepted(pki: Pki) -> None:
    """R-61, R-62."""
    suite = "ECDHE-ECDSA-AES128-GCM-SHA256"
    context = client_side(pki.ca, pki.client("operator"), V12, suite)
    context.set_ecdh_curve("prime256v1")
    ours = credentials(pki).new_filter(0.0, PATIENCE)
    peer = Peer(context)
    pump(peer, ours)
    assert ours.is_open and peer.is_open
    assert ours.cipher == suite


def test_null_encryption_is_there_if_asked_for_and_comes_last(rsa_pki: Pki) -> None:
    """R-66, R-67."""
    given = credentials(rsa_pki, null_encryption=True)
    issued = rsa_pki.client("operator")
    ours, _ = connected(rsa_pki, issued, V12, given, suites="NULL-SHA256:@SECLEVEL=0")
    assert ours.is_open
    assert ours.cipher == "NULL-SHA256"
    both = "NULL-SHA256:ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"
    ours, _ = connected(rsa_pki, issued, V12, given, suites=both)
    assert ours.cipher == "ECDHE-RSA-AES128-GCM-SHA256"


ROLES = {
    "none": (),
    "empty": (utf8(""),),
    "with NUL inside": (utf8("oper\0ator"),),
    "not UTF-8": (utf8(b"\xff"),),
    "PrintableString": (b"\x13\x08operator",),
    "OCTET STRING": (b"\x04\x08operator",),
    "without a tag": (b"operator",),
    "a byte too many": (utf8("operator") + b"\0",),
    "of a sibling": (utf8("operator"),),
    "two": (utf8("operator"), utf8("operator")),
}


@BOTH
@pytest.mark.parametrize("kind", ROLES)
def test_a_client_without_a_role_is_let_in_and_has_none(
    pki: Pki, version: ssl.TLSVersion, kind: str
) -> None:
    """R-23: it goes to authorization like any other."""
    oid = SIBLING if kind == "of a sibling" else ROLE
    issued = pki.issue("client", *ROLES[kind], purpose="client", oid=oid)
    if kind == "two":
        sibling, role = (each.dotted_string.rpartition(".")[2] for each in (SIBLING, ROLE))
        start = bytes.fromhex("83890c8622")
        issued = signed_again(
            pki, issued, start + bytes([int(sibling)]), start + bytes([int(role)])
        )
    ours, peer = connected(pki, issued, version)
    assert ours.is_open and peer.is_open
    assert ours.certificate is not None
    assert role_of(ours.certificate) is None


@BOTH
@pytest.mark.parametrize("size", [1, 5, 100])
def test_bytes_may_come_in_any_pieces(pki: Pki, version: ssl.TLSVersion, size: int) -> None:
    ours = credentials(pki).new_filter(0.0, PATIENCE)
    peer = Peer(client_side(pki.ca, pki.client("operator"), version))
    pump(peer, ours, size)
    assert ours.is_open and peer.is_open
    peer.write(b"x" * 5000)
    sent, got = peer.data_to_send(), b""
    for at in range(0, len(sent), size):
        ours.receive_data(sent[at : at + size])
        while data := ours.read(77):
            got += data
        assert not ours.has_more
    assert got == b"x" * 5000


@BOTH
def test_much_plaintext_is_read_in_parts(pki: Pki, version: ssl.TLSVersion) -> None:
    """A server gives each client short turns, whatever the client packs into its records."""
    ours, peer = connected(pki, pki.client("operator"), version)
    peer.write(b"y" * 40_000)
    ours.receive_data(peer.data_to_send())
    parts: list[int] = []
    while ours.has_more:
        parts.append(len(ours.read(2048)))
    assert sum(parts) == 40_000
    assert max(parts) <= 2048
