"""TLS with other implementations: OpenSSL's programs, GnuTLS, pymodbus, and tshark as a witness."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plant_pki import Pki
from tests.conformance.hostile_peers import PACKAGES, read, write
from tests.conformance.tls_sides import Watched, played, served
from tls_peers import client_side, server_side

from .tls_programs import gnutls_cli, piped, s_client, s_server, without_name_check

if TYPE_CHECKING:
    from ..conftest import RequirePeer

pytestmark = pytest.mark.timeout(120)

every_package = pytest.mark.parametrize("package", PACKAGES)
every_version = pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
ANSWER = bytes.fromhex("0001000000050103020007")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"), "Interop CA")


@pytest.fixture(scope="session")
def gnutls(require_peer: RequirePeer) -> None:
    require_peer("gnutls-cli", shutil.which("gnutls-cli") is not None, "apt-get install gnutls-bin")


@pytest.fixture(scope="session")
def tshark(require_peer: RequirePeer) -> None:
    require_peer("tshark", shutil.which("tshark") is not None, "apt-get install tshark")


def allow_operators(peer: object, role: str | None, unit: int, request: object) -> bool:
    return role == "operator"


@every_package
@every_version
@pytest.mark.usefixtures("openssl")
def test_openssl_as_client(package: str, pki: Pki, version: str) -> None:
    unit = Watched()
    with served(package, pki, unit, authorize=allow_operators) as address:
        with piped(*s_client(address, pki, pki.client("operator"), version)) as client:
            client.send(read())
            assert client.receive(11) == ANSWER
            client.send(write(9))
            assert client.receive(12) == write(9)
        unit.executed.clear()
        with piped(*s_client(address, pki, pki.client("viewer"), version)) as client:
            client.send(read())
            assert client.receive(9) == bytes.fromhex("000100000003018301")
        with piped(*s_client(address, pki, None, version)) as client:
            client.send(write(5))
            assert client.receive(12) == b""
            alert = "certificate required" if version == "TLSv1.3" else "handshake failure"
            assert alert in client.errors()
    assert unit.executed == []


@every_package
@every_version
@pytest.mark.usefixtures("openssl")
def test_openssl_as_server(package: str, pki: Pki, version: str) -> None:
    """It shows the plaintext of the client, and sends what it is given."""
    issued = pki.client("operator")
    files = {"ca": pki.ca, "certificate": issued.certificate, "key": issued.key}
    with piped(*s_server(pki, version)) as server:
        port = int(server.read_until(rb"ACCEPT 127\.0\.0\.1:(\d+)\n")[1])
        found: list[Any] = []
        steps = [("read_holding_registers", 0)]

        def call() -> None:
            address = ("127.0.0.1", port)
            found.extend(played(package, address, steps, timeout=20, retries=0, **files))

        thread = threading.Thread(target=call)
        thread.start()
        request = server.read_until(rb"(?s)(..)\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01")
        server.send(request[1] + ANSWER[2:])
        thread.join(60)
    assert not thread.is_alive()
    assert found == [[7]]


@every_package
@every_version
@pytest.mark.usefixtures("gnutls")
def test_gnutls_as_client(package: str, pki: Pki, version: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with served(package, pki, authorize=allow_operators) as address:
        with piped(*gnutls_cli(address, pki, pki.client("operator"), version, log)) as client:
            client.send(read())
            assert client.receive(11) == ANSWER, log.read_text()
        with piped(*gnutls_cli(address, pki, None, version, log)) as client:
            client.send(read())
            assert client.receive(11) == b""


@every_package
@every_version
@pytest.mark.usefixtures("pymodbus")
def test_pymodbus_as_client(package: str, pki: Pki, version: str) -> None:
    from pymodbus.client import ModbusTlsClient

    chosen = ssl.TLSVersion.TLSv1_2 if version == "TLSv1.2" else ssl.TLSVersion.TLSv1_3
    context = without_name_check(client_side(pki.ca, pki.client("operator"), chosen))
    with served(package, pki, authorize=allow_operators) as address:
        client = ModbusTlsClient("127.0.0.1", port=address[1], sslctx=context, timeout=20)
        assert client.connect()
        assert client.read_holding_registers(0, count=3).registers == [7, 7, 7]
        assert not client.write_register(1, 99).isError()
        assert client.read_holding_registers(0, count=3).registers == [7, 99, 7]
        client.close()


@contextmanager
def pymodbus_server(context: ssl.SSLContext) -> Iterator[int]:
    """Serve with pymodbus over TLS in a thread."""
    from pymodbus.server import ModbusTlsServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    started, loop = threading.Event(), asyncio.new_event_loop()
    ports: list[int] = []
    ending = asyncio.Event()

    async def serve() -> None:
        device = SimDevice(1, [SimData(0, values=[7, 8, 9], datatype=DataType.REGISTERS)])
        server = ModbusTlsServer(device, address=("127.0.0.1", 0), sslctx=context)
        await server.serve_forever(background=True)
        ports.append(server.transport.sockets[0].getsockname()[1])
        started.set()
        await ending.wait()
        await server.shutdown()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(30)
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(30)
        loop.close()


@every_package
@every_version
@pytest.mark.usefixtures("pymodbus")
def test_pymodbus_as_server(package: str, pki: Pki, version: str) -> None:
    chosen = ssl.TLSVersion.TLSv1_2 if version == "TLSv1.2" else ssl.TLSVersion.TLSv1_3
    issued = pki.client("operator")
    files = {"ca": pki.ca, "certificate": issued.certificate, "key": issued.key}
    steps = [
        ("read_holding_registers", 0, 3),
        ("write_register", 1, 99),
        ("read_holding_registers", 0, 3),
    ]
    with pymodbus_server(server_side(pki.ca, pki.server(), chosen)) as port:
        found = played(package, ("127.0.0.1", port), steps, timeout=20, **files)
    assert (found[0], found[2]) == ([7, 8, 9], [7, 99, 9])


def at_802(packet: bytes, port: int) -> bytes:
    """Return a packet of a server at `port` as one of port 802, which tshark expects."""
    ports = packet[34:38].replace(port.to_bytes(2, "big"), (802).to_bytes(2, "big"))
    return packet[:34] + ports + packet[38:]


@every_package
@every_version
@pytest.mark.usefixtures("tshark")
def test_tshark_sees_modbus_behind_our_tls(
    package: str, pki: Pki, version: str, tmp_path: Path
) -> None:
    """With the secrets of the session it decrypts both sides, and finds the same messages."""
    pytest.importorskip("dpkt", reason="to install it: pip install dpkt")
    from captures import pcap
    from recording import Recording

    keys, capture = tmp_path / "keys.log", tmp_path / "tls.pcap"
    chosen = ssl.TLSVersion.TLSv1_2 if version == "TLSv1.2" else ssl.TLSVersion.TLSv1_3
    context = client_side(pki.ca, pki.client("operator"), chosen)
    context.keylog_filename = str(keys)
    steps = [("read_holding_registers", 4, 2), ("write_register", 3, 0x1234)]
    with served(package, pki) as address, Recording(address) as recording:
        found = played(package, ("127.0.0.1", recording.port), steps, context=context, timeout=20)
    assert found[0] == [7, 7]
    capture.write_bytes(
        pcap([(when, at_802(each, address[1])) for when, each in recording.packets])
    )
    fields = ("modbus.func_code", "mbtcp.unit_id", "modbus.regnum16", "modbus.regval_uint16")
    done = subprocess.run(
        [
            *("tshark", "-r", str(capture), "-o", f"tls.keylog_file:{keys}", "-Y", "modbus"),
            *("-T", "fields"),
            *[part for name in fields for part in ("-e", name)],
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["3", "3", "6", "6"], done.stdout
    assert {row[1] for row in rows} == {"1"}
    assert rows[1][2:] == ["4,5", "7,7"]
