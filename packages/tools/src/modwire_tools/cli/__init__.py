"""The `modwire` command: a module for each subcommand, which parses arguments and prints."""

from .app import main

__all__ = ["main"]
