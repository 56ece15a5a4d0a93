"""The command as a player: in processes of its own, because it takes over output and logs.

A process plays one command at a time, and is used again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import import_module
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from .asks import Ask, Found, Said

_PROCESSES = 4


@cache
def _processes() -> ProcessPoolExecutor:
    helpers = str(Path(__file__).parents[1] / "tools")
    if helpers not in sys.path:  # processes get the path of this one
        sys.path.append(helpers)
    return ProcessPoolExecutor(_PROCESSES, get_context("spawn"))


def end() -> None:
    """End the processes, if there are any."""
    if _processes.cache_info().currsize:
        _processes().shutdown()
        _processes.cache_clear()


def _run(*words: str) -> tuple[str, str, int]:
    """Run the command in a process; return its output, its errors and its exit code."""
    processes = _processes()
    # A function of a module that a process can import by its name, which pytest chooses for ours.
    modwire: Any = import_module("modwire_command").modwire
    done: Any = processes.submit(modwire, *words).result()
    return done.out, done.err, done.code


def play(endpoint: str, asks: Sequence[Ask]) -> list[Found]:
    """Ask by commands; reads without options that follow each other are one."""
    found: list[Found] = []
    for is_plain, several in groupby(asks, _is_plain_read):
        together = list(several)
        for each in [together] if is_plain else [[ask] for ask in together]:
            found += _play(endpoint, each)
    return found


def _is_plain_read(ask: Ask) -> bool:
    return ask.words[0] == "read" and not any(word.startswith("--") for word in ask.words)


def _play(endpoint: str, asks: Sequence[Ask]) -> list[Found]:
    name = asks[0].words[0]
    words = [word for ask in asks for word in ask.words[1:]]
    if name != "read":
        _, err, code = _run(name, endpoint, *words)
        return ["written" if code == 0 else Said(err)]
    out, err, _ = _run("read", endpoint, *words, "--json")
    lines: list[dict[str, object]] = json.loads(out or "[]")
    shown = iter([line.get("value") for line in lines])
    found: list[Found] = []
    for ask in asks:
        places = [word for word in ask.words[1:] if ":" in word and not word.startswith("--")]
        values = [next(shown, None) for _ in places]
        found.append(ask.shown(values) if None not in values else Said(err))
    return found
