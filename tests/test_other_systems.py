"""Code for Windows, macOS and other systems, on a system that a test imitates.

An imitation replaces a module's own name for `os`, `sys` or another module, so that nothing else
notices it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import serial
import trio

import modwire_asyncio.links
import modwire_asyncio.serial_link
import modwire_gevent.serial_link
import modwire_sync.links
import modwire_sync.ports
import modwire_sync.sockets
import modwire_tools.cli.page
import modwire_tools.cli.sniff
import modwire_tools.demo.simulation
import modwire_tools.pasting
import modwire_tools.replacing
import modwire_tools.simulator.file_limit
import modwire_tools.web.serving
import modwire_trio.serial_link
from modwire import ConnectionLostError, RtuFraming, Unit, Units
from modwire.forks import forget_after_fork
from modwire.serial_settings import SerialSettings
from modwire.server.constructors import Listening
from modwire_sync import TcpServer
from modwire_tools.cli import ending

SETTINGS = SerialSettings(RtuFraming, baudrate=9600)


def imitate(module: ModuleType, *missing: str, **changes: object) -> SimpleNamespace:
    """Return `module` as on another system: with `changes`, and without the `missing` names."""
    found = {key: each for key, each in vars(module).items() if key not in missing}
    return SimpleNamespace(**{**found, **changes})


WINDOWS = imitate(sys, platform="win32")
WINDOWS_OS = imitate(os, "fchmod", "openpty", "register_at_fork", "O_NOFOLLOW", name="nt")


# Sockets.


def test_a_port_on_windows_cannot_be_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """There SO_REUSEADDR would allow it, and SO_EXCLUSIVEADDRUSE forbids it."""
    # Another option stands for the one that this system does not have.
    windows = imitate(socket, SO_EXCLUSIVEADDRUSE=socket.SO_KEEPALIVE)
    for module in (modwire_sync.sockets, modwire_tools.web.serving):
        monkeypatch.setattr(module, "sys", WINDOWS)
        monkeypatch.setattr(module, "socket", windows)
    asked = Listening(("127.0.0.1", 0), reuse_port=False)
    [bound] = modwire_sync.sockets.bind(asked, socket.SOCK_STREAM)
    found = trio.run(modwire_tools.web.serving._listen, "127.0.0.1", 0)
    for each in (bound, *found):
        with each:
            assert each.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert not each.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_a_dead_peer_is_noticed_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP_KEEPALIVE is its name for TCP_KEEPIDLE; by default it would take two hours."""
    linux = ("TCP_KEEPIDLE", "TCP_USER_TIMEOUT")
    macos = imitate(socket, *linux, TCP_KEEPALIVE=0x10, TCP_KEEPINTVL=0x101, TCP_KEEPCNT=0x102)
    monkeypatch.setattr(modwire_sync.sockets, "socket", macos)
    options: dict[int, int] = {}

    class Peer:
        def setsockopt(self, level: int, option: int, value: int, /) -> None:
            if level == socket.IPPROTO_TCP:
                options[option] = value

    modwire_sync.sockets.notice_dead_peer(Peer())
    assert options == {0x10: 30, 0x101: 10, 0x102: 3}


def test_the_end_of_a_peer_is_seen_without_pollrdhup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modwire_sync.sockets, "_POLLRDHUP", 0)
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        with theirs:
            assert not modwire_sync.sockets.has_ended(ours)
        assert modwire_sync.sockets.has_ended(ours)


WITHOUT_POLL = imitate(select, "poll", "epoll")


def test_links_wait_without_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modwire_sync.links, "select", WITHOUT_POLL)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        is_readable = modwire_sync.links._waiting(ours, is_reading=True)
        has_room = modwire_sync.links._waiting(ours, is_reading=False)
        assert not is_readable(0)
        assert has_room(0)
        theirs.send(b"x")
        assert is_readable(60_000)


def test_asyncio_sees_bytes_without_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modwire_asyncio.links, "select", WITHOUT_POLL)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        is_readable = modwire_asyncio.links.readiness(ours.fileno())
        assert not is_readable()
        theirs.send(b"x")
        assert is_readable()


def test_a_system_without_unix_sockets_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(modwire_sync.sockets, "socket", imitate(socket, "AF_UNIX"))
    with pytest.raises(OSError, match="Unix sockets are not available on this system"):
        TcpServer(Units({1: Unit()}), str(tmp_path / "plant.sock"))


async def read_from(client: modwire_asyncio.UnixClient | modwire_trio.UnixClient) -> None:
    async with client:
        await client.read_coils(0)


