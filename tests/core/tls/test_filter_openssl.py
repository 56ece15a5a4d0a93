"""The filter as a server against `openssl s_client`, for what Python's client cannot ask for."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from modwire.tls.filter import Filter
from plant_pki import Pki
from tls_peers import PATIENCE, credentials

if TYPE_CHECKING:
    from ...conftest import RequirePeer

ANSWER = b"a" * 3000


class Echo:
    """A server that sends ANSWER for the first line of its only client; `records` are its sizes."""

    def __init__(self, pki: Pki) -> None:
        self.filter: Filter | None = None
        self.records: list[int] = []
        self.received = b""
        self._given = credentials(pki)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(PATIENCE)
        self.place = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        peer, _ = self._listener.accept()
        ours = self.filter = self._given.new_filter(0.0, PATIENCE)
        with peer, contextlib.suppress(OSError):
            peer.settimeout(PATIENCE)
            while not ours.has_ended:
                data = peer.recv(4096)
                if not data:
                    ours.receive_eof()
                ours.receive_data(data)
                while text := ours.read(4096):
                    self.received += text
                    if b"\n" in text:
                        ours.write(ANSWER)
                answer = ours.data_to_send()
                self._note(answer)
                peer.sendall(answer)
                if ours.fault is not None:
                    return

    def _note(self, data: bytes) -> None:
        while data:
            size = int.from_bytes(data[3:5], "big")
            self.records.append(size)
            data = data[5 + size :]

    def close(self) -> None:
        self._listener.close()
        self._thread.join(PATIENCE)


@pytest.fixture
def openssl(require_peer: RequirePeer) -> None:
    require_peer("openssl", shutil.which("openssl") is not None, "apt-get install openssl")


@pytest.fixture
def echo(pki: Pki, openssl: None) -> Iterator[Echo]:
    server = Echo(pki)
    yield server
    server.close()


def s_client(echo: Echo, pki: Pki, *options: str, text: bytes = b"hello\n", until: bytes) -> str:
    """Run s_client until it has shown `until`, and return what it has shown."""
    issued = pki.client("operator")
    files = ["-cert", str(issued.certificate), "-key", str(issued.key), "-CAfile", str(pki.ca)]
    command = ["openssl", "s_client", "-connect", echo.place, "-verify_return_error", *files]
    with subprocess.Popen(
        [*command, *options],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as client:
        assert client.stdin is not None and client.stdout is not None
        timer = threading.Timer(PATIENCE, client.kill)
        timer.start()
        shown = b""
        with contextlib.suppress(BrokenPipeError):  # it has failed: what it has shown tells why
            client.stdin.write(text)
        while until not in shown and (data := client.stdout.read(4096)):
            shown += data
        client.kill()
        timer.cancel()
    return shown.decode("latin-1")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("length", [512, 1024, 4096])
def test_a_client_may_ask_for_short_fragments(
    pki: Pki, echo: Echo, version: str, length: int
) -> None:
    """R-57, R-58, down to 512 bytes: controllers have little memory."""
    s_client(echo, pki, version, "-maxfraglen", str(length), until=ANSWER[:2000])
    assert echo.received == b"hello\n"
    assert len(echo.records) > len(ANSWER) // length
    assert max(echo.records[1:]) <= length + 64


def test_renegotiation_is_refused_and_safe_renegotiation_indicated(pki: Pki, echo: Echo) -> None:
    """R-60: the indication (RFC 5746) is there; a second handshake is not."""
    shown = s_client(echo, pki, "-tls1_2", text=b"R\n", until=b"no renegotiation")
    assert "Secure Renegotiation IS supported" in shown
    assert "no renegotiation" in shown
    assert echo.received == b""


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_there_is_no_compression(pki: Pki, echo: Echo, version: str) -> None:
    """R-59."""
    shown = s_client(echo, pki, version, "-comp", until=b"aaaa")
    assert "Compression: NONE" in shown


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_are_kept_by_the_server_alone(pki: Pki, echo: Echo, version: str) -> None:
    """A ticket would be valid after a reload that revokes its client."""
    shown = s_client(echo, pki, version, until=b"aaaa")
    assert "TLS session ticket:" not in shown or len(ticket(shown)) <= 32


def ticket(shown: str) -> bytes:
    """Return the bytes of the ticket: those of a whole session, or 32 that name one."""
    lines = shown.partition("TLS session ticket:")[2].strip().splitlines()
    dump = [each for each in lines if each.strip()[:4].isalnum() and " - " in each]
    return b"".join(bytes.fromhex(each[10:57].replace("-", " ")) for each in dump)


@pytest.mark.usefixtures("openssl")
def test_the_whole_chain_is_sent(tmp_path_factory: pytest.TempPathFactory) -> None:
    """R-46: a client knows the root alone."""
    root = Pki(tmp_path_factory.mktemp("root"), "Root")
    plant = Pki(tmp_path_factory.mktemp("plant"), "Plant", issuer=root)
    plant.ca.write_bytes(root.ca.read_bytes())
    echo = Echo(plant)
    try:
        shown = s_client(echo, plant, "-showcerts", until=b"aaaa")
    finally:
        echo.close()
    assert shown.count("BEGIN CERTIFICATE") == 2
    assert "Verification: OK" in shown
