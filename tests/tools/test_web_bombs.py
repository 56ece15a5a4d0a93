"""The page under attack: bombs, floods, smuggled requests and guessed tokens."""

from __future__ import annotations

import socket
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import trio
from starlette.responses import Response

from fake_view import FakeView
from linked_page import linked, run
from modwire_tools.web.access import Access
from modwire_tools.web.guesses import Guesses, TooManyGuessesError
from modwire_tools.web.http1 import MOST_HEADERS
from modwire_tools.web.reading import point_value
from page_requests import PATIENCE, RefusedSocketError, WebSocket, ask
from running_page import RunningPage, ServedPage

TOKEN = "a-token-for-tests"
COIL = "/api/devices/0/units/1/tables/coils"


@pytest.fixture(scope="module")
def page() -> Iterator[ServedPage]:
    with ServedPage(FakeView()) as served:
        yield served


@pytest.fixture
def closed() -> Iterator[ServedPage]:
    """A page that needs a token."""
    with ServedPage(FakeView(), token=TOKEN) as served:
        yield served


def _exchange(page: ServedPage, sent: bytes) -> bytes:
    """Send bytes, and return all that comes until the server closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", page.port), timeout=PATIENCE) as connection:
        connection.sendall(sent)
        while data := connection.recv(65536):
            received += data
    return received


def _compressed_frame(size: int) -> bytes:
    """A text message of `size` zeros, as permessage-deflate sends it, with a mask of zeros."""
    deflater = zlib.compressobj(9, wbits=-15)
    data = deflater.compress(bytes(size)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    return b"\xc1\xfe" + struct.pack(">H", len(data) - 4) + bytes(4) + data[:-4]


def test_a_compressed_message_is_not_inflated(page: ServedPage) -> None:
    bomb = _compressed_frame(60_000_000)
    assert len(bomb) < 70_000
    tracemalloc.start()
    try:
        offer = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
        with WebSocket(page.port, offer) as live:
            live.send_raw(bomb)
            with suppress(EOFError, ConnectionError):
                while live.receive()[0] != 8:
                    pass
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 10_000_000
    assert ask(page.port, "GET", "/api").status == 200


def test_no_compression_is_agreed_on(page: ServedPage) -> None:
    """A browser that believes in it would compress what it sends."""
    with WebSocket(page.port, {"Sec-WebSocket-Extensions": "permessage-deflate"}) as live:
        assert b"sec-websocket-extensions" not in live.head.lower()
        live.send({"show": {"a": {"kind": "overview"}}})
        assert "a" in live.push()


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_request_with_two_lengths_is_refused(page: ServedPage, order: int, method: str) -> None:
    """A proxy that believes the other one takes a part of the body for the next request."""
    lengths = ["Content-Length: 5", "Transfer-Encoding: chunked"][::order]
    smuggled = f"GET /api HTTP/1.1\r\nHost: localhost:{page.port}\r\n\r\n"
    head = [f"{method} {COIL} HTTP/1.1", f"Host: localhost:{page.port}", *lengths]
    answer = _exchange(page, "\r\n".join([*head, "", "0", "", smuggled]).encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"x: y\r\n" * MOST_HEADERS + b"\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 70_000, b"431"),
    ],
)
def test_what_the_page_does_not_need_is_refused(
    page: ServedPage, sent: bytes, status: bytes
) -> None:
    assert _exchange(page, sent).startswith(b"HTTP/1.1 " + status)


def test_an_offer_of_http_2_is_not_taken(page: ServedPage) -> None:
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": ""}
    assert ask(page.port, "GET", "/api", headers=headers).status == 200


def test_one_client_cannot_take_all_pages(page: ServedPage) -> None:
    """A hundred are served: those of other clients need some of them."""
    opened: list[WebSocket] = []
    try:
        for _ in range(40):
            opened.append(WebSocket(page.port))
        with WebSocket(page.port) as live:
            assert live.closing() == (1013, "there are too many pages already")
    finally:
        for each in opened:
            each.close()


def test_a_page_that_floods_is_slowed_down() -> None:
    """Each message can make the simulator search for 24 parts."""
    view = FakeView()

    async def main() -> None:
        async with linked(view) as link:
            part = {"kind": "overview"}
            for number in range(550):
                link.send({"show": {f"part {number}": part}})
            changes: dict[str, dict[str, object]] = {}
            while "part 549" not in changes:
                changes = await link.push()
            assert trio.current_time() > 8.0

    run(main)


def test_a_value_without_end_is_a_wrong_value() -> None:
    with pytest.raises(ValueError, match="must be a list"):
        point_value("[" * 60_000, [1, 2])
    with RunningPage(1) as page:
        points = ask(page.port, "GET", "/api/devices/0/units/1/points").json
        assert isinstance(points, list)
        for point in points:
            path = f"/api/devices/0/units/1/points/{point['name']}"
            for value in ("[" * 60_000, "0x" + "f" * 60_000, "9" * 60_000, "1e400", "nan"):
                answer = ask(page.port, "PUT", path, {"value": value})
                assert answer.status in (200, 400), (point, value[:5], answer.body)


# Guesses at the token.


def test_guesses_are_slowed_down() -> None:
    guesses = Guesses()
    now, made = 0.0, 0
    while now < 3600:
        try:
            guesses.begin("192.0.2.1", now)
        except TooManyGuessesError as refusal:
            now += refusal.wait
        else:
            made += 1
    assert 10 < made < 80
    guesses.begin("192.0.2.2", now)  # others are not


def test_the_right_token_forgets_the_wrong_ones() -> None:
    guesses = Guesses()
    for _ in range(50):
        for _ in range(5):
            guesses.begin("::1", 0.0)
        guesses.succeeded("::1")


def test_a_network_of_ipv6_is_one_client_and_the_table_is_bounded() -> None:
    guesses = Guesses()
    for number in range(10):
        guesses.begin(f"2001:db8::{number:x}", 0.0)
    with pytest.raises(TooManyGuessesError):
        guesses.begin("2001:db8::aaaa:bbbb", 0.0)
    for number in range(5000):
        guesses.begin(f"10.0.{number >> 8}.{number & 255}", 0.0)
    guesses.begin("2001:db8::1", 0.0)  # forgotten: the table has an end


WAYS = {
    "header": lambda port, token: ask(
        port, "GET", "/api", headers={"Authorization": f"Bearer {token}"}
    ),
    "link": lambda port, token: ask(port, "GET", f"/?token={token}"),
    "session": lambda port, token: ask(port, "POST", "/api/session", {"token": token}),
}


@pytest.mark.parametrize("way", WAYS)
def test_after_ten_wrong_tokens_the_client_waits(closed: ServedPage, way: str) -> None:
    session = ask(closed.port, "POST", "/api/session", {"token": TOKEN})
    cookie = {"Cookie": str(session.headers["set-cookie"]).partition(";")[0]}
    with ThreadPoolExecutor(16) as pool:  # at once, because all begin before the first one ends
        jobs = [pool.submit(WAYS[way], closed.port, f"wrong-{number:05}") for number in range(60)]
        statuses = [job.result().status for job in jobs]
    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 12
    for each in WAYS.values():
        answer = each(closed.port, TOKEN)
        assert answer.status == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert ask(closed.port, "GET", "/api", headers=cookie).status == 200


def test_a_socket_with_a_guess_counts_too(closed: ServedPage) -> None:
    statuses: list[int] = []
    for number in range(12):
        with pytest.raises(RefusedSocketError) as caught:
            WebSocket(closed.port, {"Authorization": f"Bearer wrong-{number:05}"})
        statuses.append(caught.value.status)
    assert statuses == [401] * 10 + [429] * 2


def test_other_requests_do_not_reset_the_count(closed: ServedPage) -> None:
    for number in range(10):
        WAYS["session"](closed.port, f"wrong-{number:05}")
        ask(closed.port, "GET", "/pages/main.js?token=x")
        ask(closed.port, "GET", "/nothing?token=x")
        ask(closed.port, "POST", "/api/session", raw=b"{", headers={"Content-Type": "text/plain"})
    assert WAYS["session"](closed.port, TOKEN).status == 429


def test_the_cookie_cannot_be_made_from_a_guess() -> None:
    cookies: set[str] = set()
    for _ in range(2):
        response = Response()
        Access([], 80, TOKEN).give_cookie(response)
        cookies.add(response.headers["set-cookie"])
    assert len(cookies) == 2
