"""The tests of modbus-connection, run with `modwire_asyncio.modbus_connection` as its backend.

That package needs Python 3.12; `.ci/new-python` brings one to machines that have none. Its wheel
has no tests, so they come from its source distribution. In a copy of them, the name of one of its
two backends is replaced by the name of ours: what they ask of tmodbus, they ask of modwire then.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from new_python import HOW, install, new_python, pip_for, run

if TYPE_CHECKING:
    from ..conftest import RequirePeer

ROOT = Path(__file__).parents[2]
PEER = "modbus-connection==4.12.7"
NEEDED = [
    PEER,
    "pymodbus[serial]==3.16.*",
    "tmodbus[async-serial]==1.1.*",
    "pytest>=8.4,<10",
    "pytest-asyncio>=1.2,<2",
    "pytest-timeout>=2.4,<3",
]
# Their files that connect with a backend. TLS is for a later version of modwire; test_tmodbus.py
# and test_pymodbus.py replace the objects of these libraries, and the others use no backend.
FILES = {
    "ascii_over_tcp": 2,
    "backend_retry_policy": 2,
    "backends": 32,
    "connect_errors": 3,
    "connection_recovery": 6,
    "factories": 3,
    "framer_guard": 6,
    "pacing": 4,
    "protocol": 1,
    "rtu_over_tcp": 3,
    "serial": 2,
    "udp": 3,
    "unit_requirements": 1,
}

# Tests that show a limit of tmodbus, which modwire does not have: it has every framing on UDP.
# The last one counts the calls of an object inside tmodbus; our own checks count requests.
LEFT_OUT = [
    "modwire_rejects_non_socket_udp_framing",
    "modwire_connect_udp_rejects_non_socket_framing",
    "modwire_connect_udp_ascii_rejected",
    "modwire_udp_non_socket_framing_rejected",
    "modwire_transport_propagates_response_without_retry",
]

# What their tests name inside tmodbus, and its equal here.
INSIDE = {
    "backend_retry_policy": [('"_RESPONSE_RETRIES", _FAST_RETRIES', '"_BUSY_RETRIES", 4')],
    "backends": [("_on_connection_lost(None)", "_link_lost(conn._client)")],
    "connect_errors": [
        ("from tmodbus.exceptions import TModbusError", "from modwire import ModbusError"),
        ("TModbusError(", "ModbusError("),
        ('"create_async_tcp_client"', '"_Tcp"'),
        ("async def disconnect", "async def aclose"),
    ],
    # pymodbus has all framings, so this file asks it to accept what modwire has to accept.
    "framer_guard": [
        ("modbus_connection.pymodbus", "modwire_asyncio.modbus_connection"),
        ("test_pymodbus", "test_modwire"),
    ],
    "serial": [("transport.base_transport.timeout", "options.response_timeout")],
}


def with_our_names(name: str, text: str) -> str:
    """Return their test file `name` with modwire in the place of tmodbus."""
    for theirs, ours in INSIDE.get(name, []):
        assert theirs in text, f"their test_{name}.py has no {theirs!r} any more"
        text = text.replace(theirs, ours)
    text = text.replace("modbus_connection.tmodbus", "modwire_asyncio.modbus_connection")
    # The tests' servers are those of the library tmodbus, which stays.
    text = re.sub(r"(?<!from )(?<!\w)tmodbus(?!\.)|(?<=_)tmodbus(?=_)", "modwire", text)
    return text.replace("TmodbusConnection", "ModwireConnection")


@pytest.fixture(scope="module")
def python(require_peer: RequirePeer) -> str:
    """The command of a Python that is new enough."""
    found = new_python()
    require_peer("a Python of version 3.12 or newer", bool(found), HOW)
    return found


@pytest.fixture(scope="module")
def packages(
    python: str, require_peer: RequirePeer, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The directory with the packages for that Python, and with the source of modbus-connection."""
    place = tmp_path_factory.mktemp("packages")
    failed, output = install(python, place, NEEDED)
    if not failed:
        source = ["--no-deps", "--no-binary=:all:", "--dest", place, PEER]
        failed, output = pip_for(python, "download", *source)
    require_peer(PEER, not failed, f"access to PyPI; pip said: {output[-2000:]}")
    (archive,) = place.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(place, filter="data")
    return place


# `long`, as an environment of tox would fetch all that once more.
@pytest.mark.long
@pytest.mark.timeout(480)
def test_its_own_tests_pass_with_our_backend(python: str, packages: Path, tmp_path: Path) -> None:
    """A device library for Home Assistant works with modwire as with the other two backends."""
    (source,) = packages.glob("modbus_connection-*/tests")
    tests = tmp_path / "tests"
    shutil.copytree(source, tests)
    for name in FILES:
        file = tests / f"test_{name}.py"
        file.write_text(with_our_names(name, file.read_text(encoding="utf-8")), encoding="utf-8")
    shutil.copy(Path(__file__).with_name("modbus_connection_checks.py"), tests)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\ntimeout = 60\n")
    report = tmp_path / "report.xml"
    wanted = "(modwire or parity or checks) and not test_pymodbus"
    chosen = " and not ".join([wanted, *LEFT_OUT])
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
    command += [f"--junit-xml={report}", "-k", chosen, str(tests / "modbus_connection_checks.py")]
    code, output = run(
        [*command, *[tests / f"test_{name}.py" for name in FILES]],
        limit=240,
        PYTHONPATH=os.pathsep.join(map(str, [*sorted(ROOT.glob("packages/*/src")), packages])),
        PYTEST_ADDOPTS="",
        PYTHONASYNCIODEBUG="1",
        MODBUS_CONNECTION_STUB=str(ROOT / "typings" / "modbus_connection" / "__init__.pyi"),
    )
    assert code == 0, output
    passed = dict.fromkeys([*FILES, "checks"], 0)
    for case in ElementTree.parse(report).iter("testcase"):
        name = str(case.get("classname")).rpartition(".")[2]
        assert case.find("skipped") is None, output
        passed[name.removeprefix("test_").removeprefix("modbus_connection_")] += 1
    assert passed.pop("checks") >= 8
    assert passed == FILES
