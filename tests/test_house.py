"""The rules of the house: short files and functions, thin adapters, and rooms in layers."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(ROOT.glob("packages/*/src/**/*.py"))
TESTS = [
    each
    for place in ("tests", "benchmarks", "fuzz")
    for each in sorted(ROOT.glob(f"{place}/**/*.py"))
]
ADAPTERS = {
    name: ROOT / "packages" / name / "src" / f"modwire_{name}"
    for name in ("sync", "trio", "gevent", "asyncio")
}
FILE_LINES, FUNCTION_LINES = 400, 60
ADAPTER_LINES = {"sync": 2670, "trio": 2600, "gevent": 2600, "asyncio": 2100}
LAYERS = {"modbus_connection.py"}  # an adapter's face for another package
LIKENESS, SHORT_LINES = 0.30, 15


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def test_files_are_short() -> None:
    """A longer file is usually two rooms."""
    counts = {str(each.relative_to(ROOT)): len(lines(each)) for each in (*SOURCES, *TESTS)}
    assert {name: count for name, count in counts.items() if count > FILE_LINES} == {}


def functions(file: Path) -> Iterator[tuple[str, int]]:
    """Yield the functions of a file, each with its number of lines.

    The signature of a command lists its options, and its docstring is their help: only the lines
    below the docstring count.
    """
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.lineno
            if "modwire_tools/cli" in file.as_posix() and ast.get_docstring(node):
                first = (node.body[0].end_lineno or first) + 1
            yield f"{file.relative_to(ROOT)}: {node.name}", (node.end_lineno or 0) - first + 1


def test_functions_are_short() -> None:
    found = dict(each for file in SOURCES for each in functions(file))
    assert {name: count for name, count in found.items() if count > FUNCTION_LINES} == {}


def docstrings(file: Path) -> Iterator[str]:
    """The docstrings of a file, each with its place."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield f"{file.relative_to(ROOT)}: {getattr(node, 'name', 'module')}: {text}"


def test_docstrings_are_no_questions() -> None:
    """They begin with a verb or a noun phrase: "True if", not "Whether"; "Seconds", not "How"."""
    question = re.compile(r"[^:]*: \w+: (What|Who|Whom|Whose|Whether|Where|When|Which|How|Why)\b")
    examples = sorted(ROOT.glob("examples/**/*.py"))
    found = [each for file in (*SOURCES, *examples, *TESTS) for each in docstrings(file)]
    assert len(found) > 1000
    assert [each for each in found if question.match(each)] == []


@pytest.mark.parametrize("name", ADAPTERS)
def test_adapters_are_thin(name: str) -> None:
    """Core makes the decisions: an adapter only opens, sends, receives and waits."""
    files = [each for each in ADAPTERS[name].rglob("*.py") if each.name not in LAYERS]
    assert 0 < sum(len(lines(each)) for each in files) <= ADAPTER_LINES[name]


def code(file: Path) -> list[str]:
    """Return the lines of code of a file, without what parity asks for: imports and docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [each for each in body if not _is_given(each)] or [ast.Pass()]
    return [line.strip() for line in ast.unparse(tree).splitlines() if line.strip()]


def _is_given(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or isinstance(node, ast.Import | ast.ImportFrom)


def likeness(file: Path, other: Path) -> float:
    """Return the part of the longer file, in lines of code, that is also in the other one.

    0 if both are short: such files only name what a package has.
    """
    ours, theirs = code(file), code(other)
    longest = max(len(ours), len(theirs))
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    alike = sum(block.size for block in matcher.get_matching_blocks())
    return alike / longest if longest >= SHORT_LINES else 0.0


@pytest.mark.parametrize(("one", "other"), [*combinations(ADAPTERS, 2)])
def test_adapters_share_little(one: str, other: str) -> None:
    """Code that two adapters need belongs in core."""
    alike = {
        str(name): likeness(ADAPTERS[one] / name, ADAPTERS[other] / name)
        for name in (file.relative_to(ADAPTERS[one]) for file in ADAPTERS[one].rglob("*.py"))
        if name.name != "__init__.py" and (ADAPTERS[other] / name).exists()
    }
    assert alike
    assert {name: share for name, share in alike.items() if share > LIKENESS} == {}


@pytest.mark.parametrize("name", [name for name in ADAPTERS if name != "sync"])
def test_adapters_take_from_sync_only_what_opens_sockets_and_ports(name: str) -> None:
    """Those modules know nothing of a loop; with any other, a package would wait as sync does."""
    found: set[str] = set()
    for file in ADAPTERS[name].rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [f"{node.module}.{each.name}" for each in node.names]
                found |= {each for each in names if each.startswith("modwire_sync.")}
            elif isinstance(node, ast.Import):
                found |= {each.name for each in node.names if each.name.startswith("modwire_sync")}
    rooms = {each.split(".")[1] for each in found}
    assert {"sockets", "ports"} <= rooms <= {"accepting", "datagrams", "ports", "sockets"}


def test_rooms_import_from_rooms_below_them() -> None:
    """The contracts are in pyproject.toml."""
    program = which("lint-imports", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("import-linter is missing; to install it: pip install import-linter")
    done = subprocess.run(
        [program, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
