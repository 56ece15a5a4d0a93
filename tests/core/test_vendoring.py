"""The core folder works under any name: a program that vendors it needs no installed modwire."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "packages" / "core" / "src" / "modwire"

# Run with the copy's name as the argument.
SCRIPT = """
import importlib, pkgutil, sys

name = sys.argv[1]
core = importlib.import_module(name)
modules = [module.name for module in pkgutil.walk_packages(core.__path__, name + ".")]
assert any(each.removeprefix(name).count(".") == 2 for each in modules), "there are no rooms"
for each in modules:
    importlib.import_module(each)

Decoder = importlib.import_module(name + ".messages.decoder").Decoder
request = core.ReadHoldingRegistersRequest(107, 3)
response = core.ReadHoldingRegistersResponse([555, 0, 100])
for framing in core.TcpFraming, core.RtuFraming, core.AsciiFraming, core.BinaryFraming:
    for message, is_server in (request, True), (response, False):
        decoder = Decoder()
        receiver = framing(decoder, is_server=is_server)
        receiver.receive_data(receiver.encode(core.Frame(17, 0, message.encode())), 0.0)
        frame = receiver.next_frame()
        assert isinstance(frame, core.Frame), frame
        assert frame.unit == 17
        decode = decoder.decode_request if is_server else decoder.decode_response
        assert decode(frame.pdu) == message

installed = [module for module in sys.modules if module.partition(".")[0] == "modwire"]
assert not installed, installed
print("ok", type(request).__module__)
"""


@pytest.mark.parametrize("name", ["modbus_core", "firmware_tool._vendor.modbus"])
def test_a_copy_under_another_name_speaks_every_framing(tmp_path: Path, name: str) -> None:
    target = tmp_path.joinpath(*name.split("."))
    shutil.copytree(CORE, target, ignore=shutil.ignore_patterns("__pycache__"))
    for package in target.parents:
        if package == tmp_path:
            break
        (package / "__init__.py").touch()
    script = tmp_path / "use_the_copy.py"
    script.write_text(SCRIPT, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, str(script), name], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"ok {name}.")
