"""Examples in `--help`: each command is registered with lines that can be typed as they are."""

from __future__ import annotations

EXAMPLES: dict[str, list[str]] = {}
"""The example lines of each command, by its name; a test runs them."""


def examples(command: str, *lines: str) -> str:
    """The epilog of `command` with example lines, such as "modwire read tcp://192.0.2.7 hr:0"."""
    EXAMPLES[command] = list(lines)
    # A blank line keeps each on a line of its own; a bracket would be taken for markup.
    escaped = [line.replace("[", "\\[") for line in lines]
    heading = "Example:" if len(lines) == 1 else "Examples:"
    return "\n\n".join([heading, *(f"  {line}" for line in escaped)])
