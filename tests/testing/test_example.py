"""The example of a tested program passes, as a user would run it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from programs import run

EXAMPLES = Path(__file__).parents[2] / "examples" / "testing"


def passed(tests: Path, tmp_path: Path) -> str:
    if not hasattr(os, "openpty"):
        pytest.skip("there are no pseudo-terminals")
    options = ["-p", "pytest_modwire", "-p", "no:cacheprovider", "-q", "--rootdir", tmp_path]
    return run("-m", "pytest", *options, tests, cwd=tmp_path, strict=False)[-1]


def test_every_example_passes(tmp_path: Path) -> None:
    pytest.importorskip("modwire_asyncio")
    assert passed(EXAMPLES, tmp_path).startswith("5 passed")
