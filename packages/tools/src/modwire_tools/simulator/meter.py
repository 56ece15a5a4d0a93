"""`energy_meter`: the device that is simulated if no file is given."""

from __future__ import annotations

from ..addresses import parse_place
from .behaviours import Behaviour, Counter, RandomWalk, Sine
from .devices import DeviceSpec, FileSpec, PointSpec, PointValue, ServerId, UnitSpec
from .expressions import Expression


def _point(
    name: str,
    at: str,
    kind: str,
    unit: str = "",
    *,
    scale: float = 1.0,
    value: PointValue | None = None,
    behaviour: Behaviour | None = None,
    size: int = 1,
) -> PointSpec:
    return PointSpec(
        name,
        parse_place(at),
        kind,
        size=size,
        scale=scale,
        unit=unit,
        value=value,
        behaviour=behaviour,
    )


def energy_meter() -> DeviceSpec:
    """Return a three-phase energy meter with one unit, 1.

    Its first registers are those of the project's demo: voltages, currents, frequency, power
    factor, power and energy as input registers, settings as holding registers, two relays.
    """
    points = [
        _point("voltage_l1", "ir:0", "uint16", "V", scale=0.1, behaviour=Sine(230, 4, 60)),
        _point("voltage_l2", "ir:1", "uint16", "V", scale=0.1, behaviour=Sine(230, 4, 60, 1 / 3)),
        _point("voltage_l3", "ir:2", "uint16", "V", scale=0.1, behaviour=Sine(230, 4, 60, 2 / 3)),
        _point("current_l1", "ir:3", "uint16", "A", scale=0.01, behaviour=_load(4.8)),
        _point("current_l2", "ir:4", "uint16", "A", scale=0.01, behaviour=_load(5.2)),
        _point("current_l3", "ir:5", "uint16", "A", scale=0.01, behaviour=_load(4.5)),
        _point("frequency", "ir:6", "uint16", "Hz", scale=0.01, behaviour=Sine(50, 0.03, 20)),
        _point("power_factor", "ir:7", "int16", scale=0.001, value=0.962),
        _point(
            "active_power",
            "ir:8",
            "float32",
            "W",
            behaviour=Expression(
                "(voltage_l1 * current_l1 + voltage_l2 * current_l2 + voltage_l3 * current_l3)"
                " * power_factor"
            ),
        ),
        _point(
            "energy",
            "ir:10",
            "uint32",
            "kWh",
            scale=0.001,
            behaviour=Counter(18462.903, rate=0.0009, step=0.001),
        ),
        _point("operating_seconds", "ir:12", "uint32", "s", behaviour=Counter(0, 1, 1)),
        _point("overload", "di:0", "bool", behaviour=Expression("active_power > power_limit")),
        _point("cover_closed", "di:1", "bool", value=True),
        _point("demand_period", "hr:0", "uint16", "min", value=15),
        _point("ct_ratio", "hr:1", "uint16", value=40),
        _point("power_limit", "hr:2", "float32", "W", value=5000.0),
        _point("location", "hr:4", "string", size=16, value="Hall 3"),
        _point("relay_1", "co:0", "bool", value=False),
        _point("relay_2", "co:1", "bool", value=False),
    ]
    unit = UnitSpec(
        1,
        name="meter",
        points=points,
        identity={
            0: b"modwire",
            1: b"DEMO-3",
            2: b"1.0",
            3: b"https://example.com/demo-3",
            4: b"Small energy meter",
            5: b"DEMO-3/63A",
        },
        server_id=ServerId(b"DEMO-3"),
        files=[FileSpec(1, 0, [number * 100 for number in range(24)])],
        fifo_queues={100: [17, 18, 19]},
    )
    return DeviceSpec("Energy meter", [unit])


def _load(amperes: float) -> RandomWalk:
    return RandomWalk(amperes, 0.2, low=0.0, high=63.0)
