"""`Rights`: what each role may do with which units, registers, files and functions.

It is the hook `authorize` of a server, with or without TLS. What no rule allows is denied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ..messages.bit_access import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from ..messages.file_access import ReadFileRecordRequest, WriteFileRecordRequest
from ..messages.register_access import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)
from ..messages.register_operations import (
    MaskWriteRegisterRequest,
    ReadFifoQueueRequest,
    ReadWriteMultipleRegistersRequest,
)
from .rules import READ, WRITE, Rule, rules_in

if TYPE_CHECKING:
    from os import PathLike
    from typing import Any, TypeAlias

    from ..messages.base import AnyRequest

    File: TypeAlias = "str | PathLike[str]"


class Part(NamedTuple):
    """A part of a request: `first` to `last` of a table, a whole file, or neither.

    `place` is the name of a table, or the number of a file; None for functions without both.
    """

    access: str
    place: str | int | None = None
    first: int = 0
    last: int = 0


def _span(access: str, table: str) -> Callable[[Any], list[Part]]:
    def parts(request: Any) -> list[Part]:
        last = request.address + getattr(request, "count", 1) - 1
        return [Part(access, table, request.address, last)]

    return parts


def _read_and_write(request: ReadWriteMultipleRegistersRequest) -> list[Part]:
    read, written = request.read_address, request.write_address
    return [
        Part(READ, "holding_registers", read, read + request.read_count - 1),
        Part(WRITE, "holding_registers", written, written + len(request.values) - 1),
    ]


# By the class alone: a class of the user for one of these functions may do something else.
_PARTS: dict[type[AnyRequest], Callable[[Any], list[Part]]] = {
    ReadCoilsRequest: _span(READ, "coils"),
    ReadDiscreteInputsRequest: _span(READ, "discrete_inputs"),
    ReadHoldingRegistersRequest: _span(READ, "holding_registers"),
    ReadInputRegistersRequest: _span(READ, "input_registers"),
    WriteSingleCoilRequest: _span(WRITE, "coils"),
    WriteSingleRegisterRequest: _span(WRITE, "holding_registers"),
    WriteMultipleCoilsRequest: _span(WRITE, "coils"),
    WriteMultipleRegistersRequest: _span(WRITE, "holding_registers"),
    MaskWriteRegisterRequest: _span(WRITE, "holding_registers"),
    ReadWriteMultipleRegistersRequest: _read_and_write,
    ReadFifoQueueRequest: _span(READ, "holding_registers"),
    ReadFileRecordRequest: lambda request: [Part(READ, each.file) for each in request.records],
    WriteFileRecordRequest: lambda request: [Part(WRITE, each.file) for each in request.records],
}


def parts_of(request: AnyRequest) -> list[Part]:
    """Return the parts of a request; all of them must be allowed."""
    find = _PARTS.get(type(request))
    return [Part(WRITE if request.is_write else READ)] if find is None else find(request)


class Rights:
    """The rights of roles; an object is the hook `authorize` of a server.

    `Rights.load("rights.toml")` reads a file, `Rights.from_dict` the same as a dict. `roles` has
    the names of all roles with rights.
    """

    def __init__(self, rules: Mapping[str | None, tuple[Rule, ...]]) -> None:
        """Make rights of rules by role; those of the key None are for peers without a role."""
        self._rules = dict(rules)
        self._path: File | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Rights:
        """Return the rights in `data`, which has the form of a rights file.

        - `role`: a dict of lists of rules, by role. A role is the whole text in the certificate:
          case and spaces count.
        - `no_role`: a list of rules for peers whose certificate has no role, the NULL role of the
          specification, and for peers without TLS.

        A rule is a dict, and allows what fits all of it:

        - `units`: the unit ids in requests, 0..255, or "all". The ids 0 and 255 stand for the one
          unit of a server on TCP; where unit 0 is a broadcast, the right to write to unit 0 is the
          right to write to all units.
        - `access`: "read", "write", or a list of both. Functions 22 and 16 write; 23 needs both
          rights, each for its own range. A function without a table is a write if it changes the
          server, as some sub-functions of function 8 do, or if that is unknown.
        - `tables`: of "coils", "discrete_inputs", "holding_registers" and "input_registers".
          `addresses`: those on the wire, from 0, by default all of them. The pointer of a FIFO
          queue (function 24) is a holding register.
        - `files`: the numbers of the files that functions 20 and 21 may use, 1..65535, or "all".
        - `functions`: function codes 1..127, or texts such as "8/10" and "43/14" with a
          sub-function. With `tables` or `files` the rule is for these functions only. Without them
          the functions are allowed with all that they reach: this is the only right to functions
          without tables and files, and to those of the user.

        Numbers are lists such as [1, "10..20"]. A request is allowed if each of its registers is
        allowed by a rule of the role, not necessarily by the same one. Raises ValueError, whose
        text names the role and the rule.
        """
        return cls(rules_in(data))

    @classmethod
    def load(cls, path: File) -> Rights:
        """Return the rights in a TOML file; see `from_dict`.

        Raises ValueError for a file that is wrong, OSError if it cannot be read, and ImportError on
        Python 3.10 without the package tomli.
        """
        rights = cls(_read(path))
        rights._path = path
        return rights

    def reload(self) -> None:
        """Read the file again; if it is wrong, raise as `load` does and keep the rights."""
        if self._path is None:
            raise ValueError("rights that were not loaded from a file cannot be reloaded")
        self._rules = _read(self._path)

    @property
    def is_loaded(self) -> bool:
        """True if the rights are those of a file, so that they can be reloaded."""
        return self._path is not None

    @property
    def roles(self) -> list[str]:
        """Roles with rights, in the order of the file."""
        return [each for each in self._rules if each is not None]

    def allows(self, role: str | None, unit: int, request: AnyRequest) -> bool:
        """Return True if `role` may make this request to `unit`; None stands for no role."""
        rules = [
            each
            for each in self._rules.get(role, ())
            if each.is_for(unit, request.function_code, _sub_function(request))
        ]
        return bool(rules) and all(_is_allowed(part, rules) for part in parts_of(request))

    def __call__(self, peer: object, role: str | None, unit: int, request: AnyRequest) -> bool:
        return self.allows(role, unit, request)

    def __repr__(self) -> str:
        source = "" if self._path is None else f" in {self._path}"
        return f"<Rights{source} of {len(self.roles)} roles>"


def _sub_function(request: AnyRequest) -> int | None:
    found: object = getattr(request, "sub_function", request.sub_code)
    return found if isinstance(found, int) else None


def _is_allowed(part: Part, rules: list[Rule]) -> bool:
    fitting = [each for each in rules if each.fits(part.access, part.place)]
    if not isinstance(part.place, str):
        return bool(fitting)
    at = part.first
    while at <= part.last:
        end = max((each.allowed_up_to(at) for each in fitting), default=at)
        if end == at:
            return False
        at = end
    return True


def _read(path: File) -> dict[str | None, tuple[Rule, ...]]:
    import sys
    from importlib import import_module
    from pathlib import Path

    # By name: type checkers assume the oldest Python, and tomli may not be installed.
    name = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    parse: Callable[[str], dict[str, object]] = import_module(name).loads
    try:
        return rules_in(parse(Path(path).read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
