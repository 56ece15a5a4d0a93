"""`TlsServerBase`: the constructor of the TLS servers of every package.

A package's `TlsServer` inherits from it and from the package's own `TcpServer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from ..arguments import explained
from ..framing.tcp import TcpFraming
from ..options import check_timeout
from ..server.constructors import TcpServerBase
from .clients import PORT
from .connection import SecureConnection
from .credentials import Credentials
from .rights import Rights

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from ..framing.base import Framing
    from ..server.connection import Connection, Connections
    from ..server.options import Authorize, OnCall, ServerOptions
    from ..server.peers import Address, AllowedNetworks, Network
    from ..server.protocol import ServerProtocol
    from ..units.units import Units
    from .contexts import File

HANDSHAKE_TIMEOUT = 10.0
"""Seconds for a handshake."""


class TlsServerBase(TcpServerBase):
    """The constructor of a server over TLS; see `__init__`."""

    accepts_at_once = 2
    """Fewer than the handshakes of a round, so that no more of them wait, which takes memory."""

    @explained
    def __init__(
        self,
        units: Units,
        address: Address = ("127.0.0.1", PORT),
        *,
        credentials: Credentials | None = None,
        context: ssl.SSLContext | None = None,
        certificate: File | None = None,
        key: File | None = None,
        client_ca: File | None = None,
        crl: File | None = None,
        password: str | None = None,
        handshake_timeout: float = HANDSHAKE_TIMEOUT,
        framing: type[Framing] = TcpFraming,
        max_connections: int = 1000,
        idle_timeout: float | None = None,
        allow: AllowedNetworks | Iterable[Network] | None = None,
        authorize: Authorize | None = None,
        on_call: OnCall | None = None,
        options: ServerOptions | None = None,
        backlog: int = 512,
        reuse_port: bool = False,
        workers: int = 8,
    ) -> None:
        """Make a server for `units` over TLS (MODBUS/TCP Security) that listens at once.

        - `credentials`: certificate, key and trusted authorities; see `Credentials`. Or give its
          arguments here: `certificate`, `key`, `client_ca`, `crl` and `password`. Or a `context`
          that requires the certificates of clients, and TLS 1.2 or newer.
        - `handshake_timeout`: seconds for the handshake. Until its end the connection counts in
          `max_connections`, as one that has not asked anything yet.
        - `authorize` gets the role in the certificate of the client; it may be a `Rights`.
        - The other arguments are those of `TcpServer`.

        Raises CredentialsError, a ValueError, for files that cannot be used, and as `TcpServer`
        does.
        """
        self._handshake_timeout = check_timeout(handshake_timeout, "handshake_timeout")
        files = (certificate, key, client_ca, crl, password)
        self.credentials = _credentials(credentials, context, files)
        super().__init__(
            units,
            address,
            framing=framing,
            max_connections=max_connections,
            idle_timeout=idle_timeout,
            allow=allow,
            authorize=authorize,
            on_call=on_call,
            options=options,
            backlog=backlog,
            reuse_port=reuse_port,
            workers=workers,
        )
        self.credentials.watch(ref(self))

    def _new_connection(self, protocol: ServerProtocol, now: float) -> Connection:
        return SecureConnection(
            protocol, self.units, now, self.credentials, self._handshake_timeout, self._allow
        )

    def reload(self) -> None:
        """Read the files of `credentials` again, and those of `authorize` if it is a `Rights`.

        If one is wrong, it raises as `Credentials.reload` and `Rights.load` do, and nothing is
        exchanged. Connections end after the calls under way, and clients have to connect again: see
        `Credentials.reload`.
        """
        reload_all(self.credentials, self.options.authorize)

    def credentials_changed(self) -> None:
        """Close idle connections soon, in the loop of the server; may be called in any thread."""
        raise NotImplementedError(f"{type(self).__name__} must define credentials_changed()")

    def _stop_outdated(self) -> None:
        """Stop the connections that were made with former credentials."""
        connections: Connections[Any] = self._connections
        for each in connections:
            if each.core.is_outdated:
                each.stop()


def _credentials(
    credentials: Credentials | None,
    context: ssl.SSLContext | None,
    files: tuple[File | None, File | None, File | None, File | None, str | None],
) -> Credentials:
    """Return the credentials of a server; ValueError unless they are given in one of the ways."""
    certificate, key, client_ca, crl, password = files
    has_files = any(each is not None for each in files)
    if (credentials is not None) + (context is not None) + has_files != 1:
        raise ValueError(
            "a TLS server must have either credentials, or context, or certificate, key and "
            "client_ca"
        )
    if credentials is not None:
        if not isinstance(credentials, Credentials):
            raise TypeError(f"credentials must be Credentials, got {type(credentials).__name__}")
        return credentials
    if context is not None:
        return Credentials.of_context(context)
    if certificate is None or client_ca is None:
        name = "certificate" if certificate is None else "client_ca"
        raise ValueError(f"a TLS server with files must have certificate and client_ca: no {name}")
    return Credentials(certificate, key, client_ca, crl, password=password)


def reload_all(credentials: Credentials, authorize: object) -> None:
    """Read the files of credentials and of rights again; exchange all of them, or none."""
    exchange = credentials.prepare()
    if isinstance(authorize, Rights) and authorize.is_loaded:
        authorize.reload()
    exchange()
