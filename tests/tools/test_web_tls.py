"""The page over TLS: `modwire simulate --web-certificate`."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modwire_command import modwire, started
from page_requests import PATIENCE, RefusedSocketError, WebSocket, ask
from secured import Plant
from tls_peers import client_side

pytestmark = pytest.mark.timeout(300)

SIMULATE = ("simulate", "--tcp", "127.0.0.1:0", "--web", "127.0.0.1:0")
SERVE = ("serve", "tcp://127.0.0.1:0", "--web", "127.0.0.1:0")
LINK = r"Page: https://127\.0\.0\.1:(\d+)/(?:#token=(\S+))?\n"


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(tmp_path)


@contextmanager
def served(plant: Plant, *more: str) -> Iterator[tuple[int, str | None, ssl.SSLContext]]:
    """Serve the page over TLS; yield its port and token, and the context of a browser."""
    files = ("--web-certificate", plant.server.certificate, "--web-key", plant.server.key)
    with started(*SIMULATE, *files, *more) as running:
        port, token = running.read_until(LINK).groups()
        yield int(port), token, client_side(plant.pki.ca)
        assert running.interrupt() == 130
    assert "Traceback" not in running.text


def test_the_page_and_its_socket_are_served_over_tls(plant: Plant) -> None:
    """A browser sends the origin https://, and no certificate."""
    with served(plant) as (port, _, context):
        origin = {"Origin": f"https://127.0.0.1:{port}"}
        page = ask(port, "GET", "/", context=context)
        assert page.status == 200
        assert "Content-Security-Policy" in page.headers
        stopped = ask(port, "POST", "/api/devices/0/stop", {}, origin, context=context)
        assert stopped.status == 200
        with WebSocket(port, origin, context) as live:
            live.send({"show": {"b": {"kind": "overview"}}})
            assert "b" in live.push()
        other = {"Origin": f"http://127.0.0.1:{port}"}
        assert ask(port, "POST", "/api/devices/0/stop", {}, other, context=context).status == 403
        with pytest.raises(RefusedSocketError, match="403"):
            WebSocket(port, other, context)


def test_the_cookie_is_for_tls_only(plant: Plant) -> None:
    """Otherwise the browser would send it to a server without TLS on another port."""
    token = "a-token-of-the-plant"
    with served(plant, "--web-token", token) as (port, printed, context):
        assert printed == token
        assert ask(port, "GET", "/api/devices", context=context).status == 401
        answer = ask(port, "POST", "/api/session", {"token": token}, context=context)
        assert answer.status == 200
        assert "; Secure" in (answer.headers["Set-Cookie"] or "")


def test_clients_without_tls_do_not_disturb_others(plant: Plant) -> None:
    with served(plant) as (port, _, context):
        waiting = socket.create_connection(("127.0.0.1", port))  # never shakes hands
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 99):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
                plain.sendall(data)
                plain.shutdown(socket.SHUT_WR)
                answer = b""
                while data := plain.recv(4096):
                    answer += data
                assert b"HTTP" not in answer
        assert ask(port, "GET", "/", context=context).status == 200
        waiting.close()


def shown_by(port: int) -> str:
    """Return the certificate that the page shows to a new connection."""
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=PATIENCE)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
@pytest.mark.parametrize("command", [SIMULATE, SERVE])
def test_a_hangup_reloads_the_certificate(plant: Plant, command: tuple[str, ...]) -> None:
    """With no other file to reload. An open page goes on; what is wrong changes nothing."""
    own = plant.server
    files = ("--web-certificate", own.certificate, "--web-key", own.key)
    with started(*command, *files) as running:
        port = int(running.read_until(LINK)[1])
        running.read_until("kill -HUP")
        before = shown_by(port)
        other = plant.pki.server()
        with WebSocket(port, {"Origin": f"https://127.0.0.1:{port}"}, client_side(plant.pki.ca)):
            own.certificate.write_bytes(other.certificate.read_bytes())
            running.child.send_signal(signal.SIGHUP)
            running.read_until("nothing was reloaded: key .* the key does not fit the certificate")
            assert shown_by(port) == before
            own.key.write_bytes(other.key.read_bytes())
            running.child.send_signal(signal.SIGHUP)
            running.read_until("certificates and rights were reloaded")
            assert ssl.PEM_cert_to_DER_cert(shown_by(port)) == other.der
        assert ask(port, "GET", "/", context=client_side(plant.pki.ca)).status == 200
        assert running.interrupt() == 130


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
def test_the_page_and_the_server_are_reloaded_together_or_not_at_all(plant: Plant) -> None:
    issued = plant.pki.server()
    own = ("--web-certificate", issued.certificate, "--web-key", issued.key)
    tls = ("serve", "tls://127.0.0.1:0", *plant.options, "--web", "127.0.0.1:0")
    with started(*tls, *own) as running:
        port = int(running.read_until(LINK)[1])
        running.read_until("kill -HUP")
        before, other = shown_by(port), plant.pki.server()
        rights = plant.rights.read_text()
        issued.certificate.write_bytes(other.certificate.read_bytes())
        issued.key.write_bytes(other.key.read_bytes())
        plant.rights.write_text("[[role.operator]]\nunits = 300\n")
        running.child.send_signal(signal.SIGHUP)
        running.read_until("nothing was reloaded: .*rule 1")
        assert shown_by(port) == before
        plant.rights.write_text(rights)
        running.child.send_signal(signal.SIGHUP)
        running.read_until("certificates and rights were reloaded")
        assert ssl.PEM_cert_to_DER_cert(shown_by(port)) == other.der
        assert running.interrupt() == 130


def test_wrong_files_get_one_sentence(plant: Plant) -> None:
    certificate, key = str(plant.server.certificate), str(plant.server.key)
    other = str(plant.pki.server().key)
    for words, code, said in (
        (("--web-certificate", "/no/x.pem"), 1, "certificate /no/x.pem cannot be read: No such"),
        (("--web-certificate", certificate), 1, "it has a certificate and no key"),
        (("--web-certificate", certificate, "--web-key", other), 1, "the key does not fit"),
        (("--web-key", key), 2, "--web-key needs its --web-certificate"),
    ):
        result = modwire(*SIMULATE, *words)
        assert result.code == code
        assert said in result.err
        assert result.err.count("\n") == 1
    result = modwire("simulate", "--tcp", "0", "--web-certificate", certificate)
    assert "--web-certificate is for the page: --web HOST:PORT is missing" in result.err
