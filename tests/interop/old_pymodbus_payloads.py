"""Payloads of pymodbus 2.5.3: builds those that it reads as lines of JSON; see `OldPymodbus`.

A line has the arguments of a builder and a list of (method, value); its answer has the bytes as
hexadecimal digits, the registers, and the values that a decoder finds in them.
"""

import json
import sys

from pymodbus.constants import Endian
from pymodbus.payload import BinaryPayloadBuilder, BinaryPayloadDecoder


def answer(arguments, values):
    arguments = {
        name: getattr(Endian, value) if isinstance(value, str) else value
        for name, value in arguments.items()
    }
    builder = BinaryPayloadBuilder(**arguments)
    for method, value in values:
        getattr(builder, f"add_{method}")(value)
    registers = builder.to_registers()
    arguments.pop("repack", None)
    decoder = BinaryPayloadDecoder.fromRegisters(registers, **arguments)
    found = []
    for method, value in values:
        decode = getattr(decoder, f"decode_{method}")
        got = decode(len(value)) if method == "string" else decode()
        found.append(got.decode() if method == "string" else got)
    return {
        "bytes": b"".join(builder.build()).hex(),
        "registers": registers,
        "coils": builder.to_coils(),
        "values": found,
    }


for line in sys.stdin:
    print(json.dumps(answer(*json.loads(line))), flush=True)
