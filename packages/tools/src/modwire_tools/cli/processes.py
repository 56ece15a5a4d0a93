"""Several processes that serve the same endpoints from one store: `serve --processes`."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING

from .ending import FailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from modwire_tools.server.listening import Limits, Listen
    from modwire_tools.server.security import SecurityFiles
    from modwire_tools.server.storing import Storage

_PATIENCE = 5.0  # seconds for a process to end


def serve_in_processes(
    number: int,
    storage: Storage,
    places: list[Listen],
    limits: Limits,
    files: SecurityFiles,
    verbose: bool,
    on_listening: Callable[[list[str]], None],
) -> None:
    """Serve in `number` processes until Ctrl+C or SIGTERM, or until one of them fails.

    Each of them reads the `files`, and again at SIGHUP. `on_listening` gets the endpoints once all
    of them listen. Raises FailedError with the error of the process that failed.
    """
    context = get_context("spawn")
    with _until_terminated(), ExitStack() as stack:
        places = [_fixed(each, stack) for each in places]
        children: list[SpawnProcess] = []
        pipes: list[Connection] = []
        try:
            for _ in range(number):
                here, there = context.Pipe()
                child = context.Process(
                    target=_serve,
                    args=(there, storage, places, limits, files, verbose),
                    daemon=True,
                )
                child.start()
                there.close()
                children.append(child)
                pipes.append(here)
            for pipe in pipes:
                _expect(pipe)
            if files.is_read_again:
                stack.enter_context(_passing_hangups(children))
            on_listening([str(each) for each in places])
            wait(pipes)
            for pipe in pipes:
                if pipe.poll():
                    _expect(pipe)
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.join(_PATIENCE)
                if child.is_alive():
                    child.kill()


class _TerminatedError(Exception):
    """Raised by the handler of SIGTERM."""


@contextmanager
def _until_terminated() -> Generator[None]:
    """End the block at SIGTERM, which systems send to stop a service. That is not a failure."""

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the cleanup must not be interrupted
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except _TerminatedError:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _passing_hangups(children: list[SpawnProcess]) -> Generator[None]:
    """Pass SIGHUP on to the processes during the block."""

    def pass_on(number: int, frame: object) -> None:
        for child in children:
            if child.pid is not None and child.is_alive():
                os.kill(child.pid, number)

    before = signal.signal(signal.SIGHUP, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _expect(pipe: Connection) -> None:
    """Wait until a process listens; raises FailedError if it reports an error instead."""
    try:
        message: str = pipe.recv()
    except EOFError:
        raise FailedError("one of the processes has ended, so all end") from None
    if message:
        raise FailedError(message)


def _serve(
    pipe: Connection,
    storage: Storage,
    places: list[Listen],
    limits: Limits,
    files: SecurityFiles,
    verbose: bool,
) -> None:
    """Serve in a child process until it is stopped, or its parent process has ended."""
    import trio

    from modwire_tools.server.listening import serve_all
    from modwire_tools.server.security import Security

    from .hints import described
    from .loop import run_trio
    from .serving_options import say_calls, show_log

    show_log()

    def tell(names: list[str]) -> None:
        pipe.send("")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_orphaned, nursery.cancel_scope)
            await serve_all(
                storage.open(),
                places,
                limits,
                on_answer=say_calls(verbose),
                on_listening=tell,
                security=security,
            )

    try:
        security = Security(files)
        run_trio(main, security.reload)
    except KeyboardInterrupt:
        pass
    except (OSError, ValueError) as error:
        pipe.send(described(error))


async def _until_orphaned(scope: object) -> None:
    import trio

    parent = parent_process()
    assert parent is not None
    await trio.lowlevel.wait_readable(parent.sentinel)
    assert isinstance(scope, trio.CancelScope)
    scope.cancel()


def _fixed(listen: Listen, stack: ExitStack) -> Listen:
    """Return `listen` with a port chosen by the system, the same for all processes.

    A socket keeps the port. It does not listen, so it gets no connections.
    """
    endpoint = listen.endpoint
    if endpoint.port:
        return listen
    kind = socket.SOCK_DGRAM if endpoint.transport == "udp" else socket.SOCK_STREAM
    found = socket.getaddrinfo(listen.host or None, 0, type=kind, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    keeper = stack.enter_context(socket.socket(family, kind))
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    keeper.bind(address)
    port = keeper.getsockname()[1]
    return replace(listen, endpoint=endpoint.replace(port=port))
