"""`modwire generate`: prints messages with their framing, in lines for `modwire parse`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .completion import complete_framing, complete_function
from .ending import WrongArgumentError

if TYPE_CHECKING:
    from modwire_tools.explain.generated import Generated


def _option(name: str, text: str, metavar: str = "VALUE") -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, help=text, metavar=metavar)
    return option


def generate(
    functions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|CODE]...",
            help="Which functions: read_coils, 3, 0x03, 8/11, 43/14; all without any.",
            show_default=False,
            autocompletion=complete_function,
        ),
    ] = None,
    framing: Annotated[
        list[str] | None,
        typer.Option(
            "--framing",
            metavar="FRAMING",
            help="tcp, rtu, ascii, binary, pdu, or several: tcp,rtu; all but pdu without any.",
            autocompletion=complete_framing,
        ),
    ] = None,
    request: Annotated[bool, typer.Option("--request", help="Requests only.")] = False,
    response: Annotated[bool, typer.Option("--response", help="Responses only.")] = False,
    unit: Annotated[int, typer.Option("--unit", metavar="UNIT", help="The unit id, 0..255.")] = 1,
    transaction: Annotated[
        int,
        typer.Option("--transaction", metavar="ID", help="The transaction id of TCP, 0..65535."),
    ] = 1,
    exception: Annotated[
        int | None,
        typer.Option("--exception", metavar="CODE", help="Responses are this exception, 1..255."),
    ] = None,
    pdu: Annotated[
        str | None,
        typer.Option("--pdu", metavar="BYTES", help="Frame this PDU, hexadecimal, whatever it is."),
    ] = None,
    address: Annotated[str | None, _option("--address", "An address, such as 16 or 0x10.")] = None,
    count: Annotated[str | None, _option("--count", "How many coils, inputs or registers.")] = None,
    values: Annotated[
        str | None,
        typer.Option(
            "--values",
            "--value",
            metavar="VALUES",
            help="Values read or written: 1,2,3; of several groups of a file 1,2;3.",
        ),
    ] = None,
    write_address: Annotated[str | None, _option("--write-address", "Function 23.")] = None,
    read_values: Annotated[str | None, _option("--read-values", "Function 23's response.")] = None,
    and_mask: Annotated[str | None, _option("--and-mask", "Function 22.")] = None,
    or_mask: Annotated[str | None, _option("--or-mask", "Function 22.")] = None,
    data: Annotated[
        str | None, _option("--data", "Function 8: words such as 0xFF00; 43/13: 0x0102.")
    ] = None,
    answer: Annotated[
        str | None, _option("--answer", "The data in the response of functions 8 and 43/13.")
    ] = None,
    status: Annotated[str | None, _option("--status", "Functions 7, 11 and 12.")] = None,
    event_count: Annotated[str | None, _option("--event-count", "Functions 11 and 12.")] = None,
    message_count: Annotated[str | None, _option("--message-count", "Function 12.")] = None,
    events: Annotated[str | None, _option("--events", "Function 12: 0x40,0x80.")] = None,
    server_id: Annotated[
        str | None, _option("--server-id", "Function 17: text, or 0x and digits.")
    ] = None,
    running: Annotated[str | None, _option("--running", "Function 17: on or off.")] = None,
    additional: Annotated[
        str | None, _option("--additional", "Function 17: text, or 0x and digits.")
    ] = None,
    records: Annotated[
        str | None,
        _option("--records", "FILE:RECORD:COUNT;... for 20, FILE:RECORD=1,2;... for 21."),
    ] = None,
    read_code: Annotated[
        str | None, _option("--read-code", "43/14: basic, regular, extended or specific.")
    ] = None,
    object_id: Annotated[str | None, _option("--object-id", "43/14.")] = None,
    objects: Annotated[
        str | None, _option("--objects", "43/14's response: 0=ACME;1=0x01FF.")
    ] = None,
    conformity: Annotated[str | None, _option("--conformity", "43/14's response: 0x81.")] = None,
    more_follows: Annotated[
        str | None, _option("--more-follows", "43/14's response: on or off.")
    ] = None,
    next_object_id: Annotated[str | None, _option("--next-object-id", "43/14's response.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each.")] = False,
) -> None:
    """Print messages in each framing, as requests and as responses.

    Arguments that are not given get valid values. `modwire generate | modwire parse` explains all.
    """
    given = {
        "address": address,
        "count": count,
        "values": values,
        "write-address": write_address,
        "read-values": read_values,
        "and-mask": and_mask,
        "or-mask": or_mask,
        "data": data,
        "answer": answer,
        "status": status,
        "event-count": event_count,
        "message-count": message_count,
        "events": events,
        "server-id": server_id,
        "running": running,
        "additional": additional,
        "records": records,
        "read-code": read_code,
        "object-id": object_id,
        "objects": objects,
        "conformity": conformity,
        "more-follows": more_follows,
        "next-object-id": next_object_id,
    }
    from modwire_tools.explain import generated

    if request and response:
        raise WrongArgumentError("--request and --response exclude each other")
    try:
        found = generated.generate(
            functions or (),
            {name: text for name, text in given.items() if text is not None},
            framings=framing or (),
            directions=(False,) if request else (True,) if response else (False, True),
            unit=unit,
            transaction=transaction,
            exception=exception,
            pdu=pdu,
        )
    except ValueError as error:
        raise WrongArgumentError(str(error)) from None
    _print(found, as_json=json)


def _print(found: list[Generated], *, as_json: bool) -> None:
    import json

    title = ""
    for message in found:
        if as_json:
            print(json.dumps(message.as_json(), ensure_ascii=False))  # noqa: T201
            continue
        if message.title != title:
            title = message.title
            print(f"# {title}")  # noqa: T201
        direction = "response" if message.is_response else "request"
        line = f"{message.framing:<6} {direction:<8} {message.text:<40}  # {message.words}"
        print(line)  # noqa: T201
