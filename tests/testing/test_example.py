"""The example of a tested program and the snippet of the README pass, as a user would run them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from programs import run
from tests.test_readme import PYTHON, snippet

EXAMPLES = Path(__file__).parents[2] / "examples" / "testing"


def passed(tests: Path, tmp_path: Path) -> str:
    if not hasattr(os, "openpty"):
        pytest.skip("there are no pseudo-terminals")
    options = ["-p", "pytest_modwire", "-p", "no:cacheprovider", "-q", "--rootdir", tmp_path]
    return run("-m", "pytest", *options, tests, cwd=tmp_path, strict=False)[-1]


def test_every_example_passes(tmp_path: Path) -> None:
    pytest.importorskip("modwire_asyncio")
    assert passed(EXAMPLES, tmp_path).startswith("5 passed")


def test_the_snippet_of_the_readme_passes(tmp_path: Path) -> None:
    (script := tmp_path / "test_snippet.py").write_text(snippet(PYTHON["a test"]).code)
    assert passed(script, tmp_path).startswith("1 passed")
