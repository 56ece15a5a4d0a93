"""What the tests of the gateway share: a line whose devices answer when a test lets them."""

from __future__ import annotations

import threading
from typing import Any

from modwire import ClientOptions, Request, TcpFraming, WriteSingleRegisterResponse
from modwire_sync import Client
from server_peers import PATIENCE, tcp, wait_until

LOOPBACK = ("127.0.0.1", 0)


class FakeLine(Client):
    """A client whose calls end when the test lets them; `asked` are the values they write."""

    def __init__(self, **options: Any) -> None:
        super().__init__("fake", TcpFraming, ClientOptions(**options))
        self.asked: list[tuple[int | None, int]] = []
        self.may_end = threading.Semaphore(0)
        self.error: BaseException | None = None

    def call(
        self, request: Request[Any], *, unit: int | None = None, timeout: float | None = None
    ) -> Any:
        pdu = request.encode()
        self.asked.append((unit, pdu[4]))
        assert self.may_end.acquire(timeout=PATIENCE)
        if self.error is not None:
            raise self.error
        return None if unit == 0 else WriteSingleRegisterResponse(0, pdu[4])

    def wait_asked(self, count: int) -> None:
        wait_until(lambda: len(self.asked) >= count)


def write(value: int, unit: int = 1) -> bytes:
    return tcp(f"060000{value:04x}", value, unit=unit)
