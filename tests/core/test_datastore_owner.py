"""Blocks as their owner uses and subclasses them; `Datastore`, and references such as 40001."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from example_blocks import BUILT_IN, ListBlock
from modwire.errors import IllegalDataAddressError
from modwire.units.block import Block
from modwire.units.datastore import Datastore, MemoryBlock, SequentialBlock, SparseBlock
from modwire.units.tables import reference


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
        assert repr(block) in ("<SequentialBlock 0..2>", "<SparseBlock of 3 addresses>")

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
    """An override is used for every function that the client calls."""

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
        with pytest.raises(TypeError, match="coils must be a block, .* or None, got list"):
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
    """This also holds for a block with its own implementation, as stores have."""

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
