"""The README is right: its snippets run, its commands exist, and its tables are complete."""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import modwire
from programs import changed, free_port, run, serving

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "examples"


class Snippet(NamedTuple):
    """A fenced block, and the `text` block after it with its output."""

    language: str
    code: str
    output: str


def snippets() -> list[Snippet]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    outputs = [code if language == "text" else "" for language, code in blocks[1:]]
    return [
        Snippet(language, code, output)
        for (language, code), output in zip(blocks, [*outputs, ""], strict=True)
    ]


def snippet(part: str, language: str = "python") -> Snippet:
    """Return the only snippet of `language` that contains `part`."""
    (found,) = [each for each in snippets() if each.language == language and part in each.code]
    return found


def printed(script: Path, cwd: Path) -> str:
    return "".join(f"{line}\n" for line in run(script, cwd=cwd, strict=False))


# A part of each Python snippet; each new snippet in the README needs a test here.
PYTHON = {
    "the server": "serve_forever()",
    "the client": "    meter.write_register(",
    "the asyncio client": "await meter.write_register(",
    "the endpoint": "meter = connect(",
    "serving": "except ServerDeviceFailureError",
    "the remote units": "RemoteUnit(",
    "the gateway": "Gateway(line",
    "the security": "def authorize(",
    "the sniffer": "SerialSniffer(",
    "trio": "SequentialBlock(0, [2304, 2311, 2297]))})\n\n\nasync def",
    "the async unit": "class Sensor(AsyncUnit)",
    "the core alone": "ClientProtocol(RtuFraming)",
    "a call of an adapter": "turns.begin(",
    "a connection of an adapter": "core.take_call()",
    "the vendored core": "firmware_tool.modbus",
    "values": "RegisterBuilder(",
    "a map": "class Pump(RegisterMap)",
    "an odd device": "class Inverter(RegisterMap",
    "the planner": "plan(points",
    "a store": 'sql_unit("meter.db"',
    "a test": "(modbus_device)",
}


def test_every_snippet_is_tested() -> None:
    assert sorted(snippet(part) for part in PYTHON.values()) == sorted(
        each for each in snippets() if each.language == "python"
    )
    assert {each.language for each in snippets()} == {"python", "sh", "text"}


@pytest.mark.parametrize(
    "part",
    [
        PYTHON[each]
        for each in (
            "the endpoint",
            "serving",
            "trio",
            "the core alone",
            "values",
            "a map",
            "an odd device",
            "the planner",
            "a store",
        )
    ],
)
def test_a_snippet_prints_what_the_readme_shows(part: str, tmp_path: Path) -> None:
    script = tmp_path / "snippet.py"
    script.write_text(snippet(part).code, encoding="utf-8")
    assert printed(script, tmp_path) == snippet(part).output


def test_the_client_snippet_reads_and_writes_the_server_snippet(tmp_path: Path) -> None:
    port = str(free_port())
    scripts = {
        name: changed(snippet(PYTHON[name]).code, {"5020": port}, tmp_path / f"{name[4:]}.py")
        for name in ("the server", "the client", "the asyncio client")
    }
    with serving(scripts["the server"], int(port)):
        output, awaited = (printed(each, tmp_path) for each in list(scripts.values())[1:])
    assert output.replace(port, "5020") == snippet(PYTHON["the client"]).output
    assert awaited and output.startswith(awaited)


def test_the_security_snippet_lets_all_read_and_one_write(tmp_path: Path) -> None:
    code = snippet(PYTHON["the security"]).code.replace("192.168.1.0/24", "127.0.0.0/8")
    (script := tmp_path / "security.py").write_text(
        code.replace('"192.168.1.10", 502', '"127.0.0.1", 0')
        + """from modwire import IllegalFunctionError
from modwire_sync import TcpClient
with server, TcpClient(*server.address) as client:
    try:
        client.write_register(0, 1)
    except IllegalFunctionError:
        print(client.read_holding_registers(0, 2))
"""
    )
    assert printed(script, tmp_path) == "[0, 0]\n"


def test_the_gateway_snippet_serves_lines_and_a_unit(tmp_path: Path) -> None:
    """There are no serial ports here, so the response is "gateway path unavailable"."""
    code = snippet(PYTHON["the gateway"]).code
    assert len([each for each in code.splitlines() if each]) <= 10
    assert "5022" in code
    assert code.count("/dev/ttyUSB") == 2
    code = code.replace("5022", "0").replace("/dev/ttyUSB", f"{tmp_path}/none")
    (script := tmp_path / "gateway.py").write_text(
        code
        + """
import logging
from modwire import GatewayPathUnavailableError
logging.getLogger("modwire.client").setLevel("ERROR")  # the lines that are missing
from modwire_sync import TcpClient

with server, TcpClient(*server.address) as client:
    for unit in (1, 3, 5):
        try:
            client.read_coils(0, unit=unit)
        except GatewayPathUnavailableError:
            print("no path to", unit)
    print(client.read_holding_registers(0, 3, unit=100))
""",
        encoding="utf-8",
    )
    assert printed(script, tmp_path) == "no path to 1\nno path to 3\nno path to 5\n[1, 2, 3]\n"


