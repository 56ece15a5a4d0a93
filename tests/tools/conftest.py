"""A device to read, write and scan, served on TCP for the tests of a module."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from modwire import Identity, SequentialBlock, SparseBlock, Unit, Units
from modwire_sync import TcpServer


def make_device() -> Unit:
    """Return a unit: voltages from ir:0 on, a power at ir:8, a text at hr:30, and only hr:100."""
    registers = [2304, 2311, 2297, *[0] * 5, *struct.unpack(">HH", struct.pack(">f", 3218.25))]
    holding = dict.fromkeys([*range(50), 100], 0)
    holding.update(zip(range(30, 34), struct.unpack(">4H", b"pump\0\0\0\0"), strict=True))
    return Unit(
        coils=SequentialBlock(0, [0] * 20),
        discrete_inputs=SequentialBlock(0, [1, 0, 1]),
        holding_registers=SparseBlock(holding, read_only=[49]),
        input_registers=SequentialBlock(0, registers),
        identity=Identity({0: "ACME", 1: "M1", 2: "1.0"}),
    )


@pytest.fixture
def device(plant: tuple[str, Unit]) -> Unit:
    """The served device."""
    return plant[1]


@pytest.fixture
def endpoint(plant: tuple[str, Unit]) -> str:
    """The endpoint of the device."""
    return plant[0]


@pytest.fixture(scope="module")
def plant() -> Iterator[tuple[str, Unit]]:
    """The endpoint of the device, and the device."""
    unit = make_device()
    with TcpServer(Units({1: unit}), ("127.0.0.1", 0)) as server:
        host, port = server.address
        # A busy machine must not look like a slow device: wait for the response.
        yield f"tcp://{host}:{port}?timeout=20", unit
