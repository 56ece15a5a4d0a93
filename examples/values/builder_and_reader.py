"""Values of several types in a row: python examples/values/builder_and_reader.py

`RegisterBuilder` and `RegisterReader` are like pymodbus 1.x's payload builder and decoder.
"""

from __future__ import annotations

from modwire import SequentialBlock, Unit, Units
from modwire.values import RegisterBuilder, RegisterReader, bits_of, string_of
from modwire_sync import TcpClient, TcpServer

NAME = string_of(8)  # ASCII or UTF-8, filled up with zeros
FLAGS = bits_of(16)

recipe = (
    RegisterBuilder(order="ABCD")
    .add(NAME, "pump 7")
    .add("float32", 22.34)
    .add("int16", -40)
    .add("uint8", 3)  # two single bytes share a register
    .add("uint8", 250)
    .skip_registers(1)
    .add("uint32", 123456, word_order="little")  # some devices mix the orders
    .add(FLAGS, [True, False] * 8)
)

units = Units({1: Unit(holding_registers=SequentialBlock(0, [0] * 20))})
with TcpServer(units, ("127.0.0.1", 0)) as server, TcpClient(*server.address) as device:
    device.write_registers(2, recipe.to_registers())
    registers = device.read_holding_registers(2, 12)

print(" ".join(f"{register:04X}" for register in registers))
reader = RegisterReader(registers, order="ABCD")
print(reader.read(NAME))
print(round(reader.read("float32"), 2))
print(reader.read("int16"), reader.read("uint8"), reader.read("uint8"))
reader.skip_registers(1)
print(reader.read("uint32", word_order="little"))
print(reader.read(FLAGS)[:4])
try:
    reader.read("float64")
except ValueError as error:
    print(error)
