"""`modwire simulate --interface`: addresses that a simulation adds to the machine, and removes.

Each test works in a network namespace of its own: what it adds is nowhere else.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modwire import Endpoint
from modwire_tools.cli import main
from modwire_tools.cli.types import NetworkInterface
from modwire_tools.simulator.interface import added_addresses, addresses_of

if TYPE_CHECKING:
    from ..conftest import RequirePeer

HERE = Path(__file__).parent
NAMESPACE = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else [])]
PATIENCE = 120.0  # seconds

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has --interface")


@pytest.fixture
def in_namespace(require_peer: RequirePeer) -> Any:
    """A function that runs interface_program.py in a namespace, and returns what it has seen."""
    require_peer(
        "pyroute2", find_spec("pyroute2") is not None, 'pip install "modwire-tools[interface]"'
    )
    can = (
        shutil.which("unshare") is not None and not subprocess.run([*NAMESPACE, "true"]).returncode
    )
    require_peer("a network namespace", can, "run the tests as root, or allow user namespaces")

    def run(*arguments: object) -> dict[str, Any]:
        done = subprocess.run(
            [*NAMESPACE, sys.executable, HERE / "interface_program.py", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        )
        assert not done.returncode, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


@needs_linux
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["ctrl+c", "terminate"]
)
def test_fifty_addresses_come_and_go(in_namespace: Any, number: int, code: int) -> None:
    seen = in_namespace(number, "10.9.0.251:502", 50)
    ours = [f"10.9.0.{each}" for each in range(251, 256)] + [f"10.9.1.{each}" for each in range(45)]
    assert seen["meanwhile"] == sorted(ours)
    assert seen["first"] == seen["last"] == [15]  # a register of the meters at both ends
    assert "10.9.0.251 to 10.9.1.44" in seen["told"]
    assert (seen["afterwards"], seen["code"]) == ([], code)


@needs_linux
def test_addresses_that_were_there_stay(in_namespace: Any) -> None:
    seen = in_namespace(signal.SIGTERM, "10.9.0.1:502", 3, "10.9.0.2")
    assert seen["meanwhile"] == ["10.9.0.1", "10.9.0.2", "10.9.0.3"]
    assert (seen["afterwards"], seen["code"]) == (["10.9.0.2"], 0)


@needs_linux
def test_ipv6_addresses_are_there_at_once(in_namespace: Any) -> None:
    switch = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
    if not switch.exists() or switch.read_text().strip() != "0":
        pytest.skip("this machine has no IPv6")
    seen = in_namespace(signal.SIGTERM, "[fd09::ffff]:502", 2)
    assert seen["meanwhile"] == ["fd09::1:0", "fd09::ffff"]
    assert seen["first"] == seen["last"] == [15]
    assert seen["afterwards"] == []


@needs_linux
def test_a_port_that_is_taken_leaves_no_address(in_namespace: Any) -> None:
    seen = in_namespace(0, "10.9.0.1:502", 3, "10.9.0.3", "taken")
    assert "10.9.0.3:502" in seen["errors"]
    assert (seen["afterwards"], seen["code"]) == (["10.9.0.3"], 1)


@needs_linux
def test_without_the_right_it_says_what_to_run(in_namespace: Any) -> None:
    seen = in_namespace("powerless", "10.9.0.1:502", 50)
    again = f"`sudo {sys.executable} -m modwire_tools simulate --interface eth9 "
    assert seen["errors"].startswith(
        f"modwire: --interface: only root (CAP_NET_ADMIN) may add addresses to eth9: run {again}"
    )
    assert "`sudo ip address add 10.9.0.1/32 dev eth9`, and so on up to 10.9.0.50" in seen["errors"]
    assert (seen["afterwards"], seen["code"]) == ([], 1)


def test_names_and_loopback_need_no_addresses() -> None:
    places = ("tcp://10.9.0.1:502", "udp://10.9.0.1:502", "tcp://localhost:502", "tcp://[::1]:502",
              "tcp://127.0.1.1:502", "tcp://0.0.0.0:502", "rtu:///dev/ttyS0")  # fmt: skip
    assert list(map(str, addresses_of(map(Endpoint.parse, places)))) == ["10.9.0.1"]


@needs_linux
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nope9", "--tcp", "10.9.0.1:502"], "--interface: there is no 'nope9' here, but "),
        (["lo"], "--interface: give the first address to add, such as --tcp 192.168.1.50:502"),
    ],
)
def test_a_wrong_interface_is_said(
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("pyroute2")
    monkeypatch.setattr(sys, "argv", ["modwire", "simulate", "--interface", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    output, errors = capfd.readouterr()
    assert (ended.value.code, output, errors.count("\n")) == (2, "", 1)
    assert errors.startswith(f"modwire: {sentence}")


def test_the_shell_completes_the_interfaces_of_this_machine() -> None:
    names = [name for _, name in socket.if_nameindex()]
    assert names
    assert [name for name, _ in NetworkInterface().complete("")] == names


@needs_linux
def test_without_pyroute2_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    told = r'--interface needs more packages: pip install "modwire-tools\[interface\]"'
    addresses = addresses_of([Endpoint.parse("tcp://10.9.0.1:502")])
    with pytest.raises(ImportError, match=told), added_addresses("lo", addresses):
        raise AssertionError("nothing can be added")


def test_other_systems_have_no_such_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ValueError, match="only be added on Linux"), added_addresses("en0", []):
        raise AssertionError("nothing can be added")
