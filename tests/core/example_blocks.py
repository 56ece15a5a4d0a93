"""Blocks of every kind, for the tests of the datastore."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import strategies as st

from modwire.errors import IllegalDataAddressError
from modwire.units.block import Block
from modwire.units.datastore import MemoryBlock, SequentialBlock, SparseBlock

words = st.integers(0, 0xFFFF)
spans = st.tuples(st.integers(0, 120), st.integers(1, 30))


class ListBlock(Block):
    """A block as a user writes it: `read` and `write`, nothing else."""

    def __init__(self, start: int, values: Sequence[int]) -> None:
        self.start = start
        self.values = list(values)

    def _at(self, address: int, count: int) -> slice:
        first = address - self.start
        if first < 0 or first + count > len(self.values):
            raise IllegalDataAddressError(detail="not here")
        return slice(first, first + count)

    def read(self, address: int, count: int) -> Sequence[int]:
        return self.values[self._at(address, count)]

    def write(self, address: int, values: Sequence[int]) -> None:
        self.values[self._at(address, len(values))] = [int(value) for value in values]


def memory_blocks(start: int, values: Sequence[int]) -> tuple[MemoryBlock, MemoryBlock]:
    return SequentialBlock(start, values), SparseBlock(dict(enumerate(values, start)))


def contents(block: Block, start: int, count: int) -> list[int]:
    return [int(value) for value in block.read(start, count)]


BUILT_IN = [
    pytest.param(lambda values, **rules: SequentialBlock(0, values, **rules), id="sequential"),
    pytest.param(
        lambda values, **rules: SparseBlock(dict(enumerate(values)), **rules), id="sparse"
    ),
]
