"""Errors of the system get advice about what they are about: a port, an address or a file."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from modwire_command import COMMAND, PATIENCE, Result, modwire
from modwire_tools.system_advice import system_advice
from peers import PtyPeer

has_ptys = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
NO_RIGHTS = "-dac_override,-dac_read_search,-net_bind_service"


@pytest.fixture
def port() -> str:
    """A port that nobody may open; opening it is refused as for a user outside the group."""
    return "/dev/ttyUSB77"


@pytest.fixture
def refused(port: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that sets the error of opening the port."""

    def refuse(number: int) -> None:
        opened = os.open

        def fail(path: object, *arguments: int, **more: int) -> int:
            if path == port:
                raise OSError(number, os.strerror(number), port)
            return opened(path, *arguments, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "open", fail)

    return refuse


LINES = [
    ("read", "rtu://PORT", "hr:0"),
    ("write", "rtu://PORT", "hr:0=1"),
    ("scan", "rtu://PORT"),
    ("scan", "rtu://PORT", "--table", "hr"),
    ("bench", "rtu://PORT"),
    ("scrape", "rtu://PORT", "-o", "FOLDER/copy.toml"),
    ("serve", "rtu://PORT"),
    ("gateway", "tcp://127.0.0.1:0", "rtu://PORT"),
    ("gateway", "rtu://PORT", "tcp://127.0.0.1:1"),
    ("simulate", "--serial", "PORT"),
    ("sniff", "rtu://PORT"),
]
REASONS = {
    errno.EACCES: "`sudo usermod -aG dialout $USER`, then log in again",
    errno.ENOENT: "is the adapter plugged in, and its name right? `modwire ports` lists ports",
    errno.EBUSY: "another program has the port open (`fuser -v /dev/ttyUSB77` names it)",
}


@pytest.mark.parametrize("number", REASONS)
@pytest.mark.parametrize("words", LINES, ids=[" ".join(each) for each in LINES])
def test_every_command_explains_a_serial_port(
    words: tuple[str, ...],
    number: int,
    port: str,
    refused: Callable[[int], None],
    tmp_path: Path,
) -> None:
    refused(number)
    result = modwire(
        *(each.replace("PORT", port).replace("FOLDER", str(tmp_path)) for each in words)
    )
    assert (result.out, result.code) == ("", 1)
    assert result.err.startswith(f"modwire: rtu://{port}: ")
    assert result.err.count("\n") == 1, "it is one line"
    assert result.err.count(os.strerror(number)) == 1, "nothing is said twice"
    assert "[Errno" not in result.err
    assert result.err.endswith(
        f"; {'you may not open the port: ' * (number == errno.EACCES)}{REASONS[number]}\n"
    )


@has_ptys
def test_a_port_that_another_program_has_is_said() -> None:
    from modwire import Unit, Units
    from modwire_sync import SerialServer

    peer = PtyPeer()
    try:
        with SerialServer(Units({1: Unit()}), peer.path):
            for words in (("read", f"rtu://{peer.path}", "hr:0"), ("serve", f"rtu://{peer.path}")):
                result = modwire(*words)
                assert result.code == 1
                assert "another program has the port open (`fuser -v /dev/pts/" in result.err
    finally:
        peer.close()


