"""A minute of a busy, noisy line through `Sniffer`: nothing missed, processor time, memory.

    python benchmarks/sniffing.py              60 s of line time, in four deliveries
    python benchmarks/sniffing.py --seeds 20   with that many different lines
    python benchmarks/sniffing.py --seconds 5
    python benchmarks/sniffing.py --live       `modwire sniff` on a pseudo-terminal, in real time

Ten units at 115200 baud, with 1 % of the frames damaged. Each exchange whose two frames are
undamaged must be heard as a pair. The share is processor time by line time: a live sniffer needs it
of one core. The exit code is 1 if an exchange was missed, or the share is 30 % or more.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import tracemalloc
import tty
from collections import Counter
from pathlib import Path
from time import monotonic, process_time, sleep

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

from modwire.sniffing import HeardExchange, Sniffer
from noisy_line import NoisyLine, rtu

MOST = 0.30


def hear(line: NoisyLine, delivery: str) -> tuple[list[HeardExchange], float]:
    """Return the exchanges that a sniffer hears, and its processor time in seconds."""
    pieces = {
        "bytes": lambda: line.pieces(1),
        "pieces": lambda: line.pieces(32),
        "frames": lambda: line.pieces(10_000),
        "lumps of 16 ms": lambda: line.lumps(0.016),
    }[delivery]
    given = list(pieces())
    sniffer = Sniffer(character_time=line.character_time)
    heard: list[HeardExchange] = []
    begun = process_time()
    for data, now in given:
        deadline = sniffer.deadline()
        while deadline is not None and deadline < now - len(data) * line.character_time:
            sniffer.handle_timeout(deadline)
            deadline = sniffer.deadline()
        sniffer.receive_data(data, now)
        heard += [each for each in sniffer if isinstance(each, HeardExchange)]
    taken = process_time() - begun
    sniffer.end()
    heard += [each for each in sniffer if isinstance(each, HeardExchange)]
    return heard, taken


def peak_memory(line: NoisyLine) -> int:
    """Return the most bytes that a sniffer of this line needs."""
    given = list(line.pieces(32))
    sniffer = Sniffer(character_time=line.character_time)
    tracemalloc.start()
    for data, now in given:
        sniffer.receive_data(data, now)
        for _ in sniffer:
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def live(seconds: float) -> bool:
    """Let `modwire sniff` listen in real time; return True if it missed nothing in its share."""
    line = NoisyLine().run(seconds)
    far, near = os.openpty()
    tty.setraw(near)
    source = f"rtu://{os.ttyname(near)}?baudrate={line.baudrate}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "modwire_tools", "sniff", source, "--json"]
        with open(f"{folder}/out", "wb") as out:
            child = subprocess.Popen(
                [*command, "-o", f"{folder}/bus.pcap"], stdout=out, stderr=subprocess.PIPE
            )
            assert child.stderr is not None
            child.stderr.readline()  # it listens
            begun = monotonic()
            for data, due in line.pieces(32):
                sleep(max(0.0, begun + due - monotonic()))
                os.write(far, data)
            sleep(2.0)
            child.send_signal(signal.SIGINT)
            child.stderr.read()
            _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 130
        found = [json.loads(text) for text in Path(folder, "out").read_text().splitlines()]
    heard = Counter(
        (rtu(each["unit"], each["request"]), rtu(each["unit"], each["response"]))
        for each in found
        if each.get("outcome") in ("answered", "exception")
    )
    wanted = Counter((ask, answer) for ask, answer, _ in line.good)
    missed = (wanted - heard).total()
    share = (usage.ru_utime + usage.ru_stime) / line.now
    print(
        f"live: {len(line.good)} undamaged exchanges, {missed} missed, {share:.1%} of a core, "
        f"{usage.ru_maxrss / 1024:.0f} MB"
    )
    return not missed and share < MOST


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--live", action="store_true")
    asked = parser.parse_args()
    if asked.live:
        return 0 if live(asked.seconds) else 1
    failed = 0
    for seed in range(1, asked.seeds + 1):
        for delivery in ("bytes", "pieces", "frames", "lumps of 16 ms"):
            line = NoisyLine(seed=seed).run(asked.seconds)
            heard, taken = hear(line, delivery)
            missed = line.missed(heard).total()
            share = taken / line.now
            failed += bool(missed) or share >= MOST
            print(
                f"seed {seed}, {delivery:<14} {line.frames} frames, {line.damages} damaged, "
                f"{len(line.good)} undamaged exchanges, {missed} missed, {share:.1%} of a core"
            )
    peak = peak_memory(NoisyLine().run(min(asked.seconds, 20.0)))
    print(f"memory: {peak / 1024:.0f} KB at most")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
