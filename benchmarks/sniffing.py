"""A minute of a busy, noisy line through `Sniffer`: nothing missed, processor time, memory.

    python benchmarks/sniffing.py              60 s of line time, in four deliveries
    python benchmarks/sniffing.py --seeds 20   with that many different lines
    python benchmarks/sniffing.py --seconds 5

Ten units at 115200 baud, with 1 % of the frames damaged. Each exchange whose two frames are
undamaged must be heard as a pair. The share is processor time by line time: a live sniffer needs it
of one core. The exit code is 1 if an exchange was missed, or the share is 30 % or more.
"""

from __future__ import annotations

import argparse
import sys
import tracemalloc
from pathlib import Path
from time import process_time

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

from modwire import HeardExchange, Sniffer
from noisy_line import NoisyLine

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
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
