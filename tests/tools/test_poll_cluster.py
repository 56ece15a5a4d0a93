"""`modwire poll --ray` with Ray: three nodes on this machine, which are killed and come back.

The log of the devices proves who has read them, and when.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from logged_meters import LoggedMeters
from modwire_command import Started, modwire, process, started
from ray_nodes import RayNodes

from ..conftest import RequirePeer

pytestmark = pytest.mark.timeout(600)
INSTALL = 'pip install "modwire-tools[cluster]"'
PATIENCE = 60.0  # seconds
FULL = os.environ.get("MODWIRE_FULL", "") not in ("", "0")
# Seconds in which each device has to be read again: other tests may take the processors.
READ_AGAIN = 10.0 if FULL else PATIENCE
TWICE = 2.0 if FULL else 10.0  # seconds in which two may read a device; and nodes, without a driver


@pytest.fixture
def nodes(require_peer: RequirePeer) -> Iterator[RayNodes]:
    """Three nodes; a poller joins at the first one. Their processes are found in /proc."""
    if sys.platform != "linux":
        pytest.skip("nodes are killed on Linux only")
    require_peer("Ray", find_spec("ray") is not None, INSTALL)
    with RayNodes("gateway-0", "gateway-1", "gateway-2") as found:
        yield found


class Value(NamedTuple):
    value: object
    quality: str
    reason: str


class Values:
    """Values that a poller has written to a file of JSON lines."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def of(self, device: str) -> list[Value]:
        """Return the values of a device so far."""
        lines = self._file.read_text().split("\n")[:-1] if self._file.exists() else []
        found = map(json.loads, lines)
        return [
            Value(each["value"], each["quality"], each.get("reason", ""))
            for each in found
            if each["device"] == device
        ]

    def good(self, device: str) -> list[int]:
        """Return the good values of a device: the numbers of its requests."""
        return [int(str(each.value)) for each in self.of(device) if each.quality == "good"]

    def until(self, device: str, condition: Callable[[list[Value]], bool]) -> None:
        """Wait until `condition` is true of the values of a device."""
        give_up = time.monotonic() + PATIENCE
        while not condition(self.of(device)):
            assert time.monotonic() < give_up, f"it does not come: {self.of(device)[-5:]}"
            time.sleep(0.05)


def poller(folder: Path, text: str, address: str) -> tuple[Path, Values]:
    file = folder / "plant.toml"
    file.write_text(f'{text}[[sink]]\njson = "values.jsonl"\n')
    return file, Values(folder / "values.jsonl")


def polling(file: Path, nodes: RayNodes) -> AbstractContextManager[Started]:
    return started("poll", file, "--ray", nodes.address)


def reload(command: Started) -> None:
    command.child.send_signal(signal.SIGHUP)
    command.read_until("The plant file was read again: .*")


@pytest.mark.long
def test_a_node_dies_and_comes_back(tmp_path: Path, nodes: RayNodes) -> None:
    """Its lines are read by others within ten seconds, except one that is bound to it."""
    # Interval of 500 ms: a pause of 1.2 s is longer than two intervals.
    with LoggedMeters(12) as meters:
        text = meters.plant("500ms", m0="gateway-1", m1="gateway-9")
        file, values = poller(tmp_path, text, nodes.address)
        bound, absent = 0, 1
        with polling(file, nodes) as command:
            meters.until_asked(0.0, PATIENCE, without={absent})
            assert values.of("m1") == [(None, "bad", "node gateway-9: it is not in the cluster")]
            before = [meters.connections(each) for each in range(12)]

            killed = time.monotonic()
            nodes.kill(1)
            took = meters.until_asked(killed + 0.1, PATIENCE, without={bound, absent})
            assert took < READ_AGAIN
            again = [meters.connections(each) for each in range(12)]
            moved = [each for each in range(12) if again[each] != before[each]]
            # A third of the lines, of which one is bound.
            assert len(moved) >= 2
            values.until("m0", lambda found: found[-1].quality == "bad")
            assert values.of("m0")[-1].reason.startswith("node gateway-1: ")
            assert meters.last(bound) < killed + 0.1

            nodes.start_again(1, "gateway-1")
            # It waits for no reload, but until Ray knows that the first node has died.
            meters.until_asked(time.monotonic(), PATIENCE, without={absent})
            values.until("m0", lambda found: found[-1].quality == "good")
            stayed = [meters.connections(each) for each in range(12)]
            reload(command)
            meters.until_asked(time.monotonic(), PATIENCE, without={absent})
            after = [meters.connections(each) for each in range(12)]
            back = {each for each in range(12) if after[each] != stayed[each]}
            assert back
            assert command.interrupt() == 130
            assert re.fullmatch(
                r"node gateway-9: it is not in the cluster; the lines wait for it, 1 device\n"
                r"(node \S+ \(\w+\): it does not answer; another node takes over its lines, "
                r"\d devices\n"
                r"|node gateway-1: it does not answer; the lines wait for it, 1 device\n"
                r"|node \S+( \S+)* \(\w+\): \d devices? read again\n){4,}"
                r"The plant file was read again: 12 devices as before.\n",
                command.text,
            ), command.text
        assert meters.longest_overlap(1.2) < TWICE
        for number in set(range(12)) - {absent}:
            good = [
                int(str(each.value)) for each in values.of(f"m{number}") if each.quality == "good"
            ]
            assert good == sorted(set(good))  # in order, and none twice


