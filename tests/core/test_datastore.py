"""Blocks: reads and writes of clients, and requests that the rules refuse."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from example_blocks import BUILT_IN, ListBlock, contents, memory_blocks, spans, words
from modwire.bits import pack_bits, unpack_bits
from modwire.errors import IllegalDataAddressError, ServerDeviceBusyError, ServerDeviceFailureError
from modwire.units.block import Block
from modwire.units.datastore import SequentialBlock, SparseBlock


class TestAgreement:
    """All kinds of blocks behave in the same way for a client."""

    @given(
        start=st.integers(0, 50),
        values=st.lists(words | st.booleans(), min_size=1, max_size=60),
        span=spans,
        data=st.binary(min_size=60, max_size=60),
        masks=st.tuples(words, words),
    )
    def test_all_blocks_do_the_same(
        self,
        start: int,
        values: list[int],
        span: tuple[int, int],
        data: bytes,
        masks: tuple[int, int],
    ) -> None:
        address, count = span
        blocks: list[Block] = [ListBlock(start, values), *memory_blocks(start, values)]
        outcomes: list[list[object]] = []
        for block in blocks:
            outcome: list[object] = []
            outcomes.append(outcome)

            def attempt(call: object, outcome: list[object] = outcome) -> None:
                try:
                    outcome.append(call())  # type: ignore[operator]
                except IllegalDataAddressError:
                    outcome.append(2)

            attempt(lambda b=block: b.check(address, count))
            attempt(lambda b=block: b.check_write(address, count))
            attempt(lambda b=block: b.read_registers(address, count))
            attempt(lambda b=block: b.read_bits(address, count))
            attempt(lambda b=block: b.write_registers(address, data[: count * 2]))
            attempt(lambda b=block: b.read_registers(address, count))
            attempt(lambda b=block: b.write_bits(address, count, data[: (count + 7) // 8]))
            attempt(lambda b=block: b.mask_write(address, *masks))
            attempt(lambda b=block: b.write_read_registers(address, data[:6], start, 5))
            attempt(lambda b=block: tuple(b.read(address, count)))
            outcome.append(contents(block, start, len(values)))
        assert outcomes[0] == outcomes[1] == outcomes[2]

    @given(st.lists(words, min_size=1, max_size=200))
    def test_a_nonzero_register_read_as_a_coil_is_on(self, values: list[int]) -> None:
        for block in memory_blocks(0, values):
            bits = unpack_bits(block.read_bits(0, len(values)), len(values))
            assert bits == tuple(bool(value) for value in values)

    @given(st.lists(st.booleans(), min_size=1, max_size=2000), st.integers(0, 255))
    def test_coils_written_are_coils_read_whatever_the_unused_bits(
        self, bits: list[bool], noise: int
    ) -> None:
        packed = bytearray(pack_bits(bits))
        used = len(bits) & 7
        if used:
            packed[-1] |= noise << used & 0xFF
        for block in memory_blocks(7, [0] * len(bits)):
            block.write_bits(7, len(bits), bytes(packed))
            assert contents(block, 7, len(bits)) == bits
            assert block.read_bits(7, len(bits)) == pack_bits(bits)

    def test_mask_write_gives_the_example_of_the_specification(self) -> None:
        block = SequentialBlock(4, [0x12])
        block.mask_write(4, 0xF2, 0x25)
        assert block[4] == 0x17

    def test_function_23_checks_both_ranges_before_it_writes(self) -> None:
        for block in memory_blocks(0, [1, 2, 3]):
            with pytest.raises(IllegalDataAddressError):
                block.write_read_registers(0, b"\x00\x09", 2, 2)
            assert contents(block, 0, 3) == [1, 2, 3]
            assert block.write_read_registers(1, b"\x00\x09", 0, 3) == bytes((0, 1, 0, 9, 0, 3))


class TestConstruction:
    def test_the_whole_address_space_fits(self) -> None:
        block = SequentialBlock(0, [0] * 65536)
        assert block.read(65535, 1) == (0,)
        assert SequentialBlock(65535, [7])[65535] == 7

    @pytest.mark.parametrize(
        ("start", "values", "message"),
        [
            (65535, [0, 0], r"values must have 1\.\.1 entries from address 65535 on, got 2"),
            (0, [], r"values must have 1\.\.65536 entries from address 0 on, got 0"),
            (65536, [0], r"start must be 0\.\.65535, got 65536"),
            (-1, [0], r"start must be 0\.\.65535, got -1"),
            (5, [0, 65536], r"value at address 6 must be 0\.\.65535, True or False, got 65536"),
            (5, [0, -1], r"value at address 6 must be 0\.\.65535, True or False, got -1"),
            (5, [1.5], r"value at address 5 must be 0\.\.65535, True or False, got 1\.5"),
            (5, ["1"], r"value at address 5 must be 0\.\.65535, True or False, got '1'"),
        ],
    )
    def test_a_wrong_sequential_block_says_what_and_where(
        self, start: int, values: list[int], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            SequentialBlock(start, values)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({65536: 0}, r"addresses must be 0\.\.65535, got 65536"),
            ({-1: 0}, r"addresses must be 0\.\.65535, got -1"),
            ({3: 70000}, r"value at address 3 must be 0\.\.65535"),
            ({3: None}, r"value at address 3 must be 0\.\.65535"),
        ],
    )
    def test_a_wrong_sparse_block_says_what_and_where(
        self, values: dict[int, int], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            SparseBlock(values)

    @pytest.mark.parametrize(
        "rules",
        [
            {"read_only": [range(0, 10, 2)]},
            {"read_only": [65536]},
            {"read_only": ["1"]},
            {"allowed": {range(-5, 3): range(2)}},
        ],
    )
    def test_a_rule_for_impossible_addresses_is_refused(self, rules: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="must"):
            SequentialBlock(0, [0], **rules)  # type: ignore[arg-type]

    def test_the_error_names_the_first_missing_address(self) -> None:
        block = SequentialBlock(100, [0] * 10)
        with pytest.raises(IllegalDataAddressError, match=r"address 110 is not in 100\.\.109"):
            block.read_registers(105, 6)
        with pytest.raises(IllegalDataAddressError, match=r"address 99 is not in 100\.\.109"):
            block.read_bits(99, 2)
        with pytest.raises(IllegalDataAddressError, match="address 200 "):
            block.write_registers(200, b"\0\0")
        with pytest.raises(IllegalDataAddressError, match="address 4 is not in the block"):
            SparseBlock({3: 1, 5: 1}).read_registers(3, 3)

    def test_blocks_can_be_copied_and_pickled_for_snapshots(self) -> None:
        for block in memory_blocks(5, [1, 2, 3]):
            for other in (copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
                other[5] = 9
                assert block[5] == 1
                assert other[5:8] == (9, 2, 3)


@pytest.mark.parametrize("make", BUILT_IN)
class TestRules:
    """A refused request changes nothing."""

    def test_read_only_addresses_refuse_the_whole_write_with_02(self, make) -> None:
        block = make(range(10), read_only=[range(3, 5), 8])
        for address, count, first in [(3, 1, 3), (0, 5, 3), (4, 2, 4), (8, 1, 8), (0, 10, 3)]:
            with pytest.raises(IllegalDataAddressError, match=f"address {first} is read-only"):
                block.write_registers(address, bytes(2 * count))
            with pytest.raises(IllegalDataAddressError):
                block.write(address, [0] * count)
            with pytest.raises(IllegalDataAddressError):
                block.write_bits(address, count, bytes(2))
            with pytest.raises(IllegalDataAddressError):
                block.check_write(address, count)
        with pytest.raises(IllegalDataAddressError):
            block.mask_write(3, 0, 0)
        with pytest.raises(IllegalDataAddressError):
            block.write_read_registers(3, b"\0\0", 0, 1)
        assert contents(block, 0, 10) == list(range(10))
        block.write(0, [7, 7, 7])
        block.write(5, [7, 7, 7])
        assert contents(block, 0, 10) == [7, 7, 7, 3, 4, 7, 7, 7, 8, 9]

    def test_a_read_only_block_takes_no_write_but_its_owner_s(self, make) -> None:
        block = make([1, 2], read_only=True)
        with pytest.raises(IllegalDataAddressError):
            block.write(1, [9])
        block[1] = 9
        assert block.read(0, 2) == (1, 9)

    def test_values_that_are_not_allowed_are_refused_with_04(self, make) -> None:
        block = make(
            [0] * 6,
            allowed={range(3): range(101), 3: {1, 5}, 4: lambda value: value % 2 == 0},
        )
        block.write(0, [100, 0, 50, 5, 8, 65535])
        before = contents(block, 0, 6)
        for address, value in [(0, 101), (2, 65535), (3, 2), (4, 3)]:
            with pytest.raises(ServerDeviceFailureError, match=f"value {value} .* {address}"):
                block.write(address, [value])
        with pytest.raises(ServerDeviceFailureError):
            block.write_registers(1, bytes((0, 1, 0, 101)))  # the second one is wrong
        with pytest.raises(ServerDeviceFailureError):
            block.mask_write(0, 0, 0xFFFF)
        assert contents(block, 0, 6) == before

    def test_on_write_sees_the_new_values_in_place(self, make) -> None:
        seen: list[tuple[int, list[int], tuple[int, ...]]] = []

        def on_write(address: int, values: Sequence[int]) -> None:
            seen.append((address, list(values), block[0:4]))

        block = make([0] * 4, on_write=on_write)
        block.write_registers(1, bytes((0, 5, 1, 0)))
        block.write_bits(0, 3, b"\x05")
        block.mask_write(3, 0, 7)
        block.write(2, [9])
        assert seen == [
            (1, [5, 256], (0, 5, 256, 0)),
            (0, [True, False, True], (1, 0, 1, 0)),
            (3, [7], (1, 0, 1, 7)),
            (2, [9], (1, 0, 9, 7)),
        ]
        assert [type(value) for value in seen[1][1]] == [bool] * 3

    @pytest.mark.parametrize("error", [ServerDeviceBusyError(), ZeroDivisionError()])
    def test_a_write_that_on_write_refuses_is_undone(self, make, error: Exception) -> None:
        def on_write(address: int, values: Sequence[int]) -> None:
            raise error

        block = make([1, 2, 3], on_write=on_write)
        with pytest.raises(type(error)):
            block.write_registers(0, bytes(6))
        with pytest.raises(type(error)):
            block.write_bits(1, 2, b"\x00")
        with pytest.raises(type(error)):
            block.write_read_registers(0, bytes(2), 0, 1)
        assert block[0:3] == (1, 2, 3)

    def test_on_write_may_change_the_block_itself(self, make) -> None:
        def reset_command(address: int, values: Sequence[int]) -> None:
            block[0] = 0
            block[1] += 1

        block = make([0, 0], on_write=reset_command)
        block.write(0, [1])
        assert block[0:2] == (0, 1)

    def test_on_write_is_not_called_for_the_owner_nor_for_a_refused_write(self, make) -> None:
        def on_write(address: int, values: Sequence[int]) -> None:
            pytest.fail("called")

        block = make([0, 0], on_write=on_write, read_only=[1])
        block[0] = 5
        block[0:2] = [6, 7]
        with pytest.raises(IllegalDataAddressError):
            block.write(1, [0])
        with pytest.raises(IllegalDataAddressError):
            block.write(2, [0])
        assert block[0:2] == (6, 7)

    def test_write_refuses_values_that_are_no_registers(self, make) -> None:
        block = make([1, 2])
        with pytest.raises(ValueError, match=r"value at address 1 must be 0\.\.65535"):
            block.write(0, [5, 65536])
        assert block[0:2] == (1, 2)


async def save(address: int, values: Sequence[int]) -> None:
    """Save the values, which no block would wait for."""


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: SequentialBlock(0, 10), "values must be a list of values.*got 10"),
        (lambda: SequentialBlock([1], 0), r"start must be 0\.\.65535, got \[1\]"),
        (lambda: SequentialBlock(True, [1]), r"start must be 0\.\.65535, got True"),
        (lambda: SparseBlock([1]), r"values must map addresses to values.*got \[1\]"),
        (lambda: SequentialBlock(0, [1], read_only=3), "read_only must be a bool or a list"),
        (lambda: SequentialBlock(0, [1], on_write=5), "on_write.* must be a function or None"),
        (lambda: SparseBlock({1: 1}, on_write=save), "on_write.* must not be a coroutine function"),
    ],
)
def test_a_wrong_argument_is_named_at_once(make: Callable[[], object], sentence: str) -> None:
    """A coroutine function as `on_write` would never run, while each write is acknowledged."""
    with pytest.raises((TypeError, ValueError), match=sentence):
        make()
