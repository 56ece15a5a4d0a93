"""Tests of a program that controls a thermostat. Run them with `pytest test_thermostat.py`.

The first half is the program; it asks a device at an endpoint, as programs do. `modbus_device` is a
fixture of the plugin pytest-modwire.
"""

import asyncio

import pytest

from modwire import Endpoint, ModbusError
from modwire.maps import RegisterMap, coil, int16
from modwire_asyncio import connect as connect_async
from modwire_sync import connect


class Thermostat(RegisterMap):
    """The registers of the thermostat."""

    temperature = int16(input=0, scale=0.1, unit="°C")
    setpoint = int16(holding=0, scale=0.1, unit="°C")
    heating = coil(0)


def control(endpoint: str) -> bool:
    """Switch the heating on if it is too cold. Return True if it is on."""
    with connect(Endpoint.parse(endpoint).replace(timeout=0.5, retries=2)) as client:
        state = Thermostat.read(client)
        state.heating = state.temperature < state.setpoint
        state.write(client)
        return state.heating


async def temperatures(endpoints: list[str]) -> list[float]:
    """Return the temperatures of several thermostats, read at once."""

    async def temperature(endpoint: str) -> float:
        async with connect_async(endpoint) as client:
            return await Thermostat.temperature.read(client)

    return await asyncio.gather(*map(temperature, endpoints))


def thermostat(temperature: float, setpoint: float) -> Thermostat:
    found = Thermostat()
    found.temperature, found.setpoint = temperature, setpoint
    return found


@pytest.mark.parametrize("scheme", ["tcp", "rtu"])
def test_it_heats_when_it_is_cold(modbus_device, scheme):
    device = modbus_device(thermostat(18.5, 21.0), scheme)
    assert control(device.endpoint)
    assert device.values["heating"] is True
    device.values["temperature"] = 21.5
    assert not control(device.endpoint)
    assert device.values["heating"] is False


def test_a_lost_answer_is_asked_for_again(modbus_device):
    device = modbus_device(thermostat(18.5, 21.0), "rtu")
    device.faults.silence(times=1)
    device.faults.damage(times=1)
    assert control(device.endpoint)


def test_a_write_is_not_repeated(modbus_device):
    device = modbus_device(thermostat(18.5, 21.0))
    with device.faults.silence(function=5), pytest.raises(ModbusError):
        control(device.endpoint)
    assert [each.function for each in device.requests].count(5) == 1


def test_many_are_read_at_once(modbus_device):
    devices = [modbus_device(thermostat(value, 21.0)) for value in (18.5, 19.5, 20.5)]
    devices[0].faults.delay(0.2)
    found = asyncio.run(temperatures([each.endpoint for each in devices]))
    assert found == [18.5, 19.5, 20.5]
