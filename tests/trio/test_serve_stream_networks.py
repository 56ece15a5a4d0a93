"""`serve_stream` for a peer with an address: the networks that are allowed, now and later."""

from __future__ import annotations

import trio.testing

from modwire import AllowedNetworks
from modwire.server.peers import HostPort
from modwire_trio import serve_stream
from server_peers import READ, READ_ANSWER
from serving_peers import End, play, served, single

PEER = HostPort("192.0.2.7", 5020)


def test_networks_apply_at_the_beginning_and_when_they_change() -> None:
    async def main() -> None:
        allow = AllowedNetworks(["192.0.2.0/24"])
        near, far = trio.testing.memory_stream_pair()
        async with served(serve_stream, single(), near, allow=allow, peer=PEER) as server:
            await End(far).ask(READ, READ_ANSWER)
            allow.networks = ["::1"]
            await End(far).send(READ)
            assert await End(far).is_closed()
            await server.over()
        near, far = trio.testing.memory_stream_pair()
        async with served(serve_stream, single(), near, allow=allow, peer=PEER) as server:
            assert await End(far).is_closed()
            await server.over()

    play(main)


def test_a_peer_without_an_address_is_served() -> None:
    async def main() -> None:
        near, far = trio.testing.memory_stream_pair()
        async with served(serve_stream, single(), near, allow=["::1"]):
            await End(far).ask(READ, READ_ANSWER)

    play(main)
