"""Examples in `--help`: each command is registered with lines that can be typed as they are."""

from __future__ import annotations

EXAMPLES: dict[str, list[str]] = {}
"""The example lines of each command, by its name; a test runs them."""


def examples(command: str, *lines: str) -> str:
    """The epilog of `command` with example lines, such as "modwire read tcp://192.0.2.7 hr:0"."""
    EXAMPLES[command] = list(lines)
    heading = "Example:" if len(lines) == 1 else "Examples:"
    # Behind a backspace, lines stay as they are; others are wrapped.
    return "\n".join(["\b", heading, *(f"  {line}" for line in lines)])
