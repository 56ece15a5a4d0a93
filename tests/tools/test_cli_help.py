"""Help, completion and start of the command, as a new user sees them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from modwire_command import good, modwire, process
from modwire_tools.cli.app import COMMANDS
from modwire_tools.cli.help import EXAMPLES

# Starting a process takes seconds on a busy machine.
pytestmark = pytest.mark.timeout(300)

NAMES = list(COMMANDS)
# These serve until Ctrl+C, need hardware, or are tested by what they do.
RUN = [
    line
    for lines in EXAMPLES.values()
    for line in lines
    if re.match(r"modwire (read|write|scan|bench) tcp://127\.0\.0\.1:5020", line)
]
PARSED = [line for name in NAMES for line in EXAMPLES[name] if line not in RUN]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_an_example(name: str) -> None:
    out = good(name, "--help")
    assert f"Usage: modwire {name}" in out
    assert "Example" in out
    assert f"modwire {name}" in out.partition("Example")[2]
    assert EXAMPLES[name]
    for line in EXAMPLES[name]:
        assert line.startswith("modwire ")
    # pip installs no folder of the repository.
    assert not re.search(r"\b(docs|examples|systemd|tests)/|\.md\b", out)


def test_the_help_of_all_says_how_commands_end() -> None:
    out = good("--help")
    for name in NAMES:
        assert re.search(rf"^  {name} ", out, re.MULTILINE)
    text = " ".join(out.split())
    assert "Exit codes: 0 success; 1 the device or the link failed" in text
    assert "2 an argument was wrong; 130 Ctrl+C" in text
    assert good() == out
    assert good("-h") == out


@pytest.mark.parametrize("line", RUN)
def test_an_example_runs(line: str, endpoint: str) -> None:
    words = shlex.split(line.replace("tcp://127.0.0.1:5020", endpoint))
    more = {
        "read": ["--times", "2"] if "--watch" in words else [],
        "write": [],
        # A scan would wait for silent units.
        "scan": ["--addresses", "0..60"] if "--table" in words else ["--units", "1"],
        "bench": [],
    }[words[1]]
    line = " ".join([*words[1:], *more]).replace("--watch 1s", "--watch 5ms")
    line = line.replace("--duration 10s", "--requests 20")
    line = line.replace("--concurrency 4", "--concurrency 4 --requests 20")
    out = good(*line.split())
    assert out


@pytest.mark.parametrize("line", PARSED)
def test_an_example_is_understood(line: str) -> None:
    """One extra option stops the command after it has accepted every other word."""
    _, *words = shlex.split(line)
    result = modwire(*words, "--no-such-option")
    assert result.err.startswith("modwire: no such option: --no-such-option")
    for word in words:
        if word.startswith("--") and len(words) > 1:
            helped = words[:2] if words[0] == "pki" else words[:1]
            assert word in good(*helped, "--help")


def test_examples_can_be_typed_into_a_shell() -> None:
    for lines in EXAMPLES.values():
        for line in lines:
            bare = re.sub(r"'[^']*'", "", line)
            assert not set(bare) & set("?&;|<>$`*!(){}[]"), line


def test_help_shows_arguments_as_they_are_typed() -> None:
    assert "Usage: modwire read [OPTIONS] ENDPOINT ADDRESS...\n" in good("read", "--help")
    assert "Usage: modwire simulate [OPTIONS] [FILE]...\n" in good("simulate", "--help")
    assert re.search(r"^  ENDPOINT +The device: ", good("scan", "--help"), re.MULTILINE)
    for name in NAMES:
        assert not re.search(r"<\w+|\{[A-Z]|\[\[", good(name, "--help")), name


def test_the_list_of_commands_has_whole_sentences() -> None:
    commands = good("--help").partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert len(commands) == len(NAMES)
    assert all(re.fullmatch(r"  \w+ +[A-Z].*[^.]\.", line) for line in commands), commands


def test_the_version_is_said() -> None:
    assert re.fullmatch(r"modwire \d+\.\d+\.\d+\S*\n", good("--version"))


# The start.


# Slow to import, or not there after a plain `pip install modwire-tools`.
OPTIONAL = {
    "cryptography",
    "hypercorn",
    "modwire_stores",
    "pydantic",
    "redis",
    "sqlalchemy",
    "starlette",
}
SLOW = OPTIONAL | {"asyncio", "importlib.metadata", "msgspec", "plotext", "rich", "serial"}
NETWORK = {"modwire_sync", "modwire_trio", "ssl", "trio"}


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        ("--help", {*SLOW, *NETWORK, "modwire", *(f"modwire_tools.cli.{name}" for name in NAMES)}),
        ("--version", {*SLOW, *NETWORK, "modwire", "modwire_tools.cli.read"}),
        *[(f"{name} --help", {*SLOW, *NETWORK, "modwire"}) for name in NAMES],
        ("read ENDPOINT hr:0", {*SLOW, "modwire_trio", "ssl", "trio", "modwire_tools.cli.write"}),
        ("write ENDPOINT hr:0=1", {*SLOW, "modwire_trio", "ssl", "trio"}),
        ("generate 3", {*SLOW, *NETWORK}),
        ("parse 0103006b00037417", {*OPTIONAL, *NETWORK}),
        ("scan ENDPOINT --units 1", {*OPTIONAL, "trio", "plotext"}),
        ("bench ENDPOINT --requests 1", {*OPTIONAL, "plotext", "msgspec"}),
        ("sniff no-such-file", {*OPTIONAL, *NETWORK}),
    ],
)
def test_a_command_starts_at_once(arguments: str, unneeded: set[str], endpoint: str) -> None:
    """Only modules that are needed are imported, because a user waits for them."""
    script = """
