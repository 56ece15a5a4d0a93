"""`replace_file`: writes a whole file in one step; for device files, and the state of commands."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to a new file beside `path`, and give it that name.

    A reader sees the old file or the new one, a crash leaves one of them, and other hard links keep
    the old one. An existing file keeps its permissions. Nothing is written through a symbolic link,
    which another user of the folder may have placed. Raises OSError, which names `path`.
    """
    try:
        mode = _mode(path)
        # Nobody can guess the name and place a link there; O_EXCL would not follow it.
        beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        try:
            with open(file, "wb") as opened:
                if mode is not None and os.name == "posix":
                    os.fchmod(file, mode)
                opened.write(data)
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise type(error)(error.errno, f"cannot write {path}: {error.strerror}") from None


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
