"""Values set back to those at the beginning, and blocks of all addresses."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence

import pytest

from modwire import (
    Block,
    IllegalDataAddressError,
    SequentialBlock,
    ServerDeviceFailureError,
    SparseBlock,
    Unit,
    WriteSingleRegisterRequest,
)


@pytest.mark.parametrize("values", [[0] * 5, [1, 2, 3, 4, 5], [0, 0, 0, 0, 65535], [True] * 5])
def test_a_sequential_block_gets_its_first_values_back(values: list[int]) -> None:
    told: list[int] = []
    block = SequentialBlock(10, values, on_write=lambda address, new: told.append(address))
    for again in (block, copy.copy(block), copy.deepcopy(block)):
        again.write(10, [7] * 5)
        again.reset()
        assert list(again.read(10, 5)) == values
    other = pickle.loads(pickle.dumps(SequentialBlock(10, values)))
    other[10:15] = [9] * 5
    other.reset()
    assert list(other.read(10, 5)) == values
    assert told == [10] * 3, "the owner's reset is no client's write"


def test_a_sparse_block_gets_its_first_addresses_back() -> None:
    block = SparseBlock({1: 5, 7: 6})
    block[1] = 9
    block[100] = 3
    del block[7]
    block.reset()
    assert {address: block[address] for address in block} == {1: 5, 7: 6}
    with pytest.raises(IllegalDataAddressError):
        block.read(100, 1)
    block.write(7, [1])
    block.reset()
    assert block[7] == 6, "a second reset has the same values"


def test_the_rules_do_not_bind_the_owner() -> None:
    block = SequentialBlock(0, [1, 2], read_only=[1], allowed={0: range(5)})
    block[0:2] = [9, 9]
    block.reset()
    assert block[0:2] == (1, 2)


def test_a_unit_resets_its_four_tables() -> None:
    shared = SequentialBlock(0, [1, 2])
    unit = Unit(shared, None, shared, SparseBlock({5: 6}))
    unit.execute(WriteSingleRegisterRequest(0, 77))
    unit.input_registers.write(5, [7])
    unit.reset()
    assert list(unit.coils.read(0, 2)) == [1, 2]
    assert list(unit.input_registers.read(5, 1)) == [6]
    assert unit.server_message_count == 1, "its counters stay"


def test_a_block_of_ones_own_defines_it() -> None:
    class Own(Block):
        def __init__(self) -> None:
            self.value = 5

        def read(self, address: int, count: int) -> Sequence[int]:
            return [self.value] * count

    class Resetting(Own):
        def reset(self) -> None:
            self.value = 0

    with pytest.raises(NotImplementedError, match=r"^Own must define reset\(\)$"):
        Unit(holding_registers=Own()).reset()
    unit = Unit(holding_registers=Resetting())
    unit.reset()
    assert unit.holding_registers.read(3, 1) == [0]


@pytest.mark.parametrize("value", [0, 17, True])
def test_a_full_block_has_all_addresses(value: int) -> None:
    block = SequentialBlock.full(value)
    assert len(block) == 65536
    assert block[0:65536] == (value,) * 65536
    block.write(65535, [3])
    assert block[65535] == 3
    block.reset()
    assert block[65535] == value


def test_a_full_block_takes_the_rules_of_any_other() -> None:
    written: list[int] = []
    block = SequentialBlock.full(
        on_write=lambda address, values: written.append(address),
        read_only=[range(10)],
        allowed={65535: range(3)},
    )
    block.write(65535, [2])
    assert written == [65535]
    with pytest.raises(ServerDeviceFailureError):
        block.write(65535, [3])
    with pytest.raises(IllegalDataAddressError):
        block.write(9, [1])
    with pytest.raises(ValueError, match="value at address 0 must be 0..65535"):
        SequentialBlock.full(65536)


def test_a_subclass_stays_one() -> None:
    class Mine(SequentialBlock):
        pass

    assert type(Mine.full()) is Mine
