"""Device files: TOML and JSON of the simulator and of `--device`, and expressions of points.

A wrong file is a `DeviceFileError` of one sentence. A right one is written and read back equal, and
its device can be served.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from modwire import Endpoint
from modwire.messages import Decoder
from modwire_tools.simulator.devices import DeviceSpec
from modwire_tools.simulator.expressions import Expression
from modwire_tools.simulator.files import (
    DeviceFileError,
    dump_device,
    read_device,
    with_connection,
)
from modwire_tools.simulator.units import SimulatedUnit, UnitPlan

from ..target import Target

_ROOT = Path(__file__).parents[2]
_TIMES = (0.0, 0.05, 1.0, 59.9, 86_400.0, 1e9)
_LONGEST_ERROR = 5000  # characters of an error
_REQUESTS = [
    *(
        b"\1\0\0\0\x10",
        b"\2\0\0\0\1",
        b"\3\0\0\0\4",
        b"\4\0\0\0\x7d",
        b"\5\0\0\xff\0",
        b"\x06\0\0\0\1",
    ),
    *(b"\x07", b"\x0b", b"\x11", b"\x18\0\0", b"\x2b\x0e\1\0", b"\x2b\x0e\4\x80"),
    b"\x14\x07\x06\0\1\0\0\0\1",
]


def _read(data: bytes, suffix: str, *, needs_units: bool) -> DeviceSpec | None:
    """Return the device in a file, None for a mistake in it."""
    # A folder for each file costs 0.1 ms, and none is left if the process is killed meanwhile.
    with TemporaryDirectory() as folder:
        path = Path(folder, f"device{suffix}")
        path.write_bytes(data)
        try:
            return read_device(path, needs_units=needs_units)
        except DeviceFileError as error:
            text = str(error)
            assert text.startswith(str(path)), text
            assert len(text) < _LONGEST_ERROR, f"an error of {len(text)} characters"
            return None


def _check_file(suffix: str, data: bytes) -> None:
    device = _read(data, suffix, needs_units=True)
    connected = _read(data, suffix, needs_units=False)
    if device is not None:
        assert connected is not None
        for as_json in (False, True):
            text = dump_device(device, as_json=as_json)
            again = _read(text.encode(), ".json" if as_json else ".toml", needs_units=True)
            assert again is not None, "its own text is refused"
            # Unlike ==, this takes NaN for equal to itself.
            assert dump_device(again) == dump_device(device), "it is another device afterwards"
        _serve(device)
    if connected is not None:
        for place in ("tcp://device", "rtu:///device", "rtu+tcp://device?unit=3"):
            try:
                Endpoint.parse(with_connection(place, connected.connection))
            except ValueError as error:
                assert str(error)


def _serve(device: DeviceSpec) -> None:
    """Look at all points of a device, and ask it a few questions."""
    for spec in device.units[:4]:
        now = 0.0

        def clock() -> float:
            return now  # noqa: B023 - it is used in this round only

        unit = SimulatedUnit(UnitPlan(spec), clock)
        for now in _TIMES:
            for point in list(unit.points.values())[:20]:
                point.value(now)
            for pdu in _REQUESTS:
                response = unit.execute(Decoder().decode_request(pdu))
                if response is not None:
                    assert 1 <= len(response.encode()) <= 253


def _check_expression(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    values = {"a": 5, "b": -2.5, "flag": True, "text": "x"}

    def lookup(name: str, time: float) -> object:
        return values[name]

    try:
        expression = Expression(text)
        expression.check(lookup)
    except ValueError as error:
        assert len(str(error)) < _LONGEST_ERROR
        return
    source = expression.begin(1, lookup)
    for time in _TIMES:
        source.value(time)


def _toml_seeds() -> list[bytes]:
    """Return the examples of the documentation, and a few small files."""
    text = (_ROOT / "docs" / "reference" / "device-files.md").read_text("utf-8")
    found = [part.partition("```")[0].encode() for part in text.split("```toml\n")[1:]]
    unit = b"[[unit]]\nid = 1\n"
    point = b'[[unit.point]]\nname = "a"\nat = "hr:0"\n'
    behaviours = (
        b"{ sine = { around = 65, amplitude = 3, period = 120, noise = 1 } }",
        b'{ ramp = { start = 0, end = 9, period = 3, then = "bounce" } }',
        b"{ random_walk = { start = 1, step = 2, interval = 0.1, low = 0, high = 9 } }",
        b"{ counter = { start = 1, rate = 0.5, step = 2, modulo = 100 } }",
        b"{ choice = { values = [1, 2, 3], interval = 1, at_random = true } }",
        b'{ copy = "b" }',
        b'{ expression = "20 + 5 * sin(t / 10) if a else 20" }',
        b'{ replay = { file = "device.toml", column = "x" } }',
    )
    found += [unit + point + b"value = " + each + b"\n" for each in behaviours]
    for kind in ("int8", "uint32", "int64", "float16", "float64", "string", "bcd", "bits"):
        size = b"length = 4\n" if kind in ("string", "bcd", "bits") else b"scale = 0.1\n"
        found.append(unit + point + b'type = "%b"\norder = "DCBA"\n' % kind.encode() + size)
    found += [
        unit + b'[[unit.block]]\nat = "co:0"\nvalues = "0110"\n[[unit.file]]\nnumber = 1\n'
        b"records = [1, 2]\n[[unit.fifo]]\naddress = 0\nvalues = [1]\n",
        unit + b"[unit.limits]\nhr = 10\n[unit.missing]\nir = 2\n[unit.refuses]\n5 = 1\n",
        unit + b"[unit.faults]\ndrop = 0.5\nexception = 0.1\ndelay_seconds = 2\n",
        b'[connection]\npause = "100ms"\nquirks = ["any_unit"]\nreconnect_after = "never"\n',
        b"[connection]\nbaudrate = 9600\nparity = 'N'\nstopbits = 2\nunit = 3\nrs485 = true\n",
    ]
    return found


def _json_seeds() -> list[bytes]:
    found: list[bytes] = [
        b'{"unit": [{"id": 1}]}',
        b"[]",
        b"{}",
        b'{"connection": {"pause": null}}',
    ]
    for data in _toml_seeds():
        device = _read(data, ".toml", needs_units=False)
        if device is not None:
            found.append(dump_device(device, as_json=True).encode())
    return found


def _expression_seeds() -> list[bytes]:
    return [
        *(b"20 + 5 * sin(t / 10) if flag else 20", b"a > 67", b"round(b, 1)", b"max(a, b) ** 2"),
        *(b"not flag and a", b"a << 3 | 1", b"random() * 10 % 3", b"[1, 2][0]", b"'x' in text"),
        *(b"a.real", b"__import__('os')", b"lambda: 1", b"9**9**9", b"1 << 99999", b"f'{a:999}'"),
    ]


_WORDS = (
    *(
        b"[[unit]]\n",
        b"[[unit.point]]\n",
        b"[[unit.block]]\n",
        b"id = ",
        b'at = "hr:0"\n',
        b"value = ",
    ),
    *(
        b"values = ",
        b"count = ",
        b"nan",
        b"inf",
        b"-0.0",
        b"1e400",
        b"0x",
        b"true",
        b"[",
        b"{",
        b'"""',
    ),
    *(b"'", b"\\u0000", b"1979-05-27T07:32:00Z", b"= ", b"\n", b"hex:", b"65536", b"-1", b"1e308"),
)
_OPERATORS = (
    *(b"**", b"<<", b"*", b"%", b"(", b")", b" if ", b" else ", b"[", b"]", b"9" * 30, b"a", b"b"),
    *(
        b"1e308",
        b"'",
        b",",
        b":",
        b"{",
        b" for x in ",
        b" in ",
        b"~",
        b"//",
        b"0",
        b"round(",
        b"int(",
    ),
)


def _target(name: str, check: Callable[[bytes], None], seeds: Callable[[], list[bytes]]) -> Target:
    return Target(f"device-file-{name}", check, seeds, _WORDS)


TARGETS = [
    _target("toml", partial(_check_file, ".toml"), _toml_seeds),
    _target("json", partial(_check_file, ".json"), _json_seeds),
    Target("expressions", _check_expression, _expression_seeds, _OPERATORS),
]
