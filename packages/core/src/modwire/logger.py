"""`Logger`: the methods of `logging.Logger` that the core uses; it does not import `logging`."""

from __future__ import annotations

from typing import Protocol


class Logger(Protocol):
    """A `logging.Logger`, passed in by the adapter."""

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
