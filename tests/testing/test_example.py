"""The example of a tested program passes, as a user would run it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from programs import run

EXAMPLES = Path(__file__).parents[2] / "examples" / "testing"


def test_every_example_passes(tmp_path: Path) -> None:
    pytest.importorskip("modwire_asyncio")
    if not hasattr(os, "openpty"):
        pytest.skip("there are no pseudo-terminals")
    options = ["-p", "pytest_modwire", "-p", "no:cacheprovider", "-q", "--rootdir", tmp_path]
    lines = run("-m", "pytest", *options, EXAMPLES, cwd=tmp_path, strict=False)
    assert lines[-1].startswith("5 passed")
