"""The contexts of servers and clients, from files: every mistake in them has its own error.

MODBUS/TCP Security, R-01 to R-67: TLS 1.2 or newer, both sides show certificates. No error and no
representation contains a part of a key or a password.
"""

from __future__ import annotations

import os
import ssl
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..errors import ModbusError
from .certificates import Certificate, next_update

if TYPE_CHECKING:
    from os import PathLike
    from typing import TypeAlias

    File: TypeAlias = "str | PathLike[str]"

# the two suites with AES_128_GCM are mandatory. None has HMAC-MD5 or HMAC-SHA1. Level 2
# refuses SHA-1 and RSA keys below 2048 bits, whatever the system's default is.
_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
_STRONG, _WITH_NULL = ":@SECLEVEL=2", ":NULL-SHA256:@SECLEVEL=0"
_LONGEST_PASSWORD = 1023  # bytes, for OpenSSL
_TLS_1_2 = ssl.TLSVersion.TLSv1_2
_WEAK = {
    "EE_KEY_TOO_SMALL": "its key is too short: RSA keys need 2048 bits",
    "CA_KEY_TOO_SMALL": "the key of its issuer is too short: RSA keys need 2048 bits",
    "CA_MD_TOO_WEAK": "it is signed with a hash that is no longer safe, such as SHA-1",
    "EE_MD_TOO_WEAK": "it is signed with a hash that is no longer safe, such as SHA-1",
    "KEY_VALUES_MISMATCH": "the key does not fit the certificate",
    "KEY_TYPE_MISMATCH": "the key does not fit the certificate",
    "NO_CERTIFICATE_ASSIGNED": "the key does not fit the certificate",
}


class CredentialsError(ModbusError, ValueError):
    """Raised for certificates, keys and lists of revoked certificates that cannot be used.

    The text names the file and the mistake.
    """


def server_context(
    certificate: File,
    key: File | None,
    client_ca: File,
    crl: File | None = None,
    *,
    password: str | None = None,
    null_encryption: bool = False,
) -> ssl.SSLContext:
    """Return the context of a server; see `Credentials`. Raises CredentialsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_up(context, null_encryption)
    # a client without a certificate gets a fatal alert.
    context.verify_mode = ssl.CERT_REQUIRED
    # Sessions are resumed from the memory of this context, never from a ticket that the
    # client keeps: a new context knows no client that was revoked since.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 1
    _load_valid(context, certificate, key, password)
    _load_trusted(context, "client_ca", client_ca)
    if crl is not None:
        _load_revocations(context, crl)
    return context


def page_context(
    certificate: File, key: File | None = None, *, password: str | None = None
) -> ssl.SSLContext:
    """Return the context of a server that asks clients for no certificate, such as a web page.

    Raises CredentialsError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _set_up(context, False)
    _load_valid(context, certificate, key, password)
    return context


def client_context(
    ca: File | None,
    certificate: File | None = None,
    key: File | None = None,
    *,
    password: str | None = None,
    is_pinned: bool = False,
    null_encryption: bool = False,
) -> ssl.SSLContext:
    """Return the context of a client, from PEM files. Raises CredentialsError.

    With `is_pinned`, the caller compares the certificate of the server with one that it knows: it
    needs no host name then, and without `ca` no issuer.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _set_up(context, null_encryption)
    if is_pinned:
        context.check_hostname = False
    if ca is not None:
        _load_trusted(context, "ca", ca)
    elif is_pinned:
        context.verify_mode = ssl.CERT_NONE
    else:
        raise CredentialsError(
            "a server cannot be verified without ca, the file of the certificates to trust, or "
            "pinned, the SHA-256 of its certificate or of its public key"
        )
    if certificate is not None:
        _load_valid(context, certificate, key, password)
    elif key is not None:
        raise CredentialsError(f"key {key} needs its certificate too")
    return context


def password_of(password: str | None, file: File | None) -> str | None:
    """Return the password of a key: `password`, the first line of a file, or None for neither.

    Raises CredentialsError if both are given, or if the file has none.
    """
    if file is None:
        return password
    place = f"password_file {file}"
    if password is not None:
        raise CredentialsError("give either password or password_file")
    try:
        with os.fdopen(_open_now(Path(file)), "rb") as opened:
            line = opened.readline(_LONGEST_PASSWORD + 2)
        found = line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        _refuse(place, "its first line is not UTF-8")
    except (OSError, TypeError, ValueError) as error:
        _refuse(place, getattr(error, "strerror", None) or "it is no path of a file")
    if not 1 <= len(found.encode()) <= _LONGEST_PASSWORD:
        _refuse(place, f"its first line, the password, must have 1..{_LONGEST_PASSWORD} bytes")
    return found


def _open_now(path: Path) -> int:
    """Open a file; a FIFO that nobody writes to is empty, and must not stop a server's reload."""
    if sys.platform == "win32":  # there are no FIFOs
        return os.open(path, os.O_RDONLY | os.O_BINARY)
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    os.set_blocking(opened, True)
    return opened


def load_own(
    context: ssl.SSLContext, certificate: File, key: File | None, password: str | None
) -> None:
    """Load our certificate, with its chain, and its key. Raises CredentialsError."""
    place = f"key {key}" if key is not None else f"certificate {certificate}"
    is_encrypted = _check_key(place, certificate if key is None else key)
    if is_encrypted and password is None:
        raise CredentialsError(f"{place} is encrypted: give its password, or password_file")
    try:
        # A function in its place, or OpenSSL would ask at the terminal for a missing one.
        context.load_cert_chain(certificate, key, lambda: password or "")
    except ssl.SSLError as error:
        reason = _WEAK.get(error.reason or "", "")
        if not reason and is_encrypted:
            reason = "the password is wrong, or the key is damaged"
        _refuse(f"{place}, certificate {certificate}", reason or "it is damaged")
    except (OSError, ValueError) as error:
        _refuse(place, getattr(error, "strerror", None) or "the password cannot be used")


