"""Each block of code in the README and in docs/ runs, and prints what its page shows."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from modwire_command import good, modwire
from pages import ROOT, Block, sections
from running import Run, command_lines, is_shown, printed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.timeout(240)  # a block may need a server and run a program

SECTIONS = sections()
NOT_RUN = [each for section in SECTIONS for each in section if "not run" in each.marks]
PARTS = [each for section in SECTIONS for each in section if "part of" in each.marks]
FILES = [each for section in SECTIONS for each in section if "file" in each.marks]
RUN = [
    section
    for section in SECTIONS
    if not {"not run", "part of", "file", "serves"} & section[0].marks.keys()
]
SERVERS = [each for section in SECTIONS for each in section if "serves" in each.marks]
# Programs of blocks that are not run, which are no parts of this project.
PROGRAMS = {
    *("apt", "cd", "cp", "curl", "docker", "git", "journalctl", "mkdir", "pip", "pipx", "pytest"),
    *("python", "python3", "sed", "source", "ssh", "sudo", "systemctl"),
}
LANGUAGES = {"python", "sh", "toml", "json", "yaml", "ini", "text"}


def places(blocks: list[Block]) -> pytest.MarkDecorator:
    """Return the decorator of a test that is run for each block."""
    return pytest.mark.parametrize("block", blocks, ids=[each.place for each in blocks])


def test_every_block_is_run_or_says_why_not() -> None:
    for section in SECTIONS:
        for block in section:
            assert block.language in LANGUAGES, f"{block.place}: {block.language!r}"
            assert block.marks.get("not run") != "", f"{block.place}: it must say why"
            if block.language not in ("python", "sh"):
                kinds = {"not run", "part of", "file"} & block.marks.keys()
                assert kinds, f"{block.place}: {block.language} needs a mark"


@pytest.mark.parametrize("section", RUN, ids=[each[0].place for each in RUN])
def test_a_block_prints_what_the_page_shows(section: list[Block], tmp_path: Path) -> None:
    first, *others = section
    shown = "".join(each.shown or "" for each in section)
    code = first.code + "".join(each.code for each in others)
    block = Block(first.page, first.line, first.language, code, first.marks, shown)
    check_system(block)
    with Run(tmp_path) as running:
        running.prepare(block)
        output = printed(running, block)
    if "prints" in first.marks:
        shown = f"...{first.marks['prints']}..."
    assert is_shown(shown, output), f"{block.place} printed:\n{output}"


def check_system(block: Block) -> None:
    """Skip the test on a system that lacks what the block needs."""
    if block.language == "sh" and not shutil.which("bash"):
        pytest.skip("there is no bash")
    needed = block.marks.get("with", "")
    if not shutil.which("openssl") and ("openssl" in block.code or "certificates" in needed):
        pytest.skip("there is no openssl")
    if not hasattr(os, "openpty") and re.search(r"line|talk|bus|rtu|ascii|zoo", needed):
        pytest.skip("there are no pseudo-terminals")


@places(SERVERS)
def test_a_server_serves(block: Block, tmp_path: Path) -> None:
    check_system(block)
    with Run(tmp_path) as running:
        running.prepare(block)
        with running.serving(block):
            pass


@places(PARTS)
def test_a_part_of_a_file_is_in_that_file(block: Block) -> None:
    """The file itself is run by a test of its own."""
    text = (ROOT / block.marks["part of"]).read_text(encoding="utf-8")
    assert block.code in text or textwrap.indent(block.code, "    ") in text


@places(FILES)
def test_a_file_can_be_read(block: Block) -> None:
    check_form(block)


@places(NOT_RUN)
def test_a_block_that_is_not_run_is_in_order(block: Block) -> None:
    """Its syntax is right; its commands, packages and options exist."""
    check_form(block)


def check_form(block: Block) -> None:
    match block.language:
        case "python":
            ast.parse(block.code)
        case "toml":
            tomllib.loads(block.code)
        case "json":
            json.loads(block.code)
        case "sh":
            for line in command_lines(block):
                for command in re.split(r" \| | && ", line):
                    check_command(command, block.place)


def check_command(line: str, place: str) -> None:
    """Check that a command line names programs, packages and options that exist."""
    program, *words = shlex.split(line)
    if program == "modwire":
        check_modwire(words)
    elif (program, words[:1]) == ("docker", ["run"]):
        check_modwire(words[words.index("modwire") + 1 :])  # behind the name of the image
    elif program == "make":
        assert subprocess.run(["make", "-n", *words], cwd=ROOT, check=False).returncode == 0
    elif words[:3] == ["-m", "pip", "install"] or words[:1] == ["install"]:
        names = [each for each in words[1:] if not each.startswith("-")]
        for name in names[2:] if words[0] == "-m" else names:
            check_package(name)
    else:
        assert program.rpartition("/")[2] in PROGRAMS, f"{place}: no test knows {line!r}"


def check_modwire(words: list[str]) -> None:
    if not words:
        return
    unknown = modwire(*words, "--no-such-option")
    assert unknown.err.startswith("modwire: no such option: --no-such-option"), unknown.err
    for word in words:
        if word.startswith("--") and words[0] != word:
            assert word in good(words[0], "--help")


def check_package(name: str) -> None:
    """Check that one of our packages has the name and the extras, or the path."""
    packages = {
        tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"]: path
        for path in ROOT.glob("packages/*/pyproject.toml")
    }
    found = re.fullmatch(r"(?P<name>[\w./-]+?)(?:\[(?P<extras>[\w,-]+)\])?", name)
    assert found is not None, name
    path = packages.get(found["name"], ROOT / found["name"] / "pyproject.toml")
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    for extra in (found["extras"] or "").split(","):
        assert not extra or extra in project["optional-dependencies"], name
