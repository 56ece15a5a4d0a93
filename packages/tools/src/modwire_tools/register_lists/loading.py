"""Readers of the text formats of register lists: TOML, YAML and JSON as tables with lines.

All of them refuse a key that is there twice: one of the two would be lost.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ..extras import extra
from ..simulator.files.limits import check_keys
from ..simulator.files.sections import DeviceFileError
from .entries import Located, Tagged, list_of, table_of

# Imported by name: type checkers assume the oldest Python, and tomli may not be installed.
_parse_toml: Callable[[str], object] = import_module(
    "tomllib" if sys.version_info >= (3, 11) else "tomli"
).loads
_LARGEST = 1 << 22  # bytes; the longest lists have some hundred thousand
_LONGEST_NUMBER = 400  # digits
_MOST_EXPANDED = 1 << 24  # values and characters that all aliases stand for


def read_text(path: Path) -> str:
    """Return the text of a file; raises OSError, and DeviceFileError if it is no text."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise type(error)(error.errno, f"cannot read {path}: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise DeviceFileError(f"{path}: must have at most {_LARGEST} bytes, and has more")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeviceFileError(f"{path}: must be UTF-8: {error}") from None


def load_toml(text: str, file: str) -> object:
    """Return the values of a TOML file."""
    try:
        check_keys(text)
        return _parse_toml(text)
    except (ValueError, RecursionError) as error:
        raise DeviceFileError(f"{file}: this is no TOML: {error}") from None


def load_json(text: str, file: str) -> object:
    """Return the values of a JSON file."""

    def table(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"the key {twice!r} is there twice in one object")
        return found

    try:
        found: object = json.loads(text, object_pairs_hook=table)
    except (ValueError, RecursionError) as error:
        raise DeviceFileError(f"{file}: this is no JSON: {error}") from None
    return found


def load_yaml(text: str, file: str) -> object:
    """Return the values of a YAML file; each table is a `Located`.

    Raises ImportError, which names the extra, if PyYAML is missing.
    """
    with extra("import", "reading YAML"):
        import yaml
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the first is many times faster
    try:
        node = yaml.compose(text, Loader=loader)
        return None if node is None else _Values(file).value(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DeviceFileError(f"{file}, line {line}: this is no YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        reason = str(error) or "it is too deep"
        raise DeviceFileError(f"{file}: this is no YAML: {reason}") from None


class _Values:
    """Turns the nodes of a YAML file into values; a node that several places use is made once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._known: dict[int, object] = {}
        self._open: set[int] = set()
        self._sizes: dict[int, int] = {}

    def value(self, node: object) -> object:
        """Return the value of a node."""
        key = id(node)
        if key in self._open:
            raise self._error(node, "an alias must not be inside its own anchor")
        if key not in self._known:
            self._open.add(key)
            self._known[key] = self._made(node)
            self._open.discard(key)
            self._sizes[key] = self._size(node)
            if self._sizes[key] > _MOST_EXPANDED:
                # Ten lines of aliases may stand for more values than fit into any memory.
                raise self._error(node, "its aliases stand for too many values")
        return self._known[key]

    def _size(self, node: object) -> int:
        """Return the number of values and characters in a node whose values are known."""
        import yaml

        if isinstance(node, yaml.MappingNode):
            parts = [each for pair in node.value for each in pair]
            return 1 + sum(self._sizes.get(id(each), 1) for each in parts)
        if isinstance(node, yaml.SequenceNode):
            return 1 + sum(self._sizes.get(id(each), 1) for each in node.value)
        return 1 + (len(node.value) if isinstance(node, yaml.ScalarNode) else 0)

    def _made(self, node: object) -> object:
        import yaml

        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._table(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.value(each) for each in node.value]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node.tag, node.value, node)
        assert isinstance(node, yaml.Node)
        return Tagged(node.tag)

    def _table(self, node: object) -> Located:
        import yaml

        assert isinstance(node, yaml.MappingNode)
        own = Located(node.start_mark.line + 1)
        merged: dict[str, object] = {}
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                found = self.value(value)
                for each in list_of(found) or [found]:
                    table = table_of(each)
                    if table is None:
                        raise self._error(key, "<< must have a table behind it")
                    merged = {**table, **merged}
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(key, "a key must be a text")
            if key.value in own:
                raise self._error(key, f"the key {key.value!r} is there twice in one table")
            own[key.value] = self.value(value)
        for name, inherited in merged.items():
            own.setdefault(name, inherited)
        return own

    def _scalar(self, tag: str, text: str, node: object) -> object:
        name = tag.removeprefix(_TAG)
        if not tag.startswith(_TAG):
            return Tagged(f"{tag} {text}".strip())
        if name == "null":
            return None
        if name == "bool":
            return text.lower() in ("true", "yes", "on")
        if name in ("int", "float"):
            if len(text) > _LONGEST_NUMBER:
                raise self._error(node, "a number is too long")
            number = text.replace("_", "")
            try:
                return _number(number) if name == "int" else float(number.replace(".inf", "inf"))
            except ValueError:
                return text  # 1:30, which YAML 1.1 takes for 90
        return text

    def _error(self, node: object, text: str) -> DeviceFileError:
        import yaml

        assert isinstance(node, yaml.Node)
        return DeviceFileError(f"{self._file}, line {node.start_mark.line + 1}: {text}")


_TAG = "tag:yaml.org,2002:"


def _number(text: str) -> int:
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits.startswith("0") and digits.isdigit():
        return int(text, 8)  # YAML 1.1 takes 010 for 8
    return int(text, 0)
