"""Real Redis and PostgreSQL servers in temporary folders, and Modbus servers in processes."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from modwire import ModbusError
from modwire_sync import TcpClient
from programs import free_port

PATIENCE = 60.0  # timeout in seconds for the start of a server
REDIS = shutil.which("redis-server")
HERE = Path(__file__).parent


def _postgres_programs() -> str | None:
    """The folder of `initdb` and `postgres`, which Debian does not put into PATH."""
    found = shutil.which("initdb")
    folders = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    newest = max(folders, key=lambda path: int(Path(path).parts[4].split(".")[0]), default=None)
    return os.path.dirname(found or newest or "") or None


POSTGRES = _postgres_programs()


class StoreServer:
    """A database server as a child process, which can be killed and started again."""

    url: str

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        # Not a folder of pytest: those are closed to the user `postgres`.
        self._place = TemporaryDirectory(ignore_cleanup_errors=True)
        self.folder = Path(self._place.name)
        self.port = free_port()

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def is_up(self) -> bool:
        raise NotImplementedError

    def user(self) -> str | None:
        return None

    def start(self) -> None:
        """Start it and wait until it responds."""
        give_up = monotonic() + PATIENCE
        with open(self.folder / "log", "ab") as log:
            while True:
                process = self._process = spawn(self.command(), self.user(), log.fileno())
                while process.poll() is None:
                    if self.is_up():
                        return
                    assert monotonic() < give_up, (self.folder / "log").read_text()
                    sleep(0.02)
                # Remains of a killed server may prevent the start for a moment.
                assert monotonic() < give_up, (self.folder / "log").read_text()
                sleep(0.05)

    def kill(self) -> None:
        """Kill all its processes (`kill -9`)."""
        assert self._process is not None
        self._signal(signal.SIGKILL)
        self._process.wait()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Keep the server killed during the block."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause the server during the block: connections stay open without responses."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._pids():
            # A child may end by itself at any time.
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self) -> list[int]:
        """Return the process ids of the server and then of its children (Linux)."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return [pid, *map(int, children.read_text().split() if children.exists() else ())]

    def close(self) -> None:
        """End the server and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self._place.cleanup()


def spawn(command: Sequence[str], user: str | None, log: int) -> subprocess.Popen[bytes]:
    """A child process as `user`, its output in `log`."""
    if user is None:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
    group = pwd.getpwnam(user).pw_gid
    return subprocess.Popen(
        command, stdout=log, stderr=log, cwd="/", user=user, group=group, extra_groups=[]
    )


class RedisServer(StoreServer):
    """A Redis server that stores before it acknowledges: `appendfsync always`."""

    def __init__(self) -> None:
        super().__init__()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        assert REDIS is not None
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        return [REDIS, *place, "--appendonly", "yes", "--appendfsync", "always", "--save", ""]

    def is_up(self) -> bool:
        from redis import Redis
        from redis.exceptions import ConnectionError as RedisConnectionError

        with Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except RedisConnectionError:
                return False


class PostgresServer(StoreServer):
    """A new PostgreSQL cluster; not as root, because PostgreSQL refuses that."""

    def __init__(self) -> None:
        super().__init__()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        assert POSTGRES is not None
        data = self.folder / "data"
        if self.user() is not None:
            shutil.chown(self.folder, self.user())
        with open(self.folder / "log", "wb") as log:
            command = [f"{POSTGRES}/initdb", "-D", str(data), "-A", "trust", "-U", "postgres"]
            command += ["--no-sync", "--no-locale", "-E", "UTF8"]
            status = spawn(command, self.user(), log.fileno()).wait(PATIENCE)
        assert status == 0, (self.folder / "log").read_text()

    def user(self) -> str | None:
        return "postgres" if os.geteuid() == 0 else None

    def command(self) -> Sequence[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": "16MB",
            "max_connections": 100,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [f"{POSTGRES}/postgres", "-D", str(self.folder / "data"), *options]

    def is_up(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class ModbusServer:
    """tests/stores/serve_store.py as a child process, on its own port."""

    def __init__(self, url: str, name: str) -> None:
        self.port = free_port()
        self._arguments = [sys.executable, str(HERE / "serve_store.py"), url, name, str(self.port)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, wait: bool = True) -> None:
        self._process = subprocess.Popen(self._arguments)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it serves."""
        assert self._process is not None
        give_up = monotonic() + PATIENCE
        client = TcpClient("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            while True:
                assert self._process.poll() is None, "the server has ended"
                assert monotonic() < give_up, "the server does not answer"
                try:
                    client.read_holding_registers(0)
                    return
                except ModbusError:
                    sleep(0.02)
        finally:
            client.close()

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def modbus_servers(url: str, name: str, count: int) -> Iterator[list[ModbusServer]]:
    """Run `count` server processes on one store during the block."""
    servers = [ModbusServer(url, name) for _ in range(count)]
    try:
        for server in servers:
            server.start(wait=False)
        for server in servers:
            server.wait()
        yield servers
    finally:
        for server in servers:
            server.kill()
