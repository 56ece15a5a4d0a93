"""Modbus/TCP Security with tmodbus, and with jsmodbus on node's TLS: both ways, with roles."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modwire import ConnectionLostError, IllegalFunctionError
from new_python import HOW, install, new_python
from plant_pki import Issued, Pki
from tests.conformance.hostile_peers import PACKAGES
from tests.conformance.tls_sides import Watched, played, served

from .tls_programs import PATIENCE

if TYPE_CHECKING:
    from ..conftest import RequirePeer

# `long`, as an environment of tox would fetch the peers once more.
pytestmark = [pytest.mark.timeout(300), pytest.mark.long]

every_package = pytest.mark.parametrize("package", PACKAGES)
every_version = pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
HERE = Path(__file__).parent
TMODBUS = "tmodbus[security]==1.1.*"
JSMODBUS = "jsmodbus@5.0.0"


class TlsProgram:
    """A program with a client and servers; `ask` sends it a task, and returns the answer.

    Without a certificate, its client says `reason`, and a client of ours about its server `alert`,
    by version.
    """

    def __init__(
        self,
        *command: str | Path,
        reason: dict[str, str],
        alert: dict[str, str],
        **settings: str,
    ) -> None:
        self.reason, self.alert = reason, alert
        self._child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **settings},
        )

    def ask(self, pki: Pki, issued: Issued | None, version: str, **task: Any) -> Any:
        """Let it use these files; the task is `serve=True`, or `port` and `steps`."""
        files = {"certificate": "", "key": ""}
        if issued is not None:
            files = {"certificate": str(issued.certificate), "key": str(issued.key)}
        task |= {"version": version, "ca": str(pki.ca), **files}
        assert self._child.stdin is not None and self._child.stdout is not None
        # A program that hangs ends, so that a read from it does.
        timer = threading.Timer(2 * PATIENCE, self._child.kill)
        timer.start()
        line = ""
        with suppress(BrokenPipeError):
            self._child.stdin.write(json.dumps(task) + "\n")
            self._child.stdin.flush()
            line = self._child.stdout.readline()
        timer.cancel()
        if not line:
            assert self._child.stderr is not None
            self._child.kill()
            pytest.fail(f"the peer has ended: {self._child.stderr.read()}")
        return json.loads(line)

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"), "Interop CA")


@pytest.fixture(scope="module")
def tmodbus(
    require_peer: RequirePeer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TlsProgram]:
    python = new_python()
    require_peer("a Python of version 3.12 or newer", bool(python), HOW)
    place = tmp_path_factory.mktemp("tmodbus")
    failed, output = install(python, place, [TMODBUS])
    require_peer(TMODBUS, not failed, f"access to PyPI; pip said: {output[-2000:]}")
    program = TlsProgram(
        python,
        HERE / "tmodbus_program.py",
        reason={"TLSv1.2": "ALERT_HANDSHAKE_FAILURE", "TLSv1.3": "Connection lost before response"},
        # asyncio's own TLS closes without the alert that the specification asks for.
        alert={
            "TLSv1.2": "the server closed the connection in the TLS handshake",
            "TLSv1.3": "it may have refused our certificate, which is missing",
        },
        PYTHONPATH=str(place),
    )
    yield program
    program.close()


@pytest.fixture(scope="module")
def jsmodbus(require_peer: RequirePeer) -> Iterator[TlsProgram]:
    node, modules = shutil.which("node"), os.environ.get("JSMODBUS", "")
    require_peer("node", node is not None, "apt-get install nodejs npm")
    is_there = bool(modules) and (Path(modules) / "jsmodbus").is_dir()
    how = f"npm install --prefix FOLDER {JSMODBUS}; export JSMODBUS=FOLDER/node_modules"
    require_peer("jsmodbus", is_there, how)
    program = TlsProgram(
        str(node),
        HERE / "jsmodbus_program.js",
        reason={"TLSv1.2": "ALERT_HANDSHAKE_FAILURE", "TLSv1.3": "ALERT_CERTIFICATE_REQUIRED"},
        alert=dict.fromkeys(["TLSv1.2", "TLSv1.3"], "about our certificate, which is missing"),
        NODE_PATH=modules,
    )
    yield program
    program.close()


@pytest.fixture(params=["tmodbus", "jsmodbus"])
def peer(request: pytest.FixtureRequest) -> TlsProgram:
    found: TlsProgram = request.getfixturevalue(request.param)
    return found


def allow_operators(peer: object, role: str | None, unit: int, request: object) -> bool:
    return role == "operator" or (role == "viewer" and getattr(request, "function_code", 0) == 3)


@every_package
@every_version
def test_as_client(package: str, version: str, pki: Pki, peer: TlsProgram) -> None:
    """Requests that the role may not make get exception 01, and are not executed."""
    unit = Watched()
    with served(package, pki, unit, authorize=allow_operators) as (_, port):
        steps = [("read", 0, 3), ("write", 1, 99), ("read", 0, 3)]
        task: dict[str, Any] = {"port": port, "steps": steps}
        found = peer.ask(pki, pki.client("operator"), version, **task)
        assert found == [[7, 7, 7], 99, [7, 99, 7]]
        unit.executed.clear()
        found = peer.ask(pki, pki.client("viewer"), version, **task)
        assert found == [[7, 99, 7], {"exception": 1}, [7, 99, 7]]
        assert [each.function_code for each in unit.executed] == [3, 3]
        unit.executed.clear()
        found = peer.ask(pki, pki.client(), version, **task)
        assert found == [{"exception": 1}] * 3
        (refused,) = peer.ask(pki, None, version, **task)
        assert peer.reason[version] in refused["refused"]
        assert unit.executed == []


def files_of(pki: Pki, issued: Issued | None) -> dict[str, object]:
    found: dict[str, object] = {"ca": pki.ca, "timeout": 20, "retries": 0}
    if issued is not None:
        found |= {"certificate": issued.certificate, "key": issued.key}
    return found


STEPS = [
    ("read_holding_registers", 0, 3),
    ("write_register", 1, 99),
    ("read_holding_registers", 0, 3),
]


@every_package
@every_version
def test_as_server(package: str, version: str, pki: Pki, peer: TlsProgram) -> None:
    address = ("127.0.0.1", peer.ask(pki, pki.server(), version, serve=True))
    found = played(package, address, STEPS, **files_of(pki, pki.client("operator")))
    assert (found[0], found[2]) == ([7, 7, 7], [7, 99, 7])
    (refused,) = played(package, address, STEPS[:1], **files_of(pki, None))
    assert isinstance(refused, ConnectionLostError)
    assert peer.alert[version] in str(refused)
    other = played(package, address, STEPS[:1], **files_of(pki, pki.client("operator")))
    assert other == [[7, 99, 7]], "the server goes on"


@every_package
@every_version
def test_tmodbus_reads_the_role_of_our_client(
    package: str, version: str, pki: Pki, tmodbus: TlsProgram
) -> None:
    address = ("127.0.0.1", tmodbus.ask(pki, pki.server(), version, serve=True))
    found = played(package, address, STEPS, **files_of(pki, pki.client("viewer")))
    assert (found[0], found[2]) == ([7, 7, 7], [7, 7, 7])
    assert isinstance(found[1], IllegalFunctionError)
