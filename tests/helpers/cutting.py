"""Exceptions at any instruction, as signal handlers raise them, and devices for clients meanwhile.

`cut(run, place)` raises `Cut` at one of the places of a run: before a line of modwire, at the
begin or end of one of its functions, or before or after a call that it makes of a function in C.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import Any

from peers import mbap, registers, rtu


class Cut(BaseException):
    """An exception of a signal handler."""


class OrdinaryCutError(Exception):
    """One that is an ordinary error, such as that of a timeout by `signal.alarm`."""


class Cutter:
    """Trace and profile functions for this thread, or greenlet, that raise at one event each.

    `also` is a folder of another package that is cut as well.
    """

    def __init__(
        self, current: Callable[[], object] = threading.get_ident, also: str = "/src/modwire"
    ) -> None:
        self._current = current
        self._also = also
        self._mine: object = None
        self._left = self._left_next = 0
        self._error: type[BaseException] = Cut
        self.cuts = 0

    def run(
        self,
        function: Callable[[], object],
        place: int,
        *,
        by_lines: bool,
        then: int = 0,
        error: type[BaseException] = Cut,
    ) -> bool:
        """Call `function`, and raise `error` at event number `place`; return whether that came.

        With `then`, raise once more, that many events later: in the handling of the first one.
        """
        self._mine = self._current()
        self._left, self._left_next, self._error, self.cuts = place, then, error, 0
        try:
            if by_lines:
                sys.settrace(self._trace)
            else:
                sys.setprofile(self._profile)
            function()
        except Cut:
            assert self.cuts
        except OrdinaryCutError:
            assert self.cuts and error is OrdinaryCutError
        finally:
            sys.settrace(None)
            sys.setprofile(None)
        return self.cuts > 0

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if self._is_ours(frame):
            self._count()
            return self._trace
        return None

    def _profile(self, frame: FrameType, event: str, argument: object) -> None:
        if self._is_ours(frame):
            self._count()

    def _is_ours(self, frame: FrameType) -> bool:
        file = frame.f_code.co_filename
        return ("/src/modwire" in file or self._also in file) and self._current() == self._mine

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.cuts += 1
            error, self._error = self._error, Cut
            if self._left_next:
                self._left, self._left_next = self._left_next, 0
                sys.settrace(None)
                sys.setprofile(self._profile)
            raise error


class Device:
    """A device that answers each read of one register with its address, on any connections.

    `pause` is the number of seconds before each answer; if `is_silent`, a line has none.
    """

    pause = 0.0
    is_silent = False

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def accept(self, listener: socket.socket) -> None:
        """Serve all connections, each in a thread."""
        listener.settimeout(0.05)
        while not self._ending.is_set():
            with suppress(TimeoutError):
                self._start(self._answer, listener.accept()[0])

    def _answer(self, link: socket.socket) -> None:
        with link, suppress(OSError):
            link.settimeout(None)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            left = b""
            while data := link.recv(4096):
                left += data
                while len(left) >= 12:
                    request, left = left[:12], left[12:]
                    self._ending.wait(self.pause) if self.pause else None
                    link.sendall(mbap(request, registers(int.from_bytes(request[8:10], "big"))))

    def answer_datagrams(self, link: socket.socket) -> None:
        link.settimeout(0.05)
        while not self._ending.is_set():
            with suppress(TimeoutError):
                data, peer = link.recvfrom(4096)
                link.sendto(mbap(data, registers(int.from_bytes(data[8:10], "big"))), peer)

    def answer_line(self, end: int) -> None:
        left = b""
        while not self._ending.is_set():
            if select.select((end,), (), (), 0.05)[0]:
                left += os.read(end, 4096)
            while len(left) >= 8:
                request, left = left[:8], left[8:]
                if self.is_silent:
                    continue
                os.write(end, rtu(request[0], registers(int.from_bytes(request[2:4], "big"))))

    def start(self, run: Callable[..., None], *arguments: object) -> None:
        """Serve in a thread."""
        self._start(run, *arguments)

    def stop(self) -> None:
        """Stop serving; the connections end when their clients close them."""
        self._ending.set()
        self._threads[0].join(20.0)
        assert not self._threads[0].is_alive()


@contextmanager
def device(kind: str = "tcp") -> Iterator[tuple[Device, str]]:
    """Run a device; yield it and its endpoint: tcp, udp, or rtu on a pseudo-terminal."""
    made = Device()
    with ExitStack() as stack:
        if kind == "rtu":
            ours, theirs = os.openpty()
            stack.callback(os.close, ours)
            stack.callback(os.close, theirs)
            tty.setraw(theirs)
            endpoint = f"rtu://{os.ttyname(theirs)}?baudrate=115200"
            made.start(made.answer_line, ours)
        else:
            is_tcp = kind == "tcp"
            bound = socket.socket(type=socket.SOCK_STREAM if is_tcp else socket.SOCK_DGRAM)
            stack.enter_context(bound)
            bound.bind(("127.0.0.1", 0))
            if is_tcp:
                bound.listen(64)
            endpoint = f"{kind}://127.0.0.1:{bound.getsockname()[1]}"
            made.start(made.accept if is_tcp else made.answer_datagrams, bound)
        stack.callback(made.stop)
        yield made, endpoint
