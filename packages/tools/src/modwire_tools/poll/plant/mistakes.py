"""`Mistakes`: collects all mistakes of a plant file, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from ...simulator.files.sections import DeviceFileError
from .lines import Lines, line_of

T = TypeVar("T")

_MOST = 100  # sentences


class PlantError(ValueError):
    """Raised for a wrong plant file; `mistakes` has the first 100 of `number` sentences."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes[:_MOST]
        self.number = len(mistakes)
        super().__init__("\n".join(self.mistakes))


class Mistakes:
    """The mistakes so far of `file`, whose keys are in `lines`."""

    def __init__(self, file: str, lines: Lines) -> None:
        self._file = file
        self._lines = lines
        self._found: list[tuple[int, str]] = []

    def add(self, error: DeviceFileError, file: str = "", lines: Lines | None = None) -> None:
        """Add a mistake; it may be in another `file`, with `lines` of its own."""
        at = line_of(self._lines if lines is None else lines, error.path, error.key)
        name = file or self._file
        text = str(error)
        if at is not None:
            text = text.replace(f"{name}: ", f"{name}:{at}: ", 1)
        # A mistake in another file is shown behind those of this one.
        self._found.append(((at or 0) + (10**9 if file else 0), text))

    @contextmanager
    def caught(self) -> Generator[None]:
        """Add the mistake that the block raises."""
        try:
            yield
        except DeviceFileError as error:
            self.add(error)

    def take(self, read: Callable[[], T], default: T) -> T:
        """Return what `read` returns, or `default` after a mistake."""
        with self.caught():
            return read()
        return default

    def check(self) -> None:
        """Raise `PlantError` if there is a mistake; those of the file are in its order."""
        if self._found:
            texts = [text for _, text in sorted(self._found, key=lambda each: each[0])]
            raise PlantError(list(dict.fromkeys(texts)))
