"""The identification and the server id of a unit in a device file."""

from __future__ import annotations

from modwire import Identity, ObjectId

from ...values.numbers import parse_int
from ..devices import ServerId
from .sections import Section

_MOST_OBJECT = 244  # bytes
_NAMES = {each.name.lower(): int(each) for each in ObjectId}
_INDIVIDUAL_ACCESS = "individual_access"


def read_identity(unit: Section) -> tuple[dict[int, bytes], bool]:
    """Return the objects of device identification, and True if individual access is allowed."""
    if "identity" not in unit:
        return {}, True
    allowed = (
        f'{", ".join(_NAMES)}, {_INDIVIDUAL_ACCESS}, or objects by their number, such as "0x80"'
    )
    found = unit.mapping(
        "identity",
        lambda name: name if name == _INDIVIDUAL_ACCESS or _object_id(name) is not None else None,
        allowed,
    )
    objects: dict[int, bytes] = {}
    individual_access = True
    for name, section in found.items():
        number = _object_id(name)
        if number is None:
            individual_access = section.flag(name, True)
        else:
            objects[number] = section.data(name, _MOST_OBJECT)
    try:
        Identity({**dict.fromkeys((0, 1, 2), b""), **objects})
    except ValueError as error:
        raise unit.failure("identity", error) from None
    return dict(sorted(objects.items())), individual_access


def read_server_id(unit: Section) -> ServerId:
    """Return the response to function 17."""
    if "server_id" not in unit:
        return ServerId()
    section = unit.section("server_id", ("id", "running", "additional"))
    is_absent = "running" in section and section.get("running") == "absent"
    found = ServerId(
        section.data("id", 250),
        None if is_absent else section.flag("running", True),
        section.data("additional", 250) if "additional" in section else b"",
    )
    if is_absent and found.additional:
        raise section.error("additional", "must be left out where running is absent")
    if not found.id and is_absent:
        raise section.error("id", "must not be empty where running is absent")
    size = len(found.id) + len(found.additional)
    if size > 250:
        raise section.error("", f"must have at most 250 bytes with additional, got {size}")
    return found


def _object_id(name: str) -> int | None:
    if name in _NAMES:
        return _NAMES[name]
    try:
        number = parse_int(name)
    except ValueError:
        return None
    return number if 0 <= number <= 255 else None
