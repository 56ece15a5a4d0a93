"""A device as a class: python examples/values/register_map.py

The class reads the device with few requests, writes the values that were set, and can simulate the
device in a test bench. With an async client, use `await Pump.read(client)`.
"""

from __future__ import annotations

from enum import Enum

from modwire import Units
from modwire.maps import (
    RegisterMap,
    array,
    bit,
    bit_field,
    coil,
    discrete_input,
    enum,
    float32,
    string,
    uint16,
)
from modwire_sync import TcpClient, TcpServer


class Mode(Enum):
    """Operating modes of the pump, and their register values."""

    OFF = 0
    MANUAL = 1
    AUTO = 2


class Pump(RegisterMap):
    """Registers and bits of the pump, with their addresses."""

    model = string(8, input=0)
    pressure = uint16(input=4, scale=0.01, unit="bar")
    currents = array("float32", 3, input=5)
    speed = float32(holding=0x10, order="CDAB", unit="1/min")
    mode = enum(Mode, holding=0x12)
    hot = bit(0, holding=0x13)
    level = bit_field(8, 4, holding=0x13)
    running = coil(0)
    door_open = discrete_input(0)


# The simulated device.
simulated = Pump()
simulated.model = "PX-7"
simulated.pressure = 4.25
simulated.currents = [4.75, 5.0, 4.5]
simulated.mode = Mode.MANUAL
simulated.level = 9
unit = simulated.build_unit()

with TcpServer(Units({1: unit}), ("127.0.0.1", 0)) as server, TcpClient(*server.address) as client:
    pump = Pump.read(client)
    print(pump.model, pump.pressure, Pump.pressure.unit, pump.currents)
    print(pump.mode, pump.level, pump.hot, pump.running)

    # Several points are written in few requests; a single point can be written alone.
    pump.speed, pump.mode, pump.running = 1450.0, Mode.AUTO, True
    pump.write(client)
    Pump.hot.write(client, True)  # one bit of a register; the others stay unchanged
    print(Pump.read(client, Pump.speed, Pump.mode, Pump.hot, Pump.level, Pump.running))

    # The device changes its own values.
    simulated.pressure = 4.5
    simulated.store(unit)
    print(Pump.pressure.read(client))

    try:
        pump.pressure = 1000.0
    except ValueError as error:
        print(error)
