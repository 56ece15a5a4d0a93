"""The packages after installation: versions, types, licence, and fast imports."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
each_package = pytest.mark.parametrize("package", PACKAGES, ids=[path.name for path in PACKAGES])


def project(package: Path) -> dict[str, Any]:
    """The [project] table of a package."""
    return tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def import_name(package: Path) -> str:
    """Return the import name of a package: modwire_sync for modwire-sync."""
    return str(project(package)["name"]).replace("-", "_")


def test_all_packages_share_one_version() -> None:
    assert len({project(package)["version"] for package in PACKAGES}) == 1


@each_package
def test_an_adapter_installs_the_core_it_was_tested_with(package: Path) -> None:
    own = project(package)
    ours = [line for line in own["dependencies"] if line.startswith("modwire")]
    if own["name"] == "modwire":
        assert own["dependencies"] == []
    else:
        assert f"modwire=={own['version']}" in ours
        assert all(line.endswith(f"=={own['version']}") for line in ours)


@each_package
def test_a_wheel_has_types_and_licence_and_nothing_that_is_not_the_package(
    package: Path, tmp_path: Path
) -> None:
    """Without py.typed a type checker of a user would find no types."""
    result = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=package,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        name = import_name(package)
        assert f"{name}/py.typed" in names
        assert {path.partition("/")[0].partition("-")[0] for path in names} == {name}
        sources = (package / "src").rglob("*.py")
        expected = {path.relative_to(package / "src").as_posix() for path in sources}
        assert expected <= set(names)
        (licence,) = [path for path in names if path.endswith("/LICENSE")]
        assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
        (metadata_path,) = [path for path in names if path.endswith("/METADATA")]
        metadata: Message = message_from_bytes(archive.read(metadata_path))
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "MIT"


@each_package
def test_the_front_page_of_a_package_only_re_exports(package: Path) -> None:
    """`from package import name` and the checkers must agree on what is public.

    A package that imports its names on first use still shows them to the checkers.
    """
    path = package / "src" / import_name(package) / "__init__.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstring, *rest = tree.body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)
    imported: set[str] = set()
    public: list[str] = []
    homes: dict[str, str] | None = None
    for statement in rest:
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets
            if ast.unparse(target) == "_HOMES":
                homes = ast.literal_eval(statement.value)
                continue
            assert ast.unparse(target) == "__all__"
            public = ast.literal_eval(statement.value)
            continue
        if isinstance(statement, ast.FunctionDef):
            assert statement.name == "__getattr__"
            continue
        statements: list[ast.stmt] = [statement]
        if isinstance(statement, ast.If):
            assert ast.unparse(statement.test) == "TYPE_CHECKING"
            statements = statement.body
        for each in statements:
            assert isinstance(each, ast.ImportFrom), ast.unparse(each)
            if each.names[0].name == "*":
                room = importlib.import_module(f"{import_name(package)}.{each.module}")
                imported |= set(room.__all__)
            elif each.module not in ("__future__", "typing"):
                imported |= {alias.asname or alias.name for alias in each.names}
    assert sorted(public) == sorted(imported)
    module = importlib.import_module(import_name(package))
    assert all(hasattr(module, name) for name in public)
    assert homes is None or sorted(homes) == sorted(public)


def test_importing_the_blocking_package_loads_nothing_it_may_never_use() -> None:
    """A command-line tool that reads one register must start without asyncio, ssl and pyserial."""
    # A socket needs these, and their own imports differ between Python versions.
    script = (
        "import sys, logging, selectors, socket, threading; before = set(sys.modules); "
        "import modwire_sync; print(*set(sys.modules) - before)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert "modwire_sync" in loaded
    assert not loaded & {"asyncio", "dataclasses", "inspect", "serial", "ssl"}
