"""`Credentials` of a server, which may be exchanged while it serves, and `ClientCredentials`.

`ssl` is imported when they are made: it takes long, and most programs need no TLS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..options import check_flag
from .certificates import Certificate

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable
    from weakref import ReferenceType

    from .contexts import File
    from .filter import Filter

_PIN_DIGITS = 64


class Watcher(Protocol):
    """A server that uses credentials."""

    def credentials_changed(self) -> None:
        """Close idle connections soon; called in any thread."""
        raise NotImplementedError


class Credentials:
    """The certificate, the key and the trusted issuers of a server: PEM files.

    - `certificate`: the chain, the server's own first. `key`: its key, or None if it is in the same
      file. `password`: that of an encrypted key; or `password_file`: a file whose first line it is,
      in UTF-8.
    - `client_ca`: the certificates of the authorities whose clients may connect.
    - `crl`: lists of revoked certificates, one of each authority in the chain of a client.
    - `null_encryption`: also offer TLS_RSA_WITH_NULL_SHA256, last and in TLS 1.2 only (R-66, R-67).
      Messages are authenticated then, but can be read by everybody, and OpenSSL does not refuse
      weak keys and hashes any more.

    `context` is the `ssl.SSLContext` in use. Raises `CredentialsError`, which names the file and
    the mistake.
    """

    def __init__(
        self,
        certificate: File,
        key: File | None,
        client_ca: File,
        crl: File | None = None,
        *,
        password: str | None = None,
        password_file: File | None = None,
        null_encryption: bool = False,
    ) -> None:
        check_flag("null_encryption", null_encryption)

        def load() -> ssl.SSLContext:
            from .contexts import password_of, server_context

            return server_context(
                certificate,
                key,
                client_ca,
                crl,
                password=password_of(password, password_file),
                null_encryption=null_encryption,
            )

        self._load: Callable[[], ssl.SSLContext] | None = load
        self._certificate: File | None = certificate
        self._servers: set[ReferenceType[Watcher]] = set()
        self._ours, self.context = self._read(load())

    def _read(self, context: ssl.SSLContext) -> tuple[str, ssl.SSLContext]:
        """Return what our certificate is called in errors, and the context."""
        from .contexts import certificate_in

        if self._certificate is None:
            return "that of the context", context
        return str(certificate_in("certificate", self._certificate)), context

    @classmethod
    def of_context(cls, context: ssl.SSLContext) -> Credentials:
        """Return credentials for a context of the user, which cannot be reloaded.

        Raises CredentialsError unless it requires certificates of clients, and TLS 1.2 or newer.
        """
        from .contexts import check_context

        made = cls.__new__(cls)
        made._load = made._certificate = None
        made._servers = set()
        made._ours, made.context = made._read(check_context(context, is_server=True))
        return made

    def reload(self) -> None:
        """Read all files again; if one is wrong, raise CredentialsError and keep what was read.

        From now on no request is executed on a connection that was open: the calls under way are
        answered, then it is closed. Clients have to connect again and to show their certificates;
        sessions from before are not resumed. May be called in any thread.
        """
        self.prepare()()

    def prepare(self) -> Callable[[], None]:
        """Read all files again, and return a function that exchanges the credentials by them."""
        if self._load is None:
            from .contexts import CredentialsError

            raise CredentialsError("a context cannot be reloaded: give the files to Credentials")
        read = self._read(self._load())

        def exchange() -> None:
            self._ours, self.context = read
            for each in list(self._servers):
                server = each()
                if server is None:
                    self._servers.discard(each)
                else:
                    server.credentials_changed()

        return exchange

    def watch(self, server: ReferenceType[Watcher]) -> None:
        """Tell a server, while it exists, when the credentials were exchanged."""
        self._servers.add(server)

    def new_filter(self, now: float, timeout: float) -> Filter:
        """Return the filter of a new connection, whose handshake has `timeout` seconds."""
        from .filter import Filter

        return Filter(
            self.context,
            now,
            is_server=True,
            timeout=timeout,
            ours=self._ours,
            check=_refuse_old_sessions,
        )

    def __repr__(self) -> str:
        return f"<Credentials, certificate {self._ours}>"


def _refuse_old_sessions(certificate: bytes | None, is_resumed: bool) -> str:
    """Return the reason to refuse a client that resumes a session, or ""."""
    from .contexts import expired

    if certificate is None:
        return "it has no certificate"
    try:
        # OpenSSL looks at the dates only in a full handshake.
        return expired(Certificate.read(certificate)) if is_resumed else ""
    except ValueError as error:
        return f"its certificate cannot be read: {error}"


class ClientCredentials:
    """The certificate and the key of a client, and the servers that it trusts; see `TlsClient`."""

    def __init__(
        self,
        host: str,
        *,
        context: ssl.SSLContext | None = None,
        ca: File | None = None,
        certificate: File | None = None,
        key: File | None = None,
        password: str | None = None,
        password_file: File | None = None,
        server_hostname: str | None = None,
        pinned: str | Iterable[str] = (),
        null_encryption: bool = False,
    ) -> None:
        from .contexts import (
            CredentialsError,
            certificate_in,
            check_context,
            client_context,
            password_of,
        )
        from .faults import NO_CERTIFICATE

        check_flag("null_encryption", null_encryption)
        self._pins = _checked_pins(pinned)
        self._hostname = server_hostname or host.partition("%")[0]  # the zone of an IPv6 address
        self._ours = NO_CERTIFICATE
        if context is None:
            self.context = client_context(
                ca,
                certificate,
                key,
                password=password_of(password, password_file),
                is_pinned=bool(self._pins) and server_hostname is None,
                null_encryption=null_encryption,
            )
            if certificate is not None:
                self._ours = str(certificate_in("certificate", certificate))
        elif ca or certificate or key or password or password_file or null_encryption:
            raise CredentialsError("context stands in place of ca, certificate, key and password")
        else:
            self.context = check_context(context, is_server=False)
            self._ours = "that of the context"
        try:
            self.new_filter(0.0, 0.0)
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"server_hostname must be a name or an address, got {self._hostname!r}: {error}"
            ) from None

    def new_filter(self, now: float, timeout: float) -> Filter:
        """Return the filter of a new connection, whose handshake has `timeout` seconds."""
        from .filter import Filter

        return Filter(
            self.context,
            now,
            is_server=False,
            server_hostname=self._hostname,
            timeout=timeout,
            ours=self._ours,
            check=self._compare if self._pins else None,
        )

    def _compare(self, certificate: bytes | None, is_resumed: bool) -> str:
        """Return the reason to refuse a server with another certificate than the pinned, or ""."""
        if certificate is None:
            return "it has no certificate"
        try:
            found = Certificate.read(certificate)
        except ValueError as error:
            return f"its certificate cannot be read: {error}"
        if self._pins & {found.sha256, found.key_sha256}:
            return ""
        return (
            f"its certificate is not pinned; it is {found}, with SHA-256 {found.sha256}, and "
            f"{found.key_sha256} of its public key"
        )

    def __repr__(self) -> str:
        return f"<ClientCredentials for {self._hostname}>"


def _checked_pins(pinned: str | Iterable[str]) -> frozenset[str]:
    """Return pins as plain digits; ValueError for one that is no SHA-256."""
    pins: set[str] = set()
    for each in pinned.split(",") if isinstance(pinned, str) else pinned:
        digits = each.lower().replace(":", "").replace(" ", "") if isinstance(each, str) else ""
        if len(digits) != _PIN_DIGITS or not set(digits) <= set("0123456789abcdef"):
            raise ValueError(
                "pinned must be the SHA-256 of a certificate or of a public key, 64 hexadecimal "
                f"digits, with or without colons, got {each!r}"
            )
        pins.add(digits)
    return frozenset(pins)
