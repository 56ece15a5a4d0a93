"""Services of systemd: sockets that are passed to the command, and the message that it serves."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from activation import activated, listener
from modwire import Endpoint, SequentialBlock, ServerOptions, TcpFraming, Unit, Units
from modwire_command import modwire
from modwire_sync import TcpServer, connect
from modwire_tools.server.systemd import InheritedSockets, tell_manager
from modwire_trio.servers.tcp import serve_sockets
from page_requests import ask

if TYPE_CHECKING:
    from ..conftest import RequirePeer

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name != "posix", reason="only Unix passes sockets by descriptors"),
]

UNITS = Path(__file__).parents[2] / "systemd"
PATIENCE = 60.0
OPEN = "?timeout=60"


@contextmanager
def manager(path: Path) -> Iterator[socket.socket]:
    """The socket of the service manager, which hears when the service is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(path))
        found.settimeout(PATIENCE)
        yield found


def port_of(found: socket.socket) -> int:
    return int(found.getsockname()[1])


def test_a_server_on_a_passed_socket(tmp_path: Path) -> None:
    """A client that comes before the service waits, and is answered."""
    with listener() as passed, manager(tmp_path / "notify") as notified:
        endpoint = f"tcp://127.0.0.1:{port_of(passed)}"
        with (
            connect(endpoint + OPEN) as early,
            activated(
                [passed],
                "serve",
                endpoint,
                "--set",
                "hr:3=33",
                NOTIFY_SOCKET=str(tmp_path / "notify"),
            ) as server,
        ):
            assert notified.recv(100) == b"READY=1"
            server.read_until(f"serves {endpoint}: ")
            assert early.read_holding_registers(3) == [33]
            with connect(endpoint + OPEN) as other:
                other.write_register(3, 34)
            assert early.read_holding_registers(3) == [34]
            server.child.terminate()
            assert server.wait() == 0
            assert "Traceback" not in server.text
        # The port is still that of the service manager, which starts the service again.
        with activated([passed], "serve", endpoint), connect(endpoint + OPEN) as client:
            assert client.read_holding_registers(3) == [0]


def test_several_sockets_with_other_endpoints(tmp_path: Path) -> None:
    path = tmp_path / "plant.sock"
    with ExitStack() as stack:
        first, second = stack.enter_context(listener()), stack.enter_context(listener())
        third = stack.enter_context(listener(path))
        serial = f"rtu+tcp://127.0.0.1:{port_of(second)}"
        endpoints = (f"unix://{path}", f"tcp://:{port_of(first)}", serial)
        arguments = ("serve", *endpoints, "udp://127.0.0.1:0", "-v")
        with activated([first, second, third], *arguments) as server:
            udp = server.read_until(r"udp://127.0.0.1:\d+")[0]
            for each in (f"tcp://127.0.0.1:{port_of(first)}", serial, f"unix://{path}", udp):
                with connect(f"{each}{OPEN}") as client:
                    client.write_register(1, 5)
                    assert client.read_holding_registers(1) == [5]
            server.read_until(r"127.0.0.1:\d+: unit 1: read 1 holding register from 1 -> 5")
            server.child.terminate()
            assert server.wait() == 0
        assert path.exists(), "the file belongs to the service manager"


def test_a_gateway_on_a_passed_socket() -> None:
    device = Unit(holding_registers=SequentialBlock(0, [7]))
    with TcpServer(Units({17: device}), ("127.0.0.1", 0)) as behind, listener() as passed:
        endpoint = f"tcp://127.0.0.1:{port_of(passed)}"
        line = f"tcp://127.0.0.1:{behind.address[1]}{OPEN}"
        with activated([passed], "gateway", endpoint, line, "--map", "1=17") as server:
            with connect(endpoint + OPEN) as client:
                assert client.read_holding_registers(0) == [7]
            server.child.terminate()
            assert server.wait() == 0


def test_a_simulated_device_on_a_passed_socket_is_stopped_and_started() -> None:
    with listener() as passed:
        place = f"127.0.0.1:{port_of(passed)}"
        with activated([passed], "simulate", "--tcp", place, "--web", "127.0.0.1:0") as server:
            page = int(server.read_until(r"Page: http://127.0.0.1:(\d+)/")[1])
            with connect(f"tcp://{place}{OPEN}") as client:
                assert len(client.read_input_registers(0, 3)) == 3
            assert ask(page, "POST", "/api/devices/0/stop", {}).status == 200
            assert ask(page, "POST", "/api/devices/0/start", {}).status == 200
            with connect(f"tcp://{place}{OPEN}") as client:
                assert len(client.read_input_registers(0, 3)) == 3
                assert ask(page, "GET", "/api/connections").json[0]["peer"].startswith("127.0.0.1:")  # type: ignore[index]
            server.child.terminate()
            assert server.wait() == 0