@pytest.mark.long
def test_a_node_that_hangs_is_given_up(tmp_path: Path, nodes: RayNodes) -> None:
    """Its connections stay open, as after a power cut; when it goes on, it reads nothing more."""
    with LoggedMeters(6) as meters:
        file, _ = poller(tmp_path, meters.plant("500ms"), nodes.address)
        with polling(file, nodes) as command:
            meters.until_asked(0.0, PATIENCE)
            frozen = time.monotonic()
            nodes.freeze(2)
            assert meters.until_asked(frozen + 0.1, PATIENCE) < READ_AGAIN
            nodes.thaw(2)
            reload(command)
            meters.until_asked(time.monotonic(), PATIENCE)
            command.child.kill()
            killed = time.monotonic()
            command.child.wait(PATIENCE)
        # Nobody has told the actors: they end by themselves.
        give_up = time.monotonic() + PATIENCE
        while nodes.actors():
            assert time.monotonic() < give_up
            time.sleep(0.1)
        assert max(meters.last(each) for each in range(6)) < killed + TWICE
        assert meters.longest_overlap(1.2) < TWICE


@pytest.mark.long
def test_once_and_no_cluster(tmp_path: Path, nodes: RayNodes) -> None:
    with LoggedMeters(4) as meters:
        file, values = poller(tmp_path, meters.plant("1s"), nodes.address)
        result = process("poll", file, "--once", "--ray", "auto", RAY_ADDRESS=nodes.address)
        assert (result.out, result.err, result.code) == ("", "", 0)
        assert [values.of(f"m{each}") for each in range(4)] == [[(1, "good", "")]] * 4
        for address, said in (
            ("127.0.0.1:1", "there is no Ray cluster at 127.0.0.1:1: Connection refused"),
            ("ray://x:1", "--ray must be auto or HOST:PORT of the head node, got 'ray://x:1'"),
        ):
            result = process("poll", file, "--ray", address)
            assert (result.out, result.err) == ("", f"modwire: {said}\n")
            assert result.code in (1, 2)


@pytest.mark.long
@pytest.mark.skipif(not FULL, reason="takes a minute; MODWIRE_FULL=1 runs it")
def test_300_devices_and_three_nodes(tmp_path: Path, nodes: RayNodes) -> None:
    """Killed twice: a node that others rely on, and then one that has taken over."""
    with LoggedMeters(300) as meters:
        file, values = poller(tmp_path, meters.plant("1s"), nodes.address)
        with polling(file, nodes) as command:
            meters.until_asked(0.0, PATIENCE)
            for number in (1, 2):
                before = [meters.connections(each) for each in range(300)]
                killed = time.monotonic()
                nodes.kill(number)
                assert meters.until_asked(killed + 0.1, PATIENCE) < READ_AGAIN
                again = [meters.connections(each) for each in range(300)]
                moved = [each for each in range(300) if again[each] != before[each]]
                assert len(moved) >= 100
                nodes.start_again(number, f"gateway-{number}")
                reload(command)
                meters.until_asked(time.monotonic(), PATIENCE)
                after = [meters.connections(each) for each in range(300)]
                back = [each for each in range(300) if after[each] != again[each]]
                assert 90 <= len(back) <= 110
                command.text = ""
            assert command.interrupt() == 130
        assert meters.longest_overlap(2.5) < TWICE
        for number in range(300):
            good = [
                int(str(each.value)) for each in values.of(f"m{number}") if each.quality == "good"
            ]
            assert good == sorted(set(good))


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    file = tmp_path / "plant.toml"
    file.write_text(
        '[[device]]\nname = "m"\nendpoint = "tcp://127.0.0.1:1"\ninterval = "1s"\n'
        'point = [{ name = "p", at = "hr:0" }]\n'
    )
    # Without --ray, nothing asks for it.
    result = modwire("poll", file, "--once")
    assert result.err == "modwire: m: no connection: Connection refused\n"
    result = modwire("poll", file, "--ray", "auto")
    said = 'modwire: modwire poll --ray needs more packages: pip install "modwire-tools[cluster]"\n'
    assert (result.out, result.err, result.code) == ("", said, 1)