UNIX_CLIENTS: dict[str, Callable[[], object]] = {
    "sync": lambda: modwire_sync.UnixClient("plant.sock").read_coils(0),
    "gevent": lambda: modwire_gevent.UnixClient("plant.sock").read_coils(0),
    "asyncio": lambda: asyncio.run(read_from(modwire_asyncio.UnixClient("plant.sock"))),
    "trio": lambda: trio.run(read_from, modwire_trio.UnixClient("plant.sock")),
}


@pytest.mark.parametrize("package", UNIX_CLIENTS)
def test_a_client_says_that_a_system_has_no_unix_sockets(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr(modwire_sync.sockets, "socket", imitate(socket, "AF_UNIX"))
    with pytest.raises(ConnectionLostError, match="Unix sockets are not available on this system"):
        UNIX_CLIENTS[package]()


def test_a_system_that_does_not_share_ports_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(modwire_sync.sockets, "socket", imitate(socket, "SO_REUSEPORT"))
    with pytest.raises(ValueError, match="reuse_port is not available on this system"):
        TcpServer(Units({1: Unit()}), ("127.0.0.1", 0), reuse_port=True)
    from modwire_command import modwire

    monkeypatch.delattr(socket, "SO_REUSEPORT", raising=False)
    store = f"sqlite:///{tmp_path / 'plant.db'}"
    result = modwire("serve", "tcp://127.0.0.1:0", "--store", store, "--processes", "2")
    assert result.code == 2
    assert result.err == "modwire: --processes must be 1: this system does not share ports\n"


def test_a_busy_port_is_not_taken_for_free_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modwire_tools.demo.simulation, "os", WINDOWS_OS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert modwire_tools.demo.simulation._free(taken.getsockname()[1]) == 0


# Processes and files.


def test_a_system_without_fork_needs_no_hook() -> None:
    class Holder:
        pass

    forget_after_fork(Holder(), pytest.fail, None)


class Limits:
    """The limits of a process on macOS: unlimited, but no more than OPEN_MAX can be set."""

    RLIMIT_NOFILE = 8
    RLIM_INFINITY = (1 << 63) - 1

    def __init__(self, soft: int, hard: int, most: int) -> None:
        self.limits = (soft, hard)
        self.most = most

    def getrlimit(self, kind: int) -> tuple[int, int]:
        assert kind == self.RLIMIT_NOFILE
        return self.limits

    def setrlimit(self, kind: int, limits: tuple[int, int]) -> None:
        assert kind == self.RLIMIT_NOFILE
        if limits[0] > self.most:
            raise ValueError("current limit exceeds maximum limit")
        self.limits = limits


@pytest.mark.parametrize(
    ("soft", "hard", "most", "raised"),
    [
        (256, Limits.RLIM_INFINITY, 10_240, 10_240),  # macOS
        (1024, 4096, 4096, 4096),  # Linux
        (1024, 1_048_576, 1_048_576, 1_048_576),
        (256, Limits.RLIM_INFINITY, 1 << 30, 1 << 20),
        (256, Limits.RLIM_INFINITY, 1000, 256),  # nothing can be done
        (4096, 4096, 4096, 4096),
        (Limits.RLIM_INFINITY, Limits.RLIM_INFINITY, 1 << 63, Limits.RLIM_INFINITY),
    ],
)
def test_the_limit_of_open_files_is_raised(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, most: int, raised: int
) -> None:
    """With 256 files, macOS would serve a hundred devices."""
    limits = Limits(soft, hard, most)
    monkeypatch.setitem(sys.modules, "resource", limits)
    modwire_tools.simulator.file_limit.raise_file_limit()
    assert limits.limits == (raised, hard)


def test_windows_has_no_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modwire_tools.simulator.file_limit, "sys", WINDOWS)
    monkeypatch.setitem(sys.modules, "resource", None)  # importing it would raise ImportError
    modwire_tools.simulator.file_limit.raise_file_limit()


def test_files_are_replaced_without_permissions_of_posix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(modwire_tools.replacing, "os", WINDOWS_OS)
    path = tmp_path / "meter.toml"
    for data in (b"one", b"two"):
        modwire_tools.replacing.replace_file(path, data)
        assert path.read_bytes() == data
    assert [*tmp_path.iterdir()] == [path]