import sys
from modwire_tools.cli import main
try:
    main()
finally:
    print(sorted(sys.modules), file=sys.stderr)
"""
    words = arguments.replace("ENDPOINT", endpoint).split()
    command = [sys.executable, "-c", script, *words]
    ended = subprocess.run(command, capture_output=True, text=True)
    loaded = set(re.findall(r"'([\w.]+)'", ended.stderr.splitlines()[-1]))
    assert "modwire_tools.cli.app" in loaded
    assert loaded & unneeded == set()


def test_the_list_of_commands_has_the_first_sentences_of_their_helps() -> None:
    listed = good("--help").partition("Commands:\n")[2]
    for name in NAMES:
        first = good(name, "--help").partition("\n\n")[2].strip().partition("\n")[0]
        assert re.search(rf"^  {name} +{re.escape(first)}$", listed, re.MULTILINE)


# Completion.


def completed(*words: str, shell: str = "zsh") -> list[str]:
    """Return the completions that the shell offers for the last word."""
    if shell == "bash":
        environment = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    else:
        environment = {"_TYPER_COMPLETE_ARGS": " ".join(words)}
    result = process(_MODWIRE_COMPLETE=f"complete_{shell}", **environment)
    assert result.err == ""
    if shell == "bash":
        return result.out.split()
    found = re.findall(r'(?:\(\(|\n)"([^"]+)"', result.out)
    return [each.replace("\\\\:", ":") for each in found]


def test_the_shell_completes_what_can_be_typed() -> None:
    assert completed("modwire", "wr", shell="bash") == ["write"]
    found = completed("modwire", "read", "rtu:///dev/x?baudrate=9600&par")
    assert found == [f"rtu:///dev/x?baudrate=9600&parity={parity}" for parity in "ENO"]


def test_the_script_for_completion_is_the_shells() -> None:
    result = process("--show-completion", "bash")
    assert "_MODWIRE_COMPLETE=complete_bash" in result.out
    assert (result.err, result.code) == ("", 0)


def test_the_types_of_options_know_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other completions, in this process: a type must accept each of its own offers."""
    from modwire import Endpoint
    from modwire.endpoint_options import MORE_OPTIONS
    from modwire_tools.cli import completion, endpoints, types, value_options

    class Port:
        device, description = "/dev/ttyUSB0", "USB Serial"

    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [Port])
    device = endpoints.DEVICE
    offered = [value for value, _ in device.complete("")]
    assert "rtu:///dev/ttyUSB0" in offered
    for scheme in endpoints.SCHEMES:
        assert scheme in offered
        device.parse(f"{scheme}x")
    assert device.complete("rtu://") == [("rtu:///dev/ttyUSB0", "USB Serial")]
    assert device.complete("//") == [("///dev/ttyUSB0", "USB Serial")]
    named: set[str] = set()
    places = (
        "rtu:///dev/x?",
        "ascii:///dev/x?",
        "tcp://x?",
        "rtu+udp://x?",
        "unix:///x?",
        "tls://x?",
    )
    for place in places:
        options = [value for value, _ in device.complete(place)]
        named |= {str(Endpoint.parse(each)).partition("?")[2].partition("=")[0] for each in options}
    assert named >= set(MORE_OPTIONS), "each is offered where there is such a thing"
    timeout, retries, *_ = [value for value, _ in device.complete("tcp://x?unit=1&")]
    assert (timeout, retries) == ("tcp://x?unit=1&timeout=1", "tcp://x?unit=1&retries=1")
    assert [value for value, _ in device.complete("tcp://x?quirks=any_unit,any")] == [
        "tcp://x?quirks=any_unit,any_transaction_id"
    ]
    assert device.complete("tcp://x?rs") == [], "tcp has no rs485"
    address = value_options.TypedAddress()
    assert ("hr:3/float32", "float of 32 bits") in address.complete("hr:3/fl")
    for table, _ in address.complete(""):
        address.parse(f"{table}0")
    kind = value_options.ValueTypeName()
    for offer, _ in kind.complete(""):
        kind.parse(offer)
        address.parse(f"hr:0/{offer}")
    assert types.TABLE.complete("")[0] == ("co", "coils")
    assert [types.TABLE.parse(offer) for offer, _ in types.TABLE.complete("")]
    assert len(types.UNIT_ID.complete("")) == 247
    assert ("read_coils", "1") in completion.complete_function("")
    for name, code in completion.complete_function(""):
        assert good("generate", name) == good("generate", code)
    for framing, _ in completion.complete_framing(""):
        assert good("generate", "1", "--framing", framing)


def test_a_time_prints_as_it_is_typed() -> None:
    from modwire_tools.cli.types import DURATION

    for text in ("500ms", "1s", "2.5s", "100s"):
        assert str(DURATION.parse(text)) == text


def test_ctrl_c_while_the_command_is_imported_is_no_traceback() -> None:
    code = """
import sys
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "modwire_tools.cli.app":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from modwire_tools.cli import main
main()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (130, "")
