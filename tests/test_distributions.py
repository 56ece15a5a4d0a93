"""The sdists and wheels, as pip installs them in an environment that has nothing else.

With MODWIRE_FULL=1 also on the other Pythons of this machine, and each sdist and wheel alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from typing import NamedTuple

import pytest

from modwire import SequentialBlock, Unit, Units
from modwire_sync import TcpServer

# pip takes its time on a busy machine.
pytestmark = pytest.mark.timeout(1800)

ROOT = Path(__file__).parents[1]
FULL = os.environ.get("MODWIRE_FULL", "") not in ("", "0")
PATIENCE = 600.0  # timeout in seconds for a program, pip included
# The programs there must not find the packages of this tree.
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
RequirePeer = Callable[[str, bool, str], None]


class Package(NamedTuple):
    """A package: folder, name, import name, which others of ours it needs, and what it brings."""

    folder: str
    name: str
    module: str
    needs: str
    brings: str

    @property
    def stem(self) -> str:
        return self.name.replace("-", "_")


# In this order, each is installed where nothing is that it might have forgotten to require.
PACKAGES = [
    Package("core", "modwire", "modwire", "", ""),
    Package("sync", "modwire-sync", "modwire_sync", "modwire", "pyserial"),
    Package("asyncio", "modwire-asyncio", "modwire_asyncio", "modwire-sync", "pyserial"),
    Package("trio", "modwire-trio", "modwire_trio", "modwire-sync", "trio"),
    Package("tools", "modwire-tools", "modwire_tools.cli.app", "modwire-sync modwire-trio", "rich"),
    Package("testing", "pytest-modwire", "pytest_modwire", "modwire-sync", "pytest"),
    Package("gevent", "modwire-gevent", "modwire_gevent", "modwire-sync", "gevent"),
    Package("stores", "modwire-stores", "modwire_stores", "modwire", ""),
]
each_package = pytest.mark.parametrize("package", PACKAGES, ids=[each.name for each in PACKAGES])

# Not in a plain installation of modwire-tools.
HEAVY = {"hypercorn", "pydantic", "redis", "sqlalchemy", "starlette", "modwire-stores", "psycopg"}
HEAVY |= {"pyyaml"}


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory, require_peer: RequirePeer) -> Path:
    """Build all distributions once, also for several processes of pytest-xdist."""
    filelock = pytest.importorskip("filelock")
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    built = folder / "dist"
    with filelock.FileLock(folder / "dist.lock"):
        if not built.exists():
            command = [sys.executable, ROOT / ".ci" / "dist.py", built]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return built


def wheel(dist: Path, package: Package) -> Path:
    (found,) = dist.glob(f"{package.stem}-*.whl")
    return found


def sdist(dist: Path, package: Package) -> Path:
    (found,) = dist.glob(f"{package.stem}-*.tar.gz")
    return found


def sources(package: Package) -> dict[str, bytes]:
    """Return the files that git would keep under `src`, by their place in a wheel."""
    source = ROOT / "packages" / package.folder / "src"
    files = (each for each in source.rglob("*") if each.is_file() and each.suffix != ".pyc")
    return {each.relative_to(source).as_posix(): each.read_bytes() for each in files}


@each_package
def test_a_wheel_has_the_package_with_types_and_licence(dist: Path, package: Package) -> None:
    with zipfile.ZipFile(wheel(dist, package)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    about = {name for name in files if ".dist-info/" in name}
    assert {name: files[name] for name in files.keys() - about} == sources(package)
    assert f"{package.stem}/py.typed" in files
    (licence,) = [name for name in about if name.endswith("/LICENSE")]
    assert files[licence] == (ROOT / "LICENSE").read_bytes()
    (path,) = [name for name in about if name.endswith("/METADATA")]
    metadata = message_from_bytes(files[path])
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Project-URL"]


@each_package
def test_an_sdist_has_files_and_nothing_else(dist: Path, package: Package) -> None:
    """pip refuses an archive with a link that leads out of it."""
    found: dict[str, bytes] = {}
    with tarfile.open(sdist(dist, package)) as archive:
        for member in archive:
            assert member.isfile() or member.isdir(), member.name
            if (file := archive.extractfile(member)) is not None:
                found[member.name.partition("/")[2]] = file.read()
    ours = {f"src/{name}": data for name, data in sources(package).items()}
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        ours[name] = (ROOT / "packages" / package.folder / name).read_bytes()
    assert {name: found[name] for name in found.keys() & ours.keys()} == ours
    assert found.keys() - ours.keys() <= {"PKG-INFO", ".gitignore"}


class Environment:
    """A new virtual environment with nothing in it; the pip of `python` installs into it."""

    def __init__(self, folder: Path, python: str, dist: Path) -> None:
        command = [python, "-m", "venv", "--without-pip", folder]
        subprocess.run(command, check=True, capture_output=True)
        self.folder, self.dist, self._python = folder, dist, python
        self.scripts = folder / ("Scripts" if os.name == "nt" else "bin")

    def run(self, *command: object, code: int = 0) -> str:
        """Run a program of the environment; return its output."""
        program, *arguments = map(str, command)
        return self._run(self.scripts / program, *arguments, code=code)

    def pip(self, *arguments: object) -> None:
        """Run pip for the environment."""
        pip = ("-m", "pip", "--disable-pip-version-check", "--python", self.scripts / "python")
        self._run(self._python, *pip, *arguments)

    def _run(self, *command: object, code: int = 0) -> str:
        done = subprocess.run(
            [str(each) for each in command],
            cwd=self.folder,
            env=CLEAN,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def serve(self, *command: str) -> None:
        """Run a program of the environment until it says that it serves."""
        process = subprocess.Popen(
            [self.scripts / command[0], *command[1:]],
            cwd=self.folder,
            env=CLEAN,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            shown = ""
            while "Ctrl+C ends" not in shown:
                line = process.stderr.readline()
                assert line, shown
                shown += line
            process.terminate()
            process.communicate(timeout=PATIENCE)
            assert process.returncode == 0 or sys.platform == "win32"
        finally:
            process.kill()
            process.communicate()

    def install(self, *what: object) -> None:
        """Install files, or names with extras, of our distributions."""
        self.pip("install", "--quiet", "--no-compile", "--find-links", self.dist, *what)

    def installed(self) -> set[str]:
        """Return the names of the distributions that are installed."""
        code = "import importlib.metadata as found; "
        code += "print(*{each.name.lower() for each in found.distributions()})"
        return set(self.run("python", "-c", code).split())

    def check(self, package: Package) -> None:
        """Import a package, and compare its version with that of its distribution."""
        base = package.module.partition(".")[0]
        code = f"import {package.module}, {base}, importlib.metadata as found; "
        code += f"assert {base}.__version__ == found.version({package.name!r})"
        self.run("python", "-c", code)


def python_named(name: str) -> str | None:
    """Return the program of a Python such as "3.12", from the path or from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [shutil.which(f"python{name}"), *pyenv.glob(f"versions/{name}.*/bin/python")]
    check = f"import sys, venv, pip; sys.exit('%d.%d' % sys.version_info[:2] != {name!r})"
    for place in filter(None, places):
        if subprocess.run([place, "-c", check], capture_output=True, check=False).returncode == 0:
            return str(place)
    return None


