"""One target under atheris, as a process of its own: `driving` starts it.

`python -m fuzz.coverage_guided NAME FILE OPTIONS...`: the input that fails is written to FILE.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main(name: str, file: str, *options: str) -> None:
    """Run until libFuzzer has enough, or an input fails."""
    atheris: Any = import_module("atheris")  # it is not installed everywhere
    with atheris.instrument_imports(include=["modwire", "modwire_tools"]):
        from .driving import failure
        from .targets import TARGETS
    target = TARGETS[name]

    def one(data: bytes) -> None:
        error = failure(target, data)
        if error:
            Path(file).write_bytes(data)
            sys.stderr.write(error)
            os._exit(1)  # libFuzzer would print a report of its own

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
