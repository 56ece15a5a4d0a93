"""`replace_file`: writes a whole file in one step; for device files, and the state of commands.

`check_writable` tells before a long run that this would fail at its end.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to a new file beside `path`, and give it that name.

    A reader sees the old file or the new one, a crash leaves one of them, and other hard links keep
    the old one. An existing file keeps its permissions. Nothing is written through a symbolic link,
    which another user of the folder may have placed. Raises OSError, which names `path`.
    """
    with _written(path):
        mode = _mode(path)
        file, beside = _new_file(path)
        try:
            with open(file, "wb") as opened:
                if mode is not None and os.name == "posix":
                    os.fchmod(file, mode)
                opened.write(data)
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def check_writable(path: Path) -> None:
    """Raise the OSError that `replace_file` would raise if its file cannot be written there."""
    with _written(path):
        _mode(path)
        file, beside = _new_file(path)
        os.close(file)
        beside.unlink()


@contextmanager
def _written(path: Path) -> Generator[None]:
    """Name `path` in an OSError of the block."""
    try:
        yield
    except OSError as error:
        raise type(error)(error.errno, f"cannot write {path}: {error.strerror}") from None


def _new_file(path: Path) -> tuple[int, Path]:
    """Make an empty file beside `path`."""
    # Nobody can guess the name and place a link there; O_EXCL would not follow it.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    return os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666), beside


def refuse_link(path: Path) -> None:
    """Raise ValueError if `path` is a symbolic link."""
    if path.is_symlink():
        raise ValueError(f"{path} is a symbolic link, name the file itself")


_BINARY = getattr(os, "O_BINARY", 0)


def _mode(path: Path) -> int | None:
    """Return the permissions of a file, None if there is none; raises OSError for anything else."""
    try:
        found = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found):
        raise OSError(errno.ELOOP, "it is a symbolic link, name the file itself")
    if not stat.S_ISREG(found):
        raise OSError(errno.EINVAL, "it is not a file")
    return stat.S_IMODE(found) & 0o777
