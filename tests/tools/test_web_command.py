"""`modwire simulate --web`: its output, wrong arguments, and its end."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fake_view import FakeView
from modwire_tools.cli.ending import WrongArgumentError
from modwire_tools.cli.page import Page, parse_page
from page_requests import ask
from running_page import ServedPage

pytestmark = pytest.mark.timeout(600)

PATIENCE = 120.0  # timeout in seconds for a process; it needs one or two on a free processor
COMMAND = [sys.executable, "-m", "modwire_tools", "simulate", "--tcp", "127.0.0.1:0"]


@pytest.mark.parametrize(
    ("web", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("8080", "127.0.0.1", 8080),
        ("localhost:0", "localhost", 0),
        ("[::1]:65535", "::1", 65535),
    ],
)
def test_on_this_machine_no_token_is_wanted(web: str, host: str, port: int) -> None:
    assert parse_page(web, None) == Page(host, port, None)


def test_a_token_is_made_beyond_this_machine() -> None:
    for web in (":80", "0.0.0.0:80", "[::]:80", "meter.example:80"):
        page = parse_page(web, None)
        assert page is not None
        assert page.token is not None
        assert len(page.token) >= 32
    assert parse_page("0.0.0.0:80", "a-good-token") == Page("0.0.0.0", 80, "a-good-token")
    assert parse_page(None, None) is None


@pytest.mark.parametrize(
    ("web", "token", "sentence"),
    [
        ("x", None, "--web must be HOST:PORT, :PORT for all addresses of this machine"),
        ("127.0.0.1:65536", None, "--web must be HOST:PORT"),
        ("127.0.0.1:-1", None, "--web must be HOST:PORT"),
        ("::1:8080", None, "an IPv6 address needs brackets"),
        ("8080", "short", "--web-token: a token must be 8 or more letters, digits"),
        (None, "a-good-token", "--web-token is for the page: --web HOST:PORT is missing"),
    ],
)
def test_a_wrong_argument_gets_one_sentence(
    web: str | None, token: str | None, sentence: str
) -> None:
    with pytest.raises(WrongArgumentError, match=re.escape(sentence)):
        parse_page(web, token)


def test_a_token_in_a_file_or_the_environment_is_used_and_not_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "token"
    path.write_text("a-token-in-a-file\nanother line\n")
    path.chmod(0o600)
    page = parse_page("8080", None, path)
    assert page == Page("127.0.0.1", 8080, "a-token-in-a-file", from_outside=True)
    monkeypatch.setenv("MODWIRE_WEB_TOKEN", "a-token-outside")
    assert parse_page("8080", None) == Page("127.0.0.1", 8080, "a-token-outside", from_outside=True)
    assert parse_page("8080", "a-good-token") == Page("127.0.0.1", 8080, "a-good-token")
    assert parse_page(None, None) is None  # it may be set for other commands
    assert capsys.readouterr().err == ""
    path.chmod(0o644)
    parse_page("8080", None, path)
    assert "other users may read" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 20, b"x y z 1 2 3 4"])
def test_a_file_without_a_token_gets_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(WrongArgumentError, match="^--web-token-file: a token must be "):
        parse_page("8080", None, path)
    with pytest.raises(WrongArgumentError, match="not both"):
        parse_page("8080", "a-good-token", path)
    with pytest.raises(WrongArgumentError, match="--web HOST:PORT is missing"):
        parse_page(None, None, path)
    with pytest.raises(OSError, match="cannot read"):
        parse_page("8080", None, tmp_path / "none")


@contextmanager
def _started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command; yields it with its output up to "Ctrl+C ends it."."""
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            printed = ""
            for line in process.stderr:
                printed += line
                if "Ctrl+C" in line:
                    break
            yield process, printed
        finally:
            process.kill()


def test_the_page_is_served_until_ctrl_c() -> None:
    with _started("--web", "127.0.0.1:0") as (process, printed):
        found = re.search(r"^Page: http://127\.0\.0\.1:(\d+)/$", printed, re.MULTILINE)
        assert found, printed
        answer: Any = ask(int(found[1]), "GET", "/api").json
        assert answer["title"] == "Energy meter"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""  # no traceback, and no log of the server


def test_the_link_that_is_printed_has_the_token() -> None:
    with _started("--web", "0.0.0.0:0") as (_, printed):
        found = re.search(r"^Page: http://.+:(\d+)/#token=(\S+)$", printed, re.MULTILINE)
        assert found, printed
        port = int(found[1])
        assert ask(port, "GET", "/api").status == 401
        headers = {"Authorization": f"Bearer {found[2]}"}
        assert ask(port, "GET", "/api", headers=headers).status == 200


def test_the_link_leaves_out_a_token_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a-token-in-a-file\n")
    path.chmod(0o600)
    with _started("--web", "127.0.0.1:0", "--web-token-file", str(path)) as (_, printed):
        found = re.search(r"^Page: http://127\.0\.0\.1:(\d+)/$", printed, re.MULTILINE)
        assert found, printed
        assert ask(int(found[1]), "GET", "/api").status == 401
        headers = {"Authorization": "Bearer a-token-in-a-file"}
        assert ask(int(found[1]), "GET", "/api", headers=headers).status == 200


def test_a_port_in_use_ends_the_command_with_one_sentence() -> None:
    with ServedPage(FakeView()) as page:
        ended = subprocess.run(
            [*COMMAND, "--web", f"127.0.0.1:{page.port}"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    sentence = f"modwire: --web: cannot listen at 127.0.0.1:{page.port}: address already in use; "
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"{sentence}another program listens there already")
    assert ended.stderr.count("\n") == 1
