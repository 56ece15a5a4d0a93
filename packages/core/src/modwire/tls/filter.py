"""`Filter`: TLS for one connection, without I/O: records on one side, plaintext on the other.

It is the same for clients and servers, and for every event loop: pass received bytes to
`receive_data`, send what `data_to_send` returns, always, and read plaintext by `read`. Nothing that
a peer sends raises an exception: see `fault`.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from .faults import NO_CERTIFICATE, TlsError, not_tls, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[["bytes | None", bool], str]

# Bytes of a handshake (a chain of certificates has at most 100 KiB in OpenSSL), and then of records
# that carry no plaintext, such as key updates.
_MOST_WITHOUT_DATA = 0x20000
_HANDSHAKE, _ALERT = 0x16, 0x15  # types of the first record


class Filter:
    """TLS for one connection; times are in seconds, monotonic.

    - `context`: that which the connection was made with.
    - `is_open`: True from the end of the handshake to the end of the connection.
    - `certificate`: the peer's certificate in DER, once the connection is open; None for none.
    - `fault`: the `TlsError` that ended the connection, or None; its alert has yet to be sent.
    - `has_ended`: True if the peer has closed the connection, with or without a close_notify.
    - `has_more`: True if `read` may return something without new bytes of the peer.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        now: float,
        *,
        is_server: bool,
        server_hostname: str | None = None,
        timeout: float,
        ours: str = NO_CERTIFICATE,
        check: Check | None = None,
    ) -> None:
        """Begin a handshake, which has `timeout` seconds.

        `server_hostname` is the name that a client looks for in the certificate of its server.
        `ours` describes our certificate in errors, and is an attribute too.
        `check(certificate, is_resumed)` returns the reason why a peer that OpenSSL has accepted is
        refused, or "".
        """
        self.context = context
        self.is_open = False
        self.has_ended = self.has_more = False
        self.certificate: bytes | None = None
        self.fault: TlsError | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._is_server = is_server
        self._server_hostname = server_hostname
        self._peer = "client" if is_server else "server"
        self._timeout = timeout
        self._until = now + timeout
        self.ours = ours
        self._check = check
        self._received = 0  # bytes of the handshake, and then since the last plaintext
        self._is_shaking = True
        if not is_server:
            self._begin()
            self._shake_hands()

    def _begin(self) -> None:
        """Make OpenSSL's object, which takes fifty kilobytes: a peer without TLS gets none."""
        self._tls = self.context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=self._is_server,
            server_hostname=self._server_hostname,
        )

    @property
    def version(self) -> str:
        """Version of the open connection, such as "TLSv1.3"."""
        return self._tls.version() or ""

    @property
    def cipher(self) -> str:
        """Name of the cipher suite of the open connection, as OpenSSL writes it."""
        found = self._tls.cipher()
        return "" if found is None else found[0]

    @property
    def is_resumed(self) -> bool:
        """True if the handshake has resumed an earlier session."""
        return bool(self._tls.session_reused)

    # From the peer.

    def receive_data(self, data: bytes) -> None:
        """Process bytes that the peer has sent; go on with `data_to_send` and `read`."""
        is_over = self.has_ended or self.fault is not None
        if is_over or not data or not (self.is_open or self._is_shaking):
            return
        if not self._received and self._is_shaking:
            if data[0] not in (_HANDSHAKE, _ALERT):
                self.fault = not_tls(data, self._peer)
                return
            if self._is_server:
                self._begin()
        self._received += len(data)
        self._incoming.write(data)
        self.has_more = self.is_open
        if self._is_shaking:
            self._shake_hands()
        if self._received > _MOST_WITHOUT_DATA:
            self._refuse(f"it sent {self._received} bytes without data")

    def receive_eof(self) -> None:
        """Process the end of the peer's stream; it is no fault of an open connection."""
        self.has_ended = True
        if self._is_shaking and self.fault is None:
            self.fault = TlsError(f"the {self._peer} closed the connection in the TLS handshake")

    def read(self, most: int) -> bytes:
        """Return at most so many bytes of plaintext; b"" if there are none now, or no more."""
        if not self.has_more:
            return b""
        self.has_more = False
        if not self.is_open or self.has_ended:
            return b""
        try:
            data = self._tls.read(most)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLZeroReturnError:
            self.has_ended = True
            return b""
        except ssl.SSLError as error:
            self._fail(error)
            return b""
        self._received = 0
        if not data:
            self.has_ended = True  # the close_notify of the peer
        elif self._incoming.pending or (len(data) == most and self._tls.pending()):
            self.has_more = True
        return data

    # To the peer.

    def write(self, data: bytes) -> None:
        """Encrypt plaintext, for `data_to_send`; discard it unless the connection is open."""
        try:
            while data and self.is_open:
                data = data[self._tls.write(data) :]
        except ssl.SSLError as error:
            self._fail(error)

    def data_to_send(self) -> bytes:
        """Return the bytes that have to be sent to the peer, after a fault too: it is the alert."""
        return self._outgoing.read()

    def close(self) -> None:
        """End the connection with a close_notify, for `data_to_send`; may be called again."""
        if self.is_open:
            self.is_open = False
            try:
                self._tls.unwrap()
            except ssl.SSLError:
                return  # the close_notify of the peer has not come, or it was not the next record

    # Time.

    def deadline(self) -> float | None:
        """Time to call `handle_timeout`; None if there is no deadline."""
        return self._until if self._is_shaking and self.fault is None else None

    def handle_timeout(self, now: float) -> None:
        """End a handshake that takes too long."""
        if now >= self._until and self._is_shaking and self.fault is None:
            self.fault = TlsError(
                f"the {self._peer} did not end the TLS handshake within {self._timeout:g} s"
            )

    # The handshake.

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            self._fail(error)
            return
        self.certificate = self._tls.getpeercert(binary_form=True)
        self.is_open, self._is_shaking, self._received = True, False, 0
        self.has_more = bool(self._incoming.pending)
        reason = "" if self._check is None else self._check(self.certificate, self.is_resumed)
        if reason:
            self._refuse(reason)

    def _refuse(self, reason: str) -> None:
        """End the connection because of the peer; OpenSSL has no alert for it but close_notify."""
        self.close()
        self._is_shaking = False
        self.fault = self.fault or TlsError(f"the {self._peer} is refused: {reason}")

    def _fail(self, error: ssl.SSLError) -> None:
        self.is_open = self._is_shaking = False
        theirs = self.certificate or _unverified(self._tls)
        self.fault = refusal(error, self._peer, ours=self.ours, theirs=theirs)
        del self._tls  # it is large, and the connection may wait until the peer has read the alert


def _unverified(tls: ssl.SSLObject) -> bytes | None:
    """Return the certificate of a peer that may have been refused; None if it is not known."""
    # Python has this method from 3.10 on, and for everybody from 3.13 on.
    get_chain = getattr(tls, "get_unverified_chain", None) or getattr(
        getattr(tls, "_sslobj", None), "get_unverified_chain", None
    )
    chain = get_chain() if get_chain is not None else None
    if not chain:
        return None
    leaf = chain[0]
    return leaf if isinstance(leaf, bytes) else ssl.PEM_cert_to_DER_cert(leaf.public_bytes())
