"""Access to the page: other sites, other names and clients without the token are refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import trio
from starlette.types import Message

from fake_view import FakeView
from linked_page import run
from modwire_tools.web import check_token, format_link, is_loopback, make_token, serve_page
from modwire_tools.web.access import Access
from modwire_tools.web.app import make_app
from modwire_tools.web.guard import BODY_LIMIT
from page_requests import PATIENCE, RefusedSocketError, WebSocket, ask
from running_page import ServedPage

TOKEN = "a-token-for-tests"
COIL = "/api/devices/0/units/1/tables/coils"
WRITE = {"address": 0, "values": [1]}


@pytest.fixture(scope="module")
def page() -> Iterator[ServedPage]:
    with ServedPage(FakeView()) as served:
        yield served


@pytest.fixture
def closed() -> Iterator[ServedPage]:
    """A page that needs a token; a new one, because it slows down clients with wrong ones."""
    with ServedPage(FakeView(), token=TOKEN) as served:
        yield served


def _coil(page: ServedPage) -> int | None:
    return page.do(lambda: page.view.values(0, 1, "coils", 0, 1))[0]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "localhost.", "[::1]"])
def test_the_names_of_this_machine_are_ours(page: ServedPage, name: str) -> None:
    for host in (name, f"{name}:{page.port}"):
        assert ask(page.port, "GET", "/api", headers={"Host": host}).status == 200


@pytest.mark.parametrize("path", ["/", "/api", "/pages/main.js", "/nothing"])
@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", "127.0.0.2", "a]b"])
def test_a_name_that_is_not_ours_is_refused(page: ServedPage, path: str, name: str) -> None:
    """A site with a name that resolves to 127.0.0.1 would share our origin (DNS rebinding)."""
    answer = ask(page.port, "GET", path, headers={"Host": f"{name}:{page.port}"})
    assert answer.status == 403
    assert answer.error.startswith("this server is not called ")


def test_a_request_of_another_site_writes_nothing(page: ServedPage) -> None:
    own = f"http://127.0.0.1:{page.port}"
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{page.port}", f"{own}0",
                   "http://127.0.0.1", f"http://localhost:{page.port}"):  # fmt: skip
        answer = ask(page.port, "PUT", COIL, WRITE, {"Origin": origin})
        assert (answer.status, answer.error) == (
            403,
            f"requests of the origin {origin!r} are refused",
        )
        assert ask(page.port, "GET", "/api", headers={"Origin": origin}).status == 403
    assert _coil(page) == 0
    assert ask(page.port, "PUT", COIL, WRITE, {"Origin": own}).status == 200
    assert _coil(page) == 1
    ask(page.port, "PUT", COIL, {"address": 0, "values": [0]})


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_that_says_it_is_of_another_site_is_refused(page: ServedPage, site: str) -> None:
    """Requests for images and scripts have no Origin; browsers mark them by Sec-Fetch-Site."""
    headers = {"Sec-Fetch-Site": site}
    assert ask(page.port, "GET", "/api", headers=headers).status == 403
    assert ask(page.port, "PUT", COIL, WRITE, headers).status == 403
    assert _coil(page) == 0


def test_a_link_from_another_site_opens_the_page(page: ServedPage) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask(page.port, "GET", "/", headers=headers).status == 200
    assert ask(page.port, "GET", "/api/docs", headers=headers).status == 200
    assert ask(page.port, "GET", "/api/devices", headers=headers).status == 403


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_form_writes_nothing(page: ServedPage, kind: str) -> None:
    """Browsers let a form of any site send these types without a preflight request."""
    answer = ask(page.port, "PUT", COIL, WRITE, {"Content-Type": kind})
    assert (answer.status, answer.error) == (415, "the content type must be application/json")
    assert _coil(page) == 0
    assert ask(page.port, "POST", "/api/devices/0/stop", raw=b"").status == 415


@pytest.mark.parametrize("origin", ["http://evil.example", "null", ""])
def test_a_socket_of_another_site_is_refused(page: ServedPage, origin: str) -> None:
    with pytest.raises(RefusedSocketError) as caught:
        WebSocket(page.port, {"Origin": origin})
    assert caught.value.status == 403


def test_a_socket_under_another_name_is_refused(page: ServedPage) -> None:
    name = f"evil.example:{page.port}"
    with pytest.raises(RefusedSocketError) as caught:
        WebSocket(page.port, {"Host": name, "Origin": f"http://{name}"})
    assert caught.value.status == 403


@pytest.mark.parametrize("path", ["/", "/api", "/api/docs", "/pages/main.js", "/nothing"])
def test_every_answer_has_the_headers_that_browsers_obey(page: ServedPage, path: str) -> None:
    headers = ask(page.port, "GET", path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["server"] is None


def test_no_page_has_a_script_inline(page: ServedPage) -> None:
    for path in ("/", "/api/docs"):
        text = ask(page.port, "GET", path).body.decode()
        assert "<script>" not in text
        assert " style=" not in text
        assert " onclick=" not in text
        assert "http://" not in text
        assert "https://" not in text


def test_files_are_asked_for_again_only_when_they_changed(page: ServedPage) -> None:
    first = ask(page.port, "GET", "/pages/main.js")
    again = ask(
        page.port, "GET", "/pages/main.js", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (first.status, again.status, again.body) == (200, 304, b"")


@pytest.mark.parametrize(
    "path", ["/pages/../serving.py", "/pages/%2e%2e/serving.py", "/pages/index.html"]
)
def test_nothing_but_the_files_of_the_page_is_given(page: ServedPage, path: str) -> None:
    assert ask(page.port, "GET", path).status == 404


def test_a_long_body_is_refused_and_the_server_goes_on(page: ServedPage) -> None:
    for size in (BODY_LIMIT + 1, 3_000_000):
        answer = ask(page.port, "PUT", COIL, WRITE, raw=b" " * size)
        assert (answer.status, answer.error) == (
            413,
            f"the body must be at most {BODY_LIMIT} bytes",
        )
    chunks = {"Transfer-Encoding": "chunked"}
    raw = b"10000\r\n" + b" " * 0x10000 + b"\r\n10000\r\n" + b" " * 0x10000 + b"\r\n0\r\n\r\n"
    assert ask(page.port, "PUT", COIL, WRITE, chunks, raw=raw).status == 413
    assert ask(page.port, "GET", "/api").status == 200


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    sent: list[Message] = []
    parts: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Message:
        if not parts:
            await trio.sleep_forever()
        return parts.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    async def main() -> None:
        app = make_app(FakeView(), Access([], 80), trio.Event())
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "PUT", "path": COIL, "headers": headers}
        await app(scope, receive, send)
        assert trio.current_time() == pytest.approx(10.0)

    run(main)
    assert sent[0]["status"] == 408


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * 10_000 + b"\r\n",
        b"PUT /api HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(64),
        b"\x16\x03\x01\x00\xa5" + bytes(165),
        b"GET /%ff%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"",
    ],
)
def test_nonsense_does_not_stop_the_server(page: ServedPage, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", page.port), timeout=PATIENCE) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while connection.recv(65536):
                pass
    assert ask(page.port, "GET", "/api").status == 200


@pytest.mark.parametrize("path", ["/api", "/api/openapi.json", "/api/traffic", COIL, "/nothing"])
def test_without_the_token_nothing_is_given(closed: ServedPage, path: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong-token"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Cookie": f"modwire_{closed.port}={TOKEN}"},
        {"Cookie": f"modwire_{closed.port}="},
        {"Authorization": "Bearer \u00e9"},
    ):
        answer = ask(closed.port, "GET", path, headers=headers)
        assert answer.status == 401
        assert answer.error == "a token is needed: open the link that has it, or send it"


def test_without_the_token_nothing_is_written(closed: ServedPage) -> None:
    assert ask(closed.port, "PUT", COIL, WRITE).status == 401
    assert _coil(closed) == 0
    with pytest.raises(RefusedSocketError) as caught:
        WebSocket(closed.port)
    assert caught.value.status == 401


def test_the_token_in_a_header_opens_all(closed: ServedPage) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert ask(closed.port, "GET", "/api", headers=headers).status == 200
    with WebSocket(closed.port, headers) as live:
        live.send({"show": {"a": {"kind": "overview"}}})
        assert "a" in live.push()


def test_the_page_asks_for_the_token(closed: ServedPage) -> None:
    for path in ("/", "/api/docs", "/?token=wrong-token"):
        answer = ask(closed.port, "GET", path)
        assert answer.status == 401
        assert b'id="token"' in answer.body
        assert answer.headers["set-cookie"] is None


def _cookie(header: str | None) -> str:
    assert header is not None
    cookie, *rules = header.split("; ")
    assert {"httponly", "samesite=strict", "path=/"} == {rule.lower() for rule in rules}
    assert TOKEN not in cookie  # browsers send the cookies of a host to all its ports
    return cookie


def test_the_token_of_a_link_becomes_a_cookie_and_leaves_the_address(closed: ServedPage) -> None:
    answer = ask(closed.port, "GET", f"/api/docs?x=1&token={TOKEN}")
    assert (answer.status, answer.headers["location"]) == (303, "/api/docs?x=1")
    cookie = {"Cookie": f"other=1; {_cookie(answer.headers['set-cookie'])}"}
    assert ask(closed.port, "GET", "/api", headers=cookie).status == 200
    assert b"main.js" in ask(closed.port, "GET", "/", headers=cookie).body


def test_the_token_is_exchanged_for_a_cookie(closed: ServedPage) -> None:
    wrong = ask(closed.port, "POST", "/api/session", {"token": "wrong-token"})
    assert (wrong.status, wrong.headers["set-cookie"]) == (401, None)
    foreign = {"Origin": "http://evil.example"}
    assert ask(closed.port, "POST", "/api/session", {"token": TOKEN}, foreign).status == 403
    right = ask(closed.port, "POST", "/api/session", {"token": TOKEN})
    assert right.status == 200
    cookie = {"Cookie": _cookie(right.headers["set-cookie"])}
    assert ask(closed.port, "PUT", COIL, WRITE, cookie).status == 200
    # The cookie does not replace the check of the origin.
    assert ask(closed.port, "PUT", COIL, WRITE, {**cookie, **foreign}).status == 403


def test_beyond_this_machine_a_token_is_wanted() -> None:
    with pytest.raises(ValueError, match="^to serve the page at 0.0.0.0, beyond this machine, "):
        trio.run(serve_page, FakeView(), "0.0.0.0", 0)


def test_the_name_of_the_machine_is_ours_beyond_it() -> None:
    with ServedPage(FakeView(), token=TOKEN, host="0.0.0.0") as page:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for name in (socket.gethostname(), "localhost", "127.0.0.1"):
            host = {**headers, "Host": f"{name}:{page.port}"}
            assert ask(page.port, "GET", "/api", headers=host).status == 200
        host = {**headers, "Host": "evil.example"}
        assert ask(page.port, "GET", "/api", headers=host).status == 403


@pytest.mark.parametrize(
    "token", ["short", "a token with spaces", "semi;colon", "t\u00e9l\u00e9phones"]
)
def test_a_token_that_would_not_do(token: str) -> None:
    with pytest.raises(ValueError, match="^a token must be 8 or more letters, digits and"):
        check_token(token)


def test_tokens_that_are_made_are_long_and_differ() -> None:
    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(check_token(token)) >= 32 for token in tokens)


def test_links() -> None:
    assert format_link("127.0.0.1", 80) == "http://127.0.0.1:80/"
    assert format_link("::1", 80, "t") == "http://[::1]:80/#token=t"
    assert format_link("::", 80) == f"http://{socket.gethostname()}:80/"


def test_what_is_loopback() -> None:
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(host) for host in ("", "0.0.0.0", "::", "10.0.0.1", "example.com"))


def test_a_browser_that_takes_nothing_does_not_keep_the_server_from_ending() -> None:
    view = FakeView()
    for _ in range(1000):
        view.add_message(request="00" * 250, response="00" * 250)
    with ServedPage(view) as page:
        sockets = [socket.create_connection(("127.0.0.1", page.port)) for _ in range(3)]
        asked = f"GET /api/traffic?most=1000 HTTP/1.1\r\nHost: localhost:{page.port}\r\n\r\n"
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.sendall(asked.encode() * 20)
            each.recv(1)  # it has begun
        ending = threading.Thread(target=page.stop)
        ending.start()
        ending.join(PATIENCE)
        is_over = not ending.is_alive()
        for each in sockets:
            each.close()
        ending.join()
    assert is_over
