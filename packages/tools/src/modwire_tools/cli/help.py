"""The output of `--help`: arguments as a user types them, and examples to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from typer.core import TyperArgument, TyperCommand

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

EXAMPLES: dict[str, list[str]] = {}
"""The example lines of each command, by its name; a test runs them."""


def examples(command: str, *lines: str) -> str:
    """Return an epilog for `command` with example lines, and add them to `EXAMPLES`."""
    EXAMPLES[command] = list(lines)
    heading = "Example:" if len(lines) == 1 else "Examples:"
    # Typer does not wrap the lines after "\b".
    return "\n".join(["\b", heading, *(f"  {line}" for line in lines)])


class Command(TyperCommand):
    """A subcommand whose help shows arguments by their metavars, without Python types."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse the words; an error knows this command, and what an option wants."""
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            attributes = vars(error)  # only some errors have a context
            attributes["ctx"] = attributes.get("ctx") or ctx
            self._say_what_is_wanted(error)
            raise

    def _say_what_is_wanted(self, error: typer.TyperException) -> None:
        """Add what an option wants to the message that it "requires an argument"."""
        name = getattr(error, "option_name", "")
        if not error.message.endswith("requires an argument."):
            return
        for each in self.params:
            if name in each.opts and getattr(each, "metavar", None):
                error.message = f"{error.message[:-1]}, {each.metavar}"

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Return the words after the name of the command."""
        arguments = [each for each in self.params if isinstance(each, TyperArgument)]
        return ["[OPTIONS]", *map(_name, arguments)]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the arguments, then the options."""
        arguments: list[tuple[str, str]] = []
        options: list[tuple[str, str]] = []
        for each in self.get_params(ctx):
            if isinstance(each, TyperArgument):
                arguments.append((_name(each), each.help or ""))
            elif (record := each.get_help_record(ctx)) is not None:
                options.append(record)
        for title, rows in (("Arguments", arguments), ("Options", options)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _name(argument: TyperArgument) -> str:
    return argument.metavar or argument.name or ""
