"""The packages after installation: versions, types, licence, and fast imports."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from programs import run

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


def test_all_packages_share_one_version(tmp_path: Path) -> None:
    """One command sets it, in what users see and in what the packages require of each other."""

    def version(*arguments: object) -> str:
        command = [sys.executable, str(ROOT / ".ci" / "version.py"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip()

    now = version()
    assert {importlib.import_module(import_name(each)).__version__ for each in PACKAGES} == {now}
    packages = shutil.copytree(ROOT / "packages", tmp_path / "packages")
    assert version("9.8.7rc1", "--root", tmp_path) == ""
    assert version("--root", tmp_path) == "9.8.7rc1"
    for file in (*packages.glob("*/*.toml"), *packages.glob("*/src/*/*.py")):
        assert f'"{now}"' not in (text := file.read_text(encoding="utf-8")), file
        assert f"=={now}" not in text, file
    assert project(packages / "sync")["dependencies"][0] == "modwire==9.8.7rc1"
    assert version("next", "--root", tmp_path).startswith("a version is like 0.3.0")
    shutil.copy(ROOT / "packages/core/src/modwire/__init__.py", packages / "core/src/modwire")
    told = version("--root", tmp_path)
    assert told == f"the version is not the same everywhere: {now}, 9.8.7rc1"


@each_package
def test_a_package_has_a_page(package: Path) -> None:
    """The index shows README.md; an sdist cannot hold links that lead out of it."""
    for name in ("README.md", "LICENSE"):
        assert not (package / name).is_symlink()
    assert (package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    own = project(package)
    assert own["readme"] == "README.md"
    assert (package / "README.md").read_text(encoding="utf-8").startswith(f"# {own['name']}\n")
    assert own["urls"] and len(own["keywords"]) > 5
    supported = {f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)}
    assert supported < set(own["classifiers"])


@each_package
def test_the_example_of_a_package_runs(package: Path, tmp_path: Path) -> None:
    text = (package / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    codes = [code for language, code in blocks if language == "python"]
    assert len(codes) == (package.name != "tools")
    for code in codes:
        script = tmp_path / "test_example.py"
        script.write_text(code, encoding="utf-8")
        if package.name == "testing":
            printed = run("-m", "pytest", "-q", "-p", "no:cacheprovider", script, cwd=tmp_path)
            assert printed[-1].startswith("1 passed")
        else:
            assert run(script, cwd=tmp_path, strict=False) == blocks[-1][1].splitlines()


def test_the_commands_on_the_page_of_the_tools_are_understood() -> None:
    """One extra option stops a command after it has accepted every other word."""
    text = (ROOT / "packages" / "tools" / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^modwire .*$", text, re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        command = [
            sys.executable,
            "-m",
            "modwire_tools",
            *shlex.split(line)[1:],
            "--no-such-option",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr.startswith("modwire: no such option: --no-such-option"), line


@each_package
def test_an_adapter_installs_the_core_it_was_tested_with(package: Path) -> None:
    own = project(package)
    version = importlib.import_module(import_name(package)).__version__
    extras = [line for lines in own.get("optional-dependencies", {}).values() for line in lines]
    ours = [line for line in own["dependencies"] + extras if "modwire" in line.split("==")[0]]
    if own["name"] == "modwire":
        assert own["dependencies"] == []
    else:
        assert f"modwire=={version}" in ours
    for line in ours:
        assert line.endswith(f"=={version}") or line.startswith((f"{own['name']}[", "modbus-"))


def test_a_release_uploads_what_a_package_requires_before_it() -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    order = re.findall(r"^ +- (\w*modwire\w*)$", workflow, re.MULTILINE)
    assert sorted(order) == sorted(map(import_name, PACKAGES))
    for package in PACKAGES:
        own = project(package)
        extras = [line for lines in own.get("optional-dependencies", {}).values() for line in lines]
        for line in [*own["dependencies"], *extras]:
            needed = re.split(r"[\[=]", line)[0].replace("-", "_")
            if needed in order and needed != import_name(package):
                assert order.index(needed) < order.index(import_name(package))


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
            if ast.unparse(target) == "__version__":
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
