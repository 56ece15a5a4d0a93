"""Blocks: what clients read and write, what the rules refuse, and what the owner may do."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modwire.bits import pack_bits, unpack_bits
from modwire.errors import IllegalDataAddressError, ServerDeviceBusyError, ServerDeviceFailureError
from modwire.units.block import Block
from modwire.units.datastore import Datastore, MemoryBlock, SequentialBlock, SparseBlock
from modwire.units.tables import reference

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


class TestAgreement:
    """A client cannot tell which block it talks to."""

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
    """Refusing leaves everything as it was."""

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


@pytest.mark.parametrize("make", BUILT_IN)
class TestOwner:
    def test_a_block_is_read_and_set_by_address(self, make) -> None:
        block = make([10, 20, 30])
        block[1] = 21
        block[2:3] = [True]
        assert block[1] == 21
        assert block[0:3] == (10, 21, 1)
        assert block[1:1] == ()
        assert len(block) == 3
        assert list(block) == [0, 1, 2]
        assert 2 in block
        assert 3 not in block
        assert "3 addresses" in repr(block)

    def test_mistakes_are_index_and_value_errors(self, make) -> None:
        block = make([1, 2, 3])
        for key in (3, -1, slice(2, 4), slice(None, 2), slice(0, 3, 2), slice(2, 1)):
            with pytest.raises(IndexError):
                block[key]
        with pytest.raises(IndexError):
            block[-1] = 0
        with pytest.raises(IndexError):
            block[0:3:2] = [0, 0]
        with pytest.raises(ValueError, match="must be 2"):
            block[0:2] = [1, 2, 3]
        with pytest.raises(ValueError, match="address 1 must be"):
            block[1] = -5
        with pytest.raises(ValueError, match="address 1 must be"):
            block[0:2] = [0, 65536]
        assert block[0:3] == (1, 2, 3)


def test_the_owner_adds_addresses_to_a_sparse_block_and_takes_them_away() -> None:
    block = SparseBlock({})
    block[65535] = 1
    block[10:12] = [2, 3]
    assert list(block) == [10, 11, 65535]
    del block[11]
    assert 11 not in block
    with pytest.raises(IndexError):
        del block[11]
    with pytest.raises(IndexError):
        block[65536] = 0
    with pytest.raises(IllegalDataAddressError):
        block.write(11, [1])  # a client cannot


def test_a_sequential_block_does_not_grow() -> None:
    block = SequentialBlock(0, [0])
    with pytest.raises(IndexError, match=r"address 1 is not in 0\.\.0"):
        block[1] = 1


class TestSubclassing:
    """An override is used whichever function the client calls."""

    @pytest.mark.parametrize("base", [SequentialBlock, SparseBlock])
    def test_an_override_of_read_serves_every_read(self, base: type[MemoryBlock]) -> None:
        class Clock(base):  # type: ignore[misc, valid-type]
            def read(self, address: int, count: int) -> Sequence[int]:
                return [value + 1 for value in super().read(address, count)]

        block = Clock(0, [0, 1, 2]) if base is SequentialBlock else Clock({0: 0, 1: 1, 2: 2})
        assert block.read_registers(0, 3) == bytes((0, 1, 0, 2, 0, 3))
        assert block.read_bits(0, 3) == b"\x07"
        assert block.write_read_registers(0, b"\x00\x05", 0, 1) == b"\x00\x06"
        block.mask_write(1, 0xFFFF, 0)
        assert block[1] == 2
        assert not block.plain_reads

    @pytest.mark.parametrize("base", [SequentialBlock, SparseBlock])
    def test_an_override_of_write_sees_every_write(self, base: type[MemoryBlock]) -> None:
        writes: list[tuple[int, tuple[int, ...]]] = []

        class Logged(base):  # type: ignore[misc, valid-type]
            def write(self, address: int, values: Sequence[int]) -> None:
                writes.append((address, tuple(values)))
                super().write(address, values)

        block = Logged(0, [0, 0]) if base is SequentialBlock else Logged({0: 0, 1: 0})
        block.write_registers(0, bytes((0, 1, 0, 2)))
        block.write_bits(1, 1, b"\xff")
        block.mask_write(0, 0, 9)
        block.write_read_registers(1, b"\x00\x07", 0, 1)
        assert writes == [(0, (1, 2)), (1, (True,)), (0, (9,)), (1, (7,))]
        assert block[0:2] == (9, 7)
        assert block.plain_reads

    def test_a_mixin_and_a_second_generation_are_overrides_too(self) -> None:
        class Plus:
            def read(self, address: int, count: int) -> Sequence[int]:
                values: Sequence[int] = super().read(address, count)  # type: ignore[misc]
                return [value + 1 for value in values]

        class Mixed(Plus, SequentialBlock):
            pass

        class Child(Mixed):
            pass

        for cls in (Mixed, Child):
            assert cls(0, [4]).read_registers(0, 1) == b"\x00\x05"
            assert not cls.plain_reads

    def test_a_byte_form_of_one_s_own_is_kept(self) -> None:
        class Fast(SequentialBlock):
            def read(self, address: int, count: int) -> Sequence[int]:
                return [1] * count

            def read_registers(self, address: int, count: int) -> bytes:
                return b"\x00\x01" * count

        assert Fast(0, [0]).read_registers(0, 2) == b"\x00\x01" * 2
        assert Fast(0, [0]).read_bits(0, 2) == b"\x03"
        assert not Fast.plain_reads

    def test_a_subclass_that_overrides_neither_keeps_the_speed(self) -> None:
        class Named(SequentialBlock):
            name = "meter"

        assert Named.plain_reads
        assert Named.read_registers is SequentialBlock.read_registers

    def test_a_read_of_the_wrong_number_of_values_is_not_sent(self) -> None:
        class Short(ListBlock):
            def read(self, address: int, count: int) -> Sequence[int]:
                return [1]

        with pytest.raises(ValueError, match=r"Short.read\(\) must return 2 values, got 1"):
            Short(0, []).read_registers(0, 2)
        with pytest.raises(ValueError, match=r"Short.read\(\) must return 9 values, got 1"):
            Short(0, []).read_bits(0, 9)

    def test_a_block_without_read_or_write_says_which_is_missing(self) -> None:
        with pytest.raises(NotImplementedError, match=r"Block must define read\(\)"):
            Block().read(0, 1)
        with pytest.raises(NotImplementedError, match=r"Block must define write\(\)"):
            Block().write(0, [1])


class TestDatastore:
    def test_a_missing_table_has_no_address(self) -> None:
        store = Datastore()
        for table, name in [
            (store.coils, "coils"),
            (store.discrete_inputs, "discrete inputs"),
            (store.holding_registers, "holding registers"),
            (store.input_registers, "input registers"),
        ]:
            with pytest.raises(IllegalDataAddressError, match=f"the unit has no {name}"):
                table.read_registers(0, 1)
            with pytest.raises(IllegalDataAddressError, match=f"the unit has no {name}"):
                table.write_bits(0, 1, b"\1")
            assert name in repr(table)

    def test_a_table_that_is_no_block_is_refused_at_once(self) -> None:
        with pytest.raises(TypeError, match="coils must be a block or None, got list"):
            Datastore([True, False])  # type: ignore[arg-type]

    def test_tables_may_share_a_block(self) -> None:
        block = SequentialBlock(0, [0, 5])
        store = Datastore(coils=block, holding_registers=block)
        store.coils.write_bits(0, 1, b"\x01")
        assert store.holding_registers.read(0, 2) == (1, 5)
        assert store.coils.read_bits(0, 2) == b"\x03"


class TestReference:
    @pytest.mark.parametrize(
        ("number", "place"),
        [
            (1, ("coils", 0)),
            (9999, ("coils", 9998)),
            (10001, ("discrete_inputs", 0)),
            (30010, ("input_registers", 9)),
            (40001, ("holding_registers", 0)),
            (49999, ("holding_registers", 9998)),
            (400001, ("holding_registers", 0)),
            (465536, ("holding_registers", 65535)),
            (165536, ("discrete_inputs", 65535)),
            ("00001", ("coils", 0)),
            ("010000", ("coils", 9999)),
            ("065536", ("coils", 65535)),
            ("40108", ("holding_registers", 107)),
        ],
    )
    def test_manuals_numbers_give_table_and_address(
        self, number: int | str, place: tuple[str, int]
    ) -> None:
        assert reference(number) == place
        assert hasattr(Datastore(), reference(number).table)

    @pytest.mark.parametrize(
        "number",
        [0, 40000, 20001, 50001, 465537, 400000, 1000000, -1, "", "4x001", "4001", "٤٠٠٠١"],
    )
    def test_what_is_no_reference_is_refused(self, number: int | str) -> None:
        with pytest.raises(ValueError, match="reference must be"):
            reference(number)


def test_an_override_of_write_is_used_by_function_23_too() -> None:
    """Also below a block that has a way of its own to do it, as stores have."""

    class Atomic(SequentialBlock):
        def write_read_registers(
            self, write_address: int, data: bytes, read_address: int, read_count: int
        ) -> bytes:
            raise AssertionError("this knows nothing of the override")

    class Doubling(Atomic):
        def write(self, address: int, values: Sequence[int]) -> None:
            super().write(address, [2 * value for value in values])

    block = Doubling(0, [0] * 4)
    assert block.write_read_registers(1, b"\0\5", 0, 3) == bytes((0, 0, 0, 10, 0, 0))
