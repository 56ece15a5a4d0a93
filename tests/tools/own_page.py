"""`OwnPage`: a program's own units, a Modbus server for them, and their page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import trio

from modwire import (
    AllowedNetworks,
    Framing,
    Identity,
    SequentialBlock,
    SparseBlock,
    TcpFraming,
    Unit,
    Units,
)
from modwire_tools.web import UnitsView
from modwire_trio import serve_tcp
from running_page import ServedPage


def pump_station(writes: list[tuple[int, Sequence[int]]] | None = None) -> Units:
    """Return two units; a write to holding registers is added to `writes`."""
    pump = Unit(
        coils=SequentialBlock(0, [False] * 8),
        discrete_inputs=SequentialBlock(0, [True, False], read_only=True),
        holding_registers=SequentialBlock(
            0,
            [15, 40, *[0] * 8],
            on_write=lambda address, values: (
                writes.append((address, values)) if writes is not None else None
            ),
            read_only=[9],
            allowed={1: range(101)},
        ),
        input_registers=SparseBlock({3: 2304, 4: 2311, 100: 7}),
        identity=Identity({0: "ACME", 1: "P1", 2: "1.0", 4: "Pump", 0x80: b"\xff"}),
        exception_status=0x05,
    )
    return Units({1: pump, 2: Unit(holding_registers=SequentialBlock(0, [2]))})


class OwnPage(ServedPage):
    """`modbus` is the port of the Modbus server, whose units are `units`."""

    def __init__(self, *, token: str | None = None, framing: type[Framing] = TcpFraming) -> None:
        self.writes: list[tuple[int, Sequence[int]]] = []
        self.units = pump_station(self.writes)
        self.allow = AllowedNetworks()
        self.modes: list[tuple[str, str]] = []
        self.modbus = 0
        scheme = "tcp" if framing is TcpFraming else f"{framing.name}+tcp"
        own = UnitsView(
            self.units,
            title="Pump station",
            allow=self.allow,
            set_mode=lambda endpoint, mode: self.modes.append((endpoint, mode)),
        )
        place = own.place(f"{scheme}://127.0.0.1:5020")
        options = place.watched()

        async def serve(task_status: trio.TaskStatus[None]) -> None:
            async with trio.open_nursery() as nursery:
                serve_here = partial(
                    serve_tcp, self.units, 0, framing=framing, allow=self.allow, options=options
                )
                _, self.modbus = await nursery.start(serve_here)
                place.text = f"{scheme}://127.0.0.1:{self.modbus}"
                task_status.started()

        super().__init__(own, token=token, run=serve)
