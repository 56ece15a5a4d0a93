"""`fields_of`: checks values by the annotations of a dataclass or Struct, with clear errors.

A limit is written once, as `msgspec.Meta` in an annotation. Device files, the REST interface and
`View.set_faults` use it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import TypeGuard, get_type_hints

import msgspec
from msgspec import ValidationError, inspect


class Field:
    """A field of a dataclass or Struct."""

    def __init__(self, hint: object, info: inspect.Field) -> None:
        self.required = info.required
        self.kind = info.type
        while isinstance(self.kind, inspect.Metadata):
            self.kind = self.kind.type
        self._hint = hint
        self._default: object = info.default

    @property
    def is_text(self) -> bool:
        """True if the value may be any text, including an empty one."""
        return isinstance(self.kind, inspect.StrType | inspect.CustomType)

    def check(self, value: object) -> object:
        """Return the value as the field's type; raises ValueError("must be ..., got ...")."""
        try:
            found: object = msgspec.convert(value, self._hint)
        except (ValidationError, OverflowError):
            raise ValueError(self.complaint(value)) from None
        if isinstance(found, float) and not math.isfinite(found) and found != self._default:
            raise ValueError(self.complaint(value))
        return found

    def complaint(self, value: object) -> str:
        """Return "must be ..., got ..." for a value that is not allowed."""
        kind = self.kind
        if isinstance(kind, inspect.ListType):
            most = kind.max_length
            if is_list(value) and value and (most is None or len(value) <= most):
                is_text = isinstance(kind.item_type, inspect.Metadata | inspect.StrType)
                right = str if is_text else int
                wrong = next((item for item in value if not isinstance(item, right)), value[0])
                return f"must be {'texts' if is_text else 'whole numbers'}, got {shown(wrong)}"
            return f"must be {self.allowed}"
        return f"must be {self.allowed}, got {shown(value)}"

    @property
    def allowed(self) -> str:
        """The allowed values, as the end of a sentence that begins with "must be"."""
        return _allowed(self.kind)


def _allowed(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType():
            return _allowed(kind.types[0])
        case inspect.IntType(ge=least, le=most) | inspect.FloatType(ge=least, le=most) if most:
            return f"{least:g}..{most}"
        case inspect.FloatType(gt=above):
            return "a finite number" if above is None else f"a number more than {above:g}"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return f"one of {', '.join(map(str, kind.values))}"
        case inspect.ListType():
            return f"a list of {kind.min_length}..{kind.max_length} numbers"
        case inspect.StrType(max_length=int(most)):
            return f"a text of at most {most} characters"
        case _:
            return "a text"


def fields_of(model: type) -> Mapping[str, Field]:
    """Return the fields of a dataclass or Struct by their names, in order."""
    return _fields_of(model)


@cache
def _fields_of(model: type) -> Mapping[str, Field]:
    info = inspect.type_info(model)
    assert isinstance(info, inspect.StructType | inspect.DataclassType)
    hints = get_type_hints(model, include_extras=True)
    return {field.name: Field(hints[field.name], field) for field in info.fields}


def is_list(value: object) -> TypeGuard[list[object]]:
    """Return True for a list."""
    return isinstance(value, list)


def shown(value: object) -> str:
    """Return a value for an error message, cut if it is long."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # an integer of thousands of digits
        return "something too large"
    return text if len(text) <= 60 else f"{text[:60]}..."
