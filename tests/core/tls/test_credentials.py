"""Files of certificates and keys: each mistake has its error, and none shows a secret."""

from __future__ import annotations

import os
import ssl
import traceback
from pathlib import Path
from typing import Any

import pytest

from modwire.errors import ModbusError
from modwire.tls import ClientCredentials, Credentials
from modwire.tls.contexts import CredentialsError, server_context
from plant_pki import DAY, HOST, NOW, Issued, Pki, new_key, save_key
from tls_peers import PATIENCE, V12, V13, Peer, client_side, credentials, pump


def error_of(certificate: object, key: object, ca: object, crl: object = None, **more: Any) -> str:
    """Return the error of a server with these files, which must not show anything secret."""
    with pytest.raises(CredentialsError) as caught:
        Credentials(certificate, key, ca, crl, **more)  # type: ignore[arg-type]
    assert isinstance(caught.value, ModbusError) and isinstance(caught.value, ValueError)
    shown = "".join(traceback.format_exception(caught.value))
    assert "sesame" not in shown
    assert "MII" not in shown
    assert "BEGIN PRIVATE" not in shown
    return str(caught.value)


def test_good_files_are_accepted(own_pki: Pki, tmp_path: Path) -> None:
    server = own_pki.server()
    crl = own_pki.revoke()
    made = Credentials(str(server.certificate), str(server.key), own_pki.ca, crl)
    assert made.context.verify_mode == ssl.CERT_REQUIRED
    assert made.context.minimum_version == V12
    assert repr(made).startswith("<Credentials, certificate CN=server,O=Plant, valid from ")
    both = tmp_path / "both.pem"
    both.write_text(server.key.read_text() + server.certificate.read_text())
    assert Credentials(both, None, own_pki.ca).context is not made.context


def test_an_encrypted_key_needs_its_password(pki: Pki) -> None:
    server = pki.server(password=b"open sesame")
    assert Credentials(server.certificate, server.key, pki.ca, password="open sesame")
    place = f"key {server.key}"
    assert (
        error_of(*server[:2], pki.ca)
        == f"{place} is encrypted: give its password, or password_file"
    )
    text = error_of(*server[:2], pki.ca, password="not sesame")
    assert text.startswith(place)
    assert text.endswith("the password is wrong, or the key is damaged")
    assert "password" in error_of(*server[:2], pki.ca, password="sesame" * 1000)


def test_files_that_are_missing_are_named(pki: Pki, tmp_path: Path) -> None:
    server = pki.server()
    missing = tmp_path / "missing.pem"
    reason = "cannot be read: No such file or directory"
    assert error_of(missing, server.key, pki.ca) == f"certificate {missing} {reason}"
    text = error_of(server.certificate, missing, pki.ca)
    assert text == f"key {missing} cannot be used: No such file or directory"
    assert error_of(*server[:2], missing) == f"client_ca {missing} {reason}"
    assert error_of(*server[:2], pki.ca, missing) == f"crl {missing} {reason}"
    assert "Is a directory" in error_of(tmp_path, server.key, pki.ca)
    assert "cannot be read" in error_of(None, None, pki.ca)
    assert "cannot be read" in error_of("a\0b", None, pki.ca)


def test_files_that_were_swapped_are_told(pki: Pki) -> None:
    server = pki.server()
    text = error_of(server.key, server.certificate, pki.ca)
    assert text == f"certificate {server.key} cannot be used: it has a key and no certificate"
    text = error_of(server.certificate, server.certificate, pki.ca)
    assert text == f"key {server.certificate} cannot be used: it has a certificate and no key"
    assert "no key" in error_of(server.certificate, None, pki.ca)
    assert "list of revoked certificates" in error_of(*server[:2], pki.ca, pki.ca)
    assert "a key and no certificate" in error_of(*server[:2], server.key)


def test_a_key_of_another_certificate_is_told(pki: Pki) -> None:
    one, other = pki.server(), pki.server()
    text = error_of(one.certificate, other.key, pki.ca)
    assert text == (
        f"key {other.key}, certificate {one.certificate} cannot be used: "
        "the key does not fit the certificate"
    )
    rsa = save_key(new_key("rsa2048"), pki.folder / "rsa.key")
    assert "does not fit" in error_of(one.certificate, rsa, pki.ca)


def test_an_expired_certificate_of_our_own_is_told(pki: Pki) -> None:
    server = pki.server(begins=NOW - 3 * DAY, ends=NOW - DAY)
    text = error_of(*server[:2], pki.ca)
    assert text.startswith(f"certificate {server.certificate} cannot be used: it has expired: CN=")
    assert f"to {NOW - DAY:%Y-%m-%d}" in text
    server = pki.server(begins=NOW + DAY)
    assert "it is not valid yet: CN=server" in error_of(*server[:2], pki.ca)


