"""Completion in bash, zsh and fish: what may come at the cursor, in the form of each shell.

The scripts in `shell_scripts` call the command with the words of the line, and read its answer: a
line that says how to go on, then a line for each value, with a tab and its description.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from .shell_words import quoted, split, unquoted

if TYPE_CHECKING:
    from typer._click import Context, Parameter

    from .shell_words import Typed

SHELL_VARIABLE = "_MODWIRE_SHELL"
"""The environment variable that names the shell which asks."""
LINE_VARIABLE = "_MODWIRE_LINE"
"""The line up to the cursor, for bash."""
WORD_VARIABLE = "_MODWIRE_WORD"
"""The part of the last word that bash will replace: what stands behind its last separator."""

# Arguments that may be files and have no type that says so.
_FILES = {("sniff", "source"), ("parse", "messages")}
# Values to which more may be typed: endpoints take options, addresses take types.
_OPEN = re.compile(r".*://.*|.*[:/=]|\w+:\w+(\.\.\w+)?/.*", re.DOTALL)


class Answer(NamedTuple):
    """Values, each with a description; `is_open` is True if more may be typed behind them.

    `files` is True if the shell may offer files in their place.
    """

    values: list[tuple[str, str]]
    is_open: bool = False
    files: bool = False


def print_completions(shell: str) -> None:
    """Print the answer for `shell`, from the environment and the arguments of the process."""
    if shell == "bash":
        words, typed = split(os.environ.get(LINE_VARIABLE, ""))
        answer = find(_behind_command(words), typed.value)
        answer = _for_bash(answer, typed, os.environ.get(WORD_VARIABLE, ""))
    else:
        *words, last = sys.argv[1:] or [""]
        answer = find(words, unquoted(last) if shell == "fish" else last)
        if shell == "fish":
            answer = _never_alone(answer)
    lines = ["files" if answer.files else "goes on" if answer.is_open else "ends"]
    lines += [f"{value}\t{' '.join(text.split())}" for value, text in answer.values]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _behind_command(words: Sequence[str]) -> list[str]:
    """Return the words behind the name of the command, before which variables may be set."""
    at = 0
    while at < len(words) and re.match(r"\w+=", words[at]):
        at += 1
    return list(words[at + 1 :])


def _for_bash(answer: Answer, typed: Typed, replaced: str) -> Answer:
    """Return the values as bash inserts them in place of `replaced`, the end of the last word.

    It keeps the word up to the last `:` or `=`, and an open quote.
    """
    if typed.quote:
        answer = _never_alone(answer)
    kept = typed.raw.removesuffix(replaced) if typed.raw.endswith(replaced) else ""
    length = len(unquoted(kept))
    values = [(quoted(value[length:], typed.quote), text) for value, text in answer.values]
    return answer._replace(values=values)


def _never_alone(answer: Answer) -> Answer:
    """Return the values with one more if there is only one, to which more may be typed.

    Behind a single value, fish adds a space unless it ends in one of `:/=`, and bash closes an open
    quote.
    """
    if len(answer.values) != 1 or not answer.is_open:
        return answer
    value, text = answer.values[0]
    if value[-1] in ":/=":
        return answer
    more = "&" if "?" in value else "?" if "://" in value else "/"
    return answer._replace(values=[(value, text), (value + more, "")])


def find(words: Sequence[str], incomplete: str) -> Answer:
    """Return what may stand in place of `incomplete`, behind the whole `words`."""
    from typer.core import TyperGroup
    from typer.main import get_command

    from .app import app

    group = get_command(app)
    assert isinstance(group, TyperGroup)
    context = group.make_context("modwire", [], resilient_parsing=True)
    given = [word for word in words if not word.startswith("-")]
    if not given:
        return _offered(group.shell_complete(context, incomplete), incomplete)
    named = group.get_command(context, given[0])
    if named is None:
        return Answer([])
    rest = list(words[words.index(given[0]) + 1 :])
    inside = named.make_context(given[0], list(rest), parent=context, resilient_parsing=True)
    return _of_command(inside, given[0], rest, incomplete)


def _of_command(context: Context, name: str, words: Sequence[str], incomplete: str) -> Answer:
    """Return what may come in the command `name`, or in one of its own subcommands."""
    inner = _subcommand(context, words)
    if inner is not None:
        at = words.index(str(inner.info_name))
        return _of_command(inner, str(inner.info_name), words[at + 1 :], incomplete)
    parameters = context.command.get_params(context)
    options = {opt: each for each in parameters for opt in (*each.opts, *each.secondary_opts)}
    if words and _takes_value(options.get(words[-1])):
        return _of_parameter(context, name, options[words[-1]], words, incomplete)
    if incomplete.startswith("-"):
        option, equals, value = incomplete.partition("=")
        if equals and _takes_value(options.get(option)):
            found = _of_parameter(context, name, options[option], words, value)
            return found._replace(
                values=[(f"{option}={each}", text) for each, text in found.values]
            )
        return _offered(context.command.shell_complete(context, incomplete), incomplete)
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    number = _positional(words, options)
    from typer.core import TyperGroup

    if isinstance(context.command, TyperGroup):
        return _offered(context.command.shell_complete(context, incomplete), incomplete)
    if arguments and (number < len(arguments) or arguments[-1].nargs == -1):
        argument = arguments[min(number, len(arguments) - 1)]
        return _of_parameter(context, name, argument, words, incomplete)
    return Answer([])


def _subcommand(context: Context, words: Sequence[str]) -> Context | None:
    """Return the context of the subcommand among the words, if the command has such."""
    from typer.core import TyperGroup

    group = context.command
    given = [word for word in words if not word.startswith("-")]
    named = (
        group.get_command(context, given[0]) if isinstance(group, TyperGroup) and given else None
    )
    if named is None:
        return None
    rest = list(words[words.index(given[0]) + 1 :])
    return named.make_context(given[0], rest, parent=context, resilient_parsing=True)


def _takes_value(parameter: Parameter | None) -> bool:
    return parameter is not None and not getattr(parameter, "is_flag", False)


def _positional(words: Sequence[str], options: dict[str, Parameter]) -> int:
    """Return the number of arguments among the words."""
    count, is_value = 0, False
    for word in words:
        if is_value:
            is_value = False
        elif word.startswith("-") and word != "-":
            is_value = "=" not in word and _takes_value(options.get(word))
        else:
            count += 1
    return count


def _of_parameter(
    context: Context, name: str, parameter: Parameter, words: Sequence[str], incomplete: str
) -> Answer:
    found = _offered(parameter.shell_complete(context, incomplete), incomplete)
    if parameter.param_type_name == "argument" and name in ("read", "write"):
        found.values.extend(_points(words, incomplete))
    is_file = parameter.type.name in ("path", "file") or (name, parameter.name) in _FILES
    return found._replace(files=is_file and not found.values)


def _points(words: Sequence[str], incomplete: str) -> list[tuple[str, str]]:
    """Return the names of the points in the file of `--device`."""
    from itertools import pairwise

    from modwire_tools.simulator.files import DeviceFileError, read_device

    files = [word for option, word in pairwise(words) if option == "--device"]
    files += [word.partition("=")[2] for word in words if word.startswith("--device=")]
    try:
        units = read_device(files[-1], needs_units=False).units if files else ()
    except (OSError, DeviceFileError):
        return []
    names = {point.name: str(point.place) for unit in units for point in unit.points}
    return [(each, text) for each, text in names.items() if each.startswith(incomplete)]


def _offered(items: Sequence[object], incomplete: str) -> Answer:
    """Return the values of click's completion items."""
    values = [(str(getattr(item, "value", "")), getattr(item, "help", "") or "") for item in items]
    found = [each for each in values if each[0].startswith(incomplete) and each[0]]
    return Answer(found, any(_OPEN.fullmatch(value) for value, _ in found))
