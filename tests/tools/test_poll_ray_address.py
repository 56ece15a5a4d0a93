"""`modwire poll --ray` with an address where no head of a Ray cluster is: an error, at once.

Ray itself would wait for a minute there, and take no signal. It is not needed for these tests.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from modwire_command import modwire
from modwire_tools.poll.cluster import ray_cluster

PLANT = """
interval = "1s"
[[device]]
name = "m"
endpoint = "tcp://127.0.0.1:1"
point = [{ name = "p", at = "hr:0" }]
"""
NO_HEAD = "is not the head of a Ray cluster: another program listens there"
SILENT = "takes connections, but does not answer as a Ray head"


@pytest.fixture
def polled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, int]]:
    """Return what the command says of an address, and its exit code."""
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    monkeypatch.delenv("RAY_USE_TLS", raising=False)
    file = tmp_path / "plant.toml"
    file.write_text(PLANT)

    def poll(address: str) -> tuple[str, int]:
        result = modwire("poll", file, "--ray", address)
        assert result.out == ""
        return result.err, result.code

    return poll


@pytest.mark.parametrize("address", ["", ":", "x", "x:0", "x:65536", "ray://x:1", "local", ":1"])
def test_what_is_no_address(polled: Callable[[str], tuple[str, int]], address: str) -> None:
    said = f"modwire: --ray must be auto or HOST:PORT of the head node, got {address!r}\n"
    assert polled(address) == (said, 2)


def test_a_name_that_cannot_be_one(polled: Callable[[str], tuple[str, int]]) -> None:
    said, code = polled(f"{'x' * 64}:1")
    assert said.startswith(f"modwire: there is no Ray cluster at {'x' * 64}:1: ")
    assert code == 1


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0"])
def test_another_program(polled: Callable[[str], tuple[str, int]], answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as peer:
                peer.recv(100)
                peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert polled(address) == (f"modwire: {address} {NO_HEAD}\n", 1)
        thread.join()


def test_a_program_that_does_not_answer(
    polled: Callable[[str], tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "_CONNECTING", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert polled(address) == (f"modwire: {address} {SILENT}\n", 1)