def test_weak_keys_are_told(pki: Pki) -> None:
    server = pki.server(kind="rsa1024")
    assert "RSA keys need 2048 bits" in error_of(*server[:2], pki.ca)


def test_der_is_told(pki: Pki, tmp_path: Path) -> None:
    server = pki.server()
    der = tmp_path / "server.der"
    der.write_bytes(server.der)
    assert "it is in DER, and must be in PEM" in error_of(der, server.key, pki.ca)
    assert "it is in DER, and must be in PEM" in error_of(*server[:2], der)


@pytest.mark.parametrize("where", ["certificate", "key", "client_ca", "crl"])
def test_damaged_files_are_told(own_pki: Pki, tmp_path: Path, where: str) -> None:
    server = own_pki.server()
    files: list[Path] = [server.certificate, server.key, own_pki.ca, own_pki.revoke()]
    at = ["certificate", "key", "client_ca", "crl"].index(where)
    whole = files[at].read_bytes()
    lines = whole.splitlines(keepends=True)
    damaged = tmp_path / "damaged.pem"
    files[at] = damaged
    first = {
        b"": "no",
        b"no PEM at all": "PEM",
        lines[0] + lines[-1]: "cannot be",
        lines[0] + b"====\n" + lines[-1]: "",
        lines[0] + b"AAAA\n" + lines[-1]: "cannot be",
        b"".join(lines[:-2]): "",
        whole.replace(lines[2], lines[2][::-1].strip() + b"\n"): "",
    }
    for data, text in first.items():
        damaged.write_bytes(data)
        assert text in error_of(*files)


def test_an_expired_authority_is_told(tmp_path: Path, pki: Pki) -> None:
    server = pki.server()
    text = error_of(*server[:2], pki.server(begins=NOW - 3 * DAY, ends=NOW - DAY).certificate)
    assert "it has expired" in text
    # One of two is enough.
    both = tmp_path / "both.pem"
    old = pki.server(begins=NOW - 3 * DAY, ends=NOW - DAY).certificate
    both.write_bytes(old.read_bytes() + pki.ca.read_bytes())
    assert Credentials(*server[:2], both)


def test_an_expired_list_is_told(own_pki: Pki) -> None:
    """OpenSSL would refuse every client, and say that the list has expired."""
    crl = own_pki.revoke(ends=NOW - DAY / 2)
    text = error_of(*own_pki.server()[:2], own_pki.ca, crl)
    assert f"a list has expired on {NOW - DAY / 2:%Y-%m-%d}" in text


def test_each_authority_of_a_chain_needs_its_list(tmp_path: Path) -> None:
    """A revoked authority in between would stay valid otherwise."""
    root = Pki(tmp_path, "Root")
    plant = Pki(tmp_path, "Plant", issuer=root)
    issued = plant.client("operator")
    lists = tmp_path / "lists.pem"
    lists.write_bytes(root.revoke().read_bytes() + plant.revoke().read_bytes())
    assert alert(root, lists, issued) == ""
    assert alert(root, plant.revoke(), issued) != ""
    as_issued = Issued(plant.ca, plant.ca, b"", plant.certificate)
    lists.write_bytes(root.revoke(as_issued).read_bytes() + plant.revoke().read_bytes())
    assert alert(root, lists, issued) == "certificate_revoked"


def alert(root: Pki, crl: Path, issued: Issued) -> str:
    peer = Peer(client_side(root.ca, issued, V13))
    pump(peer, credentials(root, crl).new_filter(0.0, PATIENCE))
    return peer.alert


# Contexts of the user.


def test_a_context_must_be_safe(pki: Pki) -> None:
    good = server_context(*pki.server()[:2], pki.ca)
    assert Credentials.of_context(good).context is good
    with pytest.raises(CredentialsError, match="cannot be reloaded"):
        Credentials.of_context(good).reload()
    lenient = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lenient.minimum_version = V12
    for mode in (ssl.CERT_NONE, ssl.CERT_OPTIONAL):
        lenient.verify_mode = mode
        with pytest.raises(CredentialsError, match=f"CERT_REQUIRED.*got {mode.name}"):
            Credentials.of_context(lenient)
    lenient.verify_mode = ssl.CERT_REQUIRED
    lenient.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.raises(CredentialsError, match=r"TLS 1\.2"):
        Credentials.of_context(lenient)
    with pytest.raises(CredentialsError, match=r"TLS 1\.2"):
        ClientCredentials(HOST, context=lenient)
    with pytest.raises(TypeError, match=r"SSLContext, got str"):
        Credentials.of_context("context")  # type: ignore[arg-type]


# Reloading.


