"""Many points in few requests: python examples/values/read_planner.py

The cheapest plan depends on the link: a serial line is slow per register, a network per request.
"""

from __future__ import annotations

from modwire import IllegalDataAddressError, SparseBlock, Unit, Units
from modwire.planner import PlanLimits, Planner, Span, plan
from modwire_sync import TcpClient, TcpServer

ADDRESSES = (0, 1, 4, 6, 40, 42, 100, 101, 130)
points = [Span("holding_registers", address, 1) for address in ADDRESSES]


def shown(requests: list[Span]) -> str:
    return " ".join(f"{span.address}..{span.stop - 1}" for span in requests)


line, network = PlanLimits.for_line(9600), PlanLimits.for_network(round_trip=0.002)
for name, limits in (("9600 baud", line), ("TCP", network)):
    requests = plan(points, limits=limits)
    alone = limits.cost(points) * 1000
    print(f"{name}: {shown(requests)}, {limits.cost(requests) * 1000:.0f} of {alone:.0f} ms")

# The limits of a device, and an address that must not be read.
careful = line.replace(max_registers=20, max_gap=4, forbidden={"holding_registers": [5]})
print("careful:", shown(plan(points, limits=careful)))

# A device that has only these points: the planner finds the holes, and remembers them.
device = Unit(holding_registers=SparseBlock(dict.fromkeys(ADDRESSES, 7)))
planner = Planner(points, network)

with (
    TcpServer(Units({1: device}), ("127.0.0.1", 0)) as server,
    TcpClient(*server.address) as client,
):
    for poll in (1, 2, 3):
        values: dict[int, int] = {}
        asked = refused = 0
        pending = planner.requests()
        while pending:
            span = pending.pop()
            asked += 1
            try:
                found = client.read_holding_registers(span.address, span.count)
            except IllegalDataAddressError:
                refused += 1
                pending += planner.refused(span)
            else:
                values.update(zip(range(span.address, span.stop), found, strict=True))
        print(f"poll {poll}: {len(values)} points, {asked} requests, {refused} refused")
