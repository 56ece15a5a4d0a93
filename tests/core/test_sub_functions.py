"""Function 8 on a unit: what its sub-functions read and set, and those that a subclass adds."""

from __future__ import annotations

import pytest

from modwire import Decoder, IllegalFunctionError, ModbusPlusStatistics, Unit
from reference_server import answered

DECODER = Decoder()


def ask(unit: Unit, text: str) -> str:
    """Return the answer to a PDU, both in hex."""
    return answered(unit, bytes.fromhex(text), DECODER).hex(" ")


def test_query_data_comes_back() -> None:
    assert ask(Unit(), "08 0000 a537 1234") == "08 00 00 a5 37 12 34"


def test_the_diagnostic_register_is_the_owner_s() -> None:
    unit = Unit()
    unit.diagnostic_register = 0x8001
    assert ask(unit, "08 0002 0000") == "08 00 02 80 01"
    with pytest.raises(ValueError, match=r"diagnostic_register must be 0\.\.65535, got 65536"):
        unit.diagnostic_register = 65536


def test_the_ascii_delimiter_is_kept_for_the_framing() -> None:
    unit = Unit()
    assert unit.ascii_delimiter == 0x0A
    assert ask(unit, "08 0003 2300") == "08 00 03 23 00"
    assert unit.ascii_delimiter == 0x23
    assert ask(unit, "08 0003 2301") == "88 03"


def test_modbus_plus_statistics_are_got_and_cleared() -> None:
    unit = Unit()
    unit.modbus_plus_statistics = range(54)
    words = " ".join(f"00 {word:02x}" for word in range(54))
    assert ask(unit, "08 0015 0003") == f"08 00 15 00 03 00 6c {words}"
    assert ask(unit, "08 0015 0004") == "08 00 15 00 04"
    assert unit.modbus_plus_statistics == ModbusPlusStatistics()
    with pytest.raises(ValueError, match="must be 54 words, got 53"):
        unit.modbus_plus_statistics = [0] * 53
    with pytest.raises(ValueError, match="65536"):
        unit.modbus_plus_statistics = [65536] * 54
    unit.modbus_plus_statistics = ModbusPlusStatistics(token_passes=0xABCD)
    assert ask(unit, "08 0015 0003")[21:].startswith("00 00 " * 5 + "ab cd 00")


def test_19_is_another_number_for_the_overruns() -> None:
    unit = Unit()
    unit.communication_error(overrun=True)
    assert ask(unit, "08 0013 0000") == "08 00 13 00 01"
    assert ask(unit, "08 0012 0000") == "08 00 12 00 01"
    ask(unit, "08 0014 0000")
    assert ask(unit, "08 0013 0000") == "08 00 13 00 00"


@pytest.mark.parametrize("sub_function", [5, 9, 22, 0xFFFF])
def test_reserved_sub_functions_are_01(sub_function: int) -> None:
    assert ask(Unit(), f"08 {sub_function:04x} 0000") == "88 01"
    with pytest.raises(IllegalFunctionError):
        Unit().diagnose(sub_function, (0,))


def test_a_subclass_may_answer_more() -> None:
    class Talkative(Unit):
        def diagnose(self, sub_function: int, data: tuple[int, ...]) -> tuple[int, ...] | None:
            if sub_function == 2:
                return (0xBEEF,)
            return super().diagnose(sub_function, data)

    assert ask(Talkative(), "08 0002 0000") == "08 00 02 be ef"
    assert ask(Talkative(), "08 000e 0000") == "08 00 0e 00 01"


def test_a_subclass_may_know_sub_functions_that_modwire_does_not() -> None:
    class Special(Unit):
        def diagnose(self, sub_function: int, data: tuple[int, ...]) -> tuple[int, ...] | None:
            if sub_function == 0x8001:
                return tuple(reversed(data))
            return super().diagnose(sub_function, data)

    assert ask(Special(), "08 8001 0001 0002 0003") == "08 80 01 00 03 00 02 00 01"
    assert ask(Special(), "08 8001") == "08 80 01"
    assert ask(Special(), "08 8002 0000") == "88 01"
