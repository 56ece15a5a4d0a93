"""`Pki`: a certificate authority for tests, which issues certificates with roles."""

from __future__ import annotations

import ipaddress
import shutil
import ssl
import subprocess
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("cryptography", reason="to install it: pip install cryptography")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ROLE = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1")
SIBLING = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.2")
NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)
HOST = "plc.example"

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Issued(NamedTuple):
    """A certificate with its chain, and its key, as PEM files; `der` is the certificate alone."""

    certificate: Path
    key: Path
    der: bytes
    parsed: x509.Certificate


def utf8(text: str | bytes) -> bytes:
    """Return the DER of a UTF8String."""
    raw = text if isinstance(text, bytes) else text.encode()
    return tlv(0x0C, raw)


def tlv(tag: int, raw: bytes) -> bytes:
    """Return the DER of a value: its tag, its length in the shortest form, and its bytes."""
    if len(raw) < 0x80:
        return bytes((tag, len(raw))) + raw
    size = (len(raw).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(raw).to_bytes(size, "big") + raw


@cache
def new_key(kind: str, number: int = 0) -> Key:
    """Return a key of a kind such as "ec" or "rsa2048"; the same `number` is the same key."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:] or 2048))
    return ec.generate_private_key(ec.SECP384R1() if kind == "p384" else ec.SECP256R1())


def name_of(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Plant"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def save_key(key: Key, path: Path, password: bytes | None = None) -> Path:
    """Write a key to a PEM file, encrypted if there is a password."""
    form = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, form)
    )
    return path


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


# Python 3.13 asks for it.
_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Pki:
    """A certificate authority whose files are in `folder`; an intermediate one has an `issuer`."""

    def __init__(
        self, folder: Path, name: str = "Plant CA", kind: str = "ec", issuer: Pki | None = None
    ) -> None:
        self.folder = folder
        self.name = name_of(name)
        self.key = new_key(kind, hash(name))
        self._count = 0
        self._revoked: list[int] = []
        self._kind = kind
        signer = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 10 * DAY)
            .not_valid_after(NOW + 100 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
            .add_extension(_SIGNS, critical=True)
        )
        self.certificate = builder.sign(signer.key, hashes.SHA256())
        self.chain = pem(self.certificate) + issuer.chain if issuer else b""
        self.ca = folder / f"{name}.pem"
        self.ca.write_bytes(pem(self.certificate))
        self._slug = name.replace(" ", "-")

    def issue(
        self,
        name: str,
        *roles: bytes,
        purpose: str = "",
        hosts: tuple[str, ...] = (),
        kind: str = "",
        begins: datetime = NOW - DAY,
        ends: datetime = NOW + 30 * DAY,
        critical: bool = False,
        oid: x509.ObjectIdentifier = ROLE,
        password: bytes | None = None,
    ) -> Issued:
        """Issue a certificate whose extension `oid` has the value of `roles`, in DER.

        The second of the roles, if there is one, is that of the sibling extension.
        """
        self._count += 1
        key = new_key(kind or self._kind, self._count)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name_of(name))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False
            )
        )
        names = [_host(each) for each in hosts]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        usages = {
            "client": ExtendedKeyUsageOID.CLIENT_AUTH,
            "server": ExtendedKeyUsageOID.SERVER_AUTH,
        }
        if purpose:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usages[purpose]]), False)
        for role, each in zip(roles, (oid, SIBLING), strict=False):
            builder = builder.add_extension(x509.UnrecognizedExtension(each, role), critical)
        made = builder.sign(self.key, hashes.SHA256())
        der = made.public_bytes(serialization.Encoding.DER)
        path = self.folder / f"{self._slug}-{self._count}-{name}"
        certificate = path.with_suffix(".pem")
        certificate.write_bytes(pem(made) + self.chain)
        return Issued(certificate, save_key(key, path.with_suffix(".key"), password), der, made)

    def server(self, **more: object) -> Issued:
        """Issue the certificate of a server for HOST, localhost and 127.0.0.1."""
        hosts = (HOST, "localhost", "127.0.0.1")
        return self.issue("server", hosts=hosts, purpose="server", **more)  # type: ignore[arg-type]

    def client(self, role: str | None = None, **more: object) -> Issued:
        """Issue the certificate of a client with a role, or without one."""
        roles = () if role is None else (utf8(role),)
        return self.issue("client", *roles, purpose="client", **more)  # type: ignore[arg-type]

    def revoke(self, *issued: Issued, ends: datetime = NOW + 10 * DAY) -> Path:
        """Return the file with a new list of all revoked certificates, those of `issued` too."""
        self._revoked += [each.parsed.serial_number for each in issued]
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(NOW - DAY)
            .next_update(ends)
        )
        for number in self._revoked:
            revoked = x509.RevokedCertificateBuilder().serial_number(number)
            builder = builder.add_revoked_certificate(revoked.revocation_date(NOW - DAY).build())
        made = builder.sign(self.key, hashes.SHA256())
        path = self.folder / f"{self._slug}.crl"
        path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return path


def signed_again(pki: Pki, issued: Issued, old: bytes, new: bytes) -> Issued:
    """Return a certificate in which the bytes `old` are `new`, of the same length, and signed."""
    assert len(old) == len(new)
    body = issued.parsed.tbs_certificate_bytes
    assert old in body
    body = body.replace(old, new)
    assert isinstance(pki.key, ec.EllipticCurvePrivateKey)
    return _assembled(issued, body, _SHA256, pki.key.sign(body, ec.ECDSA(hashes.SHA256())))


def signed_with_sha1(pki: Pki, issued: Issued) -> Issued:
    """Return a certificate signed with SHA-1, which only the openssl command still makes."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl to sign with SHA-1")
    fields = issued.parsed.tbs_certificate_bytes
    header = 2 if fields[1] < 0x80 else 2 + (fields[1] & 0x7F)
    body = tlv(0x30, fields[header:].replace(_SHA256, _SHA1))
    key = save_key(pki.key, pki.folder / "issuer.key")
    command = [program, "dgst", "-sha1", "-sign", str(key)]
    signature = subprocess.run(command, input=body, capture_output=True, check=True).stdout
    return _assembled(issued, body, _SHA1, signature)


_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")  # ecdsa-with-SHA256
_SHA1 = bytes.fromhex("300906072a8648ce3d0401")  # ecdsa-with-SHA1


def _assembled(issued: Issued, body: bytes, algorithm: bytes, signature: bytes) -> Issued:
    der = tlv(0x30, body + algorithm + tlv(0x03, b"\0" + signature))
    path = issued.certificate.with_suffix(".again.pem")
    path.write_text(ssl.DER_cert_to_PEM_cert(der))
    return Issued(path, issued.key, der, issued.parsed)


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
