"""Decimal digits, four bits each: python examples/values/bcd.py

Clocks and counters with a display often store numbers like this: 1998 is the register 1998h.
"""

from __future__ import annotations

from modwire import SequentialBlock, Unit, Units
from modwire.values import RegisterReader, array_of, bcd_of, from_registers, to_registers
from modwire_sync import TcpClient, TcpServer

COUNTER = bcd_of(8)  # any number of digits: eight take two registers
CLOCK = array_of(bcd_of(2), 6)  # year, month, day, hour, minute, second: a byte each

clock = [0x2609, 0x3023, 0x5959]
counter = to_registers(COUNTER, 10_203_040)
units = Units({1: Unit(input_registers=SequentialBlock(0, [*clock, *counter, 0x12FF]))})

with TcpServer(units, ("127.0.0.1", 0)) as server, TcpClient(*server.address) as device:
    reader = RegisterReader(device.read_input_registers(0, 5))
    year, month, day, *time = reader.read(CLOCK)
    print(f"20{year:02}-{month:02}-{day:02}", ":".join(f"{number:02}" for number in time))
    print(f"{reader.read(COUNTER):,} pieces")

    # A digit above 9 is invalid, and raises ValueError.
    try:
        from_registers(bcd_of(4), device.read_input_registers(5))
    except ValueError as error:
        print(error)

try:
    to_registers(bcd_of(4), 10_000)
except ValueError as error:
    print(error)
