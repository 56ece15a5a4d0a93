"""The options of endpoints to listen at: `check_listens` refuses others, servers get the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from modwire import FRAMINGS, Endpoint, ServerOptions, Units
from modwire_trio import serve_serial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modwire import Framing

_OF_CLIENTS = ("unit", "timeout", "retries")
_OF_FRAMES = ("silence", "tolerance", "suppress_echo")
_OF_PORTS = ("rs485", "exclusive")
_OF_TLS = {
    "ca": "client-ca",
    "certificate": "certificate",
    "key": "key",
    "password_file": "key-password-file",
}
LISTEN_OPTIONS = (*_OF_FRAMES, *_OF_PORTS)


def check_listens(endpoint: Endpoint, text: str) -> None:
    """Raise ValueError if the endpoint in `text` has an option that its server would not use."""
    for name in _given(endpoint):
        if name in _OF_TLS:
            raise ValueError(
                f"{text!r} has {name}, which only clients have: --{_OF_TLS[name]} is the option of "
                "a server"
            )
        if name not in LISTEN_OPTIONS:
            raise ValueError(f"{text!r} has {name}, which only clients have")


def _given(endpoint: Endpoint) -> Iterator[str]:
    yield from (name for name in _OF_CLIENTS if getattr(endpoint, name) is not None)
    yield from endpoint.options


def server_options(endpoint: Endpoint, options: ServerOptions) -> ServerOptions:
    """Return `options` with the times and the echo of `endpoint`."""
    found = endpoint.options
    return options.replace(**{name: found[name] for name in _OF_FRAMES if name in found})


async def serve_line(
    units: Units,
    endpoint: Endpoint,
    options: ServerOptions,
    *,
    grace: float,
    framings: Mapping[str, type[Framing]] = FRAMINGS,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `units` on the serial line `endpoint`, with all of its options, until cancelled.

    Raises OSError if the port cannot be opened with its options, ConnectionLostError if it is lost.
    """
    found = endpoint.options
    port: dict[str, Any] = {name: found[name] for name in _OF_PORTS if name in found}
    try:
        await serve_serial(
            units,
            endpoint.path,
            framing=framings[endpoint.framing],
            baudrate=endpoint.baudrate,
            bytesize=endpoint.bytesize,
            parity=endpoint.parity,
            stopbits=endpoint.stopbits,
            options=server_options(endpoint, options),
            grace=grace,
            task_status=task_status,
            **port,
        )
    except ValueError as error:  # the driver has no such baud rate, or no RS-485 mode
        raise OSError(f"{endpoint.path} cannot be opened: {error}") from error
