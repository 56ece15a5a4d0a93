"""hypothesis strategies for the devices in device files."""

from __future__ import annotations

from hypothesis import strategies as st

from modwire import Quirks
from modwire.units.tables import TABLES
from modwire_tools.addresses import Place
from modwire_tools.simulator.behaviours import Choice, Copy, Counter, Ramp, RandomWalk, Sine
from modwire_tools.simulator.devices import (
    SILENCE,
    BlockSpec,
    DeviceSpec,
    FileSpec,
    Limit,
    PointSpec,
    Polled,
    Refusal,
    ServerId,
    UnitSpec,
)
from modwire_tools.simulator.expressions import Expression
from modwire_tools.simulator.view import Faults

NUMBERS = st.integers(-1000, 1000).map(float)
POSITIVE = st.integers(1, 1000).map(float)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
CODES = st.integers(1, 255) | st.just(SILENCE)
RATES = st.sampled_from([0.0, 0.01, 0.5, 1.0])
BYTES = TEXTS.map(str.encode) | st.binary(max_size=20)


@st.composite
def blocks(draw: st.DrawFn) -> BlockSpec:
    table = draw(st.sampled_from(TABLES))
    place = Place(table, draw(st.integers(0, 65000)))
    most = 1 if place.has_bits else 0xFFFF
    values = draw(
        st.lists(st.integers(0, most), min_size=1, max_size=200)
        | st.builds(lambda value, count: [value] * count, st.integers(0, most), st.just(300))
    )
    step = draw(st.integers(1, min(4, len(values))))
    return BlockSpec(place, tuple(values), draw(st.booleans()), step, draw(st.booleans()))


BEHAVIOURS = st.one_of(
    st.builds(Sine, NUMBERS, NUMBERS, POSITIVE, NUMBERS, NUMBERS),
    st.builds(Ramp, NUMBERS, NUMBERS, POSITIVE, st.sampled_from(["repeat", "bounce", "once"])),
    st.builds(RandomWalk, st.just(5.0), POSITIVE, POSITIVE, st.just(0.0)),
    st.builds(Counter, NUMBERS, NUMBERS, st.just(0.0) | POSITIVE, st.none() | POSITIVE),
    st.builds(
        Choice, st.lists(NUMBERS, min_size=1, max_size=3).map(tuple), POSITIVE, st.booleans()
    ),
    st.just(Expression("t * 2 + constant")),
    st.just(Copy("constant")),
)


@st.composite
def points(draw: st.DrawFn, number: int) -> PointSpec:
    name = f"point_{number}"
    if draw(st.booleans()):
        place = Place("coils", number)
        return PointSpec(name, place, "bool", value=draw(st.none() | st.booleans()))
    place = Place("holding_registers", number * 100)
    kind = draw(st.sampled_from(["uint16", "int32", "float32", "float64", "string", "bcd", "bit"]))
    unit = draw(TEXTS)
    order = draw(st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]))
    if kind == "string":
        return PointSpec(name, place, kind, size=20, unit=unit, value="text")
    if kind == "bcd":
        return PointSpec(name, place, kind, size=6, order=order, unit=unit, value=1234)
    if kind == "bit":
        return PointSpec(name, place, kind, unit=unit, value=True, bit=draw(st.integers(0, 15)))
    scale = draw(st.sampled_from([1.0, 0.1, 25.0]))
    offset = draw(st.sampled_from([0.0, -10.0]))
    behaviour = draw(st.none() | BEHAVIOURS)
    value = 50 if behaviour is None else None
    none = draw(st.sampled_from([(), (0xFFFF,), (0x7FFF, 0x8000)]))
    polled = draw(
        st.builds(Polled, st.just(0.0) | POSITIVE, st.just(0.0) | POSITIVE, st.booleans())
    )
    return PointSpec(
        name, place, kind, 1, order, scale, offset, unit, value, behaviour, none, polled
    )


@st.composite
def units(draw: st.DrawFn, number: int) -> UnitSpec:
    constant = PointSpec("constant", Place("input_registers", 7), "uint16", value=3)
    identity = draw(
        st.just({})
        | st.fixed_dictionaries(
            {0: BYTES, 1: BYTES, 2: BYTES}, optional={5: BYTES, 0x80: BYTES, 0xFF: BYTES}
        )
    )
    tables = st.sampled_from(TABLES)
    return UnitSpec(
        number,
        name=draw(TEXTS),
        every_id=number == 1 and draw(st.booleans()),
        blocks=tuple(draw(st.lists(blocks(), max_size=3))),
        points=(constant, *(draw(points(each)) for each in range(draw(st.integers(0, 3))))),
        refusals=tuple(
            draw(
                st.lists(
                    st.builds(
                        Refusal,
                        st.builds(Place, tables, st.integers(0, 60000)),
                        st.integers(1, 100),
                        CODES,
                    ),
                    max_size=2,
                )
            )
        ),
        missing=draw(st.dictionaries(tables, CODES, max_size=2)),
        limits=draw(
            st.dictionaries(tables, st.builds(Limit, st.integers(1, 125), CODES), max_size=2)
        ),
        refuses=draw(st.dictionaries(st.integers(1, 127), CODES, max_size=3)),
        identity=dict(sorted(identity.items())),
        individual_access=not identity or draw(st.booleans()),
        server_id=draw(
            st.builds(ServerId, BYTES, st.booleans(), BYTES)
            | st.builds(ServerId, st.just(b"\x01"), st.none())
        ),
        exception_status=draw(st.integers(0, 255)),
        diagnostic_register=draw(st.integers(0, 65535)),
        files=tuple(
            FileSpec(each, draw(st.integers(0, 5000)), tuple(draw(REGISTERS)))
            for each in draw(st.sets(st.integers(1, 65535), max_size=2))
        ),
        fifo_queues=draw(
            st.dictionaries(
                st.integers(0, 65535),
                st.lists(st.integers(0, 65535), max_size=31).map(tuple),
                max_size=2,
            )
        ),
        faults=draw(
            st.builds(Faults, RATES, RATES, RATES, RATES, st.integers(1, 255), RATES, POSITIVE)
        ),
    )


_OF_ALL = {
    "unit": st.integers(1, 255),
    "timeout": st.floats(0.001, 1e9),
    "pause": st.floats(0.0, 1e9) | st.integers(0, 10**9),
}
_OF_LINES = {
    "baudrate": st.integers(1, 10**7),
    "parity": st.sampled_from("NEO"),
    "suppress_echo": st.booleans(),
    "rs485": st.booleans(),
    "quirks": st.sampled_from(
        [Quirks.none, Quirks.answers_unit_zero, Quirks.any_unit | Quirks.trailing_bytes]
    ),
}
_OF_CONNECTIONS = {
    "reconnect_after": st.none() | st.integers(1, 10**6),
    "quirks": st.sampled_from([*Quirks]).filter(lambda each: each != Quirks.answers_unit_zero),
}
# No link has the options of both.
CONNECTIONS = st.fixed_dictionaries({}, optional={**_OF_ALL, **_OF_LINES}) | st.fixed_dictionaries(
    {}, optional={**_OF_ALL, **_OF_CONNECTIONS}
)

REGISTERS = st.lists(st.integers(0, 65535), min_size=1, max_size=40)


@st.composite
def devices(draw: st.DrawFn) -> DeviceSpec:
    ids = sorted(draw(st.sets(st.integers(1, 247), min_size=1, max_size=3)))
    connection = draw(st.just({}) | CONNECTIONS)
    return DeviceSpec(draw(TEXTS), tuple(draw(units(each)) for each in ids), connection)