@pytest.mark.parametrize("command", ["serve", "simulate"])
def test_a_socket_that_no_endpoint_names_is_an_error(command: str) -> None:
    """Its clients would connect, and wait for ever."""
    with listener() as passed, listener() as other:
        place = f"127.0.0.1:{port_of(passed)}"
        arguments = ["serve", f"tcp://{place}"] if command == "serve" else [command, "--tcp", place]
        with activated([passed, other], *arguments) as server:
            assert server.wait() == 1
            assert server.text == (
                f"modwire: the service manager has passed a socket at 127.0.0.1:{port_of(other)}, "
                "but no endpoint is there\n"
            )


def test_descriptors_that_are_no_listening_sockets() -> None:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one, two = socket.socketpair()
    with datagrams, one, two:
        for wrong in (datagrams, one):
            with activated([wrong], "serve", "tcp://127.0.0.1:0") as server:
                assert server.wait() == 1
                assert server.text == (
                    "modwire: LISTEN_FDS: descriptor 3 must listen for connections: ListenStream= "
                    "with Accept=no\n"
                )


def test_processes_cannot_share_a_passed_socket(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'plant.db'}"
    with listener() as passed:
        endpoint = f"tcp://127.0.0.1:{port_of(passed)}"
        arguments = ("serve", endpoint, "--store", store, "--processes", "2")
        with activated([passed], *arguments) as server:
            assert server.wait() == 1
            assert "--processes cannot share the sockets" in server.text


