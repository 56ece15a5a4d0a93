"""Runs the blocks of the documentation as a reader would: programs, commands, and tests."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep

from pages import Block, blocks_of
from programs import free_port
from surroundings import surrounding

PATIENCE = 80.0  # timeout in seconds for a process on a busy machine
_PORTS = re.compile(r"\b(?:50[2-9]\d|80[89]\d|950\d)\b")
_NUMBER = "kill -HUP 12345"  # of the process that serves
_PYTHON = sys.executable
_PROGRAMS = {
    "modwire": f'exec {_PYTHON} -m modwire_tools "$@"',
    "python": f'exec {_PYTHON} "$@"',
    "pytest": f'exec {_PYTHON} -m pytest -p no:cacheprovider -p pytest_modwire "$@"',
}


class Run:
    """One block while it runs: its folder, and the texts that stand for others in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.instead: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def prepare(self, block: Block) -> None:
        """Write the files above the block, and start what it needs."""
        blocks = blocks_of(block.page)
        above = [each for each in blocks if each.line < block.line]
        servers = {each.marks["serves"]: each for each in blocks if "serves" in each.marks}
        makers = {each.marks["makes"]: each for each in blocks if "makes" in each.marks}
        for name in block.marks.get("with", "").split():
            if name in servers:
                self._serve(servers[name])
            elif name in makers:
                self.prepare(makers[name])
                printed(self, makers[name])
            else:
                self.instead |= self._stack.enter_context(surrounding(name))
        self._write_files(above)

    def _write_files(self, above: list[Block]) -> None:
        for each in above:
            if "file" in each.marks:
                path = self.folder / each.marks["file"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(self.changed(each.code), encoding="utf-8")

    def changed(self, text: str) -> str:
        """Return a text with the ports and paths of this machine."""
        return _replaced(text, self.instead)

    def shown(self, text: str) -> str:
        """Return what was printed with the ports and paths of the page."""
        return _replaced(text, {here: there for there, here in self.instead.items()})

    def command(self, block: Block) -> list[str]:
        """Return the arguments of the process that runs the block."""
        if block.language == "python":
            script = self.folder / f"block_{block.line}.py"
            script.write_text(self.changed(block.code), encoding="utf-8")
            return [_PYTHON, str(script)]
        lines = [self.changed(line) for line in command_lines(block)]
        is_pipe = len(lines) > 1 or " | " in lines[0]
        return ["bash", "-c", f"exec {lines[0]}" if not is_pipe else "\n".join(lines)]

    def environment(self) -> dict[str, str]:
        """Return the environment in which the programs are those of this Python."""
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        for name, script in _PROGRAMS.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            (programs / name).chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        usual = {"COLUMNS": "120", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **usual, "PATH": path}

    def _serve(self, block: Block) -> None:
        self.prepare(block)
        self._stack.enter_context(self.serving(block))

    @contextmanager
    def serving(self, block: Block) -> Iterator[None]:
        """Run a block that serves, on free ports; until they can be reached, wait."""
        text = block.code
        above = [each for each in blocks_of(block.page) if each.line < block.line]
        text += "".join(each.code for each in above if each.marks.get("file", "\0") in text)
        new = sorted(set(_PORTS.findall(text)) - self.instead.keys())
        self.instead |= {port: str(free_port()) for port in new}
        self._write_files(above)
        process = subprocess.Popen(
            self.command(block),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            if _NUMBER in block.page.read_text(encoding="utf-8"):
                self.instead[_NUMBER.split()[-1]] = str(process.pid)
            for port in new:
                _wait_for(int(self.instead[port]), process)
            yield
            assert process.poll() is None, f"it has ended:\n{process.communicate()[0]}"
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


def _replaced(text: str, changes: dict[str, str]) -> str:
    if not changes:
        return text
    pattern = "|".join(map(re.escape, sorted(changes, key=len, reverse=True)))
    return re.sub(rf"(?<!\d)(?:{pattern})(?!\d)", lambda found: changes[found[0]], text)


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    """Wait until something listens at `port`; it fails if the process ends."""
    give_up = monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None:
                output = process.communicate()[0]
                raise AssertionError(f"the server has ended:\n{output}") from None
            assert monotonic() < give_up, "the server does not listen"
            sleep(0.05)  # there is no event for it outside the program


def command_lines(block: Block) -> list[str]:
    """Return the commands of a block, each as one line without its remark."""
    text = block.code.replace("\\\n", " ")
    lines = (re.sub(r"\s+# .*$", "", line) for line in text.splitlines())
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def printed(run: Run, block: Block) -> str:
    """Return what a block prints, errors too, as it would be on the reader's machine."""
    done = subprocess.run(
        run.command(block),
        cwd=run.folder,
        env=run.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if block.language == "python":
        assert done.returncode == 0, done.stdout
    return run.shown(done.stdout)


def is_shown(shown: str, output: str) -> bool:
    """True if a page shows the output; `...` in it stands for anything."""
    pattern = re.escape(shown.strip()).replace(re.escape("..."), ".*?")
    lines = "\n".join(line.rstrip() for line in output.strip().splitlines())
    return re.fullmatch(pattern, lines, re.DOTALL) is not None
