"""Compare this tree with another one, such as the commit before a change.

    git worktree add ../before COMMIT
    python benchmarks/before.py ../before                  every family but import and planner
    python benchmarks/before.py ../before server client    some families

The benchmarks of this tree run on the packages of both trees in turn, `--rounds` times. For each
row the table has the median of ours / floor in both trees, and the median of the ratios between
neighbouring runs: above 1, this tree is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FAMILIES = ("codec", "stream", "client", "server", "asyncio", "trio", "gevent")


def run_family(family: str, tree: Path, rounds: int) -> dict[str, tuple[float, bool]]:
    """Return the rows of a family in `tree`: ours / floor, and True if less is better."""
    sources = os.pathsep.join(str(each) for each in sorted(tree.glob("packages/*/src")))
    command = [sys.executable, str(HERE / "run.py"), family, "--json", "--rounds", str(rounds)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": sources}, stdout=subprocess.PIPE, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return {row["name"]: (row["ratio"], row["at_most"]) for row in found}


def main() -> None:
    """Parse the command line and compare."""
    parser = argparse.ArgumentParser(description="Compare two trees of modwire.")
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("families", nargs="*", metavar="family", help=", ".join(FAMILIES))
    parser.add_argument("--rounds", type=int, default=6, help="runs of each tree")
    options = parser.parse_args()
    trees = {"before": options.other.resolve(), "now": HERE.parent.resolve()}
    print("| | before | now | now / before (lowest..highest) |\n|---|---:|---:|---:|")
    for family in options.families or FAMILIES:
        found: dict[str, list[tuple[float, float, float]]] = {}
        for turn in range(options.rounds):
            order = list(trees) if turn % 2 else list(reversed(trees))
            rows = {each: run_family(family, trees[each], 21) for each in order}
            for name, (now, at_most) in rows["now"].items():
                if name in rows["before"]:
                    before = rows["before"][name][0]
                    gain = before / now if at_most else now / before
                    found.setdefault(name, []).append((before, now, gain))
        for name, values in found.items():
            before, now, gain = (statistics.median(each) for each in zip(*values, strict=True))
            gains = sorted(each[2] for each in values)
            print(
                f"| {name} | {before:.2f} | {now:.2f} | "
                f"{gain:.2f} ({gains[0]:.2f}..{gains[-1]:.2f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