def test_the_remote_units_snippet_passes_requests_on(tmp_path: Path) -> None:
    """There is no serial port here, so the response is "gateway path unavailable"."""
    code = snippet(PYTHON["the remote units"]).code
    assert "5021" in code and "/dev/ttyUSB0" in code
    code = code.replace("5021", "0").replace("/dev/ttyUSB", f"{tmp_path}/none")
    (script := tmp_path / "gateway.py").write_text(
        code
        + """
import logging
from modwire import GatewayPathUnavailableError
logging.getLogger("modwire.client").setLevel("ERROR")  # the lines that are missing
from modwire_sync import TcpClient

assert repr(own[5].coils.read(0, 8)) and device.address.endswith("none1")
with gateway, TcpClient(*gateway.address, unit=17) as client:
    try:
        client.read_coils(0)
    except GatewayPathUnavailableError:
        print("no path")
""",
        encoding="utf-8",
    )
    assert printed(script, tmp_path) == "no path\n"


def test_the_sniffer_snippet_hears_a_line(tmp_path: Path) -> None:
    code = snippet(PYTHON["the sniffer"]).code
    assert '"/dev/ttyUSB0"' in code
    code = code.replace('"/dev/ttyUSB0"', "os.ttyname(near)")
    code = code.replace("for heard in line:", "for heard, _ in zip(line, range(3)):")
    script = tmp_path / "sniffer.py"
    script.write_text(
        """
import os
import threading
import time
import tty

far, near = os.openpty()
tty.setraw(near)


def speak():
    while True:  # until the sniffer has opened the port, what is said is lost
        for said in ("0103000000018 40a", "01030200 07f986", "01 83 02"):
            os.write(far, bytes.fromhex(said.replace(" ", "")))
            time.sleep(0.1)


threading.Thread(target=speak, daemon=True).start()
"""
        + code,
        encoding="utf-8",
    )
    output = printed(script, tmp_path)
    assert len(output.splitlines()) == 3
    assert re.search(r"^1 answered 0\.\d+$", output, re.MULTILINE)
    assert "damaged: truncated frame 01 83 02\n" in output


def test_the_reference_is_what_the_readme_says() -> None:
    assert "`reference(40001)`" in README
    assert modwire.reference(40001) == ("holding_registers", 0)


@pytest.mark.parametrize("name", ["server", "client"])
def test_the_ten_lines_are_those_of_the_examples(name: str) -> None:
    code = snippet(PYTHON[f"the {name}"]).code
    example = (EXAMPLES / "sync" / f"{name}.py").read_text(encoding="utf-8")
    assert example.partition('"""\n\n')[2] == code
    assert len([line for line in code.splitlines() if line]) <= 10


@pytest.mark.parametrize("name", ["a call of an adapter", "a connection of an adapter"])
def test_the_code_of_an_adapter_is_that_of_the_example(name: str) -> None:
    """The example itself is run by test_examples.py."""
    example = (EXAMPLES / "embed_asyncio.py").read_text(encoding="utf-8")
    code = snippet(PYTHON[name]).code
    assert code in example or textwrap.indent(code, "    ") in example


def test_the_parts_of_the_adapter_kit_exist() -> None:
    for row in cells("part of the kit"):
        for path in re.findall(r"`(modwire[.\w]+)`", row[0]):
            module, _, name = path.rpartition(".")
            found = importlib.import_module(module if name[0].isupper() else path)
            assert hasattr(found, name) or found.__name__ == path


def test_the_async_unit_is_served_by_the_trio_snippet(tmp_path: Path) -> None:
    code = snippet(PYTHON["trio"]).code
    served = re.sub(r"^units = .*$", "units = Units({1: Sensor()})", code, flags=re.MULTILINE)
    script = tmp_path / "sensor.py"
    script.write_text(
        snippet(PYTHON["the async unit"]).code
        + served.replace("read_input_registers(0, 3)", "read_holding_registers(0, 2)"),
        encoding="utf-8",
    )
    assert printed(script, tmp_path) == "[21, 21]\n"