def test_variables_for_another_process_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that a service starts gets its environment, but not its sockets."""
    for pid, count in (("1", "1"), ("x", "1"), (str(os.getpid()), "x"), ("", "")):
        environment = {"LISTEN_PID": pid, "LISTEN_FDS": count}
        assert not InheritedSockets.from_environment(environment)
    assert not InheritedSockets.from_environment({})
    monkeypatch.setenv("LISTEN_PID", "1")
    monkeypatch.setenv("LISTEN_FDS", "3")
    assert modwire("serve", "rtu:///dev/not-there").code == 1


def test_the_variables_are_removed_and_the_sockets_not_passed_on() -> None:
    with listener() as passed:
        number = os.dup(passed.fileno())
        os.set_inheritable(number, True)
        environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "OTHER": "x"}
        found = InheritedSockets.from_environment(environment, number)
        assert environment == {"OTHER": "x"}
        assert not os.get_inheritable(number)
        [taken] = found.take(Endpoint.parse(f"tcp://127.0.0.1:{port_of(passed)}"))
        found.check_taken()
        taken.close()


@pytest.mark.parametrize(
    ("host", "wanted", "is_taken"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("0.0.0.0", "127.0.0.1", False),
        ("0.0.0.0", "0.0.0.0", True),
    ],
)
def test_the_endpoint_that_gets_a_socket(host: str, wanted: str, is_taken: bool) -> None:
    with socket.create_server((host, 0)) as passed:
        found = InheritedSockets([passed])
        taken = found.take(Endpoint.parse(f"tcp://{wanted}:{port_of(passed)}"))
        assert taken == ([passed] if is_taken else [])
        assert found.take(Endpoint.parse(f"udp://{wanted}:{port_of(passed)}")) == []
        assert found.take(Endpoint.parse("tcp://127.0.0.1:1")) == []


def test_limits_hold_on_passed_sockets() -> None:
    """Networks, and the number of connections: the one that was idle longest is closed."""
    units = Units.single(Unit(coils=SequentialBlock(0, [1])))

    async def serve_and_try(passed: socket.socket, allow: list[str] | None) -> list[bool]:
        opened: list[object] = []
        answers: list[bool] = []
        async with trio.open_nursery() as nursery:

            async def serve(task_status: trio.TaskStatus[object]) -> None:
                await serve_sockets(
                    units,
                    [passed],
                    framing=TcpFraming,
                    options=ServerOptions(on_connect=opened.append),
                    max_connections=2,
                    allow=allow,
                    grace=1.0,
                    task_status=task_status,
                )

            address = await nursery.start(serve)
            assert address == ("127.0.0.1", port_of(passed))
            streams = []
            for number in range(3):
                stream = await trio.open_tcp_stream("127.0.0.1", port_of(passed))
                streams.append(stream)
                try:
                    await stream.send_all(bytes.fromhex("000100000006010100000001"))
                    answers.append(await stream.receive_some() != b"")
                except trio.BrokenResourceError:
                    answers.append(False)
                if answers[-1]:
                    assert len(opened) == number + 1
            if allow is None:
                assert await streams[0].receive_some() == b""
            for stream in streams:
                await stream.aclose()
            nursery.cancel_scope.cancel()
        return answers

    with listener() as passed:
        assert trio.run(serve_and_try, passed, None) == [True] * 3
        assert trio.run(serve_and_try, passed, ["192.0.2.0/24"]) == [False] * 3
        assert trio.run(serve_and_try, passed, ["127.0.0.0/8"][:0]) == [False] * 3


def test_the_manager_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with manager(tmp_path / "notify") as notified:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        tell_manager("READY=1")
        assert notified.recv(100) == b"READY=1"
    tell_manager("READY=1")  # it has gone; the service goes on
    if sys.platform == "linux":
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
            name = f"modwire-test-{os.getpid()}"
            abstract.bind(f"\0{name}")
            abstract.settimeout(PATIENCE)
            monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
            tell_manager("STATUS=x")
            assert abstract.recv(100) == b"STATUS=x"
    # As on Windows, where there are no such sockets.
    monkeypatch.delattr(socket, "AF_UNIX")
    tell_manager("READY=1")


# The files of the units.


def settings(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


POLLER = UNITS / "modwire-poll.service"
SERVICES = sorted(set(UNITS.glob("*.service")) - {POLLER})


def test_there_is_a_socket_for_each_service() -> None:
    assert len(SERVICES) == 3
    metrics = {settings(each)["Environment"] for each in SERVICES}
    assert len(metrics) == 3, "all may run on one machine"


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.stem)
def test_the_command_of_a_service_serves_at_its_socket(service: Path, tmp_path: Path) -> None:
    """Run the command of the unit, with another port and its socket."""
    found = settings(service)
    assert found["Type"] == "notify"
    program, *arguments = shlex.split(found["ExecStart"])
    assert program == "/opt/modwire/bin/modwire"
    port = settings(service.with_suffix(".socket"))["ListenStream"]
    assert f":{port}" in found["ExecStart"]
    with ExitStack() as stack:
        behind = stack.enter_context(TcpServer(Units({1: Unit()}), ("127.0.0.1", 0)))
        passed = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
        changed = {
            f":{port}": f":{port_of(passed)}",
            "rtu:///dev/ttyUSB0?baudrate=9600": f"tcp://127.0.0.1:{behind.address[1]}",
            "/var/lib/modwire-serve": str(tmp_path),
            ":8080": ":0",
        }
        for old, new in changed.items():
            arguments = [each.replace(old, new) for each in arguments]
        notified = stack.enter_context(manager(tmp_path / "notify"))
        stack.enter_context(
            activated(
                [passed],
                *arguments,
                NOTIFY_SOCKET=str(tmp_path / "notify"),
                MODWIRE_METRICS="127.0.0.1:0",
            )
        )
        assert notified.recv(100) == b"READY=1"
        with connect(f"tcp://127.0.0.1:{port_of(passed)}{OPEN}") as client:
            with_answer = re.compile("exception|Response|bool|list")
            try:
                answer: object = client.read_coils(0)
            except Exception as error:  # noqa: BLE001 - the unit behind the gateway has no coils
                answer = error
            assert with_answer.search(f"{type(answer).__name__} {answer}")


def test_systemd_finds_no_mistake_in_the_units(require_peer: RequirePeer, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    require_peer("systemd-analyze", program is not None, "apt-get install systemd")
    for path in UNITS.glob("modwire-*"):
        text = path.read_text(encoding="utf-8")
        # The check wants a program that is there.
        changed = text.replace("/opt/modwire/bin/modwire", sys.executable)
        (tmp_path / path.name).write_text(changed, encoding="utf-8")
    done = subprocess.run(
        [str(program), "verify", *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    # Older versions of systemd do not look for manual pages.
    complaints = [line for line in done.stderr.splitlines() if "modwire" in line]
    assert (complaints, done.returncode) == ([], 0)
