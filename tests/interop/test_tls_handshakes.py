"""Handshakes of every package that Python's own client cannot ask for, against `openssl`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from plant_pki import Pki, signed_with_sha1
from tests.conformance.hostile_peers import PACKAGES, read
from tests.conformance.test_tls_exchange import refused
from tests.conformance.tls_sides import READ, Watched, ask, dialled, served
from tls_peers import V12, V13, client_side

from .tls_programs import PATIENCE, piped, s_client

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("openssl")]

every_package = pytest.mark.parametrize("package", PACKAGES)
every_version = pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
NUMBERS = {"TLSv1.2": V12, "TLSv1.3": V13}
DATA = 23  # the type of records with plaintext


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"), "Handshake CA")


@contextmanager
def records_of(address: tuple[str, int]) -> Iterator[tuple[tuple[str, int], list[int]]]:
    """Relay one connection; yield where to connect, and the sizes of the server's data records."""
    sizes: list[int] = []

    def relay(one: socket.socket, other: socket.socket, sent: bytearray) -> None:
        with suppress(OSError):
            while data := one.recv(4096):
                sent += data
                while len(sent) >= 5 and len(sent) >= 5 + (
                    size := int.from_bytes(sent[3:5], "big")
                ):
                    if sent[0] == DATA and one is there:
                        sizes.append(size)
                    del sent[: 5 + size]
                other.sendall(data)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with suppress(OSError):
            here, _ = listener.accept()
            with here:
                ways = ((here, there), (there, here))
                threads = [threading.Thread(target=relay, args=(*way, bytearray())) for way in ways]
                for each in threads:
                    each.start()
                for each in threads:
                    each.join()

    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(address) as there,
    ):
        listener.settimeout(PATIENCE)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname(), sizes
        finally:
            with suppress(OSError):
                there.shutdown(socket.SHUT_RDWR)
            thread.join()


@every_package
@every_version
@pytest.mark.parametrize("asked", [(), ("-maxfraglen", "512")], ids=["usual", "short"])
def test_fragments_are_short_if_asked_for(
    package: str, version: str, pki: Pki, asked: tuple[str, ...]
) -> None:
    """R-57, R-58, down to 512 bytes: controllers have little memory."""
    requests = b"".join(read(number) for number in range(100))
    with served(package, pki) as address, records_of(address) as (place, sizes):
        command = s_client(place, pki, pki.client("operator"), version)
        with piped(*command, *asked) as client:
            client.send(requests)
            assert len(client.receive(100 * 11)) == 100 * 11, client.errors()
    assert (max(sizes) <= 512 + 64) is bool(asked), sizes


def talkative(command: list[object], *options: str) -> list[object]:
    """Return the command of a client that shows the session, and takes commands."""
    return [*(each for each in command if each != "-quiet"), *options]


@every_package
def test_there_is_no_renegotiation(package: str, pki: Pki) -> None:
    """R-60: it is indicated that it would be safe (RFC 5746), and refused. TLS 1.3 has none."""
    unit = Watched()
    with served(package, pki, unit) as address:
        command = s_client(address, pki, pki.client("operator"), "TLSv1.2")
        with piped(*talkative(command)) as client:
            client.send(b"R\n")
            shown = client.receive(1 << 20)  # until it ends
            assert b"Secure Renegotiation IS supported" in shown
            assert "no renegotiation" in client.errors()
    assert unit.executed == []


@every_package
@every_version
def test_there_is_no_compression(package: str, version: str, pki: Pki) -> None:
    """R-59."""
    with served(package, pki) as address:
        command = s_client(address, pki, pki.client("operator"), version)
        with piped(*talkative(command, "-comp")) as client:
            assert client.read_until(rb"Compression: (.*)\n")[1] == b"NONE"


@every_package
@every_version
def test_a_client_that_knows_p_256_alone_is_served(package: str, version: str, pki: Pki) -> None:
    """R-61, R-62: with the mandatory suite of TLS 1.2."""
    suite = "ECDHE-ECDSA-AES128-GCM-SHA256"
    context = client_side(pki.ca, pki.client("operator"), NUMBERS[version], suite)
    context.set_ecdh_curve("prime256v1")
    with served(package, pki) as address, dialled(address, pki, context=context) as peer:
        assert ask(peer, READ)
        assert peer.version() == version
        assert version == "TLSv1.3" or (peer.cipher() or ("",))[0] == suite


@every_package
@every_version
def test_a_certificate_signed_with_sha_1_is_refused(package: str, version: str, pki: Pki) -> None:
    unit, issued = Watched(), signed_with_sha1(pki, pki.client("operator"))
    context = client_side(pki.ca, None, NUMBERS[version], "DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(issued.certificate, issued.key)
    with served(package, pki, unit) as address:
        assert refused(address, pki, context, None) == "bad_certificate"
    assert unit.executed == []
