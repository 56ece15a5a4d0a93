"""`Target`: a function that takes any bytes and raises only if something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Target(NamedTuple):
    """One reader of modwire, with the check of what it made of its input.

    - `name`: as in `python -m fuzz --target NAME`, and in `findings/NAME`.
    - `check`: takes any bytes; every exception that it raises is a finding.
    - `seeds`: returns good and bad inputs to begin with.
    - `words`: bytes with a meaning for this reader, which are put into inputs.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    words: Sequence[bytes] = ()
