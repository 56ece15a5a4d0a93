"""Files that the commands read and write: compressed captures and bombs, links, odd terminals."""

from __future__ import annotations

import gzip
import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path

import pytest

from captures import pcap, pcapng
from conversations import capture
from modwire import SequentialBlock, Unit, Units
from modwire_command import COMMAND, PATIENCE, modwire, process
from modwire_sync import TcpServer
from modwire_tools.explain.capture import inflated
from modwire_tools.replacing import replace_file

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name == "nt", reason="links, pipes and limits of POSIX"),
]


@pytest.fixture
def endpoint() -> Iterator[str]:
    unit = Unit(holding_registers=SequentialBlock(0, [1, 2, 3]))
    with TcpServer(Units.single(unit), ("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.address[1]}"


# Compressed files.


@pytest.mark.parametrize("write", [pcap, pcapng])
def test_a_compressed_capture_reads_like_the_capture(tmp_path: Path, write: object) -> None:
    content = capture(write)  # type: ignore[arg-type]
    plain, packed = tmp_path / "it", tmp_path / "it.gz"
    plain.write_bytes(content)
    half = len(content) // 2
    packed.write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]) + bytes(100))
    wanted, found = modwire("parse", plain), modwire("parse", packed)
    assert (found.out, found.code) == (wanted.out, 0)
    ended = subprocess.run(
        [*COMMAND, "parse", "-"], input=packed.read_bytes(), capture_output=True, timeout=PATIENCE
    )
    assert ended.stdout.decode() == wanted.out


def test_a_compressed_log_of_messages_is_read(tmp_path: Path) -> None:
    path = tmp_path / "messages.txt.gz"
    path.write_bytes(gzip.compress(b"0103006b00037417\n"))
    assert "read 3 holding registers from 107" in modwire("parse", path).out


@pytest.mark.parametrize("damage", [lambda it: it[:-9], lambda it: it[:40] + bytes(9) + it[49:]])
def test_a_damaged_file_is_told_in_one_sentence(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "it.gz"
    path.write_bytes(damage(gzip.compress(capture(pcap))))  # type: ignore[operator]
    result = modwire("parse", path)
    assert result.code == 1
    assert "is cut off" in result.err or "is broken" in result.err


def test_messages_before_damage_are_read(tmp_path: Path) -> None:
    """zlib drops all that comes in one piece with the damage, here of the checksum at the end."""
    path = tmp_path / "messages.txt.gz"
    lines = b"".join(b"0103%04x00037417\n" % number for number in range(2000))
    packed = bytearray(gzip.compress(lines))
    packed[-6] ^= 0xFF
    path.write_bytes(packed)
    result = modwire("parse", path)
    assert result.code == 1
    assert "is broken, gunzip fails" in result.err
    assert "read 3 holding registers from 1999" in result.out


def test_padding_is_no_damage_in_any_piece() -> None:
    packed = gzip.compress(b"0103006b00037417\n") + bytes(200_000)
    for size in (2, 1000, 1 << 17):
        assert inflated(BufferedReader(BytesIO(packed), size), "it").read().startswith(b"0103")


def test_a_bomb_ends_soon_and_needs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pcap.gz"
    block = bytes(1 << 24)
    with gzip.open(path, "wb") as file:
        file.write(pcap([]))
        # Empty packets: 16 bytes each, for as long as somebody reads.
        for _ in range(32):
            file.write(block)
    assert path.stat().st_size < 1_000_000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

    ended = subprocess.run(
        [*COMMAND, "parse", path], capture_output=True, timeout=250, preexec_fn=limit, check=False
    )
    assert ended.returncode == 1
    assert b"inflates to more than 200 times its size" in ended.stderr


# Links.


def test_nothing_is_written_through_a_link(endpoint: str, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    for name, link_to in (("it.toml", target), ("other.toml", tmp_path / "nowhere.toml")):
        output = tmp_path / name
        output.symlink_to(link_to)
        result = modwire("scrape", endpoint, "-o", output, "--addresses", "0..9", "--force")
        assert result.code == 2
        assert "is a symbolic link" in result.err
        assert output.is_symlink()
    for command in (
        ("scan", endpoint, "--units", "1", "--resume", tmp_path / "it.toml"),
        ("sniff", os.devnull, "-o", tmp_path / "it.toml"),
        ("sniff", os.devnull, "-o", tmp_path / "other.toml"),
    ):
        result = modwire(*command)
        assert (result.code, "is a symbolic link" in result.err) == (2, True), result
    assert target.read_text() == "mine"
    assert not (tmp_path / "nowhere.toml").exists()


def test_a_link_at_the_name_of_a_temporary_file_is_not_followed(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user of the folder may know the process id, but nothing else of the name."""
    target = tmp_path / "precious"
    target.write_text("mine")
    for ending in ("it.toml", "it.toml.part"):
        (tmp_path / f".{ending}.{os.getpid()}.new").symlink_to(target)
    state = tmp_path / "it.toml.part"
    from modwire_tools.scanning.state_files import StateFile

    StateFile(state, "scrape", "x").save({"a": 1})
    assert target.read_text() == "mine"
    state.unlink()
    result = modwire("scrape", endpoint, "-o", tmp_path / "it.toml", "--addresses", "0..9")
    assert (result.code, target.read_text()) == (0, "mine")


def test_a_replaced_file_keeps_its_permissions_and_a_new_one_obeys_the_umask(
    tmp_path: Path,
) -> None:
    path = tmp_path / "it"
    before = os.umask(0o027)
    try:
        replace_file(path, b"one")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        replace_file(path, b"two")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b"two"
    assert [each.name for each in tmp_path.iterdir()] == ["it"]


def test_what_is_not_a_file_is_not_replaced(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder):
        with pytest.raises(OSError, match=f"^.*cannot write {path}: it is not a file$"):
            replace_file(path, b"data")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_capture_can_be_written_to_standard_output() -> None:
    ended = subprocess.run(
        [*COMMAND, "sniff", os.devnull, "-o", "/dev/stdout", "--lines"],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout[:4] == b"\x4d\x3c\xb2\xa1"


# Terminals.


@pytest.mark.parametrize("columns", ["0", "1", "-5", "junk", "", "9" * 5000, "\u0663"])
def test_an_odd_width_of_the_terminal_prints_as_ever(columns: str) -> None:
    wanted = modwire("parse", "0103006b00037417").out
    assert process("parse", "0103006b00037417", COLUMNS=columns, LINES=columns).out == wanted
    assert "--framing" in process("parse", "--help", COLUMNS=columns).out


def test_styles_are_those_of_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    message = "0103006b00037418"
    plain = process("parse", message).out
    coloured = process("parse", message, FORCE_COLOR="1", TERM="xterm").out
    assert "\x1b[31m" in coloured
    assert "\x1b[1mRTU frame, 8 bytes" in coloured
    without = process("parse", message, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1").out
    assert "\x1b[31m" not in without
    assert "\x1b[1mRTU frame, 8 bytes" in without
    for each in ("\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"):
        coloured = coloured.replace(each, "")
    assert coloured == plain
