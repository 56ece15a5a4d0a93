"""A shell in a pseudo-terminal, with completion of `modwire`, for tests that press keys."""

from __future__ import annotations

import codecs
import fcntl
import os
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

PATIENCE = 100.0  # timeout in seconds
SHELLS = {
    "bash": ["bash", "--noprofile", "-i"],
    "zsh": ["zsh", "-i"],
    "fish": ["fish", "-i"],
}
_PROMPT = "ready> "
_TO_START, _TO_END, _REMOVE_REST = "\x01", "\x05", "\x0b"  # Ctrl+A, Ctrl+E, Ctrl+K
_END = "; echo en''ded"  # the quotes are there because the terminal shows the keys too
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?<>=]*[A-Za-z]|[()][A-Z0-9]|[=>]|\][^\x07]*\x07)")
# What each shell is told first.
_SETUP = {
    "bash": "bind 'set bell-style none'; PS1='{half}''{rest}'",
    "zsh": "PROMPT='{half}''{rest}'",
    "fish": "function fish_prompt; echo -n '{half}''{rest}'; end; "
    "function fish_mode_prompt; end; set -g fish_autosuggestion_enabled 0",
}


class ShellTerminal:
    """The terminal of a running shell."""

    def __init__(self, shell: str, terminal: int, home: Path) -> None:
        self.name = shell
        self.home = home
        self._terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.text = ""

    def send(self, keys: str) -> None:
        """Press keys; a tab is the key that completes."""
        os.write(self._terminal, keys.encode())

    def read_until(self, pattern: str) -> re.Match[str]:
        """Return the match of `pattern` in what the terminal shows from now on."""
        give_up = monotonic() + PATIENCE
        while True:
            plain = _ESCAPES.sub("", self.text)
            found = re.search(pattern, plain)
            if found is not None:
                self.text = plain[found.end() :]
                return found
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, give_up - monotonic()))
            assert ready, f"{self.name}: {pattern!r} does not come, only {plain!r}"
            self.text += self._decoder.decode(os.read(self._terminal, 65536))

    def set_up(self) -> None:
        """Set the prompt, and wait for it."""
        half, rest = _PROMPT[:3], _PROMPT[3:]  # so that the echo does not look like a prompt
        self.send(_SETUP[self.name].format(half=half, rest=rest) + "\r")
        self.read_until(_PROMPT)

    def words(self, keys: str) -> list[str]:
        """Press keys, then print the words of the command line as the shell understands them."""
        self.send(keys)
        self.send(f"{_TO_END} {_END}{_TO_START}printf 'W[%s]\\n' \r")
        return re.findall(r"W\[(.*?)\]\r*\n", self._until_end())

    def listed(self, keys: str, *patterns: str) -> None:
        """Press keys, wait until the terminal shows the patterns, and clear the command line."""
        self.send(keys)
        for pattern in patterns:
            self.read_until(pattern)
        self.send(f"{_TO_START}{_REMOVE_REST}{_END[2:]}\r")
        self._until_end()

    def _until_end(self) -> str:
        """Wait until `_END` has run, and for the prompt; return what the terminal showed before."""
        found = self.read_until(r"(?s)(.*)ended")
        self.read_until(_PROMPT)
        return found[1]


@contextmanager
def shell_terminal(shell: str, folder: Path) -> Iterator[ShellTerminal]:
    """Run a shell during the block, with `folder` as home, where completion is installed."""
    binaries = folder / "bin"
    binaries.mkdir()
    command = binaries / "modwire"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m modwire_tools "$@"\n')
    command.chmod(0o755)
    work = folder / "work"
    work.mkdir()
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 50, 200, 0, 0))
    environment = {
        **{key: text for key, text in os.environ.items() if key not in ("COLUMNS", "LINES")},
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
    }
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "ZDOTDIR"):
        environment.pop(name, None)
    for _ in range(2):  # the second time changes nothing
        subprocess.run(
            [command, "--install-completion", shell],
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    child = subprocess.Popen(
        SHELLS[shell],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=work,
        env=environment,
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    try:
        terminal = ShellTerminal(shell, ours, folder)
        terminal.set_up()
        yield terminal
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def _take_terminal() -> None:
    """Make the terminal that of the new process, so that Ctrl+C reaches it."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
