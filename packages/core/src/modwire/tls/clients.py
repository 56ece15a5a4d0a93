"""`TlsClientBase`: the constructor of the TLS clients of every package.

A package's `TlsClient` inherits from it and from the package's own `TcpClient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arguments import explained
from ..client.constructors import TcpClientBase
from .channel import Channel
from .credentials import ClientCredentials

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from typing_extensions import Unpack

    from ..client.options import ClientOptions, NetworkOptions
    from ..framing.base import Framing
    from .contexts import File

    class TcpOptions(NetworkOptions, total=False):
        """The arguments of a `TcpClient` that a `TlsClient` takes as well."""

        framing: type[Framing]
        unit: int
        timeout: float
        retries: int
        max_in_flight: int
        options: ClientOptions | None
        connect_timeout: float
        source_address: tuple[str, int] | None
        keepalive: bool


PORT = 802
"""Port of MODBUS/TCP Security."""


class TlsClientBase(TcpClientBase):
    """Base of the clients over TLS; see `__init__` for the arguments."""

    _transport = "tls"

    @explained
    def __init__(
        self,
        host: str,
        port: int = PORT,
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
        **more: Unpack[TcpOptions],
    ) -> None:
        """Make a client over TLS (MODBUS/TCP Security); files are in PEM.

        - `ca`: the certificates of the authorities whose servers are trusted.
        - `certificate`, `key`: those of this client, which servers ask for, the chain behind the
          certificate; the key may be in the same file. `password`: that of an encrypted key; or
          `password_file`: a file whose first line it is, in UTF-8.
        - `server_hostname`: the name or the address that the certificate of the server must have,
          by default `host`. Python does not look at its common name.
        - `pinned`: the SHA-256 of the certificate of the server or of its public key, in
          hexadecimal digits, or several of them. Then the server needs no name, unless
          `server_hostname` is given, and no authority, unless `ca` is.
        - `null_encryption`: also offer TLS_RSA_WITH_NULL_SHA256; see `Credentials`.
        - `context`: in place of all these but `server_hostname` and `pinned`.
        - `more`: the arguments of `TcpClient`. The handshake is a part of `connect_timeout`.

        A client cannot ask for short fragments (RFC 6066, section 4): Python has no way to. Raises
        CredentialsError, a ValueError, for files that cannot be used, and as `TcpClient` does.
        """
        self._check_more(more, TlsClientBase, TcpClientBase)
        # The name is checked first: the certificates of a wrong one are nobody's problem.
        super().__init__(host, port, **more)
        self._credentials = ClientCredentials(
            host,
            context=context,
            ca=ca,
            certificate=certificate,
            key=key,
            password=password,
            password_file=password_file,
            server_hostname=server_hostname,
            pinned=pinned,
            null_encryption=null_encryption,
        )

    def _new_channel(self, recv: Callable[[int], bytes], send: Callable[[bytes], int]) -> Channel:
        """Return the channel on a connected socket that does not block; see `Channel`."""
        return Channel(self._credentials.new_filter(0.0, self._connect_timeout), recv, send)

    def _too_slow(self) -> TimeoutError:
        """Return the error of a handshake that takes longer than `connect_timeout`."""
        return TimeoutError(
            f"the server did not end the TLS handshake within {self._connect_timeout:g} s"
        )
