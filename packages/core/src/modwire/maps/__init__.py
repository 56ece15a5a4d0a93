"""Register maps: a device as a class whose attributes are typed points.

    class Meter(RegisterMap):
        voltage = float32(holding=0x0010, unit="V")
        current = uint16(input=3, scale=0.1, unit="A")

    meter = Meter.read(client)  # await Meter.read(client)
    print(meter.voltage)

`RegisterMap` reads, writes and simulates the device. `modwire` does not import this package, so
programs that do not use it do not pay for it.
"""

from .image import AnyPoint
from .kinds import (
    Place,
    array,
    bcd,
    bit,
    bit_field,
    bits,
    coil,
    coils,
    discrete_input,
    discrete_inputs,
    enum,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    point,
    string,
    uint8,
    uint16,
    uint32,
    uint64,
)
from .points import Point
from .register_map import RegisterMap

__all__ = [
    "AnyPoint",
    "Place",
    "Point",
    "RegisterMap",
    "array",
    "bcd",
    "bit",
    "bit_field",
    "bits",
    "coil",
    "coils",
    "discrete_input",
    "discrete_inputs",
    "enum",
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "point",
    "string",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]
