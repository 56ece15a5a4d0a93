"""Parts of this package that need other packages: what to install if one is missing."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def extra(name: str, what: str) -> Generator[None]:
    """Import modules of the extra `name` in the block, for `what`.

    Raises ImportError with the command that installs the extra, if a module is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f'{what} needs more packages: pip install "modwire-tools[{name}]"'
        ) from error
