"""A controller with Modicon's addresses and order: python examples/values/modicon.py

Its manual says "40101", which is holding register 100 on the wire. It puts the low register of a
number first; others put the high one first. Manuals seldom say which order a device uses: read a
value that you know, and try all four orders.
"""

from __future__ import annotations

from modwire import SequentialBlock, Unit, Units, reference
from modwire.values import from_registers, to_registers
from modwire_sync import TcpClient, TcpServer

block = SequentialBlock(100, [0] * 10)
units = Units({1: Unit(holding_registers=block)})

with TcpServer(units, ("127.0.0.1", 0)) as server, TcpClient(*server.address) as plc:
    setpoint = reference(40101)
    print(setpoint.table, setpoint.address)
    plc.write_registers(setpoint.address, to_registers("float32", 22.34, order="MODICON"))
    print(" ".join(f"{register:04X}" for register in block[100:102]))

    registers = plc.read_holding_registers(setpoint.address, 2)
    print(round(from_registers("float32", registers, order="MODICON"), 2))

    for order in ("ABCD", "CDAB", "BADC", "DCBA"):
        print(order, f"{from_registers('float32', registers, order=order):.4g}")
