"""`Logger`: what the core uses of a logger of the standard library, which it does not import."""

from __future__ import annotations

from typing import Protocol


class Logger(Protocol):
    """A `logging.Logger`, which the adapter gives."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802
        raise NotImplementedError

    def debug(self, msg: str, *args: object) -> None:
        raise NotImplementedError

    def info(self, msg: str, *args: object) -> None:
        raise NotImplementedError

    def warning(self, msg: str, *args: object) -> None:
        raise NotImplementedError

    def error(self, msg: str, *args: object, exc_info: BaseException | None = None) -> None:
        raise NotImplementedError
