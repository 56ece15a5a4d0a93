"""Certificates and lists of revoked ones, with the extensions of MODBUS/TCP Security; no I/O."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey

ROLE = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1")
MOST_NAME = 64  # characters of a common name (RFC 5280, appendix A.1)
_MOST_ROLE = 1000  # bytes, so that a handshake stays small
_UTF8_STRING = 0x0C
_SKEW = timedelta(hours=1)  # of the clocks of devices
_HASH = hashes.SHA256()


def new_key() -> Key:
    """Return a new key on the curve P-256 (R-61)."""
    return ec.generate_private_key(ec.SECP256R1())


def now() -> datetime:
    """Return the time in whole seconds, as certificates have it."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def new_root(key: Key, name: str, days: int) -> x509.Certificate:
    """Return the certificate of an authority, signed by itself, for so many days."""
    begins = now()
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(name))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - _SKEW)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, _HASH)
    )


def new_leaf(
    root: x509.Certificate,
    signer: Key,
    key: Key,
    *,
    name: str,
    role: str | None,
    hosts: Sequence[str],
    ends: datetime,
) -> x509.Certificate:
    """Return a certificate for `key`: with `hosts` for a server, otherwise for a client.

    One that has hosts and a role is for both.
    """
    public = key.public_key()
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH] if hosts else []
    if role is not None or not hosts:
        purposes.append(ExtendedKeyUsageOID.CLIENT_AUTH)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(root.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now() - _SKEW, root.not_valid_before_utc))
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if hosts:
        names = x509.SubjectAlternativeName([_host(each) for each in hosts])
        builder = builder.add_extension(names, critical=False)
    if role is not None:
        # OpenSSL refuses a critical extension that it does not know.
        extension = x509.UnrecognizedExtension(ROLE, _utf8_string(role))
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer, _HASH)


def new_list(
    root: x509.Certificate,
    signer: Key,
    revoked: Sequence[x509.RevokedCertificate],
    number: int,
) -> x509.CertificateRevocationList:
    """Return a list of revoked certificates, valid as long as the certificate of the authority.

    A list that expires would lock out all clients of the plant.
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.subject)
        .last_update(max(now() - _SKEW, root.not_valid_before_utc))
        .next_update(root.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    for each in revoked:
        builder = builder.add_revoked_certificate(each)
    return builder.sign(signer, _HASH)


def new_entry(serial_number: int) -> x509.RevokedCertificate:
    """Return the entry of a certificate that is revoked from now on."""
    builder = x509.RevokedCertificateBuilder().serial_number(serial_number)
    return builder.revocation_date(now()).build()


def number_of(revocations: x509.CertificateRevocationList) -> int:
    """Return the number of a list, which each new one makes higher."""
    return revocations.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def check_role(role: str) -> str:
    """Return a role; raise ValueError if it is empty or too long, or has odd characters."""
    if not role or not role.isprintable() or len(role.encode()) > _MOST_ROLE:
        raise ValueError(
            f"a role must be a text of 1..{_MOST_ROLE} bytes that can be printed, got {role!r}"
        )
    return role


def check_host(text: str) -> str:
    """Return a host name or an IP address; raise ValueError if it is neither."""
    _host(text)
    return text


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    labels = text.removeprefix("*.").removesuffix(".").split(".")
    if not all(_is_label(each) for each in labels) or all(each.isdigit() for each in labels):
        raise ValueError(
            "a host must be a name such as plc.example, or an IP address, without a port, got "
            f"{text!r}"
        )
    return x509.DNSName(text)


def _is_label(text: str) -> bool:
    return text.isascii() and text.replace("-", "").replace("_", "").isalnum() and len(text) < 64


def _utf8_string(text: str) -> bytes:
    """Return the DER of a UTF8String: its tag, its length in the shortest form, and the text."""
    raw = text.encode()
    if len(raw) < 0x80:
        return bytes((_UTF8_STRING, len(raw))) + raw
    size = len(raw).to_bytes((len(raw).bit_length() + 7) // 8, "big")
    return bytes((_UTF8_STRING, 0x80 | len(size))) + size + raw


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
