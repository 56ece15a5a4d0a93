"""`inflated`: the content of a file that gzip has compressed, such as capture.pcap.gz."""

from __future__ import annotations

import zlib
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING

from .packets import CaptureError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 16  # bytes read from the file at once
# Captures shrink to a tenth. A file that is a thousandth of its content was made to fill memories
# and disks; below the first limit that is harmless.
_HARMLESS = 1 << 28  # bytes
_MOST_RATIO = 200


def inflated(file: BufferedReader, name: str) -> BufferedReader:
    """Return `file`, or a reader of its content if gzip has compressed it.

    Reads as much as is asked for, and no more. Its `read` raises CaptureError, with the `name` of
    the file, if that is broken or cut off, or inflates to far more than a capture does.
    """
    return BufferedReader(_Inflating(file, name)) if file.peek(2)[:2] == _MAGIC else file


class _Inflating(RawIOBase):
    def __init__(self, file: BufferedReader, name: str) -> None:
        self._file = file
        self._name = name
        self._inflater = zlib.decompressobj(wbits=31)  # 31 for the header of gzip
        self._waiting: bytes = b""  # compressed
        self._taken = 0
        self._given = 0

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._next(len(view))
        view[: len(data)] = data
        self._given += len(data)
        if self._given > max(_HARMLESS, self._taken * _MOST_RATIO):
            raise CaptureError(
                f"{self._name} inflates to more than {_MOST_RATIO} times its size: this is no "
                "capture; inflate it with gunzip if you trust it"
            )
        return len(data)

    def _next(self, most: int) -> bytes:
        """Return the next 1..`most` bytes, b"" at the end."""
        while True:
            if self._inflater.eof:
                # gzip files may follow each other; zeros may pad the last one.
                self._waiting = self._inflater.unused_data.lstrip(b"\0")
                while not self._waiting:
                    if not self._more():
                        return b""
                    self._waiting = self._waiting.lstrip(b"\0")
                self._inflater = zlib.decompressobj(wbits=31)
            elif not self._waiting and not self._more():
                raise CaptureError(f"{self._name} is cut off: the end of the compressed data lacks")
            before = self._inflater.copy()
            try:
                data = self._inflater.decompress(self._waiting, most)
                self._waiting = self._inflater.unconsumed_tail
            except zlib.error as error:
                self._inflater = before
                data = self._before_damage(most)
                if not data:
                    raise CaptureError(f"{self._name} is broken, gunzip fails: {error}") from None
            if data:
                return data

    def _before_damage(self, most: int) -> bytes:
        """Return up to `most` bytes before damage, which zlib drops if they come in one piece."""
        data, waiting = b"", self._waiting
        for at in range(len(waiting)):
            try:
                data += self._inflater.decompress(waiting[at : at + 1], most - len(data))
            except zlib.error:
                self._waiting = waiting[at:]  # this byte fails again, when the rest is asked for
                break
            if len(data) == most:
                self._waiting = self._inflater.unconsumed_tail + waiting[at + 1 :]
                break
        return data

    def _more(self) -> bool:
        """Read more compressed bytes; return False at the end of the file."""
        data = self._file.read1(_CHUNK)
        self._taken += len(data)
        self._waiting += data
        return bool(data)