def test_a_reload_takes_new_files(own_pki: Pki) -> None:
    issued, other = own_pki.client("operator"), own_pki.client("operator")
    crl = own_pki.revoke()
    given = credentials(own_pki, crl)
    assert alert_of(given, own_pki, issued) == ""
    own_pki.revoke(issued)  # the same file
    assert alert_of(given, own_pki, issued) == ""
    given.reload()
    assert alert_of(given, own_pki, issued) == "certificate_revoked"
    assert alert_of(given, own_pki, other) == ""


def test_a_reload_of_a_bad_file_changes_nothing(own_pki: Pki) -> None:
    issued = own_pki.client("operator")
    crl = own_pki.revoke(issued)
    given = credentials(own_pki, crl)
    context = given.context
    crl.write_bytes(b"half a li")
    with pytest.raises(CredentialsError):
        given.reload()
    assert given.context is context
    assert alert_of(given, own_pki, issued) == "certificate_revoked"


def alert_of(given: Credentials, pki: Pki, issued: Issued) -> str:
    peer = Peer(client_side(pki.ca, issued, V13))
    pump(peer, given.new_filter(0.0, PATIENCE))
    return peer.alert


# Clients.


def test_a_client_must_know_whom_to_trust(pki: Pki) -> None:
    for arguments in ({}, {"certificate": pki.client().certificate}):
        with pytest.raises(CredentialsError, match="without ca, the file"):
            ClientCredentials(HOST, **arguments)  # type: ignore[arg-type]
    with pytest.raises(CredentialsError, match="needs its certificate too"):
        ClientCredentials(HOST, ca=pki.ca, key=pki.client().key)
    context = ssl.create_default_context()
    with pytest.raises(CredentialsError, match="stands in place of ca"):
        ClientCredentials(HOST, context=context, ca=pki.ca)


@pytest.mark.parametrize("pin", ["", "ab" * 31, "xy" * 32, "ab" * 33, 5, None, b"ab" * 32])
def test_a_pin_must_be_a_hash(pin: object) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal"):
        ClientCredentials(HOST, pinned=(pin,))  # type: ignore[arg-type]
    if pin == "":
        with pytest.raises(ValueError, match="64 hexadecimal"):
            ClientCredentials(HOST, pinned=pin)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [".example", "a\0b", "x" * 300, 5])
def test_a_host_name_must_be_one(pki: Pki, name: object) -> None:
    with pytest.raises(ValueError, match="server_hostname must be"):
        ClientCredentials(HOST, ca=pki.ca, server_hostname=name)  # type: ignore[arg-type]


def test_a_password_is_the_first_line_of_its_file(pki: Pki, tmp_path: Path) -> None:
    """The file is read anew at each reload: a new key may have a new password."""
    server = pki.server(password="Öffne dich, Sesam ".encode())
    file = tmp_path / "password"
    files = (server.certificate, server.key, pki.ca)
    for text in ("Öffne dich, Sesam ", "Öffne dich, Sesam \r\nnot this", "Öffne dich, Sesam \n\n"):
        file.write_bytes(text.encode())
        made = Credentials(*files, password_file=file)
        client = ClientCredentials(
            HOST, ca=pki.ca, certificate=files[0], key=files[1], password_file=file
        )
        assert "Sesam" not in f"{made!r} {client!r}"
    file.write_text("Öffne dich nicht", encoding="utf-8")
    with pytest.raises(CredentialsError, match="the password is wrong"):
        made.reload()
    for data, said in (
        (b"", "its first line, the password, must have 1..1023 bytes"),
        (b"\nsecond line", "its first line, the password, must have 1..1023 bytes"),
        (b"x" * 1024, "its first line, the password, must have 1..1023 bytes"),
        (b"caf\xe9", "its first line is not UTF-8"),
    ):
        file.write_bytes(data)
        text = error_of(*files, password_file=file)
        assert text == f"password_file {file} cannot be used: {said}"
    missing = tmp_path / "missing"
    text = error_of(*files, password_file=missing)
    assert text == f"password_file {missing} cannot be used: No such file or directory"
    text = error_of(*files, password="x", password_file=file)
    assert text == "give either password or password_file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs")
def test_a_password_may_come_through_a_fifo(pki: Pki, tmp_path: Path) -> None:
    """One without a writer is empty: a server that reloads must not wait for one."""
    server = pki.server(password=b"sesame")
    files = (server.certificate, server.key, pki.ca)
    fifo = tmp_path / "password"
    os.mkfifo(fifo)
    said = "its first line, the password, must have 1..1023 bytes"
    assert error_of(*files, password_file=fifo) == f"password_file {fifo} cannot be used: {said}"
    writer = os.open(fifo, os.O_RDWR)
    try:
        os.write(writer, b"sesame\n")
        assert Credentials(*files, password_file=fifo)
    finally:
        os.close(writer)
