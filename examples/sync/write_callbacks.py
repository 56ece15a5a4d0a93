"""A server that acts on what clients write: python examples/sync/write_callbacks.py

Register 0 is a setpoint of 0 to 100 %; coil 0 starts and stops the motor. Runs until Ctrl+C.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from modwire import SequentialBlock, ServerDeviceBusyError, Unit, Units
from modwire_sync import TcpServer

has_tripped = False


def on_setpoint(address: int, values: Sequence[int]) -> None:
    print(f"setpoint {values[0]} %", flush=True)


def on_switch(address: int, values: Sequence[int]) -> None:
    """Raise to refuse a write: the old value is restored, and the client gets the exception."""
    if has_tripped:
        raise ServerDeviceBusyError(detail="the motor has tripped")
    print("motor", "on" if values[0] else "off", flush=True)


drive = Unit(
    coils=SequentialBlock(0, [False], on_write=on_switch),
    holding_registers=SequentialBlock(0, [50], on_write=on_setpoint, allowed={0: range(101)}),
)

if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        TcpServer(Units({1: drive}), ("127.0.0.1", 5020)).serve_forever()
