"""`Template`: a text with names in braces, such as "plant/{device}/{point}", checked once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...simulator.files.sections import DeviceFileError
    from ..plant.settings import Settings

_NAME = re.compile(r"\{([^{}]*)\}|[{}]")


class Template:
    """The text of key `key`; the names are "device", "point" and others in `allowed`.

    Raises DeviceFileError, which says what is allowed.
    """

    def __init__(
        self, settings: Settings, key: str, default: str | None, allowed: Sequence[str]
    ) -> None:
        self.text = settings.text(key, default)
        self.names = [found[1] for found in _NAME.finditer(self.text) if found[1] is not None]
        self._parts = _NAME.split(self.text)
        wrong = [name for name in self.names if name not in allowed]
        if wrong or any(found[1] is None for found in _NAME.finditer(self.text)):
            raise _wrong(settings, key, self.text, allowed)

    def filled(
        self, values: Mapping[str, str], clean: Callable[[str], str] = lambda text: text
    ) -> str:
        """Return the text with `values` in place of the names, each cleaned."""
        return _NAME.sub(lambda found: clean(values[found[1]]), self.text)

    def pattern(self) -> re.Pattern[str]:
        """Return a pattern for texts that were made of this one, a group for each name."""
        parts: list[str] = []
        for at, part in enumerate(self._parts):
            if at % 2 == 0:
                parts.append(re.escape(part or ""))
            elif part in self._parts[1:at:2]:
                parts.append(f"(?P={part})")  # the same name again
            else:
                parts.append(f"(?P<{part}>[^/]+)")
        return re.compile("".join(parts))


def _wrong(settings: Settings, key: str, text: str, allowed: Sequence[str]) -> DeviceFileError:
    names = ", ".join(f"{{{name}}}" for name in allowed)
    return settings.error(key, f"may have {names} in braces, got {text!r}")
