"""Rights of roles: compared with the sentence that defines them; what no rule allows is denied."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modwire import (
    CanopenGeneralReferenceRequest,
    DiagnosticsRequest,
    FileRecord,
    FileRecordData,
    GetCommEventCounterRequest,
    GetCommEventLogRequest,
    MaskWriteRegisterRequest,
    RawRequest,
    ReadCoilsRequest,
    ReadDeviceIdentificationRequest,
    ReadDiscreteInputsRequest,
    ReadExceptionStatusRequest,
    ReadFifoQueueRequest,
    ReadFileRecordRequest,
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    ReadWriteMultipleRegistersRequest,
    ReportServerIdRequest,
    Request,
    WriteFileRecordRequest,
    WriteMultipleCoilsRequest,
    WriteMultipleRegistersRequest,
    WriteSingleCoilRequest,
    WriteSingleRegisterRequest,
)
from modwire.tls import Rights
from modwire.units.tables import TABLES

FULL = os.environ.get("MODWIRE_FULL", "") not in ("", "0")
AnyRequest = Request[Any]
Rule = dict[str, Any]

# Few numbers, so that rules and requests meet.
ADDRESSES = st.integers(0, 12)
COUNTS = st.integers(1, 6)
UNITS = st.integers(0, 4)
FILES = st.integers(1, 4)
CODES = (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 17, 20, 21, 22, 23, 24, 43, 65)
SUB_FUNCTIONS = ("8/0", "8/1", "8/2", "8/4", "8/10", "43/13", "43/14")
TABLE_CODES = {1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 24}
FILE_CODES = {20, 21}


def values(item: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(item, min_size=1, max_size=6)


READ_GROUPS = values(st.builds(FileRecord, FILES, ADDRESSES, COUNTS))
WRITE_GROUPS = values(st.builds(FileRecordData, FILES, ADDRESSES, values(ADDRESSES)))
ANY_REQUEST: st.SearchStrategy[AnyRequest] = st.one_of(
    st.builds(ReadCoilsRequest, ADDRESSES, COUNTS),
    st.builds(ReadDiscreteInputsRequest, ADDRESSES, COUNTS),
    st.builds(ReadHoldingRegistersRequest, ADDRESSES, COUNTS),
    st.builds(ReadInputRegistersRequest, ADDRESSES, COUNTS),
    st.builds(WriteSingleCoilRequest, ADDRESSES, st.booleans()),
    st.builds(WriteSingleRegisterRequest, ADDRESSES, ADDRESSES),
    st.builds(ReadExceptionStatusRequest),
    st.builds(DiagnosticsRequest, st.sampled_from((0, 1, 2, 4, 10, 11))),
    st.builds(GetCommEventCounterRequest),
    st.builds(GetCommEventLogRequest),
    st.builds(WriteMultipleCoilsRequest, ADDRESSES, values(st.booleans())),
    st.builds(WriteMultipleRegistersRequest, ADDRESSES, values(ADDRESSES)),
    st.builds(ReportServerIdRequest),
    st.builds(ReadFileRecordRequest, READ_GROUPS),
    st.builds(WriteFileRecordRequest, WRITE_GROUPS),
    st.builds(MaskWriteRegisterRequest, ADDRESSES, ADDRESSES, ADDRESSES),
    st.builds(ReadWriteMultipleRegistersRequest, ADDRESSES, COUNTS, ADDRESSES, values(ADDRESSES)),
    st.builds(ReadFifoQueueRequest, ADDRESSES),
    st.builds(CanopenGeneralReferenceRequest, st.binary(max_size=4)),
    st.builds(ReadDeviceIdentificationRequest, st.just(1), st.just(0)),
    st.builds(RawRequest, st.just(65), st.binary(max_size=4)),
)


@st.composite
def spans(draw: st.DrawFn, numbers: st.SearchStrategy[int]) -> object:
    if draw(st.integers(0, 5)) == 0:
        return "all"
    items: list[object] = []
    for _ in range(draw(st.integers(1, 3))):
        first, last = sorted((draw(numbers), draw(numbers)))
        items.append(draw(st.sampled_from((first, f"{first}..{last}", f"{first}"))))
    return items


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    rule: Rule = {
        "units": draw(spans(UNITS)),
        "access": draw(st.sampled_from(("read", "write", ["read", "write"], ["write"]))),
    }
    kind = draw(st.sampled_from(("tables", "files", "both", "functions", "functions")))
    codes: set[int] = set() if kind != "functions" else set(CODES)
    if kind in ("tables", "both"):
        rule["tables"] = draw(st.lists(st.sampled_from(TABLES), min_size=1, max_size=4))
        codes |= TABLE_CODES
        if draw(st.booleans()):
            rule["addresses"] = draw(spans(ADDRESSES))
    if kind in ("files", "both"):
        rule["files"] = draw(spans(FILES))
        codes |= FILE_CODES
    if kind == "functions" or draw(st.integers(0, 2)) == 0:
        names: list[object] = sorted(codes)
        names += [f"{code}" for code in sorted(codes)]
        names += SUB_FUNCTIONS if kind == "functions" else ()
        rule["functions"] = draw(st.lists(st.sampled_from(names), min_size=1, max_size=8))
    return rule


# The plain reference: from the bytes of the request, one register after the other.


def numbers(value: object, most: int) -> set[int]:
    if value == "all":
        return set(range(most + 1))
    found: set[int] = set()
    for item in value:  # type: ignore[attr-defined]
        first, _, last = str(item).partition("..")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def touched(request: AnyRequest) -> list[tuple[str, str, int | None]]:
    """Return each point that a request reads or writes: access, table or "file" or "", number."""
    pdu = request.encode()
    code = pdu[0]

    def word(at: int) -> int:
        return int.from_bytes(pdu[at : at + 2], "big")

    def span(access: str, table: str, start: int, count: int) -> list[tuple[str, str, int | None]]:
        return [(access, table, number) for number in range(start, start + count)]

    table = {
        **dict.fromkeys((1, 5, 15), "coils"),
        2: "discrete_inputs",
        4: "input_registers",
        **dict.fromkeys((3, 6, 16, 22, 23, 24), "holding_registers"),
    }.get(code, "")
    if code in (1, 2, 3, 4):
        return span("read", table, word(1), word(3))
    if code in (15, 16):
        return span("write", table, word(1), word(3))
    if code in (5, 6, 22):
        return span("write", table, word(1), 1)
    if code == 23:
        return span("read", table, word(1), word(3)) + span("write", table, word(5), word(7))
    if code == 24:
        return span("read", table, word(1), 1)
    if code in (20, 21):
        found: list[tuple[str, str, int | None]] = []
        at = 2
        while at < len(pdu):
            found.append(("read" if code == 20 else "write", "file", word(at + 1)))
            at += 7 if code == 20 else 7 + 2 * word(at + 5)
        return found
    changes = (code == 8 and word(1) in (1, 3, 4, 10, 20)) or (code == 43 and pdu[1] == 13)
    return [("write" if changes or code == 65 else "read", "", None)]


def may(rule: Rule, unit: int, request: AnyRequest, point: tuple[str, str, int | None]) -> bool:
    """Return True if a rule allows one point of a request."""
    access, place, number = point
    pdu = request.encode()
    names = {str(pdu[0])}
    if pdu[0] == 8:
        names.add(f"8/{int.from_bytes(pdu[1:3], 'big')}")
    if pdu[0] == 43:
        names.add(f"43/{pdu[1]}")
    if unit not in numbers(rule["units"], 255) or access not in rule["access"]:
        return False
    if "functions" in rule and not names & {str(each) for each in rule["functions"]}:
        return False
    if "tables" not in rule and "files" not in rule:
        return True
    if place == "file":
        return "files" in rule and number in numbers(rule["files"], 0xFFFF)
    is_in = number in numbers(rule.get("addresses", "all"), 0xFFFF)
    return place in rule.get("tables", ()) and is_in


@settings(max_examples=20_000 if FULL else 400)
@given(
    st.dictionaries(st.sampled_from((None, "operator", "engineer")), st.lists(rules(), max_size=4)),
    st.sampled_from((None, "operator", "engineer", "Operator", "operator ", "")),
    UNITS,
    ANY_REQUEST,
)
def test_a_request_is_allowed_if_each_of_its_points_is_allowed_by_a_rule(
    given_rules: dict[str | None, list[Rule]], role: str | None, unit: int, request: AnyRequest
) -> None:
    data: dict[str, object] = {
        "role": {name: each for name, each in given_rules.items() if name is not None}
    }
    if None in given_rules:
        data["no_role"] = given_rules[None]
    of_role = given_rules.get(role, [])
    expected = all(
        any(may(rule, unit, request, point) for rule in of_role) for point in touched(request)
    )
    rights = Rights.from_dict(data)
    assert rights("anybody", role, unit, request) is expected
    assert rights.allows(role, unit, request) is expected


@given(st.sampled_from((None, "operator")), UNITS, ANY_REQUEST)
def test_the_default_is_to_deny(role: str | None, unit: int, request: AnyRequest) -> None:
    assert not Rights.from_dict({}).allows(role, unit, request)
    assert not Rights({}).allows(role, unit, request)
    nobody: dict[str, object] = {"no_role": [], "role": {"operator": []}}
    assert not Rights.from_dict(nobody).allows(role, unit, request)


def test_a_range_may_be_allowed_by_two_rules() -> None:
    rule = {"units": "all", "access": "read", "tables": ["coils"]}
    halves = [{**rule, "addresses": ["0..9"]}, {**rule, "addresses": ["10..19"]}]
    rights = Rights.from_dict({"role": {"operator": halves}})
    assert rights.allows("operator", 1, ReadCoilsRequest(0, 20))
    assert not rights.allows("operator", 1, ReadCoilsRequest(0, 21))
    assert not rights.allows("operator", 1, WriteSingleCoilRequest(0, True))


def test_the_last_addresses_and_all_units_can_be_allowed() -> None:
    rule = {"units": [255], "access": "read", "tables": ["coils"], "addresses": ["65000..65535"]}
    rights = Rights.from_dict({"no_role": [rule]})
    assert rights.allows(None, 255, ReadCoilsRequest(65_535, 1))
    assert not rights.allows(None, 255, ReadCoilsRequest(64_999, 2))
    assert not rights.allows(None, 254, ReadCoilsRequest(65_535, 1))


def test_a_class_of_the_user_is_not_judged_by_its_addresses() -> None:
    """It may do anything with them: only a rule for the whole function allows it."""

    class Sums(ReadHoldingRegistersRequest):
        is_write = True

    by_table = {"units": "all", "access": ["read", "write"], "tables": ["holding_registers"]}
    whole = {"units": "all", "access": "write", "functions": [3]}
    assert not Rights.from_dict({"no_role": [by_table]}).allows(None, 1, Sums(0, 1))
    assert Rights.from_dict({"no_role": [whole]}).allows(None, 1, Sums(0, 1))