@pytest.fixture(params=["this", *(["3.10", "3.11", "3.12", "3.13", "3.14"] if FULL else [])])
def python(request: pytest.FixtureRequest) -> str:
    """The running Python, and with MODWIRE_FULL=1 the others that are here."""
    name: str = request.param
    if name == "this":
        return sys.executable
    if name == "{}.{}".format(*sys.version_info):
        pytest.skip("this is the running Python")
    found = python_named(name)
    if found is None:
        pytest.skip(f"Python {name} is missing: nothing was installed on it; pyenv install {name}")
    return found


@pytest.fixture
def device() -> Iterator[str]:
    """The endpoint of a device."""
    unit = Unit(holding_registers=SequentialBlock(0, [15, 40]))
    with TcpServer(Units({1: unit}), ("127.0.0.1", 0)) as server:
        host, port = server.address
        yield f"tcp://{host}:{port}?timeout=20"


def test_the_wheels_install_and_bring_what_they_need(
    python: str, dist: Path, tmp_path: Path, device: str
) -> None:
    environment = Environment(tmp_path / "venv", python, dist)
    for package in PACKAGES:
        environment.install(wheel(dist, package))
        environment.check(package)
        installed = environment.installed()
        assert {package.name, *package.brings.split()} <= installed
        if package.name == "modwire":
            assert installed == {"modwire"}
        if package.name == "modwire-tools":
            assert not HEAVY & installed
            check_plain_tools(environment, device)
    environment.install("modwire-tools[web,stores,gui,interface,import]")
    assert HEAVY - {"pydantic"} <= environment.installed()
    environment.pip("check")
    assert "All 136 values are" in environment.run("modwire", "demo", "--once")
    check_plugin(environment)
    # The same from the sdists; the wheels have shown that what they need is there.
    environment.install("hatchling")
    options = ("--no-deps", "--no-build-isolation", "--force-reinstall")
    environment.install(*options, *(sdist(dist, each) for each in PACKAGES))
    for package in PACKAGES:
        environment.check(package)
    assert "All 136 values are" in environment.run("modwire", "demo", "--once")


