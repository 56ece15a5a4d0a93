"""Poll many meters with `modwire poll --ray` on clusters of one, two and three nodes.

    python benchmarks/polling_cluster.py             200 meters of 40 points at 1 s, 60 seconds
    python benchmarks/polling_cluster.py --readme    also put the table into benchmarks/README.md
    python benchmarks/polling_cluster.py --seconds 5 --meters 10

It needs Ray. All nodes are on this machine, so more of them cannot be faster than one: the table
shows what a cluster costs, and what is lost when one of its nodes is killed. Readings are judged as
in `polling.py`; values go to a file of JSON lines. In the last seconds, a node is killed: "read
again" is the time until the last of its meters has been asked.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from polling import SETTLE, Plant, host, judge
from rounds import write_table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "tools"))

from ray_nodes import RayNodes

README = Path(__file__).with_name("README.md")
METERS = Path(__file__).with_name("polling_meters.py")
MOST = 60.0  # seconds until a killed node has been replaced


class Found(NamedTuple):
    """A row of the table."""

    nodes: int
    due: int
    made: int
    on_time: int
    missing: int
    driver: float
    actors: float
    again: float | None

    def __str__(self) -> str:
        cells = [
            f"{self.nodes} nodes" if self.nodes > 1 else "1 node" if self.nodes else "no cluster",
            f"{self.due:,}",
            f"{self.made:,}",
            f"{self.on_time / self.due:.2%}",
            f"{self.missing:,}",
            f"{self.driver:.0%}",
            f"{self.actors:.0%}" if self.nodes else "",
            f"{self.again:.1f} s" if self.again is not None else "",
        ]
        return f"| {' | '.join(cells)} |"


TABLE = """\
| read by | readings due | made | within 50 ms | values missing | driver, of one core | actors \
| read again |
|---|---:|---:|---:|---:|---:|---:|---:|"""


def plant_file(plant: Plant, folder: Path, port: int) -> Path:
    """Write the files for modwire poll."""
    points = "".join(
        f'[[unit.point]]\nname = "p{number}"\nat = "ir:{2 * number}"\ntype = "uint32"\n'
        for number in range(plant.points)
    )
    (folder / "meter.toml").write_text(f"[[unit]]\nid = 1\n{points}")
    file = folder / "plant.toml"
    file.write_text(
        f'interval = {plant.interval}\n[[sink]]\njson = "values.jsonl"\nsize = "10GB"\n'
        + "".join(
            f'[[device]]\nname = "m{meter}"\nendpoint = "tcp://{host(meter)}:{port}"\n'
            'file = "meter.toml"\n'
            for meter in range(plant.meters)
        )
    )
    return file


def processor_time(*processes: int) -> float:
    """Return the seconds of a processor that processes have used."""
    total = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def numbers_of(file: Path) -> dict[tuple[str, str], set[int]]:
    """Return the numbers of the readings that came, by device and point."""
    found: dict[tuple[str, str], set[int]] = {}
    with file.open() as lines:
        for each in map(json.loads, lines):
            if each["quality"] == "good":
                found.setdefault((each["device"], each["point"]), set()).add(each["value"])
    return found


def measure(nodes: int, plant: Plant, seconds: float, folder: Path) -> Found:
    """Return the row of the table for a cluster of so many nodes; 0 is `modwire poll` alone."""
    with ExitStack() as stack:
        meters = stack.enter_context(
            subprocess.Popen([sys.executable, str(METERS)], stdout=subprocess.PIPE, text=True)
        )
        stack.callback(meters.kill)
        assert meters.stdout is not None
        file = plant_file(plant, folder, int(meters.stdout.readline()))
        command = [sys.executable, "-m", "modwire_tools", "poll", str(file)]
        cluster: RayNodes | None = None
        if nodes:
            cluster = stack.enter_context(RayNodes(*(f"node-{number}" for number in range(nodes))))
            command += ["--ray", cluster.address]
        poller = stack.enter_context(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        stack.callback(poller.kill)
        time.sleep(2 * SETTLE + plant.interval)
        actors = cluster.actors() if cluster is not None else []
        begun = time.monotonic()
        before = processor_time(poller.pid), processor_time(*actors)
        time.sleep(seconds)
        elapsed = time.monotonic() - begun
        after = processor_time(poller.pid), processor_time(*actors)
        if poller.poll() is not None:
            raise SystemExit("modwire poll has ended")
        time.sleep(plant.interval / 2)  # a reading that is late belongs to a time before
        killed = time.monotonic()
        if cluster is not None and nodes > 1:
            cluster.kill(nodes - 1)
            time.sleep(2 * SETTLE + 2 * plant.interval)
        poller.terminate()
        poller.wait(MOST)
        meters.terminate()
        times = json.loads(meters.communicate()[0])["times"]
    lists = [times.get(f"{host(meter)} 1", []) for meter in range(plant.meters)]
    judged = [judge(each, begun, seconds, plant.interval) for each in lists]
    due, made, on_time = (sum(each[at] for each in judged) for at in range(3))
    came = numbers_of(folder / "values.jsonl")
    missing = (due - made) * plant.points + sum(
        len(set(range(each.first, each.last + 1)) - came.get((f"m{meter}", f"p{number}"), set()))
        for meter, each in enumerate(judged)
        for number in range(plant.points)
    )
    shares = [(new - old) / elapsed for new, old in zip(after, before, strict=True)]
    again = None
    if nodes > 1:
        # 0.1 s after the signal, no request of the killed node is on its way.
        again = max(
            min((at for at in each if at > killed + 0.1), default=killed + MOST) - killed
            for each in lists
        )
    return Found(nodes, due, made, on_time, missing, *shares, again)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description="Poll many meters on the nodes of a cluster.")
    parser.add_argument("--meters", type=int, default=200)
    parser.add_argument("--points", type=int, default=40, help="at most 62")
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--nodes", type=int, nargs="*", default=[0, 1, 2, 3])
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    plant = Plant(options.meters, options.points, options.interval)
    rows = [f"{plant.meters} meters of {plant.points} points, {plant.interval:g} s:", "", TABLE]
    print("\n".join(rows), flush=True)
    for nodes in options.nodes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(str(measure(nodes, plant, options.seconds, Path(folder))))
        print(rows[-1], flush=True)
    if options.readme:
        write_table(README, "polling_cluster.py", "\n".join(rows))


if __name__ == "__main__":
    main()