def test_a_capture_is_created_without_o_nofollow(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(modwire_tools.cli.sniff, "os", WINDOWS_OS)
    path = tmp_path / "bus.pcap"
    with modwire_tools.cli.sniff._created(path) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


def test_windows_gives_no_advice_about_chmod(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "token"
    path.write_text("a-token-for-tests\n", encoding="utf-8")
    path.chmod(0o644)
    read = modwire_tools.cli.page._read_token
    assert read(path) == "a-token-for-tests"
    assert ("chmod 600" in capsys.readouterr().err) == (os.name == "posix")
    monkeypatch.setattr(modwire_tools.cli.page, "os", WINDOWS_OS)
    assert read(path) == "a-token-for-tests"
    assert capsys.readouterr().err == ""


def test_words_are_quoted_as_the_shell_of_the_system_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert modwire_tools.pasting.for_shell("a$b") == "'a$b'"
    monkeypatch.setattr(modwire_tools.pasting, "os", WINDOWS_OS)
    assert modwire_tools.pasting.for_shell("a$b") == '"a$b"'


# Serial ports.


def test_a_port_of_windows_has_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    """`select` takes no ports there: they are read in threads."""
    monkeypatch.setattr(modwire_sync.ports, "os", WINDOWS_OS)
    with serial.serial_for_url("loop://") as port:
        assert modwire_sync.ports.descriptor(port) is None


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_only_linux_counts_overruns(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(modwire_sync.ports, "sys", imitate(sys, platform=platform))
    assert modwire_sync.ports.count_overruns(-1) is None


def open_with_trio(port: str) -> None:
    async def main() -> None:
        await modwire_trio.serial_link.open_link(port, SETTINGS, rs485=None, exclusive=True)

    trio.run(main)


def open_with_asyncio(port: str) -> None:
    asyncio.run(modwire_asyncio.serial_link.open_link(port, SETTINGS, rs485=None, exclusive=True))


def open_with_gevent(port: str) -> None:
    modwire_gevent.serial_link.open_without_blocking(port, SETTINGS, rs485=None, exclusive=True)


@pytest.mark.parametrize(
    ("module", "function", "open_port"),
    [
        (modwire_trio.serial_link, "open_port", open_with_trio),
        (modwire_asyncio.serial_link, "open_aside", open_with_asyncio),
        (modwire_gevent.serial_link, "open_port", open_with_gevent),
    ],
    ids=["trio", "asyncio", "gevent"],
)
@pytest.mark.parametrize("name", ["nt", "posix"])
def test_writing_to_a_port_of_windows_does_not_block(
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    function: str,
    open_port: Callable[[str], None],
    name: str,
) -> None:
    """There a timeout of 0 returns at once; elsewhere nothing would be written."""
    asked: list[object] = []

    def refuse(*arguments: object, write_timeout: float, **options: object) -> None:
        asked.append(write_timeout)
        raise OSError(errno.ENOENT, "there is no such port")

    monkeypatch.setattr(module, function, refuse)
    monkeypatch.setattr(module, "os", imitate(os, name=name))
    with pytest.raises(OSError, match="there is no such port"):
        open_port("COM3")
    [limit] = asked
    assert (limit == 0) == (name == "nt")


# The command.


def test_a_reader_that_stops_is_known_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """There a pipe that nobody reads is an invalid argument, as a wrong file name is."""
    closed, wrong = OSError(errno.EINVAL, "Invalid argument"), OSError(errno.EINVAL, "it", "a:b")
    assert not ending._is_closed_pipe(closed)
    assert ending._is_closed_pipe(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    monkeypatch.setattr(ending, "os", WINDOWS_OS)
    assert ending._is_closed_pipe(closed)
    assert not ending._is_closed_pipe(wrong)
    assert not ending._is_closed_pipe(OSError(errno.ENOENT, "there is no such port"))


# The window.


def test_windows_is_told_that_the_window_scales_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tkinter", reason="Python has no Tk")
    from modwire_tools.gui import tk_window

    told: list[int] = []
    shcore = SimpleNamespace(SetProcessDpiAwareness=told.append)
    monkeypatch.setattr(tk_window, "sys", WINDOWS)
    monkeypatch.setitem(
        sys.modules, "ctypes", SimpleNamespace(windll=SimpleNamespace(shcore=shcore))
    )
    tk_window.prefer_sharp_text()
    assert told == [1]
    # Before Windows 8.1.
    monkeypatch.setitem(sys.modules, "ctypes", SimpleNamespace(windll=SimpleNamespace()))
    tk_window.prefer_sharp_text()


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_the_reason_for_no_window_fits_the_system(
    monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    from modwire_tools.gui import toolkits

    monkeypatch.setattr(toolkits, "sys", imitate(sys, platform=platform))
    monkeypatch.delenv("DISPLAY", raising=False)
    text = str(toolkits.NoDisplayError("no screen"))
    assert ("ssh -X" in text) == (platform == "linux")
