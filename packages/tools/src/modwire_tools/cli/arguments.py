"""What the arguments of several commands have in common: how they are read, and their sentences.

Every value comes as text, so that a wrong one gets a sentence of ours. ValueError from the core is
turned into one by `ending.argument`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from .completion import complete_endpoint, complete_unit
from .ending import WrongArgumentError, argument

if TYPE_CHECKING:
    from modwire import Endpoint
    from modwire.endpoint import Parity

EndpointText = Annotated[
    str,
    typer.Argument(
        metavar="ENDPOINT",
        help="The device: tcp://192.0.2.7, rtu:///dev/ttyUSB0?baudrate=9600&parity=N, "
        "rtu+tcp://192.0.2.8:4001. Behind the ? may be unit, timeout, retries.",
        autocompletion=complete_endpoint,
    ),
]
UnitText = Annotated[
    str | None,
    typer.Option(
        "--unit",
        "-u",
        metavar="UNIT",
        help="The unit to ask, 0..255; that of the endpoint, or 1.",
        autocompletion=complete_unit,
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DelayText = Annotated[
    str,
    typer.Option(
        "--delay", metavar="TIME", help="Pause between two requests, such as 50ms: be polite."
    ),
]

_UNITS_OF_TIME = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_LONGEST = 1e9


def parse_endpoint(text: str, name: str = "ENDPOINT") -> Endpoint:
    """The endpoint that `text` names."""
    from modwire import Endpoint

    with argument(name):
        endpoint = Endpoint.parse(text)
        if endpoint.transport == "tls":
            raise ValueError(f"endpoint {text!r}: TLS is not supported by this version")
        if endpoint.transport in ("tcp", "udp") and not endpoint.port:
            raise ValueError(f"endpoint {text!r}: port must be 1..65535, got 0")
    return endpoint


def unit_of(endpoint: Endpoint, text: str | None) -> int:
    """The unit to ask: that of `--unit`, that of the endpoint, or 1.

    Behind a framing without transaction ids is a line, where 248..255 are reserved.
    """
    if text is not None:
        return parse_whole("--unit", text, 0, 255 if endpoint.framing == "tcp" else 247)
    return 1 if endpoint.unit is None else endpoint.unit


def with_line(
    endpoint: Endpoint,
    *,
    baudrate: int | None = None,
    parity: Parity | None = None,
    timeout: float | None = None,
) -> Endpoint:
    """The endpoint with other settings of its serial line, and another timeout."""
    from modwire import Endpoint

    if timeout is None:
        timeout = endpoint.timeout
    unit, retries = endpoint.unit, endpoint.retries
    if endpoint.transport != "serial":
        has_path = endpoint.transport == "unix"
        return Endpoint(
            endpoint.transport,
            endpoint.framing,
            host=endpoint.host,
            port=None if has_path else endpoint.port,
            path=endpoint.path,
            unit=unit,
            timeout=timeout,
            retries=retries,
        )
    return Endpoint(
        endpoint.transport,
        endpoint.framing,
        path=endpoint.path,
        baudrate=endpoint.baudrate if baudrate is None else baudrate,
        bytesize=endpoint.bytesize,
        parity=endpoint.parity if parity is None else parity,
        # With another parity, the stop bits that belong to it (Serial Line V1.02, 2.5.1).
        stopbits=endpoint.stopbits if parity is None else None,
        unit=unit,
        timeout=timeout,
        retries=retries,
    )


def parse_whole(name: str, text: str, least: int, most: int | None = None) -> int:
    """The whole number in `text`, decimal or hexadecimal behind 0x."""
    digits, base = (text[2:], 16) if text[:2].lower() == "0x" else (text, 10)
    try:
        number = int(digits, base) if digits.isascii() and digits.isalnum() else None
    except ValueError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        allowed = f"{least} or more" if most is None else f"{least}..{most}"
        raise WrongArgumentError(f"{name} must be a whole number, {allowed}, got {text!r}")
    return number


def parse_seconds(name: str, text: str, *, zero: bool = False) -> float:
    """The seconds in `text`: "1", "1.5s", "200ms", "2m"; 0 only if `zero` is allowed."""
    number = text.strip().lower().rstrip("hms")
    factor = _UNITS_OF_TIME.get(text.strip().lower()[len(number) :])
    try:
        seconds = float(number) * (math.nan if factor is None else factor)
    except ValueError:
        seconds = math.nan
    if not (0 <= seconds <= _LONGEST) or (not seconds and not zero):
        least = "0 or more" if zero else "more than 0"
        raise WrongArgumentError(
            f"{name} must be a time of {least}, such as 500ms, 1s or 2m, got {text!r}"
        )
    return seconds


def parse_choice(name: str, text: str, choices: list[str] | tuple[str, ...]) -> str:
    """The one of `choices` that `text` is, in whatever case."""
    for choice in choices:
        if choice.lower() == text.lower():
            return choice
    raise WrongArgumentError(f"{name} must be one of {', '.join(choices)}, got {text!r}")


def parse_numbers(name: str, text: str, least: int, most: int) -> list[int]:
    """The numbers in "1..247", "1,5,10..20"; in the order in which they are named, each once."""
    numbers: dict[int, None] = {}
    for part in text.split(","):
        first, dots, last = part.strip().partition("..")
        start = parse_whole(name, first, least, most)
        stop = parse_whole(name, last, least, most) if dots else start
        if stop < start:
            raise WrongArgumentError(f"{name}: {part.strip()!r} must ascend, as in {stop}..{start}")
        numbers.update(dict.fromkeys(range(start, stop + 1)))
    return list(numbers)
