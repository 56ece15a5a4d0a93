"""The connection of `modwire poll` to an MQTT broker, with a broker that a test imitates."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import closing
from pathlib import Path
from typing import Any

from modwire_tools.poll.sinks.mqtt_link import Login, MqttLink
from plant_pki import Pki
from polled_plant import run


def test_messages_in_one_record_of_tls_are_received_together(tmp_path: Path) -> None:
    """The socket shows no more, but what was received has another message."""
    pki = Pki(tmp_path)
    issued = pki.server()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(issued.certificate, issued.key)

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while head := await reader.read(2):
                body = await reader.readexactly(head[1])
                if head[0] == 0x10:
                    writer.write(b"\x20\2\0\0")
                elif head[0] == 0x82:
                    answer = b"\x90\3" + body[:2] + b"\0"
                    writer.write(answer + b"\x30\4\0\1a1" + b"\x30\4\0\1a2")

    async def test() -> None:
        context = ssl.create_default_context(cafile=str(pki.ca))
        payloads: list[bytes] = []
        both = asyncio.Event()

        def take(message: Any) -> None:
            payloads.append(message.payload)
            if len(payloads) == 2:
                both.set()

        server = await asyncio.start_server(broker, "127.0.0.1", 0, ssl=server_context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            link = MqttLink(Login("127.0.0.1", port, context=context), "c", ("will", b""))
            link.on_message = take
            await link.open()
            await link.subscribe("a")
            await asyncio.wait_for(both.wait(), 30.0)
            assert payloads == [b"1", b"2"]
            await asyncio.wait_for(abandon(link), 30.0)

    async def abandon(link: MqttLink) -> None:
        """Close it; this broker acknowledges nothing, so the last will is not waited for."""
        link._lost.set_exception(OSError("it is over"))
        await link.aclose()

    run(test)
