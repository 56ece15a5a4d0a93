"""The small HTTP server of `/metrics`."""

from __future__ import annotations

import http.client
import os
from contextlib import suppress

import pytest
import trio

from modwire_tools.metrics import serve_metrics
from modwire_tools.metrics.responses import MOST_AT_ONCE


def exchanged(request: bytes, host: str = "127.0.0.1") -> bytes:
    """Send bytes to a server of metrics, and return all that comes."""

    async def main() -> bytes:
        async with trio.open_nursery() as nursery:
            port = await nursery.start(serve_metrics, lambda: "text\n", host, 0)
            found = b""
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(request)
                    await stream.send_eof()
                with suppress(trio.BrokenResourceError):  # it was closed before all was read
                    async for data in stream:
                        found += data
            nursery.cancel_scope.cancel()
        return found

    return trio.run(main)


def get(path: str = "/metrics", method: str = "GET", host: str = "localhost:1") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (get(), 200, b"text\n"),
        (get("/metrics?debug=1"), 200, b"text\n"),
        (get(method="HEAD"), 200, b""),
        (get(host="127.0.0.1:9502"), 200, b"text\n"),
        (get(host="[::1]:9502"), 200, b"text\n"),
        (b"GET /metrics HTTP/1.0\r\n\r\n", 200, b"text\n"),
        (get("/"), 404, b"the metrics are at /metrics\n"),
        (get(method="POST"), 405, b"only GET is allowed\n"),
        (get(host="evil.example"), 403, b"ask for localhost, or for an address\n"),
        (b"hello\r\n\r\n", 400, b"this is no HTTP request\n"),
    ],
)
def test_requests_to_the_metrics(request_: bytes, status: int, body: bytes) -> None:
    found = exchanged(request_)
    head, _, rest = found.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert rest == body
    length = next(each for each in head.split(b"\r\n") if each.startswith(b"Content-Length"))
    if status != 200 or body:
        assert int(length.split()[1]) == len(body)


def test_a_name_is_right_if_the_metrics_are_open_to_other_machines() -> None:
    """In a network of containers, Prometheus asks for the name of the service."""
    assert exchanged(get(host="meter:9502"), host="0.0.0.0").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("data", [b"", b"GET", b"x" * 20_000, os.urandom(3000), get() * 50])
def test_other_bytes_do_no_harm(data: bytes) -> None:
    found = exchanged(data)
    assert found == b"" or found.startswith(b"HTTP/1.1 ")


def test_silent_clients_leave_room_for_others() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            port = await nursery.start(serve_metrics, lambda: "text\n", "127.0.0.1", 0)
            idle = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(40)]
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(get())
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
            # Those that are open longest had to go.
            for each in idle[: 41 - MOST_AT_ONCE]:
                with suppress(trio.BrokenResourceError):
                    assert await each.receive_some() == b""
            for each in idle:
                await each.aclose()
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_client_of_the_standard_library_reads_it() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            port = await nursery.start(serve_metrics, lambda: "text\n" * 50_000, "127.0.0.1", 0)

            def read() -> bytes:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", "/metrics")
                data = connection.getresponse().read()
                connection.close()
                return data

            assert await trio.to_thread.run_sync(read) == b"text\n" * 50_000
            nursery.cancel_scope.cancel()

    trio.run(main)
