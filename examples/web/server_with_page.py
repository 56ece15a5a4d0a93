"""A pump as a TCP server, with its page and REST at http://127.0.0.1:8080, until Ctrl+C.

It needs modwire-tools[web]. Then run examples/web/rest.py.
"""

from functools import partial

import trio

from modwire import AllowedNetworks, Identity, SequentialBlock, Unit, Units
from modwire_tools.web import UnitsView, serve_page
from modwire_trio import serve_tcp

pump = Unit(
    coils=SequentialBlock(0, [False] * 2),
    holding_registers=SequentialBlock(0, [15, 40], allowed={1: range(101)}),
    input_registers=SequentialBlock(0, [2304, 2311, 2297], read_only=True),
    identity=Identity({0: "ACME", 1: "P1", 2: "1.0"}),
)


async def main() -> None:
    units = Units({1: pump})
    allow = AllowedNetworks(["127.0.0.0/8"])  # REST may change it
    view = UnitsView(units, title="Pump", allow=allow)
    options = view.watched("tcp://127.0.0.1:5020")  # the page shows its clients
    serve = partial(serve_tcp, units, 5020, host="127.0.0.1", allow=allow, options=options)
    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        await serve_page(view, "127.0.0.1", 8080)


if __name__ == "__main__":
    trio.run(main)
