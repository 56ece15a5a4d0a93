"""The examples of typed values, maps and the planner print the output that they promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from programs import run

EXAMPLES = Path(__file__).parents[1] / "examples" / "values"
PRINTED = {
    "builder_and_reader": """\
7075 6D70 2037 0000 41B2 B852 FFD8 03FA 0000 E240 0001 5555
pump 7
22.34
-40 3 250
123456
(True, False, True, False)
float64 needs 8 bytes, 0 of 24 are left
""",
    "bcd": """\
2026-09-30 23:59:59
10,203,040 pieces
BCD must have half-bytes 0..9, got 12 ff
BCD of 4 digits must be 0..9999, got 10000
""",
    "modicon": """\
holding_registers 100
B852 41B2
22.34
ABCD -5.013e-05
CDAB 22.34
BADC 3.966e+11
DCBA -1.125e-08
""",
    "register_map": """\
PX-7 4.25 bar (4.75, 5.0, 4.5)
Mode.MANUAL 9 False False
Pump(speed=1450.0, mode=Mode.AUTO, hot=True, level=9, running=True)
4.5
pressure (input register 4): 1000.0 scaled by 0.01: uint16 must be an integer 0..65535, got 100000
""",
    "read_planner": """\
9600 baud: 0..6 40..42 100..101 130..130, 161 of 317 ms
TCP: 0..42 100..130, 4 of 18 ms
careful: 0..4 6..6 40..42 100..101 130..130
poll 1: 9 points, 12 requests, 5 refused
poll 2: 9 points, 10 requests, 3 refused
poll 3: 9 points, 7 requests, 0 refused
""",
}


def test_every_program_is_run_by_a_test() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_a_program_prints_what_it_says(name: str) -> None:
    assert run(EXAMPLES / f"{name}.py") == PRINTED[name].splitlines()
