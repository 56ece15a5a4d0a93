"""The pages for those who come from pymodbus: no name is forgotten, and the programs run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .old_runs import HOW_TO, Pair, check_after, check_before, old_server, pairs_of

pytestmark = pytest.mark.timeout(240)  # a pair needs a server and two programs

OLD_PAGE = HOW_TO / "from-pymodbus-2.md"
OLD_PAIRS = pairs_of(OLD_PAGE)


def each(pairs: list[Pair]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("pair", pairs, ids=[pair.after.place for pair in pairs])


def clients(pairs: list[Pair]) -> list[Pair]:
    """Return the pairs that talk to the server of the page."""
    return [pair for pair in pairs if pair.after.marks.get("with") == "server"]


@each([pair for pair in OLD_PAIRS if not pair.serves])
def test_a_program_for_pymodbus_2_prints_the_same(
    pair: Pair, old_pymodbus: Path, tmp_path: Path
) -> None:
    check_before(pair, old_pymodbus, tmp_path)


@pytest.fixture(scope="module")
def old_instead(
    old_pymodbus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The server of pymodbus 2.5.3 on its page, and the texts that stand for its port."""
    (pair,) = [pair for pair in OLD_PAIRS if pair.serves]
    with old_server(pair, old_pymodbus, tmp_path_factory.mktemp("server")) as instead:
        yield instead


@each(clients(OLD_PAIRS))
def test_a_program_talks_to_the_server_of_pymodbus_2(
    pair: Pair, old_instead: dict[str, str], tmp_path: Path
) -> None:
    check_after(pair, old_instead, tmp_path)
