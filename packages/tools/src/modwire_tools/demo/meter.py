"""The small energy meter of the demo, as a `RegisterMap`, and the unit that serves it."""

from __future__ import annotations

from modwire import Identity, Unit
from modwire.maps import RegisterMap, coil, discrete_input, float32, int16, uint16, uint32
from modwire.planner import PlanLimits


class Meter(RegisterMap, limits=PlanLimits.for_network()):
    """The points of the meter, by table and address."""

    voltage_l1 = uint16(input=0, scale=0.1, unit="V")
    voltage_l2 = uint16(input=1, scale=0.1, unit="V")
    voltage_l3 = uint16(input=2, scale=0.1, unit="V")
    current_l1 = uint16(input=3, scale=0.01, unit="A")
    current_l2 = uint16(input=4, scale=0.01, unit="A")
    current_l3 = uint16(input=5, scale=0.01, unit="A")
    frequency = uint16(input=6, scale=0.01, unit="Hz")
    power_factor = int16(input=7, scale=0.001)
    active_power = float32(input=8, unit="W")
    energy = uint32(input=10, scale=0.001, unit="kWh")
    phase_missing = discrete_input(0)
    cover_closed = discrete_input(1)
    demand_period = uint16(holding=0, unit="min")
    ct_ratio = uint16(holding=1)
    power_limit = float32(holding=2, unit="W")
    relay_1 = coil(0)
    relay_2 = coil(1)


def known_meter() -> Meter:
    """Return the meter with the initial values of the demo."""
    meter = Meter()
    meter.voltage_l1, meter.voltage_l2, meter.voltage_l3 = 230.4, 231.1, 229.7
    meter.current_l1, meter.current_l2, meter.current_l3 = 4.82, 5.17, 4.55
    meter.frequency, meter.power_factor = 49.98, -0.962
    meter.active_power, meter.energy = 3218.25, 18462.903
    meter.phase_missing, meter.cover_closed = False, True
    meter.demand_period, meter.ct_ratio, meter.power_limit = 15, 40, 5000.0
    meter.relay_1, meter.relay_2 = False, False
    return meter


def make_meter() -> Unit:
    """Return the unit that serves these values."""
    unit = known_meter().build_unit()
    unit.identity = Identity({0: "modwire", 1: "DEMO-3", 2: "1.0", 4: "Small energy meter"})
    return unit
