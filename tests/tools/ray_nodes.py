"""`RayNodes`: a Ray cluster of several nodes on this machine, for tests and benchmarks.

A node is a process of Ray, its raylet, with children: the actors. All are at 127.0.0.1.
"""

from __future__ import annotations

import os
import signal
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

# Nothing is sent anywhere, and Ray takes 127.0.0.1 as the address of each node.
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_MEMORY = 80 * 2**20  # bytes, the least that Ray takes
_PATIENCE = 60.0  # seconds


class RayNodes:
    """A cluster; its nodes are numbered, the first one is the head, where pollers join.

    `names` has the name of each node, by which plant files may call it.
    """

    def __init__(self, *names: str) -> None:
        self._former = {name: os.environ.get(name) for name in _ENVIRONMENT}
        os.environ.update(_ENVIRONMENT)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of Ray's imports
            from ray.cluster_utils import Cluster

            # The paths of sockets may have 107 characters.
            self._folder = tempfile.TemporaryDirectory(
                prefix="ray", dir="/tmp", ignore_cleanup_errors=True
            )
            self._cluster = Cluster()
            self._raylets = [self._add(each) for each in names]
        self.address = str(self._cluster.address)

    def _add(self, name: str) -> int:
        """Start a node; return the id of the process that has all its others."""
        given: dict[str, Any] = {
            "num_cpus": 1,
            "object_store_memory": _MEMORY,
            "resources": {name: 1},
            "node_ip_address": "127.0.0.1",
        }
        if not self._cluster.list_all_nodes():
            given |= {"include_dashboard": False, "temp_dir": self._folder.name}
        node = self._cluster.add_node(**given)
        return int(node.all_processes["raylet"][0].process.pid)

    def __enter__(self) -> RayNodes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: object, traceback: TracebackType | None
    ) -> None:
        for number in range(len(self._raylets)):
            self.thaw(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._cluster.shutdown()
        self._folder.cleanup()
        for name, value in self._former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

    def kill(self, number: int) -> None:
        """End a node and all that runs on it at once, as a power cut does."""
        self._signal(number, signal.SIGKILL)

    def freeze(self, number: int) -> None:
        """Stop a node and all that runs on it: its connections stay, and nothing answers."""
        self._signal(number, signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """Let a stopped node go on."""
        self._signal(number, signal.SIGCONT)

    def actors(self) -> list[int]:
        """Return the ids of the processes of actors, on all nodes."""
        found: list[int] = []
        for raylet in self._raylets:
            for process in _family(raylet):
                with suppress(OSError):
                    if b"LineActor" in Path(f"/proc/{process}/cmdline").read_bytes():
                        found.append(process)
        return found

    def _signal(self, number: int, sent: signal.Signals) -> None:
        for process in _family(self._raylets[number]):
            with suppress(ProcessLookupError):
                os.kill(process, sent)

    def start_again(self, number: int, name: str) -> None:
        """Start a node in place of one that was killed."""
        self._raylets[number] = self._add(name)


def _family(process: int) -> list[int]:
    """Return the ids of a process and of all its children, and their children."""
    parents: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(file.parent.name))
    found = [process]
    for each in found:
        found += parents.get(each, [])
    return found
