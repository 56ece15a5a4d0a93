"""`LinkLog`: what a client logs about its link; `Turns` has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..logger import Logger


class LinkLog:
    """The log of a link: `modwire.client` for its state, `modwire.wire` for its bytes.

    Nothing is logged before `start`. `is_traced` is True if the bytes are logged as well.
    """

    def __init__(self, name: str) -> None:
        self.is_traced = False
        self.wire: Logger | None = None
        self._name = name
        self._log: Logger | None = None

    def start(self, get_logger: Callable[[str], Logger]) -> None:
        """Log from now on; `get_logger` is that of `logging`, which is slow to import."""
        if self._log is None:
            self._log = get_logger("modwire.client")
            self.wire = get_logger("modwire.wire")

    def note(self, what: str, *, is_warning: bool) -> None:
        """Log a change of the link's state."""
        if self._log is not None:
            log = self._log.warning if is_warning else self._log.info
            log("%s: %s", self._name, what)

    def trace(self, what: str, data: bytes) -> None:
        """Log bytes that were sent or received."""
        if self.wire is not None:
            self.wire.debug("%s: %s %s", self._name, what, data.hex(" "))
