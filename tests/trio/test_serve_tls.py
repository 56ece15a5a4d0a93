"""`serve_stream` as the handler of trio's own servers on TLS."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path

import trio
import trio.testing

from certificates import make_certificate
from modwire import RtuFraming
from modwire_trio import Client, serve_stream
from serving_peers import single


def test_it_is_a_handler_for_trios_own_servers_on_tls(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    ours = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ours.load_cert_chain(certificate)
    theirs = ssl.create_default_context(cafile=str(certificate))

    async def main() -> None:
        handler = partial(serve_stream, single(), framing=RtuFraming)
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(
                partial(trio.serve_ssl_over_tcp, handler, 0, ours, host="127.0.0.1")
            )
            port = listeners[0].transport_listener.socket.getsockname()[1]
            stream = await trio.open_ssl_over_tcp_stream("localhost", port, ssl_context=theirs)
            async with Client(stream, framing=RtuFraming) as client:
                for address in range(50):
                    assert await client.read_holding_registers(address) == [address]
            nursery.cancel_scope.cancel()

    trio.run(main)
