"""`AuditLog`: who has written what, and what was denied, as log records and as JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..options import check_range

if TYPE_CHECKING:
    from logging import Handler
    from os import PathLike

    from ..server.audit import AuditEvent

NAME = "modwire.audit"
_MOST_BYTES = 1 << 40


class AuditLog:
    """A hook `audit` of a server: it writes each event to the logger "modwire.audit".

    Writes are of level INFO, denied requests of level WARNING. The record has the `AuditEvent` as
    its only argument, for handlers of your own.
    """

    def __init__(
        self,
        path: str | PathLike[str] | None = None,
        *,
        size: int = 10_000_000,
        kept: int = 10,
        handler: Handler | None = None,
    ) -> None:
        """Write to a file, too, if there is a `path`: one JSON object a line, see `as_json`.

        A line that would make the file longer than `size` bytes begins a new one; `kept` older
        files, at least 1, are called `path`.1 (the newest), `path`.2 and so on. Only one process
        may write to them. A `handler` of `logging` in place of a path gets the same lines. Raises
        OSError if the file cannot be opened.

        A client that may write, or that is denied without end, pushes old events out of the files:
        choose `size` and `kept` for the time that matters, or pass the records on with a handler of
        `logging`.
        """
        from logging import getLogger

        check_range("size", size, 1, _MOST_BYTES)
        check_range("kept", kept, 1, 0xFFFF)
        self._logger = getLogger(NAME)
        if path is not None and handler is not None:
            raise ValueError("an AuditLog has either a path or a handler")
        self._file = handler if path is None else _open(path, size, kept)

    def __call__(self, event: AuditEvent) -> None:
        if event.is_denied:
            self._logger.warning("%s", event)
        else:
            self._logger.info("%s", event)
        if self._file is not None:
            from logging import makeLogRecord

            # Past the logger: neither levels nor `logging.disable` may leave an event out.
            record = makeLogRecord({"name": NAME})
            record.msg = as_json(event, record.created)
            self._file.handle(record)

    def close(self) -> None:
        """Close the file; later events are only logged."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def as_json(event: AuditEvent, time: float) -> str:
    """Return an event as one line of JSON; `time` is in seconds since 1970, UTC.

    It has `time` (such as "2026-01-31T12:00:00.000+00:00"), `peer`, `subject`, `role` (null for
    none), `unit`, `function`, `request` (as it is written in Python), `pdu` (hexadecimal digits)
    and `outcome`.
    """
    from datetime import datetime, timezone
    from json import dumps

    request = event.request
    return dumps(
        {
            "time": datetime.fromtimestamp(time, timezone.utc).isoformat(timespec="milliseconds"),
            "peer": str(event.peer),
            "subject": event.subject,
            "role": event.role,
            "unit": event.unit,
            "function": request.function_code,
            "request": repr(request),
            "pdu": _pdu(request.encode),
            "outcome": event.outcome,
        },
        ensure_ascii=True,
    )


def _pdu(encode: Callable[[], bytes]) -> str:
    try:
        return encode().hex()
    except Exception as error:  # noqa: BLE001 - a custom class must not keep an event out
        return f"unknown: {error!r}"


def _open(path: str | PathLike[str], size: int, kept: int) -> Handler:
    from logging.handlers import RotatingFileHandler

    return RotatingFileHandler(path, maxBytes=size, backupCount=kept, encoding="utf-8")