def check_plain_tools(environment: Environment, device: str) -> None:
    """Run the commands for which a plain installation is enough, and those that need more."""
    recorded = environment.folder / "line.bin"
    recorded.write_bytes(bytes.fromhex("010300000001840a 010302000ff840"))
    for command, shown in {
        "--version": "modwire ",
        f"read {device} hr:0 --count 2": "40",
        f"write {device} hr:0=30 --verify": "30",
        f"scan {device} --units 1": "1",
        f"bench {device} --requests 5": "requests/s",
        f"scrape {device} -o copy.toml --unit 1 --addresses 0..9": "",
        "parse 0103006b00037417": "read 3 holding registers",
        "generate 3": "read 8 holding registers",
        f"sniff {recorded} --framing rtu": "read 1 holding register",
        "simulate --help": "--web",
        "gui --help": "--devices",
    }.items():
        assert shown in environment.run("modwire", *command.split()), command
    (environment.folder / "modbus.yml").write_text("modules: []")
    for command, told in {
        f"map import {environment.folder / 'modbus.yml'}": "reading YAML needs more packages: "
        'pip install "modwire-tools[import]"',
        "simulate --web 127.0.0.1:0": '--web needs more packages: pip install "modwire-tools[web]"',
        "simulate --interface lo --tcp 10.9.0.1:502": "--interface needs more packages: "
        'pip install "modwire-tools[interface]"',
        "demo --once": 'the demo needs more packages: pip install "modwire-tools[web]"',
        "serve tcp://127.0.0.1:0 --store sqlite:///x.db": "--store needs more packages: "
        'pip install "modwire-tools[stores]"',
        "serve tcp://127.0.0.1:0 --store redis://127.0.0.1": "--store needs more packages: "
        'pip install "modwire-tools[stores]"',
        "pki init plant": 'modwire pki needs more packages: pip install "modwire-tools[pki]"',
        "pki show plant": 'modwire pki needs more packages: pip install "modwire-tools[pki]"',
    }.items():
        output = environment.run("modwire", *command.split(), code=1)
        assert output == f"modwire: {told}\n", command

    for command in (
        "serve tcp://127.0.0.1:0",
        "simulate --tcp 127.0.0.1:0",
        f"gateway tcp://127.0.0.1:0 {device}",
    ):
        environment.serve("modwire", *command.split())


def check_plugin(environment: Environment) -> None:
    """Run a test of a user with pytest-modwire."""
    test = environment.folder / "test_device.py"
    test.write_text(
        "from modwire import Unit\n"
        "def test_a_device(modbus_device):\n"
        "    assert modbus_device(Unit()).endpoint.startswith('tcp://')\n"
    )
    assert "1 passed" in environment.run("python", "-m", "pytest", "-q", test)


@pytest.mark.skipif(not FULL, reason="MODWIRE_FULL=1 installs each sdist and wheel alone")
@pytest.mark.parametrize("kind", [wheel, sdist])
def test_each_distribution_installs_alone(
    python: str, dist: Path, tmp_path: Path, kind: Callable[[Path, Package], Path]
) -> None:
    for package in PACKAGES:
        environment = Environment(tmp_path / package.name, python, dist)
        environment.install(kind(dist, package))
        environment.check(package)
        installed = environment.installed()
        assert {package.name, *package.brings.split()} <= installed
        ours = {name for name in installed if "modwire" in name}
        assert ours == {"modwire", package.name, *package.needs.split()}
        environment.pip("check")
