"""Programs that speak TLS, as peers of our servers and clients: OpenSSL's, GnuTLS's, pymodbus's."""

from __future__ import annotations

import re
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from plant_pki import Issued, Pki

PATIENCE = 30.0  # seconds for a program on a busy machine
S_VERSIONS = {"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}
GNUTLS_VERSIONS = {
    "TLSv1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2",
    "TLSv1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3",
}


class Piped:
    """A program whose standard input and output are plaintext."""

    def __init__(self, command: Sequence[object]) -> None:
        self._child = subprocess.Popen(
            [str(each) for each in command],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        # A program that hangs ends, so that a read from it does.
        self._timer = threading.Timer(PATIENCE, self._child.kill)
        self._timer.start()

    def send(self, data: bytes) -> None:
        """Send plaintext, unless the program has ended, as one does that is refused."""
        assert self._child.stdin is not None
        with suppress(BrokenPipeError):
            self._child.stdin.write(data)

    def receive(self, size: int) -> bytes:
        """Return so many bytes, or fewer if the program has ended."""
        assert self._child.stdout is not None
        data = b""
        while len(data) < size and (more := self._child.stdout.read(size - len(data))):
            data += more
        return data

    def read_until(self, pattern: bytes) -> re.Match[bytes]:
        """Return the match of a pattern in the output."""
        assert self._child.stdout is not None
        text = b""
        while (found := re.search(pattern, text)) is None:
            more = self._child.stdout.read(1)
            assert more, (text, self.errors())
            text += more
        return found

    def errors(self) -> str:
        """End the program; return its standard error."""
        self._child.kill()
        assert self._child.stderr is not None
        return self._child.stderr.read().decode("latin-1")

    def close(self) -> None:
        self._timer.cancel()
        self._child.kill()
        self._child.communicate()


@contextmanager
def piped(*command: object) -> Iterator[Piped]:
    child = Piped(command)
    try:
        yield child
    finally:
        child.close()


def s_client(
    address: tuple[str, int], pki: Pki, issued: Issued | None, version: str
) -> list[object]:
    """Return the command of OpenSSL's client."""
    command: list[object] = ["openssl", "s_client", "-quiet", S_VERSIONS[version]]
    command += ["-connect", f"127.0.0.1:{address[1]}", "-CAfile", pki.ca, "-verify_return_error"]
    return command + ([] if issued is None else ["-cert", issued.certificate, "-key", issued.key])


def s_server(pki: Pki, version: str) -> list[object]:
    """Return the command of OpenSSL's server, which asks for certificates; the port is 0."""
    server = pki.server()
    command: list[object] = ["openssl", "s_server", S_VERSIONS[version], "-accept", "127.0.0.1:0"]
    command += ["-cert", server.certificate, "-key", server.key, "-CAfile", pki.ca]
    return [*command, "-Verify", "1", "-verify_return_error", "-naccept", "1"]


def gnutls_cli(
    address: tuple[str, int], pki: Pki, issued: Issued | None, version: str, log: Path
) -> list[object]:
    """Return the command of GnuTLS's client; what it says is in `log`."""
    command: list[object] = ["gnutls-cli", f"--logfile={log}", f"--x509cafile={pki.ca}"]
    command += [f"--priority={GNUTLS_VERSIONS[version]}", "-p", address[1], "127.0.0.1"]
    if issued is not None:
        command += [f"--x509certfile={issued.certificate}", f"--x509keyfile={issued.key}"]
    return command


def without_name_check(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context for pymodbus's client, which passes no host name."""
    context.check_hostname = False
    return context
