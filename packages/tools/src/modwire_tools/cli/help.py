"""What `--help` shows: arguments as they are typed, and examples that can be typed as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.core import TyperArgument, TyperCommand

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

EXAMPLES: dict[str, list[str]] = {}
"""The example lines of each command, by its name; a test runs them."""


def examples(command: str, *lines: str) -> str:
    """The epilog of `command` with example lines, such as "modwire read tcp://192.0.2.7 hr:0"."""
    EXAMPLES[command] = list(lines)
    heading = "Example:" if len(lines) == 1 else "Examples:"
    # Behind a backspace, lines stay as they are; others are wrapped.
    return "\n".join(["\b", heading, *(f"  {line}" for line in lines)])


class Command(TyperCommand):
    """A subcommand; its help has the arguments' metavars alone, without braces and Python types."""

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """What follows the name of the command."""
        arguments = [each for each in self.params if isinstance(each, TyperArgument)]
        return ["[OPTIONS]", *(each.display_name_raw for each in arguments)]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """The arguments, then the options."""
        arguments: list[tuple[str, str]] = []
        options: list[tuple[str, str]] = []
        for each in self.get_params(ctx):
            if isinstance(each, TyperArgument):
                arguments.append((each.display_name_raw, each.help or ""))
            elif (record := each.get_help_record(ctx)) is not None:
                options.append(record)
        for title, rows in (("Arguments", arguments), ("Options", options)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
