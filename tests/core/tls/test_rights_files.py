"""The file of rights: how it is written, and what is said about mistakes in it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from modwire import ReadCoilsRequest, ReadHoldingRegistersRequest, ReportServerIdRequest
from modwire.tls import Rights

if sys.version_info < (3, 11):
    pytest.importorskip("tomli", reason="to install it: pip install tomli")

TEXT = """
[[role.operator]]
units = [1, "10..20"]
access = "read"
tables = ["holding_registers"]
addresses = ["0..99", 200]

[[role.operator]]
units = "all"
access = "read"
functions = [17, "43/14"]

[[role."Shift Leader"]]
units = [1]
access = ["read", "write"]
tables = ["coils", "holding_registers"]

[[no_role]]
units = [1]
access = "read"
tables = ["input_registers"]
"""


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rights.toml"
    path.write_text(TEXT, encoding="utf-8")
    rights = Rights.load(path)
    assert rights.roles == ["operator", "Shift Leader"]
    assert repr(rights) == f"<Rights in {path} of 2 roles>"
    assert rights.allows("operator", 15, ReadHoldingRegistersRequest(0, 100))
    assert not rights.allows("operator", 15, ReadHoldingRegistersRequest(0, 101))
    assert not rights.allows("operator", 21, ReadHoldingRegistersRequest(0, 1))
    assert rights.allows("operator", 21, ReportServerIdRequest())
    assert not rights.allows("Operator", 21, ReportServerIdRequest())
    assert not rights.allows(None, 1, ReadCoilsRequest(0, 1))


def test_it_may_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "rights.toml"
    path.write_text(TEXT, encoding="utf-8")
    rights = Rights.load(str(path))
    request = ReadCoilsRequest(0, 1)
    assert not rights.allows(None, 1, request)
    path.write_text(TEXT + 'access = "write"', encoding="utf-8")
    with pytest.raises(ValueError, match="rights.toml"):
        rights.reload()
    assert rights.roles == ["operator", "Shift Leader"]
    path.write_text(TEXT.replace("input_registers", "coils"), encoding="utf-8")
    rights.reload()
    assert rights.allows(None, 1, request)
    path.unlink()
    with pytest.raises(OSError, match="rights.toml"):
        rights.reload()
    with pytest.raises(ValueError, match="not loaded from a file"):
        Rights.from_dict({}).reload()


GOOD = {"units": [1], "access": "read", "tables": ["coils"]}
WRONG: list[tuple[Any, str]] = [
    ([], "rights must be a table"),
    ({"roles": {}}, "rights must have one of role, no_role; got 'roles'; did you mean 'role'"),
    ({"role": []}, "role must be a table"),
    ({"role": {"": [GOOD]}}, "role must be a text without NUL, got ''"),
    ({"role": {1: [GOOD]}}, "role must have texts as keys, got 1"),
    ({"role": {"a": GOOD}}, "role 'a' must be a list of rules, as in [[role.operator]]"),
    ({"no_role": [GOOD, 5]}, "no_role, rule 2 must be a table, got 5"),
    ({"no_role": [{**GOOD, "unit": 1}]}, "no_role, rule 1: key must be one of units,"),
    ({"no_role": [{"access": "read", "tables": ["coils"]}]}, "rule 1 must have units"),
    ({"no_role": [{"units": [1], "tables": ["coils"]}]}, "rule 1 must have access"),
    ({"no_role": [{"units": [1], "access": "read"}]}, "must have tables, files or functions"),
    (
        {"no_role": [{"units": [1], "access": "read", "functions": [3], "addresses": [1]}]},
        "has addresses, so it must have tables too",
    ),
    ({"no_role": [{**GOOD, "units": []}]}, "units must not be empty"),
    ({"no_role": [{**GOOD, "units": [256]}]}, "units must be numbers of 0..255"),
    ({"no_role": [{**GOOD, "units": ["5..3"]}]}, "got '5..3'"),
    ({"no_role": [{**GOOD, "units": ["3.."]}]}, "got '3..'"),
    ({"no_role": [{**GOOD, "units": [True]}]}, "got True"),
    ({"no_role": [{**GOOD, "units": [1.5]}]}, "got 1.5"),
    ({"no_role": [{**GOOD, "units": ["-1"]}]}, "got '-1'"),
    ({"no_role": [{**GOOD, "units": "any"}]}, "or \"all\", got 'any'"),
    ({"no_role": [{**GOOD, "addresses": [65536]}]}, "addresses must be numbers of 0..65535"),
    ({"no_role": [{**GOOD, "files": [0]}]}, "files must be numbers of 1..65535"),
    ({"no_role": [{**GOOD, "access": "reed"}]}, "access must be one of read, write; got 'reed'"),
    ({"no_role": [{**GOOD, "access": []}]}, "access must not be empty"),
    ({"no_role": [{**GOOD, "tables": ["registers"]}]}, "tables must be one of coils,"),
    ({"no_role": [{**GOOD, "functions": [0]}]}, "functions must be function codes 1..127"),
    ({"no_role": [{**GOOD, "functions": ["43/x"]}]}, "got '43/x'"),
    ({"no_role": [{**GOOD, "functions": [True]}]}, "got True"),
    ({"no_role": [{**GOOD, "functions": []}]}, "functions must not be empty"),
    ({"no_role": [{**GOOD, "functions": [17]}]}, "function 17 reaches none of its tables"),
    ({"no_role": [{**GOOD, "functions": [65]}]}, "a function of yours, 65 reaches none"),
]


@pytest.mark.parametrize(("data", "text"), WRONG)
def test_a_mistake_is_told(data: Any, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        Rights.from_dict(data)
