"""The commands of the README: a user can copy them, and they print the shown output."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from modwire_command import good, modwire
from modwire_tools.web.openapi import describe

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL))
TYPED = re.findall(r"^modwire .*$", SHELL, re.MULTILINE)
NAMED = re.findall(r"(?<=`)modwire [^`\n]+(?=`)", README)
LINES = sorted(
    {
        part.strip()
        for line in [*TYPED, *NAMED]
        for part in line.partition("  #")[0].split(" | ")
        if "COMMAND" not in line
    }
)


def test_the_readme_has_commands() -> None:
    assert len(LINES) > 15


@pytest.mark.parametrize("line", LINES)
def test_a_command_is_understood(line: str) -> None:
    _, *words = shlex.split(line)
    unknown = modwire(*words, "--no-such-option")
    assert unknown.err.startswith("modwire: no such option: --no-such-option")
    for word in words:
        if word.startswith("--") and words[0] != word:
            assert word in good(words[0], "--help")


def test_a_message_is_explained_as_shown() -> None:
    shown = re.search(r"```text\n(RTU frame, .*?)```", README, re.DOTALL)
    assert shown is not None
    assert good("parse", "0103006b00037417").startswith(shown[1])


def test_the_operation_that_curl_does_is_there() -> None:
    request = re.search(r"curl -X (\w+) .*? -d '(.*?)' \\\n +http://[^/]+(\S+)", README)
    assert request is not None
    method, _, path = request.groups()
    paths = describe("1", wants_token=False)["paths"]
    assert isinstance(paths, dict)
    patterns = {re.sub(r"{\w+}", r"\\w+", each): each for each in paths}
    found = [each for pattern, each in patterns.items() if re.fullmatch(pattern, path)]
    assert any(method.lower() in paths[each] for each in found)
