"""The documentation of the page: its pictures exist, and its requests work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from page_requests import ask
from running_page import RunningPage

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "how-to" / "simulator-page.md").read_text(encoding="utf-8")


def test_each_picture_is_there_and_small() -> None:
    text = TEXT + (DOCS / "how-to" / "own-page.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text))
    assert shown == {f"../{path.name}" for path in DOCS.glob("page-*.png")}
    assert all((DOCS / "how-to" / name).stat().st_size < 200_000 for name in shown)


def _requests() -> list[list[str]]:
    """Return the arguments of each curl command."""
    lines = re.findall(r"^curl (.*)$", TEXT.replace("\\\n", " "), re.MULTILINE)
    return [shlex.split(line) for line in lines]


def test_the_requests_do_what_is_said() -> None:
    found = _requests()
    assert len(found) == 3
    with RunningPage() as page:
        for arguments in found:
            path = arguments[-1].removeprefix("http://127.0.0.1:8080")
            method = arguments[arguments.index("-X") + 1] if "-X" in arguments else "GET"
            data = arguments[arguments.index("-d") + 1].encode() if "-d" in arguments else None
            headers = {"Content-Type": "application/json"} if data else {}
            answer = ask(page.port, method, path, headers=headers, raw=data)
            assert answer.status == 200, answer.body
        point: Any = ask(page.port, "GET", "/api/devices/0/units/1/points/voltage_l1").json
        assert (point["value"], point["held"]) == (240, True)
        faults: Any = ask(page.port, "GET", "/api/devices/0/units/1/faults").json
        assert (faults["exception"], faults["exception_code"]) == (1.0, 6)