def test_the_core_works_as_the_vendoring_section_says(tmp_path: Path) -> None:
    (tmp_path / "packages").symlink_to(ROOT / "packages", target_is_directory=True)
    folder, copy = (line.split() for line in snippet("cp -r", "sh").code.splitlines())
    assert (folder[:2], copy[:2]) == (["mkdir", "-p"], ["cp", "-r"])
    (tmp_path / folder[2]).mkdir(parents=True)
    shutil.copytree(tmp_path / copy[2], tmp_path / copy[3])
    script = tmp_path / "use_it.py"
    code = snippet(PYTHON["the vendored core"]).code
    check = "import sys; assert 'modwire' not in sys.modules\n"
    script.write_text(code + check, encoding="utf-8")
    assert printed(script, tmp_path) == snippet(PYTHON["the vendored core"]).output


def test_the_commands_exist(require_peer: Callable[[str, bool, str], None]) -> None:
    require_peer("make", shutil.which("make") is not None, "apt-get install make")
    for each in snippets():
        for line in each.code.splitlines() if each.language == "sh" else ():
            program, *arguments = line.split()
            if program == "make":
                subprocess.run(
                    ["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True
                )
            elif line.startswith("python -m pip install "):
                for package in arguments[3:]:
                    assert (ROOT / package / "pyproject.toml").is_file(), package
            else:
                # The vendoring test does the first ones, tests/tools the others.
                known = ("mkdir", "cp", "modwire", "curl", "http://127.0.0.1:8080/api/devices")
                assert line.strip().startswith(known), f"no test knows {line!r}"


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    shown = snippet("over RTU", "text").code
    if sys.platform == "win32":
        pytest.skip("what is shown includes RTU, which the demo leaves out on Windows")
    lines = run("-m", "modwire_tools", "demo", "--once", cwd=tmp_path)
    for line in shown.splitlines():
        assert line in lines


def test_the_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    headings = re.findall(r"^## (.+)$", README, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert targets
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors
    for target in targets:
        assert target.startswith("https://") or (ROOT / target).exists(), target


# The tables.


def cells(heading: str) -> list[list[str]]:
    """The rows of the table whose first header cell is `heading`."""
    lines = README.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {heading} |")) + 2
    rows: list[list[str]] = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def names(text: str) -> list[str]:
    return re.findall(r"`(\w+)`", text)


def test_the_table_of_functions_has_every_method_of_a_client() -> None:
    listed = [name for row in cells("code") for name in names(row[1])]
    methods = [name for name in dir(modwire.BlockingCalls) if not name.startswith("_")]
    assert sorted([*listed, "call"]) == sorted(methods)


def test_the_table_of_functions_has_every_function_code() -> None:
    listed = {code for row in cells("code") for code in re.split(r", ", row[0])}
    known = {
        f"{request.function_code}"
        if request.sub_code is None
        else f"{request.function_code}/{request.sub_code}"
        for request in modwire.REQUESTS
    }
    assert listed == known


def test_the_table_of_options_has_every_option_with_its_default() -> None:
    parameters = dict(inspect.signature(modwire.ClientOptions).parameters)
    rows = {row[0].strip("`"): row[1].strip("`") for row in cells("option")}
    assert rows.keys() == parameters.keys()
    for name, shown in rows.items():
        default = parameters[name].default
        if name == "decoder":
            assert shown == "Decoder()"
        elif name == "quirks":
            assert shown == f"Quirks.{default.name or 'none'}"
            assert all(str(quirk.name) in README for quirk in modwire.Quirks)
        else:
            assert shown == repr(default), name
    for name in inspect.signature(modwire.ServerOptions).parameters:
        assert name == "unknown" or f"`{name}" in README, name


def test_the_table_of_errors_has_every_error() -> None:
    listed = {row[0].strip("`") for row in cells("error")}
    raised = {name for name in modwire.__all__ if name.endswith("Error")} - {"ModbusError"}
    assert listed == raised


def test_every_public_name_in_the_readme_exists() -> None:
    import modwire.maps
    import modwire.planner
    import modwire.sniffing
    import modwire.values
    import modwire_asyncio
    import modwire_gevent
    import modwire_stores
    import modwire_sync
    import modwire_sync.sniffing
    import modwire_trio
    from modwire.client import constructors as clients
    from modwire.gateway import devices
    from modwire.server import connection, datagrams, line
    from modwire.server import constructors as servers

    kit = clients, devices, connection, datagrams, line, servers
    adapters = modwire_sync, modwire_asyncio, modwire_trio, modwire_gevent, modwire_stores
    rooms = modwire.values, modwire.maps, modwire.planner, modwire.sniffing, modwire_sync.sniffing
    sources = modwire, *rooms, *adapters, *kit
    for name in set(re.findall(r"`([A-Z][a-z]+[A-Z]\w+)\b", README)):
        known = any(hasattr(source, name) for source in sources)
        assert known or hasattr(builtins, name), name
