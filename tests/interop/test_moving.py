"""The pages for those who come from pymodbus: no name is forgotten, and the programs run."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from .moving_tables import Row, arguments_in, is_here, methods_in, names_in, rows_of
from .old_runs import HOW_TO, Pair, check_after, check_before, old_server, pairs_of

pytestmark = pytest.mark.timeout(240)  # a pair needs a server and two programs

OLD_PAGE = HOW_TO / "from-pymodbus-2.md"
OLD_PAIRS = pairs_of(OLD_PAGE)
NEW_PAGE = HOW_TO / "from-pymodbus-3.md"
NEW_PAIRS = pairs_of(NEW_PAGE)
NEW_ROWS = rows_of(NEW_PAGE, "3.16")
CLIENTS = ("ModbusTcpClient", "ModbusUdpClient", "ModbusTlsClient", "ModbusSerialClient")
SERVERS = ("ModbusTcpServer", "ModbusUdpServer", "ModbusTlsServer", "ModbusSerialServer")
NEW_CLASSES = {
    *("ModbusClientMixin", "ModbusBaseClient", "ModbusBaseSyncClient", *CLIENTS),
    *("ModbusBaseServer", "ModbusServerContext", "SimData", "SimDevice", "DecodePDU"),
    *("ModbusDeviceIdentification", "DeviceInformationFactory", "ModbusControlBlock"),
    *("ModbusPlusStatistics", "ModbusCountersHandler", "ModbusPDU", "ModbusException"),
}
OLD_ROWS = rows_of(OLD_PAGE, "2.5.3")
# Classes of pymodbus whose methods are called by programs.
OLD_CLASSES = {
    *("ModbusClientMixin", "BaseModbusClient", "ModbusSlaveContext", "ModbusServerContext"),
    *("BaseModbusDataBlock", "ModbusSequentialDataBlock", "ModbusSparseDataBlock"),
    *("ModbusDeviceIdentification", "DeviceInformationFactory", "ModbusControlBlock"),
    *("ModbusAccessControl", "ModbusPlusStatistics", "ModbusCountersHandler"),
    *("BinaryPayloadBuilder", "BinaryPayloadDecoder", "ServerDecoder", "ClientDecoder"),
    *("ModbusPDU", "ModbusRequest", "ModbusResponse", "ModbusException", *SERVERS),
}


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


@each([pair for pair in NEW_PAIRS if not pair.serves])
@pytest.mark.usefixtures("pymodbus")
def test_a_program_for_pymodbus_3_prints_the_same(pair: Pair, tmp_path: Path) -> None:
    check_before(pair, Path(sys.executable), tmp_path)


@pytest.fixture(scope="module")
def new_instead(
    pymodbus: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The server of pymodbus 3.16 on its page, and the texts that stand for its port."""
    (pair,) = [pair for pair in NEW_PAIRS if pair.serves]
    with old_server(pair, Path(sys.executable), tmp_path_factory.mktemp("server")) as instead:
        yield instead


@each(clients(NEW_PAIRS))
def test_a_program_talks_to_the_server_of_pymodbus_3(
    pair: Pair, new_instead: dict[str, str], tmp_path: Path
) -> None:
    check_after(pair, new_instead, tmp_path)


def check_names(
    rows: list[Row], package: Path, classes: set[str], arguments: Collection[str] = ()
) -> None:
    """Check that rows have all names of a package, the methods of some of its classes, and the
    arguments of others, and nothing that pymodbus does not have."""
    listed = {token for row in rows for token in row.theirs}
    names = names_in(package)
    modules = {token for token in listed if token.startswith("pymodbus.")}
    assert modules <= names.keys()
    whole = tuple(f"{module}." for module in modules)
    wanted = {f"{name}()" for name in methods_in(package, classes)}
    wanted |= {f"{name}=" for name in arguments_in(package, set(arguments))}
    for module, defined in names.items():
        if not f"{module}.".startswith(whole):
            wanted |= defined
    assert wanted - listed == set(), "these are missing"
    assert listed - modules - wanted == set(), "pymodbus does not have these"


def test_no_name_of_pymodbus_2_is_forgotten(old_pymodbus: Path) -> None:
    (package,) = old_pymodbus.parents[1].glob("lib/python*/site-packages/pymodbus")
    check_names(OLD_ROWS, package, OLD_CLASSES)


@pytest.mark.usefixtures("pymodbus")
def test_no_name_of_pymodbus_3_is_forgotten() -> None:
    found = find_spec("pymodbus")
    assert found is not None and found.origin is not None
    package = Path(found.origin).parent
    check_names(NEW_ROWS, package, NEW_CLASSES, {*CLIENTS, *SERVERS})


@pytest.mark.parametrize("row", [*OLD_ROWS, *NEW_ROWS], ids=lambda row: row.theirs[0])
def test_the_names_here_exist(row: Row) -> None:
    tokens = re.findall(r"`([^`]+)`", row.here)
    assert {token for token in tokens if not is_here(token)} == set()
    assert tokens or row.here.startswith("none"), "it must say why there is none"
