"""The values of fields in words; for a wrong value, also the allowed values."""

from __future__ import annotations

from collections.abc import Callable

from modwire.messages.fields import Field, FieldKind

from .names import MEI_TYPES, event_text, exception_text, object_text, sub_function_text
from .walk import count

# The first digits of references, by table.
_REFERENCES = {"coil": "0", "discrete input": "1", "input register": "3", "holding register": "4"}


def number_text(field: Field, value: int, lack: str = "") -> str:
    """Return a number with its name or unit, `lack`, and the allowed values if it is wrong."""
    teller = _TELLERS.get(field.name)
    if teller is not None:
        return teller(value)
    if field.kind is FieldKind.ADDRESS:
        number = value + 1
        return f"{value}, reference {_REFERENCES[field.unit]}{number:0{4 if number < 10000 else 5}}"
    if field.kind is FieldKind.BITS:
        bits = " ".join([str(value >> bit & 1) for bit in range(8)])
        return f"{value:02X}, outputs 0 to 7: {bits}"
    if field.kind is FieldKind.MAP:
        numbers = [str(field.least + bit) for bit in range(8) if value >> bit & 1]
        return f"{value:02X}, {', '.join(numbers) or 'none'}"
    text = _shown(field, value)
    if value in field.names:
        return f"{text}, {field.names[value]}"
    if field.kind in _COUNTED:
        text = count(value, _COUNTED[field.kind] or field.unit)
    in_range = field.least <= value <= field.most and not (value - field.least) % field.step
    if in_range and not field.names:
        return text + lack
    return f"{text}{lack}; wrong, {_allowed(field)}"


_COUNTED = {FieldKind.QUANTITY: "", FieldKind.BYTE_COUNT: "byte"}


def _shown(field: Field, value: int) -> str:
    return f"{value:0{2 * field.size}X}" if field.kind is FieldKind.CODE else str(value)


def _allowed(field: Field) -> str:
    """Return the values that a field may have, in words."""
    if field.least == field.most or len(field.names) == 1:
        return f"must be {_shown(field, next(iter(field.names), field.least))}"
    if field.kind is FieldKind.CODE and field.names:
        values = [_shown(field, value) for value in field.names]
        if len(values) == 2:
            names = [name.partition(",")[0] for name in field.names.values()]
            values = [f"{value} ({name})" for value, name in zip(values, names, strict=True)]
        return f"{', '.join(values[:-1])} and {values[-1]} are allowed"
    steps = f" in steps of {field.step}" if field.step > 1 else ""
    return f"{_shown(field, field.least)} to {_shown(field, field.most)}{steps} are allowed"


def _mask_text(what: str) -> Callable[[int], str]:
    """Return a function that explains a mask of function 22, with its bits."""

    def tell(mask: int) -> str:
        bits = [str(bit) for bit in range(16) if mask >> bit & 1]
        if len(bits) == 16:
            which = "all bits"
        elif bits:
            which = f"bit{'' if len(bits) == 1 else 's'} {', '.join(bits)}"
        else:
            which = "no bits"
        return f"{mask:04X}, {which} {what}"

    return tell


def _mei_text(mei: int) -> str:
    function = MEI_TYPES.get(mei)
    return f"{mei}, {function.name}" if function else f"{mei}, reserved"


_TELLERS: dict[str, Callable[[int], str]] = {
    "exception code": exception_text,
    "sub-function": sub_function_text,
    "event {}": lambda event: f"{event:02X}, {event_text(event)}",
    "diagnostic register": "{0:04X}, bits {0:016b}".format,
    "AND mask": _mask_text("kept"),
    "OR mask": _mask_text("set, where the AND mask has 0"),
    "MEI type": _mei_text,
    "object id": object_text,
    "next object id": object_text,
}


def register_text(data: bytes) -> str:
    """Return a register as a number, and as a signed number if that is different."""
    value = int.from_bytes(data, "big")
    return f"{value}, signed {value - 0x10000}" if value & 0x8000 else str(value)


def bits_text(held: int) -> Callable[[bytes], str]:
    """Return a function that explains a byte with `held` bits; its other bits must be 0."""

    def tell(data: bytes) -> str:
        text = " ".join([str(data[0] >> bit & 1) for bit in range(held)])
        if held == 8:
            return text
        padding = data[0] >> held
        rest = f"the {count(8 - held, 'bit')} above it pad" if held == 1 else "the rest pads"
        text = f"{text}, {rest}" if held else "no bits that were asked for"
        return f"{text}; wrong, padding must be 0" if padding else text

    return tell
