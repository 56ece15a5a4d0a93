"""The drivers: atheris, which follows the code that an input reaches, or else hypothesis.

Both call `Target.check`. A finding is made as short as possible, and saved as a text of hex digits
that the tests replay from then on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from .budget import BudgetError, limited
from .target import Target

FINDINGS = Path(__file__).parent / "findings"
_BATCH = 500  # inputs of hypothesis between two looks at the clock
_SHRINKING = 20.0  # seconds
_LONGEST = 4096  # bytes of an input of atheris


class Finding(NamedTuple):
    """An input, the target that failed, and how."""

    target: str
    data: bytes
    error: str


def failure(target: Target, data: bytes) -> str:
    """Return the error of a target for an input; "" for none."""
    try:
        with limited():
            target.check(data)
    except (KeyboardInterrupt, SystemExit):
        raise
    except (Exception, BudgetError) as error:  # noqa: BLE001 - any is a finding
        return f"{type(error).__name__}: {error}"
    return ""


# Hypothesis.


@st.composite
def inputs(draw: st.DrawFn, seeds: list[bytes], words: list[bytes]) -> bytes:
    """Draw a seed, or two joined, with a few changes: bytes put in, left out or written over."""
    data = draw(st.sampled_from(seeds) | st.binary(max_size=64))
    if draw(st.integers(0, 3)) == 3:
        data += draw(st.sampled_from(seeds))
    piece = st.binary(max_size=4)
    if words:
        piece = piece | st.sampled_from(words)
    change = st.tuples(st.integers(0, max(len(data), 1)), st.integers(0, 4), piece)
    for at, left_out, put_in in draw(st.lists(change, max_size=5)):
        data = data[:at] + put_in + data[at + left_out :]
    return data


def by_hypothesis(target: Target, *, examples: int, number: int, until: float) -> Finding | None:
    """Try `examples` inputs, from the seed `number`, or fewer if it is `until` (monotonic)."""
    found: list[Finding] = []

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
        report_multiple_bugs=False,
    )
    @given(inputs(list(target.seeds()), list(target.words)))
    def run(data: bytes) -> None:
        late = until if not found else until + _SHRINKING
        if time.monotonic() < late:
            error = failure(target, data)
            if error:
                found.append(Finding(target.name, data, error))
                raise AssertionError(error)

    try:
        run()
    except Exception:  # hypothesis reports a flaky test by errors of its own
        if not found:
            raise
    return min(found, key=lambda each: len(each.data), default=None)


def on_seeds(target: Target) -> Finding | None:
    """Try the seeds of a target as they are."""
    for data in target.seeds():
        error = failure(target, data)
        if error:
            return Finding(target.name, data, error)
    return None


def run(target: Target, seconds: float, number: int) -> Finding | None:
    """Try the seeds, and then other inputs for some seconds. Return a finding, or None."""
    until = time.monotonic() + seconds
    found = on_seeds(target)
    if found is None and find_spec("atheris") is not None:
        found = _by_atheris(target, seconds, number)
    elif found is None:
        while found is None and time.monotonic() < until:
            found = by_hypothesis(target, examples=_BATCH, number=number, until=until)
            number += 1
    return None if found is None else shortened(found, target)


# Atheris, in a process of its own: libFuzzer ends the process.


def _by_atheris(target: Target, seconds: float, number: int) -> Finding | None:
    corpus = Path(__file__).parents[1] / ".fuzz" / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in target.seeds():
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)
    crash = corpus.with_suffix(".crash")
    crash.unlink(missing_ok=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "fuzz.coverage_guided", target.name, str(crash)),
            *(f"-max_total_time={max(1, round(seconds))}", f"-seed={number or 1}"),
            *(f"-max_len={_LONGEST}", "-timeout=120", "-rss_limit_mb=4096", "-verbosity=0"),
            *(f"-artifact_prefix={corpus.with_suffix('')}-", str(corpus)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if crash.exists():
        data = crash.read_bytes()
        return Finding(target.name, data, failure(target, data) or "fails only under atheris")
    if done.returncode:
        text = done.stderr.decode("utf-8", "replace")[-3000:]
        raise RuntimeError(f"atheris ended with {done.returncode} on {target.name}: {text}")
    return None


# Findings.


def shortened(found: Finding, target: Target) -> Finding:
    """Return a shorter input with the same kind of error, as far as some seconds suffice."""
    until = time.monotonic() + _SHRINKING
    kind = found.error.partition(":")[0]
    data, size = found.data, len(found.data) // 2
    while size and time.monotonic() < until:
        at = 0
        while at < len(data) and time.monotonic() < until:
            shorter = data[:at] + data[at + size :]
            error = failure(target, shorter)
            if error.partition(":")[0] == kind:
                data, found = shorter, Finding(found.target, shorter, error)
            else:
                at += size
        size //= 2
    return found


def save(found: Finding, folder: Path = FINDINGS) -> Path:
    """Save a finding as a text file: its error as a comment, then its bytes in hex."""
    path = folder / found.target / f"{sha256(found.data).hexdigest()[:12]}.hex"
    path.parent.mkdir(parents=True, exist_ok=True)
    digits = found.data.hex()
    lines = [digits[at : at + 96] for at in range(0, len(digits), 96)]
    error = " ".join(found.error.split())[:200]
    path.write_text("\n".join([f"# {error}", *lines, ""]), "utf-8")
    return path


def load(path: Path) -> bytes:
    """Return the bytes of a file that `save` has written, or that somebody wrote by hand."""
    lines = path.read_text("utf-8").splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


def replay(
    targets: dict[str, Target], told: Callable[[str], object], folder: Path = FINDINGS
) -> int:
    """Try all saved findings again; tell of those that fail, and return their number."""
    failed = 0
    for path in sorted(folder.glob("*/*.hex")):
        error = failure(targets[path.parent.name], load(path))
        if error:
            failed += 1
            told(f"{path}: {error}")
    return failed


def lower_priority() -> None:
    """Leave the processor to others."""
    os.nice(10)
