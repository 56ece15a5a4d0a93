"""`modwire generate | modwire parse`: every message of the corpus survives the round trip."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stdout
from typing import Any

import pytest
import typer

from generate_arguments import arguments_of
from messages_vectors import load
from modwire_tools.cli.app import app

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

Entry = dict[str, Any]

ENTRIES: list[Entry] = [*load("spec_messages.json"), *load("pymodbus1_messages.json")]
PATIENCE = 200.0  # seconds


def modwire(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "modwire_tools", *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@pytest.fixture(scope="module")
def generated() -> list[str]:
    """Return the output of `modwire generate` for each entry, run without a process."""
    command = typer.main.get_command(app)
    lines: list[str] = []
    for entry in ENTRIES:
        with redirect_stdout(io.StringIO()) as printed:
            command.main(["generate", *arguments_of(entry)], standalone_mode=False)
        title, line = printed.getvalue().splitlines()
        assert title.startswith("# ")
        lines.append(line)
    return lines


def test_every_message_of_the_corpus_is_generated(generated: list[str]) -> None:
    for entry, line in zip(ENTRIES, generated, strict=True):
        if entry["framing"] == "binary":
            continue  # pymodbus doubles other bytes; the next test compares the messages
        framing, direction, message = line.split()[:3]
        assert (framing, direction) == (entry["framing"], entry["direction"])
        wanted = entry["hex"].rstrip("\r\n") if framing == "ascii" else entry["hex"].lower()
        assert message == wanted, entry["id"]


@pytest.mark.parametrize("told", [True, False], ids=["told", "guessed"])
def test_every_message_comes_back(generated: list[str], told: bool) -> None:
    """The framing and direction come from the line, or both are guessed."""
    lines = generated if told else [line.split()[2] for line in generated]
    done = modwire("parse", "--json", "-", given="\n".join(lines))
    assert done.stderr == ""
    assert done.returncode == 0
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    for entry, message in zip(ENTRIES, messages, strict=True):
        readings = [
            (reading["pdu"], reading["unit"], reading["transaction"], not reading["wrong"])
            for reading in message["readings"]
            if (reading["framing"], reading["direction"]) == (entry["framing"], entry["direction"])
        ]
        good = entry["spec_conformant"] or _is_taken(entry)
        assert (
            entry["pdu"],
            entry["unit"],
            entry["transaction"] if entry["framing"] == "tcp" else None,
            good,
        ) in readings, (entry["id"], message)


def _is_taken(entry: Entry) -> bool:
    """Return True if modwire accepts a message that the specification does not define."""
    from modwire import InvalidRequestError, InvalidResponseError, decode_request, decode_response

    pdu = bytes.fromhex(entry["pdu"])
    try:
        decode_request(pdu) if entry["direction"] == "request" else decode_response(pdu)
    except (InvalidRequestError, InvalidResponseError):
        return False
    return True


def test_the_pipe_of_all_messages_is_understood() -> None:
    """Run `modwire generate | modwire parse` as a user types it."""
    made = modwire("generate")
    assert (made.returncode, made.stderr) == (0, "")
    done = modwire("parse", "--json", given=made.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(messages) == len([line for line in made.stdout.splitlines() if line[0] != "#"])
    for message in messages:
        assert [reading["wrong"] for reading in message["readings"]] == [[]], message
    names = {reading["name"] for message in messages for reading in message["readings"]}
    assert len(names) == 40  # 20 requests and 20 responses
