"""Register maps: a device as a class whose attributes are typed points.

    class Meter(RegisterMap):
        voltage = float32(holding=0x0010, unit="V")
        current = uint16(input=3, scale=0.1, unit="A")

    meter = Meter.read(client)  # await Meter.read(client)
    print(meter.voltage)

`RegisterMap` reads, writes and simulates the device. `modwire` does not import this package, so
programs that do not use it do not load it.
"""

from . import kinds
from .image import AnyPoint
from .kinds import *  # noqa: F403
from .points import Point
from .register_map import RegisterMap

__all__ = ["AnyPoint", "Point", "RegisterMap"]
__all__ += kinds.__all__
