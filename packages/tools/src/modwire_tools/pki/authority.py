"""`Authority`: a certificate authority in a folder, and the certificates that it has issued."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from modwire.tls import role_of
from modwire.tls.certificates import Certificate

from ..replacing import replace_file
from .certificates import (
    MOST_NAME,
    Key,
    check_host,
    check_role,
    new_entry,
    new_key,
    new_leaf,
    new_list,
    new_root,
    now,
    number_of,
)

CERTIFICATE, KEY, REVOKED = "ca.pem", "ca.key", "crl.pem"
_DAYS = 825
_DAMAGED = "it is damaged, or no PEM"
_OURS = ("ca", "crl")
T = TypeVar("T")
_BINARY = getattr(os, "O_BINARY", 0)


class Listed(NamedTuple):
    """A certificate of an authority.

    `name` is that of its files, `hosts` are those of a server, `role` is that of a client, or None.
    Times are "2026-01-31 12:00:00" in UTC. `state` is "valid", "expired" or "revoked"; `sha256` is
    the hash that pins it.
    """

    name: str
    role: str | None
    hosts: Sequence[str]
    begins: str
    ends: str
    state: str
    sha256: str


class Authority:
    """A certificate authority whose files are in `folder`.

    `ca.pem` is its certificate, which clients and servers trust; `ca.key` its key; `crl.pem` the
    list of the certificates that it has revoked. Beside them are `NAME.pem`, which has the
    certificate and that of the authority, and `NAME.key` of each NAME that it has issued. Keys can
    be read by their owner only, and are encrypted if there is a password. No file is overwritten
    but the list, which is replaced in one step.
    """

    def __init__(
        self,
        folder: Path,
        certificate: x509.Certificate,
        key: Key | None,
        revoked: x509.CertificateRevocationList,
    ) -> None:
        self.folder = folder
        self._certificate = certificate
        self._own_key = key
        self._revoked = revoked

    @classmethod
    def new(cls, folder: Path, name: str, days: int, password: str | None = None) -> Authority:
        """Make an authority in a folder, which is made too if there is none.

        `name` is that in its certificate, which is valid for so many days; its key is encrypted if
        there is a `password`. Raises ValueError for a wrong name, and OSError, FileExistsError if
        one of its files is there.
        """
        _check_common_name(name)
        folder.mkdir(mode=0o700, exist_ok=True)
        for each in (CERTIFICATE, KEY, REVOKED):
            _check_free(folder / each)
        key = new_key()
        certificate = new_root(key, name, days)
        revoked = new_list(certificate, key, [], 1)
        _write_all(
            {
                folder / KEY: (_pem_of(key, password), 0o600),
                folder / CERTIFICATE: (_pem(certificate), 0o644),
                folder / REVOKED: (_pem(revoked), 0o644),
            }
        )
        return cls(folder, certificate, key, revoked)

    @classmethod
    def open(cls, folder: Path, password: str | None = None) -> Authority:
        """Return the authority in a folder. Raises OSError, or ValueError for a damaged file.

        Without the `password` of a key that is encrypted, it can only list certificates.
        """
        certificate = _read(folder / CERTIFICATE, x509.load_pem_x509_certificate)
        revoked = _read(folder / REVOKED, x509.load_pem_x509_crl)
        key = _read_key(folder / KEY, password)
        public = certificate.public_key()
        if not isinstance(public, ec.EllipticCurvePublicKey) or (
            key is not None and key.public_key() != public
        ):
            raise ValueError(f"{folder / KEY} is not the key of {folder / CERTIFICATE}")
        if not revoked.is_signature_valid(public):
            raise ValueError(f"{folder / REVOKED} is not signed by {folder / CERTIFICATE}")
        return cls(folder, certificate, key, revoked)

    @property
    def _key(self) -> Key:
        if self._own_key is None:
            raise ValueError(f"{self.folder / KEY} is encrypted: give its password")
        return self._own_key

    def issue(
        self,
        name: str,
        *,
        role: str | None = None,
        hosts: Sequence[str] = (),
        days: int | None,
        password: str | None = None,
    ) -> tuple[Path, Path]:
        """Issue a certificate and a key; return the paths of `NAME.pem` and `NAME.key`.

        It is for a server with these `hosts`, or for a client with a `role` or without; with both,
        for both. It ends with that of the authority, if that is before so many `days`, which are
        825 by default. The key is encrypted if there is a `password`. Raises ValueError for wrong
        arguments, FileExistsError if there is a file of that name, and OSError.
        """
        _check_common_name(name)
        if name in _OURS or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise ValueError(
                f"a name must be letters, digits and - _ . and not {' or '.join(_OURS)}, got "
                f"{name!r}"
            )
        if name.startswith((".", "-")):
            raise ValueError(f"a name must begin with a letter or a digit, got {name!r}")
        if role is not None:
            check_role(role)
        hosts = [check_host(each) for each in hosts]
        latest = self._certificate.not_valid_after_utc
        ends = now() + timedelta(days=_DAYS if days is None else days)
        if days is not None and ends > latest:
            raise ValueError(
                f"the certificate of the authority ends on {latest:%Y-%m-%d}: no other can be "
                f"valid for {days} days"
            )
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        _check_free(certificate)
        own = new_key()
        made = new_leaf(
            self._certificate,
            self._key,
            own,
            name=name,
            role=role,
            hosts=hosts,
            ends=min(ends, latest),
        )
        _write_all(
            {
                key: (_pem_of(own, password), 0o600),
                certificate: (_pem(made) + _pem(self._certificate), 0o644),
            }
        )
        return certificate, key

    def revoke(self, name: str) -> Path:
        """Revoke the certificate NAME.pem, or that in a file; return the path of the list.

        Servers have to read it again. Raises ValueError if it is of another authority or revoked
        already, and OSError.
        """
        path = self._path(name)
        certificate = _read(path, x509.load_pem_x509_certificate)
        if certificate == self._certificate:
            raise ValueError(f"{path} is the certificate of the authority itself")
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except (InvalidSignature, TypeError, ValueError):
            raise ValueError(f"{path} was not issued by {self.folder / CERTIFICATE}") from None
        if self._is_revoked(certificate):
            raise ValueError(f"{path} is revoked already")
        entries = [*_entries(self._revoked), new_entry(certificate.serial_number)]
        self._revoked = new_list(
            self._certificate, self._key, entries, number_of(self._revoked) + 1
        )
        replace_file(self.folder / REVOKED, _pem(self._revoked))
        return self.folder / REVOKED

    def listed(self, name: str | None = None) -> list[Listed]:
        """Return all certificates in the folder, that of the authority first, or only NAME.

        Other files are left out. Raises OSError or ValueError if NAME cannot be read.
        """
        if name is not None:
            path = self._path(name)
            return [self._listed(path, _read(path, x509.load_pem_x509_certificate))]
        paths = sorted(self.folder.glob("*.pem"), key=lambda each: (each.name != CERTIFICATE, each))
        return list(self._all_listed(paths))

    def _all_listed(self, paths: Iterable[Path]) -> Iterator[Listed]:
        for path in paths:
            try:
                yield self._listed(path, _read(path, x509.load_pem_x509_certificate))
            except (OSError, ValueError):
                continue  # the list of revoked ones, for example

    def _listed(self, path: Path, certificate: x509.Certificate) -> Listed:
        der = certificate.public_bytes(serialization.Encoding.DER)
        parts = Certificate.read(der)
        state = "revoked" if self._is_revoked(certificate) else "valid"
        if state == "valid" and certificate.not_valid_after_utc < now():
            state = "expired"
        return Listed(
            path.stem,
            role_of(der),
            _hosts(certificate),
            parts.begins,
            parts.ends,
            state,
            parts.sha256,
        )

    def _is_revoked(self, certificate: x509.Certificate) -> bool:
        found = self._revoked.get_revoked_certificate_by_serial_number(certificate.serial_number)
        return found is not None and certificate.issuer == self._certificate.subject

    def _path(self, name: str) -> Path:
        """Return the path of a certificate: of NAME in the folder, or of a file elsewhere."""
        inside = self.folder / f"{name}.pem"
        return inside if inside.exists() or not Path(name).suffix else Path(name)


def _entries(revoked: x509.CertificateRevocationList) -> Iterator[x509.RevokedCertificate]:
    return iter(revoked)


def _hosts(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(each.value) for each in found]


def _check_common_name(name: str) -> None:
    if not 1 <= len(name) <= MOST_NAME or not name.isprintable():
        raise ValueError(f"a name must have 1..{MOST_NAME} characters, got {name!r}")


def _check_free(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise FileExistsError(f"{path} exists already, and is not overwritten")


def _read(path: Path, load: Callable[[bytes], T]) -> T:
    data = path.read_bytes()
    try:
        return load(data)
    except (TypeError, ValueError):
        raise ValueError(f"{path} cannot be read: {_DAMAGED}") from None


def _pem(made: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return made.public_bytes(serialization.Encoding.PEM)


def _pem_of(key: Key, password: str | None) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()
        if password is None
        else serialization.BestAvailableEncryption(password.encode()),
    )


def _read_key(path: Path, password: str | None) -> Key | None:
    """Return the key of an authority, or None if it is encrypted and there is no password."""
    data = path.read_bytes()
    is_encrypted = b"ENCRYPTED" in data
    if is_encrypted and password is None:
        return None
    secret = password.encode() if is_encrypted and password is not None else None
    try:
        key = serialization.load_pem_private_key(data, secret)
    except (TypeError, ValueError):
        reason = "its password is wrong, or it is damaged" if is_encrypted else _DAMAGED
        raise ValueError(f"{path} cannot be read: {reason}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} is not the key of {path.parent / CERTIFICATE}")
    return key


def _write_all(files: dict[Path, tuple[bytes, int]]) -> None:
    """Write new files with their permissions: all, or none if one cannot be written."""
    made: list[Path] = []
    try:
        for path, (data, mode) in files.items():
            try:
                file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)
            except FileExistsError:
                raise FileExistsError(f"{path} exists already, and is not overwritten") from None
            made.append(path)
            with open(file, "wb") as opened:
                opened.write(data)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