def check_context(context: object, *, is_server: bool) -> ssl.SSLContext:
    """Return a context of the user. Raises TypeError, or CredentialsError if it is not safe."""
    if not isinstance(context, ssl.SSLContext):
        raise TypeError(f"context must be an ssl.SSLContext, got {type(context).__name__}")
    if context.minimum_version < _TLS_1_2:
        raise CredentialsError(
            "context must have TLS 1.2 as its minimum_version, or newer (Modbus/TCP Security, "
            f"R-01), got {context.minimum_version.name}"
        )
    if is_server and context.verify_mode != ssl.CERT_REQUIRED:
        raise CredentialsError(
            "context must have ssl.CERT_REQUIRED as its verify_mode, because clients must show "
            f"certificates (Modbus/TCP Security, R-02), got {context.verify_mode.name}"
        )
    return context


def expired(certificate: Certificate) -> str:
    """Return the reason why a certificate cannot be used today, or ""."""
    # OpenSSL compares with the clock of the system too.
    now = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S}"
    if now > certificate.ends:
        return f"it has expired: {certificate}"
    return f"it is not valid yet: {certificate}" if now < certificate.begins else ""


def certificate_in(name: str, path: File) -> Certificate:
    """Return the first certificate in a PEM file; `name` is that of the argument in errors."""
    data = _blocks(name, path, "CERTIFICATE")[0]
    try:
        return Certificate.read(data)
    except ValueError as error:
        raise CredentialsError(f"{name} {path}: the certificate cannot be read: {error}") from None


def _set_up(context: ssl.SSLContext, null_encryption: bool) -> None:
    context.minimum_version = _TLS_1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_ciphers(_SUITES + (_WITH_NULL if null_encryption else _STRONG))


def _blocks(name: str, path: File, label: str) -> list[bytes]:
    """Return the DER of the blocks with this label in a PEM file, at least one."""
    try:
        data = Path(path).read_bytes()
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CredentialsError(f"{name} {path} cannot be read: {reason}") from None
    begin, end = f"-----BEGIN {label}-----", f"-----END {label}-----"
    blocks = [each.split(end)[0] for each in data.decode("latin-1").split(begin)[1:]]
    if blocks:
        try:
            return [ssl.PEM_cert_to_DER_cert(_PEM.format(each.strip())) for each in blocks]
        except ValueError:
            raise CredentialsError(f"{name} {path} is damaged: its base64 is wrong") from None
    what = {"CERTIFICATE": "certificate", "X509 CRL": "list of revoked certificates"}[label]
    if data[:1] == b"\x30":
        hint = "it is in DER, and must be in PEM: openssl converts it"
    elif b"PRIVATE KEY-----" in data:
        hint = f"it has a key and no {what}"
    else:
        hint = f"it has no {what} in PEM (-----BEGIN {label}-----)"
    raise CredentialsError(f"{name} {path} cannot be used: {hint}")


_PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----"


def _refuse(place: str, reason: str) -> NoReturn:
    """Raise the error without its cause, whose frames hold the password."""
    raise CredentialsError(f"{place} cannot be used: {reason}") from None


def _check_key(place: str, path: File) -> bool:
    """Return True if the key in a file is encrypted. Raises CredentialsError if there is none."""
    try:
        data = Path(path).read_bytes()
    except (OSError, TypeError, ValueError) as error:
        _refuse(place, getattr(error, "strerror", None) or "it is no path of a file")
    if b"PRIVATE KEY-----" not in data:
        is_other = b"-----BEGIN CERTIFICATE-----" in data
        _refuse(place, "it has a certificate and no key" if is_other else "it has no key in PEM")
    return b"ENCRYPTED" in data


def _load_valid(
    context: ssl.SSLContext, certificate: File, key: File | None, password: str | None
) -> None:
    """Load our certificate, unless it cannot be used today, and its key."""
    reason = expired(certificate_in("certificate", certificate))
    if reason:
        _refuse(f"certificate {certificate}", reason)
    load_own(context, certificate, key, password)


def _load_trusted(context: ssl.SSLContext, name: str, path: File) -> None:
    blocks = _blocks(name, path, "CERTIFICATE")
    try:
        context.load_verify_locations(cadata=b"".join(blocks))
    except (ssl.SSLError, ValueError):
        _refuse(f"{name} {path}", "a certificate cannot be read: it is damaged")
    reasons = [_expired(each) for each in blocks]
    if all(reasons):
        _refuse(f"{name} {path}", reasons[0])


def _expired(certificate: bytes) -> str:
    try:
        return expired(Certificate.read(certificate))
    except ValueError:
        return ""  # OpenSSL can read it


def _load_revocations(context: ssl.SSLContext, path: File) -> None:
    """Load lists of revoked certificates; each issuer of a client's chain needs one."""
    now = f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S}"
    for each in _blocks("crl", path, "X509 CRL"):
        try:
            ends = next_update(each)
        except ValueError as error:
            _refuse(f"crl {path}", f"a list cannot be read: {error}")
        if ends and ends < now:
            _refuse(f"crl {path}", f"a list has expired on {ends} UTC: it would refuse all clients")
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        _refuse(f"crl {path}", "it is damaged")
    except OSError as error:
        _refuse(f"crl {path}", error.strerror or "it cannot be read")
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
