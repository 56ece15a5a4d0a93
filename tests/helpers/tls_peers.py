"""`Peer`: Python's own TLS on memory, the other side of a `Filter` in tests."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Protocol

import pytest

from modwire.tls import Credentials
from modwire.tls.filter import Filter
from plant_pki import HOST, Issued, Pki

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
VERSIONS = {V12: "TLSv1.2", V13: "TLSv1.3"}
BOTH = pytest.mark.parametrize("version", VERSIONS, ids=VERSIONS.get)
PATIENCE = 10.0


class Side(Protocol):
    """A `Filter` or a `Peer`."""

    def receive_data(self, data: bytes) -> None: ...
    def data_to_send(self) -> bytes: ...


class Peer:
    """A client or a server made of `ssl.SSLObject`, as any program in Python may be one.

    `error` is what ended it; `received` is the plaintext that came.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        is_server: bool = False,
        hostname: str = HOST,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if is_server else hostname
        self.tls = context.wrap_bio(
            self._incoming, self._outgoing, is_server, server_hostname=name, session=session
        )
        self.is_open = self.has_ended = False
        self.error: ssl.SSLError | None = None
        self.received = b""
        self.receive_data(b"")

    @property
    def alert(self) -> str:
        """Name of the alert that the other side has sent."""
        reason = "" if self.error is None else self.error.reason or ""
        return reason.partition("_ALERT_")[2].lower()

    def receive_data(self, data: bytes) -> None:
        self._incoming.write(data)
        try:
            if not self.is_open:
                self.tls.do_handshake()
                self.is_open = True
            while self.error is None and not self.has_ended:
                data = self.tls.read(0x10000)
                self.received += data
                self.has_ended = not data  # a close_notify
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        except ssl.SSLError as error:
            self.error = self.error or error

    def write(self, data: bytes) -> None:
        self.tls.write(data)

    def close(self) -> None:
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            return

    def data_to_send(self) -> bytes:
        return self._outgoing.read()


def pump(one: Side, other: Side, size: int = 0x10000) -> None:
    """Carry bytes both ways, `size` at a time, until there are no more."""
    while True:
        ours, theirs = one.data_to_send(), other.data_to_send()
        if not ours and not theirs:
            return
        for at in range(0, max(len(ours), len(theirs)), size):
            other.receive_data(ours[at : at + size])
            one.receive_data(theirs[at : at + size])


def client_side(
    ca: Path,
    issued: Issued | None = None,
    version: ssl.TLSVersion | None = None,
    suites: str = "",
) -> ssl.SSLContext:
    """Return the context of a client that trusts `ca`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca)
    return _limited(context, issued, version, suites)


def server_side(
    ca: Path, issued: Issued, version: ssl.TLSVersion | None = None, suites: str = ""
) -> ssl.SSLContext:
    """Return the context of a server that asks clients for certificates of `ca`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca)
    return _limited(context, issued, version, suites)


def _limited(
    context: ssl.SSLContext, issued: Issued | None, version: ssl.TLSVersion | None, suites: str
) -> ssl.SSLContext:
    if suites:
        context.set_ciphers(suites)
    if issued is not None:
        context.load_cert_chain(issued.certificate, issued.key)
    if version is not None:
        # From 3.10 on, old versions are deprecated, and some systems have none.
        context.minimum_version = version
        context.maximum_version = version
    return context


def credentials(pki: Pki, crl: Path | None = None, **more: bool) -> Credentials:
    server = pki.server()
    return Credentials(server.certificate, server.key, pki.ca, crl, **more)


def connected(
    pki: Pki,
    issued: Issued | None,
    version: ssl.TLSVersion | None = None,
    given: Credentials | None = None,
    **more: str,
) -> tuple[Filter, Peer]:
    """Return the filter of a server and a client that have said to each other what they have."""
    ours = (given or credentials(pki)).new_filter(0.0, PATIENCE)
    peer = Peer(client_side(pki.ca, issued, version, **more))
    pump(peer, ours)
    return ours, peer