def test_a_file_that_is_no_port_is_said(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    result = modwire("read", f"rtu://{tmp_path}/notes", "hr:0")
    assert "it is no serial port: `modwire ports` lists those of this machine" in result.err


# Addresses.

LISTENERS = [
    ("serve", "tcp://PLACE"),
    ("gateway", "tcp://PLACE", "tcp://127.0.0.1:1"),
    ("simulate", "--tcp", "PLACE"),
]


@pytest.mark.parametrize("words", LISTENERS, ids=[each[0] for each in LISTENERS])
def test_a_port_in_use_is_explained(words: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        result = modwire(*(each.replace("PLACE", f"127.0.0.1:{number}") for each in words))
    assert (result.out, result.code) == ("", 1)
    assert result.err.startswith(f"modwire: tcp://127.0.0.1:{number}: cannot listen on ")
    assert "another program listens there already" in result.err
    assert f"'sport = :{number}'" in result.err
    assert "permission" not in result.err


@pytest.mark.parametrize("words", LISTENERS, ids=[each[0] for each in LISTENERS])
def test_an_address_of_another_machine_is_explained(words: tuple[str, ...]) -> None:
    result = modwire(*(each.replace("PLACE", "192.0.2.7:5020") for each in words))
    assert result.code == 1
    assert "take 127.0.0.1 for this machine alone, or tcp://:5020 for all its" in result.err


@pytest.mark.parametrize(
    "words",
    [
        ("read", "tcp://no-such-host.invalid", "hr:0"),
        ("write", "udp://no-such-host.invalid", "hr:0=1"),
        ("bench", "tcp://no-such-host.invalid"),
        ("serve", "tcp://no-such-host.invalid:5020"),
    ],
)
def test_a_name_that_nobody_knows_is_explained(words: tuple[str, ...]) -> None:
    result = modwire(*words)
    assert result.code == 1
    assert "no-such-host.invalid:" in result.err
    assert "no such name is known: check its spelling, or take the IP address" in result.err
    assert "Errno" not in result.err


# Files.


def without_rights(*arguments: object) -> Result:
    """Run the command as a user without special rights: tests often run as root."""
    prefix: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is missing, and root may write everywhere")
        prefix = ["setpriv", f"--bounding-set={NO_RIGHTS}"]
    ended = subprocess.run(
        [*prefix, *COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return Result(ended.stdout, ended.stderr, ended.returncode)


@pytest.fixture
def read_only(tmp_path: Path) -> Path:
    """A folder in which no file can be made."""
    folder = tmp_path / "archive"
    folder.mkdir()
    folder.chmod(0o555)
    return folder


@pytest.mark.skipif(os.name != "posix", reason="its permissions are those of POSIX")
@pytest.mark.parametrize(
    ("words", "file"),
    [
        (("scrape", "tcp://127.0.0.1:1", "-o", "FOLDER/meter.toml"), "FOLDER/meter.toml"),
        (("scan", "tcp://127.0.0.1:1", "--resume", "FOLDER/scan.json"), "FOLDER/scan.json"),
        (("sniff", "/dev/null", "-o", "FOLDER/bus.pcap"), "FOLDER/bus.pcap"),
        (
            ("serve", "tcp://127.0.0.1:0", "--store", "sqlite:///FOLDER/plant.db"),
            "FOLDER/plant.db",
        ),
    ],
    ids=["scrape", "scan", "sniff", "serve"],
)
def test_a_folder_without_permission_is_said_before_anything_is_done(
    words: tuple[str, ...], file: str, read_only: Path
) -> None:
    """Nothing listens at the endpoints: the folder is looked at first."""
    result = without_rights(*(each.replace("FOLDER", str(read_only)) for each in words))
    assert (result.out, result.code) == ("", 1)
    place = file.replace("FOLDER", str(read_only))
    assert f"cannot write {place}: Permission denied; you may not write there" in result.err
    assert "port" not in result.err
    assert list(read_only.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="its permissions are those of POSIX")
def test_a_file_of_another_user_is_said(tmp_path: Path) -> None:
    path = tmp_path / "meter.toml"
    path.touch()
    path.chmod(0)
    for words in (
        ("simulate", path),
        ("read", "tcp://127.0.0.1:1", "hr:0", "--device", path),
        ("parse", path),
        ("sniff", path),
    ):
        result = without_rights(*words)
        assert (result.out, result.code) == ("", 1), words
        assert f"{path}: Permission denied; it belongs to another user" in result.err


@pytest.mark.skipif(os.name != "posix", reason="ports below 1024 need no permission elsewhere")
def test_a_port_below_1024_is_explained() -> None:
    limit = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if limit.exists() and int(limit.read_text()) <= 502:
        pytest.skip("this system lets everybody listen at port 502")
    result = without_rights("serve", "tcp://127.0.0.1:502")
    assert result.code == 1
    assert "ports below 1024 need permission: take a port such as 5020" in result.err


def test_advice_is_about_what_failed() -> None:
    """Each kind of place has its own words for the same error of the system."""
    denied = "cannot be opened: Permission denied"
    assert "usermod" in system_advice(f"rtu:///dev/no-such-port: {denied}")
    assert "usermod" in system_advice(f"ascii:///dev/no-such-port?baudrate=9600: {denied}")
    assert "below 1024" in system_advice("tcp://:502: cannot listen on port 502: Permission denied")
    assert "below 1024" in system_advice("rtu+tcp://:502: cannot listen: Permission denied")
    assert "another user" in system_advice("unix:///run/a.sock: Permission denied")
    assert "another folder" in system_advice("cannot write /a/b.toml: Read-only file system")
    assert "adapter" in system_advice("rtu:///dev/x: cannot be opened: No such file or directory")
    assert "adapter" not in system_advice("unix:///x: cannot be opened: No such file or directory")
    assert system_advice("something else") == ""


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("sqlite://plant.db", "has two slashes, and a file needs three: sqlite:///plant.db"),
        ("sqlite://my plant.db", 'a file needs three: "sqlite:///my plant.db"'),
        ("sqlite://", "sqlite needs a file, as in sqlite:///plant.db"),
        ("sqlite:///:memory:", "without --store, the values are in memory"),
        ("plant.db", "did you mean sqlite:///plant.db?"),
        ("sqlite:plant.db", "did you mean sqlite:///plant.db?"),
        ("/var/lib/plant.sqlite3", "did you mean sqlite:////var/lib/plant.sqlite3?"),
        ("postgres://me:secret@host/plant", "did you mean"),
    ],
)
def test_a_store_that_is_written_wrong_gets_the_right_form(store: str, said: str) -> None:
    result = modwire("serve", "tcp://127.0.0.1:0", "--store", store)
    assert (result.out, result.code) == ("", 2)
    assert said in result.err
    assert "Block" not in result.err
    assert "secret" not in result.err
