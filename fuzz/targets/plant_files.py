"""Plant files of `modwire poll`: TOML with devices, points, sinks and a spool.

A wrong file is a `PlantError` with a sentence for each mistake. Of a right one it can be said what
would be read; nothing is opened.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from modwire_tools.poll.checking import check_plant
from modwire_tools.poll.plant import PlantError, read_plant

from ..target import Target

_ENVIRONMENT = {"SECRET": "hush"}
_LONGEST = 2000  # characters of a mistake
_METER = (
    b'[connection]\nendpoint = "tcp://127.0.0.1"\npause = "1ms"\n[[unit]]\nid = 1\n[[unit.point]]\n'
    b'name = "a"\nat = "ir:0"\ntype = "float32"\nnone = "nan"\ndeadband = 0.5\n'
)


def _check(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "plant.toml")
        path.write_bytes(data)
        Path(folder, "meter.toml").write_bytes(_METER)
        try:
            plant = read_plant(path, _ENVIRONMENT)
        except PlantError as error:
            assert 1 <= len(error.mistakes) <= error.number
            for text in error.mistakes:
                assert len(text) < _LONGEST, f"a mistake of {len(text)} characters"
                assert "hush" not in text, "a mistake shows a secret"
            return
        assert plant.devices
        assert len({each.name for each in plant.devices}) == len(plant.devices)
        for line in check_plant(plant):
            assert line.rate > 0, line
        for sink in plant.sinks:
            assert "hush" not in sink.sink.place, "the place of a sink shows a secret"


_DEVICE = b'[[device]]\nname = "d"\nendpoint = "tcp://127.0.0.1:5020"\ninterval = 1\n'
_POINT = b'[[device.point]]\nname = "v"\nat = "hr:0"\n'
_SINKS = (
    b'json = "-"\n',
    b'csv = "v.csv"\nsize = "10MB"\nkeep = 3\n',
    b'influx = "http://127.0.0.1:8086/write"\ntoken = "${SECRET}"\ntimeout = 5\n',
    b'prometheus = "127.0.0.1:9502"\nvalues = false\n',
    b'sql = "postgresql://u:${SECRET}@127.0.0.1/x"\ntable = "t {device}"\n',
    b'mqtt = "mqtt://127.0.0.1"\npassword = "${SECRET}"\ntopic = "{plant}/{device}/{point}"\n'
    b'commands = "{device}/{point}/set"\ndiscovery = "homeassistant"\nqos = 2\nversion = "5"\n',
)


def _seeds() -> list[bytes]:
    device = _DEVICE + _POINT
    return [
        b"",
        device,
        b'name = "p"\ninterval = "1m"\n'
        + device
        + b'type = "int16"\nscale = 0.1\ninterval = "2s"\n',
        _DEVICE + b"only = [[]]\n" + _POINT,
        _DEVICE + b'file = "meter.toml"\nonly = ["a"]\nunit = 1\nstale = "9s"\nretry = 5\n',
        _DEVICE + b'tags = { hall = "3" }\nmax_registers = 10\nmax_gap = 0\n' + _POINT,
        device + device.replace(b'"d"', b'"e"').replace(b"5020", b"5021"),
        _DEVICE.replace(b"tcp://127.0.0.1:5020", b"rtu:///dev/ttyS0?baudrate=9600") + _POINT,
        device + b'[spool]\nfile = "v.spool"\nsize = "1GB"\nage = "7d"\n',
        *(device + b"[[sink]]\n" + each for each in _SINKS),
    ]


_WORDS = (
    *(
        b"[[device]]\n",
        b"[[device.point]]\n",
        b"[[sink]]\n",
        b"[spool]\n",
        b"interval = ",
        b"only = ",
    ),
    *(b"[[]]", b"{}", b"nan", b"inf", b"1e400", b"-1", b'""', b'"\\u0000"', b'"${SECRET}"', b'"$"'),
    *(
        b"65535",
        b'type = "float64"\n',
        b'at = "hr:65535"\n',
        b"true",
        b"2020-01-01",
        b'"meter.toml"',
    ),
    *(b"/", b"+", b"#", b"{device}", b"\n", b" = "),
)

TARGETS = [Target("plant-file", _check, _seeds, _WORDS)]
