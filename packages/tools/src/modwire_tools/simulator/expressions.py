"""`Expression`: a value that is computed by a line of Python, without the dangers of `eval`.

simpleeval walks the syntax tree: there are numbers, comparisons and the functions below, and no
way to attributes, imports or anything that runs long.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from simpleeval import (  # type: ignore[import-untyped]
    InvalidExpression,
    NameNotDefined,
    SimpleEval,
)

from .behaviours import Lookup, Source, noise

_SimpleEval: Any = SimpleEval  # it has no types

FUNCTIONS: dict[str, Callable[..., object]] = {
    "abs": abs,
    "bool": bool,
    "ceil": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "float": float,
    "floor": math.floor,
    "int": int,
    "log": math.log,
    "max": max,
    "min": min,
    "round": round,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}
_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau, "True": True, "False": False}
NAMES = ("t", "random()", *_CONSTANTS, *FUNCTIONS)
"""What may stand in an expression beside numbers and the names of points."""


@dataclass(frozen=True)
class Expression:
    """A line of Python with `t`, the seconds of the device's life, and the points of the unit.

    `random()` is a new number from 0.0 up to 1.0 each tenth of a second. Raises ValueError for
    what is no expression.
    """

    expression: str
    _tree: ast.AST = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            tree: ast.AST = _SimpleEval().parse(self.expression)
        except (InvalidExpression, SyntaxError) as error:
            raise ValueError(f"expression {self.expression!r} cannot be read: {error}") from None
        object.__setattr__(self, "_tree", tree)

    @property
    def text(self) -> str:
        return f"= {self.expression}"

    def begin(self, seed: int, lookup: Lookup) -> Source:
        return _Evaluating(self.expression, self._tree, seed, lookup)

    def check(self, lookup: Lookup) -> None:
        """Raise ValueError if it cannot be computed, such as for a name that is not there."""
        source = _Evaluating(self.expression, self._tree, 0, lookup)
        try:
            source.compute(0.0)
        except ArithmeticError:
            pass  # at this time only, perhaps
        except NameNotDefined as error:
            name = getattr(error, "name", None) or str(error)
            raise ValueError(
                f"expression {self.expression!r} has the name {name!r}, which is neither a point "
                f"of the unit nor one of {', '.join(NAMES)}"
            ) from None
        except Exception as error:  # noqa: BLE001 - whatever the functions raise
            raise ValueError(f"expression {self.expression!r} fails: {error}") from None


class _Evaluating:
    def __init__(self, text: str, tree: ast.AST, seed: int, lookup: Lookup) -> None:
        self._text = text
        self._tree = tree
        self._lookup = lookup
        self._time = 0.0
        self._last: object = 0
        functions = {**FUNCTIONS, "random": lambda: noise(seed, int(self._time * 10))}
        self._evaluator = _SimpleEval(functions=functions, names=self._name)

    def _name(self, node: ast.Name) -> object:
        if node.id == "t":
            return self._time
        if node.id in _CONSTANTS:
            return _CONSTANTS[node.id]
        try:
            return self._lookup(node.id, self._time)
        except LookupError:
            raise NameNotDefined(node.id, self._text) from None

    def compute(self, time: float) -> object:
        self._time = time
        found: object = self._evaluator.eval(self._text, previously_parsed=self._tree)
        return found

    def value(self, time: float) -> object:
        with suppress(Exception):  # a division by 0 must not end a device
            self._last = self.compute(time)
        return self._last

    def resume(self, value: object, time: float) -> bool:
        return False
