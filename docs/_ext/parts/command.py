"""The reference of the `modwire` command, from its own help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from modwire_tools.cli.app import app

from .markdown import code, table
from .markdown import text as plain


def command() -> str:
    """Return a section for each subcommand: usage, text, options, exit codes, examples."""
    group: Any = get_command(app)
    context = group.make_context("modwire", [], resilient_parsing=True)
    parts: list[str] = []
    for name in group.list_commands(context):
        # What stands for a command until it is used has no options: they are those of its context.
        named = group.get_command(context, name)
        found = named.make_context(name, [], parent=context, resilient_parsing=True).command
        parts += _section(name, found)
        for each, inner in getattr(found, "commands", {}).items():
            parts += _section(f"{name} {each}", inner, "###")
    return "\n".join(parts)


def _section(name: str, found: Any, heading: str = "##") -> Iterator[str]:
    arguments = [each for each in found.params if each.param_type_name == "argument"]
    options = [
        each for each in found.params if each.param_type_name == "option" and not each.hidden
    ]
    words = " ".join(["[OPTIONS]", *(_argument(each) for each in arguments)])
    yield f"{heading} {name}\n"
    yield f"`modwire {name} {words}`\n"
    for paragraph in re.split(r"\n\s*\n", (found.help or "").replace("\b", "").strip()):
        yield f"{text(paragraph)}\n"
    rows = [[code(_argument(each)), text(each.help or "")] for each in arguments]
    rows += [[_option(each), text(_about(each))] for each in options]
    yield table(["argument, option", "what it is"], rows) + "\n"
    codes = re.search(r"Exit codes: .*", found.epilog or "", re.DOTALL)
    if codes:
        yield f"{text(codes[0])}\n"
    lines = re.findall(r"^ *(modwire .*)$", found.epilog or "", re.MULTILINE)
    if lines:
        yield "\n".join(["```sh", *lines, "```\n"])


def text(words: str) -> str:
    """Return a text of the help; the pages of this site that it names are links."""
    return re.sub(r"docs/reference/([\w-]+)\.md", r"[\1](\1.md)", plain(words))


def _argument(found: Any) -> str:
    return str(found.metavar or found.name.upper())


def _option(found: Any) -> str:
    names = [*found.opts, *found.secondary_opts]
    value = "" if found.is_flag or found.count else f" {found.metavar or found.name.upper()}"
    return (
        ", ".join(code(each) for each in names[:-1])
        + (", " if names[1:] else "")
        + code(f"{names[-1]}{value}")
    )


def _about(found: Any) -> str:
    default = found.default
    shown = (
        found.show_default and default not in (None, False, (), [], "") and not callable(default)
    )
    return f"{found.help or ''}{f' Default: `{default}`.' if shown else ''}"
