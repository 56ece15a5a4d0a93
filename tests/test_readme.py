"""The README is right and short. Its blocks are run by tests/docs, as those of all pages are."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from pages import Block, blocks_of
from programs import run

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
LINES = 160


def block(part: str) -> Block:
    """Return the only block of the README that contains `part`."""
    (found,) = [each for each in blocks_of(README) if part in each.code]
    return found


def test_it_is_short() -> None:
    """Longer texts belong on a page of the site."""
    assert len(TEXT.splitlines()) <= LINES


def test_make_demo_and_make_test_come_first() -> None:
    assert blocks_of(README)[0].code == "make demo\nmake test\n"


@pytest.mark.parametrize(
    ("name", "part"), [("client", "except Illegal"), ("server", "serve_forever()")]
)
def test_the_ten_lines_are_those_of_the_examples(name: str, part: str) -> None:
    code = block(part).code
    example = (ROOT / "examples" / "sync" / f"{name}.py").read_text(encoding="utf-8")
    assert example.partition('"""\n\n')[2] == code
    assert len([line for line in code.splitlines() if line]) <= 10


def test_the_asyncio_client_is_the_first_client_with_await() -> None:
    blocking, awaited = block("except Illegal"), block("await meter.write_register(")
    for line in re.findall(r"meter\.\w+\([^)]*\)", awaited.code):
        assert line in blocking.code
    assert blocking.shown is not None and awaited.shown is not None
    assert blocking.shown.startswith(awaited.shown)


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("what is shown includes RTU, which the demo leaves out on Windows")
    lines = run("-m", "modwire_tools", "demo", "--once", cwd=tmp_path)
    for line in block("over RTU").code.splitlines():
        assert line in lines


def test_the_table_has_every_package() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| `(\w+)` \|", TEXT, re.MULTILINE)
    names = {path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")}
    assert len(rows) == len(names)
    for name, package in rows:
        assert name.replace("-", "_") == package
        assert list(ROOT.glob(f"packages/*/src/{package}"))


def test_the_number_of_odd_devices_is_that_of_the_zoo() -> None:
    from tests.zoo import devices

    devices.load()
    assert f"- {len(devices.DEVICES)} [odd devices]" in TEXT
