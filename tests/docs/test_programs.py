"""Programs of pages that need more than to be run: the tests add a client, and see what it gets."""

from __future__ import annotations

from pathlib import Path

from pages import ROOT, Block, blocks_of
from running import Run

MISSING = """
import logging
from modwire import GatewayPathUnavailableError
logging.getLogger("modwire.client").setLevel("ERROR")  # the lines that are missing
from modwire_sync import TcpClient
"""


def block(page: str, part: str) -> Block:
    """Return the only block of a page that contains `part`."""
    (found,) = [each for each in blocks_of(ROOT / "docs" / page) if part in each.code]
    return found


def printed(run: Run, block: Block, more: str, changes: dict[str, str]) -> str:
    """Return what a block prints, with these changes and more lines at its end."""
    from running import printed as output

    code = block.code
    for old, new in changes.items():
        assert old in code
        code = code.replace(old, new)
    return output(run, Block(block.page, block.line, block.language, code + more, block.marks))


def test_the_program_of_the_security_page_lets_all_read_and_one_write(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        found = block("topics/security.md", "def authorize(")
        run.prepare(found)
        more = """
from modwire import IllegalFunctionError
from modwire_sync import TcpClient
with server, TcpClient(*server.address) as client:
    try:
        client.write_register(0, 1)
    except IllegalFunctionError:
        print(client.read_holding_registers(0, 2))
"""
        assert printed(run, found, more, {}) == "[0, 0]\n"


def test_the_gateway_serves_lines_and_a_unit(tmp_path: Path) -> None:
    """There are no serial ports here, so the response is "gateway path unavailable"."""
    found = block("how-to/gateway.md", "gateway.add_line(")
    more = f"""{MISSING}
with server, TcpClient(*server.address) as client:
    for unit in (1, 3, 5):
        try:
            client.read_coils(0, unit=unit)
        except GatewayPathUnavailableError:
            print("no path to", unit)
    print(client.read_holding_registers(0, 3, unit=100))
"""
    changes = {"5022": "0", "/dev/ttyUSB": f"{tmp_path}/none"}
    with Run(tmp_path) as run:
        output = printed(run, found, more, changes)
    assert output == "no path to 1\nno path to 3\nno path to 5\n[1, 2, 3]\n"


def test_the_remote_units_pass_requests_on(tmp_path: Path) -> None:
    found = block("how-to/gateway.md", "RemoteUnit(line, 17)")
    more = f"""{MISSING}
assert repr(own[5].coils.read(0, 8)) and device.address.endswith("none1")
with gateway, TcpClient(*gateway.address, unit=17) as client:
    try:
        client.read_coils(0)
    except GatewayPathUnavailableError:
        print("no path")
"""
    changes = {"5021": "0", "/dev/ttyUSB": f"{tmp_path}/none"}
    with Run(tmp_path) as run:
        assert printed(run, found, more, changes) == "no path\n"
