"""`Choice`: the view, the device and the unit that all panes show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..simulator.view import View
from .session import described_error


@dataclass(frozen=True)
class ChosenUnit:
    """A unit of a running simulation."""

    view: View
    device: int
    unit: int


class Choice:
    """The choice of the user. `tell` shows the user a sentence; "" removes it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.view: View | None = None
        self.device: int | None = None
        self.unit: int | None = None

    @property
    def chosen_unit(self) -> ChosenUnit | None:
        """The chosen unit, or None."""
        if self.view is None or self.device is None or self.unit is None:
            return None
        return ChosenUnit(self.view, self.device, self.unit)

    def attempt(self, change: Callable[[], None]) -> bool:
        """Call `change`; if it is refused, show the user why, and return False."""
        try:
            change()
        except (ValueError, LookupError) as error:
            self.tell(described_error(error))
            return False
        self.tell("")
        return True
