"""Plant files with what no request and no sink can have, or with too much of anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from modwire_tools.poll.plant import Plant, PlantError, read_plant

POINT = '[[device.point]]\nname = "{}"\nat = "{}"\ntype = "{}"\n'
DEVICE = '[[device]]\nname = "x"\nendpoint = "tcp://127.0.0.1"\ninterval = 1\n'


def read(folder: Path, text: str) -> Plant:
    (folder / "plant.toml").write_text(text)
    return read_plant(folder / "plant.toml", {})


def mistakes(folder: Path, text: str) -> list[str]:
    """Return the mistakes in a plant file, each without the folder."""
    with pytest.raises(PlantError) as raised:
        read(folder, text)
    return [each.replace(f"{folder}/", "") for each in raised.value.mistakes]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            DEVICE + POINT.format("a", "hr:65534", "uint64"),
            "plant.toml:7: device 1 (x), point 1 (a), at: addresses must be 0..65535, got 65534..",
        ),
        (
            DEVICE + 'only = [["a"]]\n' + POINT.format("a", "hr:0", "uint16"),
            "plant.toml:5: device 1 (x), only must name points, of which there are a, got ['a']",
        ),
        (
            DEVICE + POINT.format("a\\nb", "hr:0", "uint16"),
            "plant.toml:1: device 1 (x): the name of a point must have 1..200 printable characters",
        ),
        (
            DEVICE + POINT.format("a" * 201, "hr:0", "uint16"),
            "plant.toml:1: device 1 (x): the name of a point must have 1..200 printable characters",
        ),
        (
            'name = "a\\u0000"\n' + DEVICE + POINT.format("a", "hr:0", "uint16"),
            "plant.toml:1: name must have 1..100 printable characters, got 'a\\x00'",
        ),
        (
            '[[device]]\nname = "x"\nfile = "a\\u0000b"\ninterval = 1\n',
            "plant.toml:3: device 1 (x), file must be the name of a file, got 'a\\x00b'",
        ),
    ],
)
def test_what_no_request_or_sink_can_have_is_said(text: str, said: str, tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, text)
    assert found.startswith(said)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no /dev/zero")
def test_a_device_file_without_an_end_is_read_once(tmp_path: Path) -> None:
    """It was read once more for its lines, until no memory was left."""
    (found,) = mistakes(tmp_path, '[[device]]\nname = "x"\nfile = "/dev/zero"\ninterval = 1\n')
    assert found == "/dev/zero: must have at most 33554432 bytes, and has more"


def test_of_many_mistakes_a_hundred_are_said(tmp_path: Path) -> None:
    text = DEVICE + "".join(POINT.format(f"p{n}", "hr:0", "no") for n in range(300))
    with pytest.raises(PlantError) as raised:
        read(tmp_path, text)
    assert (len(raised.value.mistakes), raised.value.number) == (100, 300)


def test_devices_on_one_line_are_compared_with_the_first(tmp_path: Path) -> None:
    """Each with each of ten thousand took minutes."""
    device = (
        '[[device]]\nname = "{}"\nendpoint = "tcp://127.0.0.1:{}"\ninterval = 1\n'
        'point = [{{ name = "x", at = "hr:0" }}]\n'
    )
    text = "".join(device.format(n, 1000 + n % 5) for n in range(20))
    assert len(read(tmp_path, text).devices) == 20
    text += device.format("last", "1003?pause=1")
    (found,) = mistakes(tmp_path, text)
    assert "device 21 (last), endpoint must have the same options as that of 3, except" in found
