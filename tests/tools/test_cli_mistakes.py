"""A mistake in any argument gets one sentence, which says what is wrong and what is allowed.

Nothing listens at the endpoints here: each mistake must be found before a connection.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from modwire_command import modwire, process
from modwire_tools.cli import app

TCP = "tcp://127.0.0.1:1"
RTU = "rtu:///dev/no-such-port"
READ, WRITE, SCAN = ("read", TCP, "hr:0"), ("write", TCP, "hr:0=1"), ("scan", TCP)
BENCH, SERVE, GATEWAY = ("bench", TCP), ("serve", "tcp://127.0.0.1:0"), ("gateway", TCP, RTU)

MISTAKES: list[tuple[tuple[str, ...], str]] = [
    (("reed",), "no such command 'reed', did you mean 'read'? See modwire --help"),
    (("--verbose",), "no such option: --verbose, did you mean --version? See modwire"),
    # read
    (("read",), "missing argument 'ENDPOINT'; see modwire read --help"),
    (("read", TCP), "missing argument 'ADDRESS...'; see modwire read --help"),
    (("read", "plc", "hr:0"), "ENDPOINT: endpoint 'plc': must start with a scheme, such as"),
    (("read", "tpc://plc", "hr:0"), "ENDPOINT: endpoint 'tpc://plc': scheme must be"),
    (("read", "tls://plc:0", "hr:0"), "port must be 1..65535, got 0"),
    (("read", "tls://plc?crl=x", "hr:0"), "option must be"),
    (("read", "tcp://plc:0", "hr:0"), "port must be 1..65535, got 0"),
    (("read", "tcp://plc?unti=1", "hr:0"), "option must be"),
    (("read", TCP, "hr"), "ADDRESS: an address is co:, di:, hr: or ir:"),
    (("read", TCP, "hr:65536"), "or a reference such as 40017; got 'hr:65536'"),
    (("read", TCP, "hr:0/flaot"), "ADDRESS: a type is one of int8,"),
    ((*READ, "--type", "flaot32"), "--type: a type is one of int8,"),
    ((*READ, "--count", "0"), "--count must be a whole number, 1..65536, got '0'"),
    ((*READ, "--word-order", "middle"), "--word-order: 'middle' is not one of 'big', 'little'"),
    ((*READ, "--byte-order", "x"), "--byte-order: 'x' is not one of 'big', 'little'"),
    (
        (*READ, "--order", "ABDC"),
        "--order: 'ABDC' is not one of 'ABCD', 'CDAB', 'BADC', 'DCBA', 'MODICON'",
    ),
    ((*READ, "--scale", "ten"), "--scale must be a number other than 0, got 'ten'"),
    ((*READ, "--scale", "0"), "--scale must be a number other than 0, got '0'"),
    ((*READ, "--unit", "256"), "--unit must be a whole number, 0..255, got '256'"),
    (
        (*READ, "--unit", "300"),
        "; a unit id is one byte, the number of the device on its line, and",
    ),
    (("read", f"{TCP}?unit=300", "hr:0"), "an address is written hr:300"),
    ((*SCAN, "--units", "1..300"), "an address is written hr:300"),
    ((*READ, "--watch"), "option '--watch' requires an argument, TIME; see modwire read --help"),
    (
        ("read", TCP, "hr:0", "-u"),
        "option '-u' requires an argument, UNIT; see modwire read --help",
    ),
    (
        (*READ, "--timeout", "1s"),
        "no such option: --timeout; timeout is an option of the endpoint, "
        f'as in "{TCP}?timeout=1s"',
    ),
    ((*WRITE, "--retries=2"), f'retries is an option of the endpoint, as in "{TCP}?retries=2"'),
    (
        ("read", f"{RTU}?parity=N", "hr:0", "--baud", "9600"),
        f'is an option of the endpoint, as in "{RTU}?parity=N&baudrate=9600"',
    ),
    ((*READ, "--slave", "1"), "no such option: --slave; a unit is --unit"),
    (("read", "--host", "plc", "hr:0"), "the device is one word, an endpoint, such as tcp://192"),
    ((*SCAN, "--table", "hr,ir"), "got 'hr,ir'; repeat the option for several"),
    ((*SCAN, "--table", "all"), "got 'all'; repeat the option for several"),
    (("generate", "16", "--address", "hr:4", "--values", "1"), "--address must be a number such"),
    (("generate", "read_coil"), "there is no function 'read_coil', did you mean read_coils?"),
    (("read", RTU, "hr:0", "-u", "0"), "--unit 0 is a broadcast on a serial line"),
    ((*READ, "--device"), "option '--device' requires an argument"),
    ((*READ, "--watch", "often"), "--watch must be a time of more than 0, such as 500ms"),
    ((*READ, "--watch", "0"), "--watch must be a time of more than 0, such as 500ms"),
    ((*READ, "--times", "3"), "--times goes with --watch, as in --watch 1s --times 10"),
    ((*READ, "-w", "1s", "--times", "0"), "--times must be a whole number, 1 or more, got '0'"),
    ((*READ, "--json", "--csv"), "--json and --csv exclude each other, take one of them"),
    ((*READ, "--hex", "3"), "ADDRESS: an address is co:, di:, hr: or ir:"),
    # write
    (("write", TCP), "missing argument 'ADDRESS=VALUE...'; see modwire write --help"),
    (("write", TCP, "hr:0"), "ADDRESS=VALUE: write an address, = and a value"),
    (("write", TCP, "hr:0=on"), "uint16 must be a whole number, such as 16 or 0x10, got 'on'"),
    (("write", TCP, "ir:0=1"), "only coils and holding registers can"),
    ((*WRITE, "--type", "x"), "--type: a type is one of"),
    ((*WRITE, "--device"), "option '--device' requires an argument"),
    ((*WRITE, "--order", "x"), "--order: 'x' is not one of 'ABCD'"),
    ((*WRITE, "--word-order", "x"), "--word-order: 'x' is not one of 'big', 'little'"),
    ((*WRITE, "--byte-order", "x"), "--byte-order: 'x' is not one of 'big', 'little'"),
    ((*WRITE, "--scale", "nan"), "--scale must be a number other than 0"),
    ((*WRITE, "--unit", "x"), "--unit must be a whole number, 0..255, got 'x'"),
    (
        ("write", RTU, "hr:0=1", "-u", "0", "--verify"),
        "--verify cannot read from unit 0, which is a broadcast: verify a unit of 1..255",
    ),
    ((*WRITE, "--json=1"), "option '--json' does not take a value"),
    (
        (*WRITE, "--functions", "7"),
        "--functions: functions that write are 5, 6, 15, 16 and 22",
    ),
    ((*WRITE, "--functions", "x"), "--functions must be a whole number, 0..255, got 'x'"),
    ((*WRITE, "--functions", "5,15"), "holding registers are written by function 6 or 16, which"),
    (
        ("write", RTU, "hr:0/bit:3=1", "-u", "0", "--functions", "6"),
        "--functions without 22 reads the register of a bit first, which unit 0, a broadcast",
    ),
    # scan
    (("scan", "x"), "ENDPOINT: endpoint 'x': must start with a scheme"),
    ((*SCAN, "--units", "1..x"), "--units must be a whole number, 0..255, got 'x'"),
    ((*SCAN, "--units", "9..1"), "--units must ascend, as in 1..9, got '9..1'"),
    ((*SCAN, "--device"), "option '--device' requires an argument"),
    (("scan", RTU, "--units", "0"), "--units must be 1..255 on a serial line, got 0"),
    ((*SCAN, "--baudrates", "all"), "--baudrates and --parities are tried on a serial port"),
    (("scan", RTU, "--baudrates", "1"), "--baudrates must be a whole number, 50..4000000"),
    (("scan", RTU, "--parities", "X"), "--parities must be one of E, N, O, got 'X'"),
    ((*SCAN, "--table", "xx"), "--table must be co, di, hr or ir, got 'xx'"),
    ((*SCAN, "--table", "hr", "--units", "1"), "--table looks into one unit, named by --unit"),
    ((*SCAN, "--table", "hr", "--every-line"), "--table looks into one unit, named by --unit"),
    ((*SCAN, "--table", "hr", "--addresses", "5..1"), "--addresses must ascend, as in 1..5"),
    ((*SCAN, "--table", "hr", "--addresses", "x"), "--addresses must be a whole number, 0..65535"),
    ((*SCAN, "--table", "hr", "--step", "0"), "--step must be a whole number, 1..65536"),
    ((*SCAN, "--table", "hr", "--unit", "x"), "--unit must be a whole number, 0..255, got 'x'"),
    ((*SCAN, "--unit", "3"), "--unit, --addresses and --step go with --table"),
    ((*SCAN, "--timeout", "x"), "--timeout must be a time of more than 0"),
    ((*SCAN, "--delay", "-1"), "--delay must be a time of 0 or more"),
    ((*SCAN, "--resume", __file__), "is not the file of a scan, name another one or remove it"),
    ((*SCAN, "--json=1"), "option '--json' does not take a value"),
    # bench
    (("bench", "x"), "ENDPOINT: endpoint 'x': must start with a scheme"),
    ((*BENCH, "--address", "x"), "--address: an address is co:"),
    ((*BENCH, "--count", "126"), "--address, --count: count must be 1..125 registers, got 126"),
    ((*BENCH, "-a", "hr:65535", "-n", "9"), "--address, --count: "),
    ((*BENCH, "--unit", "x"), "--unit must be a whole number, 0..255"),
    (
        ("bench", RTU, "-u", "0"),
        "--unit 0 is a broadcast on a serial line, which no unit answers: take 1..255",
    ),
    ((*BENCH, "--concurrency", "0"), "--concurrency must be a whole number, 1..10000"),
    (("bench", RTU, "-c", "2"), "--concurrency must be 1 on a serial port, which is opened once"),
    ((*BENCH, "--pipeline", "17"), "--pipeline must be a whole number, 1..16, got '17'"),
    (("bench", "rtu+tcp://plc", "-p", "2"), "--pipeline needs frames with transaction ids"),
    ((*BENCH, "--duration", "x"), "--duration must be a time of more than 0"),
    ((*BENCH, "--requests", "0"), "--requests must be a whole number, 1 or more"),
    ((*BENCH, "-d", "1s", "--requests", "1"), "--duration and --requests exclude each other"),
    ((*BENCH, "--json=1"), "option '--json' does not take a value"),
    ((*BENCH, "--plot=1"), "option '--plot' does not take a value"),
    # serve
    (("serve",), "missing argument 'LISTEN...'; see modwire serve --help"),
    (("serve", "x"), "LISTEN: endpoint 'x"),
    (("serve", "tls://:802"), "--certificate is missing: a server at tls:// needs"),
    (("serve", "tls://:802", "--certificate", "x"), "--client-ca is missing: a server at"),
    (("serve", "tls://:802?ca=x"), "has ca, which only clients have: --client-ca is the option"),
    ((*SERVE, "--key", "x"), "--key is for tls://, and no endpoint is there"),
    ((*SERVE, "--key-password-file", "x"), "--key-password-file is for tls://, and no endpoint"),
    (
        ("serve", "tls://:802?password_file=x"),
        "has password_file, which only clients have: --key-password-file is the option",
    ),
    (
        ("serve", "tcp://:502?unit=1"),
        "LISTEN: 'tcp://:502?unit=1' has unit, which only clients have",
    ),
    ((*SERVE, "--store", "oracle://x"), "--store: a store is memory, sqlite:///plant.db,"),
    ((*SERVE, "--store", "sqlite://"), "--store: sqlite needs a file, as in sqlite:///plant.db"),
    ((*SERVE, "--name", "a b"), "--name must be letters, digits and _ . :, got 'a b'"),
    ((*SERVE, "--units", "256"), "--units must be a whole number, 0..255, got '256'"),
    ((*SERVE, "--coils", "65537"), "--coils must be a whole number, 0..65536, got '65537'"),
    ((*SERVE, "--discrete-inputs", "x"), "--discrete-inputs must be a whole number, 0..65536"),
    ((*SERVE, "--holding-registers", "x"), "--holding-registers must be a whole number"),
    ((*SERVE, "--input-registers", "x"), "--input-registers must be a whole number, 0..65536"),
    ((*SERVE, "--set", "hr:0"), "--set: write an address, = and a value"),
    ((*SERVE, "--coils", "5", "--set", "co:5=on"), "--set: co:5 is not among the addresses"),
    ((*SERVE, "--processes", "0"), "--processes must be a whole number, 1..256, got '0'"),
    ((*SERVE, "--processes", "2"), "--processes 2 need a store that they share: name a --store"),
    (
        ("serve", RTU, "--processes", "2", "--store", "sqlite:////dev/null"),
        "--processes 2 can share ports of TCP, TLS and UDP, no serial port or path",
    ),
    ((*SERVE, "--allow", "x"), "--allow: "),
    ((*SERVE, "--max-connections", "0"), "--max-connections must be a whole number, 1..1000000"),
    ((*SERVE, "--idle-timeout", "0"), "--idle-timeout must be a time of more than 0"),
    ((*SERVE, "--verbose=1"), "option '--verbose' does not take a value"),
    # gateway
    (("gateway", TCP), "missing argument 'LINE...'; see modwire gateway --help"),
    (("gateway", "x", RTU), "LISTEN: endpoint 'x"),
    (("gateway", TCP, "x"), "LINE: endpoint 'x': must start with a scheme"),
    (("gateway", RTU, RTU), "LINE: /dev/no-such-port is where the gateway listens, name another"),
    (("gateway", TCP, RTU, TCP), "--map must say which units are on which of the 2 lines"),
    (("gateway", TCP, RTU, TCP, "--map", "1=2"), "--map: no unit leads to line 2, name one"),
    ((*GATEWAY, "--map", "x=1"), "--map must be a whole number, 0..255, got 'x'"),
    ((*GATEWAY, "--map", "1=256"), "--map must be a whole number, 0..255, got '256'"),
    ((*GATEWAY, "--map", "1=2/1"), "--map: the line must be 1..1, got 2"),
    ((*GATEWAY, "--map", "1..9=250"), "--map: '1..9=250' goes beyond unit 255"),
    ((*GATEWAY, "--map", "1=2", "--map", "1=3"), "--map: unit 1 is mapped twice"),
    ((*GATEWAY, "--pause", "x"), "--pause must be a time of more than 0"),
    ((*GATEWAY, "--patience", "0"), "--patience must be a time of more than 0"),
    ((*GATEWAY, "--queue", "0"), "--queue must be a whole number, 1..10000, got '0'"),
    ((*GATEWAY, "--allow", "x"), "--allow: "),
    ((*GATEWAY, "--max-connections", "x"), "--max-connections must be a whole number"),
    ((*GATEWAY, "--idle-timeout", "x"), "--idle-timeout must be a time of more than 0"),
    ((*GATEWAY, "--verbose=1"), "option '--verbose' does not take a value"),
    # demo
    (("demo", "--once=1"), "option '--once' does not take a value"),
]
COMMANDS = ("read", "write", "scan", "bench", "serve", "gateway", "demo")


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_a_mistake_gets_its_sentence(arguments: tuple[str, ...], said: str) -> None:
    result = modwire(*arguments)
    assert (result.out, result.code) == ("", 2)
    assert result.err.startswith("modwire: ")
    assert result.err.count("\n") == 1, "it is one line"
    assert said in result.err


def test_every_option_has_its_mistake() -> None:
    tried = {
        (arguments[0], word.partition("=")[0]) for arguments, _ in MISTAKES for word in arguments
    }
    short = {"-u": "--unit", "-c": "--concurrency", "-p": "--pipeline", "-w": "--watch"}
    tried |= {(command, short.get(word, word)) for command, word in tried}
    assert set(COMMANDS) < set(app.COMMANDS)
    for name in COMMANDS:
        function = getattr(import_module(f"modwire_tools.cli.{name}"), name)
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            (option,) = parameter.annotation.__metadata__
            for word in getattr(option, "param_decls", None) or ():
                if word.startswith("--"):
                    assert (name, word.partition("/")[0]) in tried, f"{name} {word}"


LINKS: list[tuple[tuple[str, ...], str]] = [
    (READ, f"{TCP}: cannot be opened: Connection refused; is the device on, and the port right?"),
    (WRITE, f"{TCP}: cannot be opened: Connection refused; is the device on, and the port right?"),
    (SCAN, f"{TCP}: cannot be opened: Connection refused; is the device on, and the port right?"),
    ((*SCAN, "--table", "hr"), f"{TCP}: cannot be opened: Connection refused; is the device on"),
    (BENCH, "Connection refused; is the device on, and the port right?"),
    (("read", RTU, "hr:0"), "cannot be opened: No such file or directory; is the adapter"),
    (("bench", RTU), "cannot be opened: No such file or directory; is the adapter plugged in"),
    (("serve", RTU), "/dev/no-such-port: "),
    ((*SCAN, "--resume", "/no/such/folder/file"), "/no/such/folder/file"),
]


@pytest.mark.parametrize(("arguments", "said"), LINKS, ids=[" ".join(each[0]) for each in LINKS])
def test_a_device_that_is_not_there_gets_its_sentence(
    arguments: tuple[str, ...], said: str
) -> None:
    result = modwire(*arguments)
    assert result.code == 1
    assert said in result.err
    assert result.err.startswith("modwire: ")
    assert result.err.count("\n") == 1, "it is one line"


def test_a_unit_that_does_not_answer_gets_its_sentence(endpoint: str) -> None:
    place = endpoint.partition("?")[0]
    result = modwire("read", f"{place}?timeout=0.02", "hr:0", "-u", "9")
    assert result == (
        "",
        f"modwire: {place}: unit 9 did not answer within 0.02 s: nothing came; "
        f'check the unit (`modwire scan "{place}?timeout=0.02"` finds units), or the port is '
        f'wrong; for RTU frames over a network use "rtu+{place}?timeout=0.02"; or wait longer, as '
        f'in "{place}?timeout=5"\n',
        1,
    )


def test_a_refusal_gets_its_sentence(endpoint: str) -> None:
    result = modwire("read", endpoint, "hr:60")
    assert result == (
        "",
        "modwire: hr:60: exception 02 (illegal data address); the device does not have all of "
        "these addresses: try one lower (manuals often count from 1), another table (hr: or ir:), "
        f'or fewer at once; `modwire scan "{endpoint}" --table hr --addresses 0..160` finds what '
        "can be read\n",
        1,
    )


def test_a_mistake_is_the_same_in_a_process(tmp_path: Path) -> None:
    assert process("read", TCP, "hr:0", "--count", "0") == (
        "",
        "modwire: --count must be a whole number, 1..65536, got '0'\n",
        2,
    )
