"""A meter as a register map, and a device that has its registers."""

from __future__ import annotations

import struct
from enum import Enum, IntFlag
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from call_line import Async, Blocking, run
from modwire import ExceptionResponse, Unit
from modwire.errors import (
    ExceptionResponseError,
    ResponseTimeoutError,
)
from modwire.maps import (
    RegisterMap,
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
    float32,
    int16,
    string,
    uint16,
    uint32,
)
from modwire.messages.base import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from modwire.messages.base import AnyRequest

ResponseT = TypeVar("ResponseT", bound=Response)


class Mode(Enum):
    OFF = 0
    AUTO = 2


class Alarm(IntFlag):
    HOT = 1
    WET = 4


class Meter(RegisterMap):
    voltage = float32(holding=0x0010, scale=0.1, unit="V")
    mode = enum(Mode, holding=0x12)
    setpoint = uint16(holding=0x13, scale=0.1)
    alarms = enum(Alarm, holding=0x20)
    fault = bit(3, holding=0x21)
    level = bit_field(4, 4, holding=0x21, unit="%")
    energy = uint32(input=0, order="CDAB", unit="kWh")
    temperature = int16(input=2, scale=0.5, offset=-40.0)
    serial = string(8, input=3)
    digits = bcd(8, input=7)
    phases = array("float32", 3, input=9)
    flags = bits(16, input=15)
    running = coil(0)
    relays = coils(1, 4)
    door = discrete_input(9)
    doors = discrete_inputs(10, 2)


class Holes(RegisterMap):
    first = uint16(holding=0)
    second = uint32(holding=5)
    third = uint16(holding=9)


def measured() -> Meter:
    meter = Meter()
    meter.voltage = 230.5
    meter.mode = Mode.AUTO
    meter.setpoint = 21.5
    meter.alarms = Alarm.HOT | Alarm.WET
    meter.fault = True
    meter.level = 9
    meter.energy = 123456
    meter.temperature = 20.5
    meter.serial = "AB-1234"
    meter.digits = 12345678
    meter.phases = [1.5, 2.5, -3.5]
    meter.flags = [True] + [False] * 14 + [True]
    meter.running = True
    meter.relays = [True, False, True, False]
    meter.door = True
    meter.doors = [False, True]
    return meter


class Device:
    """A unit that records its requests, and stops to respond after `lost` of them."""

    def __init__(self, unit: Unit, lost: int | None = None) -> None:
        self.unit = unit
        self.asked: list[AnyRequest] = []
        self.options: set[tuple[int | None, float | None]] = set()
        self.lost = lost

    def answer(
        self, request: Request[ResponseT], unit: int | None, timeout: float | None
    ) -> ResponseT:
        self.asked.append(request)  # type: ignore[arg-type]
        self.options.add((unit, timeout))
        if self.lost is not None and len(self.asked) > self.lost:
            raise ResponseTimeoutError("no answer")
        response = self.unit.execute(request, broadcast=unit == 0)  # type: ignore[arg-type]
        if response is None:
            return None  # type: ignore[return-value]
        if isinstance(response, ExceptionResponse):
            raise ExceptionResponseError.for_code(request, response.exception_code)  # type: ignore[arg-type]
        return request.decode_response(response.encode())

    @property
    def spans(self) -> list[tuple[int, int, int]]:
        """The reads so far: function code, address, count."""
        return [
            struct.unpack(">BHH", request.encode())
            for request in self.asked
            if request.function_code <= 4
        ]


def ask_blocking(method: Callable[..., Any], device: Device, *args: Any, **options: Any) -> Any:
    return method(Blocking(device), *args, **options)


def ask_async(method: Callable[..., Any], device: Device, *args: Any, **options: Any) -> Any:
    return run(method(Async(device), *args, **options))


both = pytest.mark.parametrize("ask", [ask_blocking, ask_async])
