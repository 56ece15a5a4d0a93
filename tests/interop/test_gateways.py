"""Gateways: the server of one package, devices of another, and the client of a third."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from modwire import (
    ExceptionResponseError,
    IllegalDataAddressError,
    ServerDeviceFailureError,
    Units,
)

from .adapters import ADAPTERS, Adapter, once
from .devices import LINKS, OPTIONS, PATIENCE, QUIET, devices, refusing_id, serving

# The gateway's timeout for a device ends before the timeout of its client.
BEHIND = OPTIONS.replace(response_timeout=PATIENCE / 2)


class Device:
    """A running server of one package, and its units."""

    def __init__(self, link: str, units: Units, port: int | str) -> None:
        self.link = link
        self.units = units
        self.port = port

    @contextmanager
    def behind(self, between: Adapter, link: str) -> Iterator[int | str]:
        """Yield the port of a gateway on `link`: its units 11, 12 and 114 are 1, 2 and 104 here."""
        remote = between.remote(self.link, self.port, 1, BEHIND)
        units = {11: remote.unit}
        for unit in (2, refusing_id(4)):
            units[10 + unit] = between.package.RemoteUnit(remote.client, unit)
        with serving(between, Units(units), link, remotes=(remote,)) as port:
            yield port


@pytest.fixture(scope="module", params=LINKS)
def device(request: pytest.FixtureRequest, adapter: Adapter) -> Iterator[Device]:
    units = devices()
    with serving(adapter, units, request.param) as port:
        yield Device(request.param, units, port)


@pytest.fixture(params=ADAPTERS, ids=lambda each: f"through {each}")
def between(request: pytest.FixtureRequest) -> Adapter:
    """The package of the gateway."""
    found: Adapter = request.param
    return found


def test_gateway(device: Device, adapter: Adapter, between: Adapter) -> None:
    """Requests, responses and exceptions go through it unchanged."""
    asker = next(each for each in ADAPTERS if each not in (adapter, between))
    registers = device.units[1].holding_registers
    with (
        device.behind(between, "tcp") as port,
        asker.client("tcp", port, OPTIONS) as client,
    ):
        expected = list(range(0x1000 + 1000, 0x1000 + 1125))
        assert client.read_input_registers(1000, 125, unit=11) == expected
        registers[700:800] = [0] * 100
        values = list(range(30000, 30100))
        client.write_registers(700, values, unit=11)
        assert registers.read(700, 100) == tuple(values)
        assert client.read_discrete_inputs(600, 3, unit=12) == [True, False, False]
        assert client.report_server_id(unit=11).server_id == b"\x2a"
        assert client.read_device_identification(1, unit=12)[1] == b"reference"
        with pytest.raises(IllegalDataAddressError):
            client.read_coils(5000, unit=11)
        with pytest.raises(ServerDeviceFailureError):
            client.read_coils(0, unit=10 + refusing_id(4))


@pytest.mark.parametrize("link", ["rtu", "udp"])
def test_gateway_on_another_link(device: Device, between: Adapter, link: str) -> None:
    """On a serial line too, it waits for the device as for any other unit."""
    with (
        device.behind(between, link) as port,
        between.client(link, port, OPTIONS) as client,
    ):
        assert client.read_input_registers(1000, 125, unit=11)[-1] == 0x1000 + 1124
        client.write_coil(40, not device.units[1].coils[40], unit=11)
        assert client.read_coils(40, unit=11) == [device.units[1].coils[40]]
        with pytest.raises(IllegalDataAddressError):
            client.read_coils(5000, unit=11)


@once
def test_broadcast_through_a_gateway(device: Device, between: Adapter) -> None:
    """It reaches the devices behind it, one after the other, and gets no response."""
    for unit in (1, 2):
        device.units[unit].holding_registers[510] = 0
    with (
        device.behind(between, "rtu") as port,
        between.client("rtu", port, OPTIONS) as client,
    ):
        client.write_register(510, 4711, unit=0)
        # The gateway executes nothing else before the broadcast has reached them all.
        assert client.read_holding_registers(510, unit=11) == [4711]
        assert client.read_holding_registers(510, unit=12) == [4711]


@once
def test_gateway_to_a_device_that_is_not_there(device: Device, between: Adapter) -> None:
    """Clients get 0B if the device does not respond, and 0A if its link cannot be opened."""
    hasty = OPTIONS.replace(response_timeout=QUIET)
    silent = between.remote(device.link, device.port, 9, hasty)
    lost = between.remote("unix", "/nowhere/modbus", 1, hasty)
    units = Units({11: silent.unit, 12: lost.unit})
    with (
        serving(between, units, "tcp", remotes=(silent, lost)) as port,
        between.client("tcp", port, OPTIONS) as client,
    ):
        for unit, code in ((11, 0x0B), (12, 0x0A)):
            with pytest.raises(ExceptionResponseError) as caught:
                client.read_coils(0, unit=unit)
            assert caught.value.code == code
