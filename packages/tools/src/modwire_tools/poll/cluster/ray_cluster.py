"""`join`: joins a Ray cluster; nothing else here or anywhere imports Ray."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from ...extras import extra
from ...simulator.file_limit import raise_file_limit
from .line_actor import LineActor
from .nodes import LostError, Node

AUTO = "auto"
_CONNECTING = 5.0  # seconds
# The head speaks gRPC, so HTTP/2: the preface of a client, with an empty SETTINGS frame, is
# answered with a SETTINGS frame (RFC 9113, 3.4).
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
_FRAME_HEADER = 9  # bytes
_SETTINGS = 4  # the type of a frame, in its fourth byte


class RayLineActor(LineActor):
    """A `LineActor` that Ray starts."""

    def __init__(self) -> None:
        raise_file_limit()  # each TCP device has a connection
        super().__init__(import_module("ray").get_runtime_context().get_node_id())


class RayCluster:
    """The cluster that this process has joined."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        # Without any resource, Ray would let a random node start the actor, perhaps one that has
        # just died. A byte is one that each node has.
        self._actor_class = ray.remote(num_cpus=0, memory=1, max_restarts=-1)(RayLineActor)
        self.here: str = ray.get_runtime_context().get_node_id()
        self._addresses: dict[str, str] = {}

    def nodes(self) -> Sequence[Node]:
        """Return the nodes that are alive, as far as Ray knows."""
        found = [
            Node(each["NodeID"], each["NodeManagerAddress"], frozenset(each["Resources"]))
            for each in self._ray.nodes()
            if each["Alive"]
        ]
        self._addresses.update((each.id, each.address) for each in found)
        return found

    def address(self, node: str) -> str:
        """Return the address of a node, with the beginning of its id: two may share one."""
        return f"{self._addresses.get(node, 'of a new address')} ({node[:8]})"

    def start(self, node: str, name: str) -> RayActor:
        """Start an actor on a node that has the resource `name`, or else preferably on `node`."""
        if name:
            options: dict[str, object] = {"resources": {name: 0.0001}}
        else:
            strategies = import_module("ray.util.scheduling_strategies")
            strategy = strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=True)
            options = {"scheduling_strategy": strategy}
        return RayActor(self._ray, self._actor_class.options(**options).remote())

    def leave(self) -> None:
        """Leave the cluster; Ray ends all actors."""
        self._ray.shutdown()


class RayActor:
    """The handle of an actor."""

    def __init__(self, ray: Any, handle: Any) -> None:
        self._ray = ray
        self._errors = import_module("ray.exceptions")
        self._handle = handle

    async def call(self, method: str, *args: object) -> Any:
        """Return what a method returns. Raises LostError, and an error of the method."""
        try:
            return await getattr(self._handle, method).remote(*args)
        except self._errors.RayTaskError:
            raise
        except self._errors.RayError as error:
            is_final = isinstance(error, self._errors.ActorDiedError)
            reason = _reason(error) if is_final else "it does not answer"
            raise LostError(reason, is_final=is_final) from None

    def end(self) -> None:
        """End the actor; a node that cannot be reached ends it later."""
        self._ray.kill(self._handle, no_restart=True)


def _reason(error: Exception) -> str:
    """Return the line that says why; Ray writes many."""
    lines = [each.strip() for each in str(error).splitlines() if each.strip()]
    failed = [each for each in lines if "ModuleNotFoundError" in each or "ImportError" in each]
    return (failed or lines or [type(error).__name__])[-1 if failed else 0].rstrip(".")


def join(address: str) -> RayCluster:
    """Join the cluster at HOST:PORT of its head, or with "auto" the one that this machine is in.

    Raises ImportError if Ray is not installed, ValueError for a wrong address, OSError if there is
    no cluster.
    """
    # Ray sends statistics to its makers by default. Who wants that sets it to 1.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with extra("cluster", "modwire poll --ray"):
        ray = import_module("ray")
    if address != AUTO:
        _look_for(address)
    try:
        ray.init(
            address=address, log_to_driver=False, logging_level="CRITICAL", configure_logging=False
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise OSError(f"cannot join the Ray cluster {address!r}: {_reason(error)}") from None
    # Ray prints what its nodes report on standard output, where values may go.
    vars(import_module("ray._private.worker"))["_worker_logs_enabled"] = False
    return RayCluster(ray)


def _look_for(address: str) -> None:
    """Raise ValueError or OSError if no head answers at the address.

    Ray would wait much longer, and take no signal meanwhile.
    """
    host, _, port = address.rpartition(":")
    if not host or "/" in address or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"--ray must be auto or HOST:PORT of the head node, got {address!r}")
    try:
        connection = socket.create_connection((host.strip("[]"), int(port)), _CONNECTING)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OSError(f"there is no Ray cluster at {address}: {reason}") from None
    with connection:
        if os.environ.get("RAY_USE_TLS", "0").lower() not in ("1", "true"):
            _greet(connection, address)


def _greet(connection: socket.socket, address: str) -> None:
    """Raise OSError if the other end does not speak HTTP/2."""
    answer = b""
    until = time.monotonic() + _CONNECTING
    try:
        connection.sendall(_PREFACE)
        while len(answer) < _FRAME_HEADER:
            connection.settimeout(max(until - time.monotonic(), 0.001))
            received = connection.recv(_FRAME_HEADER - len(answer))
            if not received:
                break
            answer += received
    except TimeoutError:
        raise OSError(f"{address} takes connections, but does not answer as a Ray head") from None
    except OSError:
        answer = b""
    if len(answer) < _FRAME_HEADER or answer[3] != _SETTINGS:
        raise OSError(f"{address} is not the head of a Ray cluster: another program listens there")
