"""A serial line with devices on it, and gateways to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modwire import (
    Decoder,
    ExceptionResponse,
    FaultyResponse,
    RawRequest,
    RawResponse,
    Response,
    SequentialBlock,
    ServerOptions,
    Unit,
    Units,
)
from modwire_sync import SerialServer
from pty_pair import PtyPair

from .adapters import Adapter
from .devices import OPTIONS, PATIENCE, serving

if TYPE_CHECKING:
    from modwire.messages.base import AnyRequest


TIMEOUT = 0.4  # timeout in seconds for a device on the line


ODD_CODE = 0x42  # an exception code that no document has


# A pseudo-terminal supports only 8 bits without parity.
LINE: dict[str, Any] = {"baudrate": 115200, "bytesize": 8, "parity": "N"}


class Device(Unit):
    """A device on the line, with registers that hold their addresses from `first` on."""

    def __init__(self, first: int) -> None:
        super().__init__(holding_registers=SequentialBlock(0, range(first, first + 100)))
        self.is_dead = False
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.on_asked: Callable[[], None] = lambda: None

    def execute(self, request: AnyRequest, *, broadcast: bool = False) -> Response | None:
        self.asked += 1
        self.on_asked()
        assert self.may_answer.wait(PATIENCE)
        if self.is_dead:
            return FaultyResponse(None)
        if request.function_code == 5:
            return ExceptionResponse(5, ODD_CODE)
        return super().execute(request, broadcast=broadcast)


class PeakRequest(RawRequest):
    """A function that only the device supports."""

    function_code = 100

    def __init__(self, data: bytes) -> None:
        super().__init__(100, data)

    @classmethod
    def decode(cls, pdu: bytes) -> PeakRequest:
        return cls(pdu[1:])

    def execute(self, unit: Unit) -> RawResponse:
        return RawResponse(100, self.data[::-1])


class Bus:
    """A serial line with the devices 17, 18 and 19 on it; the gateway opens `port`."""

    def __init__(self, port: str, devices: dict[int, Device]) -> None:
        self.port = port
        self.devices = devices


@contextmanager
def new_bus() -> Iterator[Bus]:
    devices = {17: Device(0), 18: Device(1000), 19: Device(2000)}
    decoder = Decoder()
    decoder.register(PeakRequest)
    with PtyPair() as cable:
        options = ServerOptions(decoder=decoder)
        with SerialServer(Units(devices), cable.left, options=options, **LINE):
            yield Bus(cable.right, devices)


@contextmanager
def gate(
    adapter: Adapter, bus: Bus, link: str = "tcp", timeout: float = PATIENCE / 2, **arguments: Any
) -> Iterator[int | str]:
    """Yield the port of a gateway of `adapter` on a link; its units 1, 2 and 3 are the devices."""
    options = OPTIONS.replace(response_timeout=timeout)
    behind = adapter.gateway("rtu", bus.port, {1: 17, 2: 18, 3: 19}, options, **arguments)
    with serving(adapter, behind.units, link, remotes=(behind,)) as port:
        yield port
