"""`Expression`: a value computed by a line of Python, without the dangers of `eval`.

simpleeval walks the syntax tree: it allows numbers, comparisons and the functions below, but no
attributes and no imports. Operations that could run long, or use much memory, are limited here.
"""

from __future__ import annotations

import ast
import math
import warnings
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

_SimpleEval: Any = SimpleEval  # simpleeval has no type hints
_MOST_BITS = 4096  # of an integer; a float has 1024
_MOST_DIGITS = 400  # argument of round(); a float has 324
_MOST_SHOWN = 200  # characters of a quoted expression or error


def _round(number: Any, digits: int = 0) -> object:
    """`round` with a limit: round(1, -1_000_000_000) would run for ever."""
    if abs(digits) > _MOST_DIGITS:
        raise ValueError(f"digits must be -{_MOST_DIGITS}..{_MOST_DIGITS}, got {digits:.3g}")
    return round(number, digits) if digits else round(number)


def _power(base: Any, exponent: Any) -> object:
    """`base ** exponent` with a limit: a power of integers could fill the memory."""
    if isinstance(base, int) and isinstance(exponent, int):
        if base.bit_length() * exponent > _MOST_BITS:
            raise OverflowError("a power is too large")
    return base**exponent


def _int(*arguments: Any) -> int:
    """`int` with the same limit: a remainder takes time with the square of the length."""
    return _limited(int(*arguments))


def _limited(number: int) -> int:
    """Return an integer; raises OverflowError if it is too large."""
    if number.bit_length() > _MOST_BITS:
        raise OverflowError("an integer is too large")
    return number


def _product(left: Any, right: Any) -> object:
    """`left * right` for numbers only, with a limit: integers could grow without end."""
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        raise TypeError("* is for numbers")
    if isinstance(left, int) and isinstance(right, int):
        if left.bit_length() + right.bit_length() > _MOST_BITS:
            raise OverflowError("a product is too large")
    return left * right


def _shifted(left: Any, right: Any) -> object:
    """`left << right` with the same limit."""
    if left.bit_length() + right > _MOST_BITS:
        raise OverflowError("a shifted number is too large")
    return left << right


def _remainder(left: Any, right: Any) -> object:
    """`left % right` for numbers only: a text would be formatted, to any width."""
    if isinstance(left, (str, bytes)):
        raise TypeError("% is for numbers, not for texts")
    return left % right


FUNCTIONS: dict[str, Callable[..., object]] = {
    "abs": abs,
    "bool": bool,
    "ceil": math.ceil,
    "cos": math.cos,
    "exp": math.exp,
    "float": float,
    "floor": math.floor,
    "int": _int,
    "log": math.log,
    "max": max,
    "min": min,
    "round": _round,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}
_LIMITED: dict[type[ast.AST], Callable[..., object]] = {
    ast.LShift: _shifted,
    ast.Mult: _product,
    ast.Pow: _power,
    ast.Mod: _remainder,
}
_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau, "True": True, "False": False}
NAMES = ("t", "random()", *_CONSTANTS, *FUNCTIONS)
"""The names that an expression may use, in addition to those of points."""


@dataclass(frozen=True)
class Expression:
    """A line of Python with `t`, the device's time in seconds, and the points of the unit.

    `random()` is a new number, 0.0 up to 1.0, every tenth of a second. Raises ValueError if the
    line is not a valid expression.
    """

    expression: str
    _evaluator: _Evaluator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            evaluator = _Evaluator(self.expression)
        except (InvalidExpression, SyntaxError) as error:
            raise ValueError(f"expression {self._shown} cannot be read: {error}") from None
        except (MemoryError, RecursionError):
            raise ValueError(f"expression {self._shown} is nested too deep") from None
        except OverflowError as error:
            raise ValueError(f"expression {self._shown} cannot be read: {error}") from None
        object.__setattr__(self, "_evaluator", evaluator)

    @property
    def text(self) -> str:
        return f"= {self.expression}"

    @property
    def _shown(self) -> str:
        return shortened(repr(self.expression))

    def begin(self, seed: int, lookup: Lookup) -> Source:
        return _Evaluating(self._evaluator, _Names(lookup, seed))

    def check(self, lookup: Lookup, time: float = 0.0) -> None:
        """Raise ValueError if the value cannot be computed, for example for an unknown name."""
        names = _Names(lookup, 0)
        names.time = time
        try:
            self._evaluator.evaluate(names)
        except ArithmeticError:
            pass  # possible at some times only, for example a division by a value that is now 0
        except NameNotDefined as error:
            name = getattr(error, "name", None) or str(error)
            raise ValueError(
                f"expression {self._shown} has the name {name!r}, which is neither a point "
                f"of the unit nor one of {', '.join(NAMES)}"
            ) from None
        except Exception as error:  # noqa: BLE001 - any error of the functions
            text = str(error) or type(error).__name__
            raise ValueError(f"expression {self._shown} fails: {shortened(text)}") from None


def shortened(text: str) -> str:
    """Return a text, cut if it is too long to be read."""
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


class _Names:
    """The values of the names in an expression, in one unit; each is looked up on use."""

    __slots__ = ("_lookup", "_seed", "time")

    def __init__(self, lookup: Lookup, seed: int) -> None:
        self._lookup = lookup
        self._seed = seed
        self.time = 0.0

    def __getitem__(self, name: str) -> object:
        if name == "t":
            return self.time
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        try:
            return self._lookup(name, self.time)
        except LookupError:
            raise KeyError(name) from None  # simpleeval then tries its functions

    def random(self) -> float:
        return noise(self._seed, int(self.time * 10))


class _Evaluator:
    """Evaluates one expression for all units that have it: one evaluator needs much memory."""

    def __init__(self, text: str) -> None:
        functions = {**FUNCTIONS, "random": self._random}
        self._evaluator: Any = _SimpleEval(functions=functions, names={})
        self._evaluator.operators = {**self._evaluator.operators, **_LIMITED}
        # The width in an f-string could make each read build a gigabyte of spaces, and so could
        # methods: "a".zfill(10**9).
        del self._evaluator.nodes[ast.JoinedStr], self._evaluator.nodes[ast.Attribute]
        self._text = text
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "1if a else 2" is odd, but Python takes it
            # Not simpleeval's own parse(), which takes "a = 5" too, and warns at each read.
            self._tree: ast.AST = ast.parse(text.strip(), mode="eval").body
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, int):
                _limited(node.value)

    def _random(self) -> float:
        names: _Names = self._evaluator.names
        return names.random()

    def evaluate(self, names: _Names) -> object:
        self._evaluator.names = names
        found: object = self._evaluator.eval(self._text, previously_parsed=self._tree)
        return found


class _Evaluating:
    __slots__ = ("_evaluator", "_last", "_names")

    def __init__(self, evaluator: _Evaluator, names: _Names) -> None:
        self._evaluator = evaluator
        self._names = names
        self._last: object = 0

    def value(self, time: float) -> object:
        self._names.time = time
        with suppress(Exception):  # an error such as a division by 0 must not stop a device
            self._last = self._evaluator.evaluate(self._names)
        return self._last

    def resume(self, value: object, time: float) -> bool:
        return False
