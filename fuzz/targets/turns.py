"""`Turns`: several callers share one link, as the clients of all packages do.

An input is two bytes of settings and a script of what callers, link and clock do. Each caller ends,
by a `ModbusError` at worst, and in the end nobody waits and nobody is the receiver.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from modwire import ConnectionLostError, ModbusError
from modwire.client.exchange import Exchange
from modwire.client.turns import Turns
from modwire.framing import FRAMINGS

from .. import script
from ..script import DAMAGED, FRAME, PAUSE, RAW, Step, byte
from ..target import Target
from .clients import REQUESTS, options_of
from .framings import WORDS

CALL, ECHO, LEAVE, ODD = 4, 5, 6, 7
_MOST_CALLERS = 30


class _Link:
    """A link in memory: what it sends is answered by the script alone."""

    def __init__(self, settings: int) -> None:
        self.is_datagram = bool(settings & 1)
        self.is_connection = bool(settings & 2)
        self.is_sending = False
        self.fails = False
        self.arrived: list[bytes | OSError] = []
        self.sent = b""

    def send(self, data: bytes, now: float) -> float:
        if self.fails:
            raise BrokenPipeError("the link is broken")
        self.sent += data
        return 0.0

    def withdraw(self, adu: bytes) -> bool:
        return len(adu) % 2 == 0

    def receive_now(self) -> bytes | None:
        if not self.arrived:
            return None
        found = self.arrived.pop(0)
        if isinstance(found, OSError):
            raise found
        return found


class _Play:
    """The callers of one `Turns`; each is named by its exchange, and so is its waiter."""

    def __init__(self, name: str, settings: bytes) -> None:
        self.settings = byte(settings, 1)
        self.woken: set[Exchange[Any]] = set()
        self.turns: Turns[_Link, Exchange[Any]] = Turns(
            name,
            FRAMINGS[name],
            options_of(name, settings),
            wake=self.woken.add,
            discard=lambda link: None,
        )
        self.now = 0.0
        self.until: dict[Exchange[Any], float] = {}  # of each caller that waits

    def step(self, number: int, step: Step) -> None:
        """Do one step of a script."""
        data, turns, link = step.data, self.turns, self.turns.link
        if step.kind == CALL and len(self.until) < _MOST_CALLERS:
            self._call(data)
        elif step.kind == PAUSE:
            self._wait(self.now + script.pause(data))
        elif step.kind == LEAVE and self.until:
            exchange = list(self.until)[byte(data, 0) % len(self.until)]
            turns.waiting.pop(exchange, None)
            if byte(data, 1) & 1:
                turns.break_off(exchange)
            else:
                turns.give_up(exchange, self.now)
            self._left(exchange)
        elif link is None:
            pass
        elif step.kind in (RAW, FRAME, DAMAGED):
            link.arrived.append(script.adu(turns.protocol.framing, number, step))
        elif step.kind == ECHO:  # the right answer to a write of one register
            link.arrived.append(link.sent[-script.byte(data, 0) :])
        elif step.kind == ODD:
            self._odd(byte(data, 0) % 5, link)
        self._run()

    def _odd(self, choice: int, link: _Link) -> None:
        if choice == 0:
            link.arrived.append(b"")
        elif choice == 1:
            link.arrived.append(ConnectionResetError("reset by peer"))
        elif choice == 2:
            link.fails = True
        elif choice == 3:
            link.is_sending = not link.is_sending
            self._wake_receiver()
        else:
            self.turns.close()

    def _wake_receiver(self) -> None:
        """Let the receiver act, as a link does when it has room again."""
        if self.turns.receiver in self.until:
            self.until[self.turns.receiver] = self.now

    def _call(self, data: bytes) -> None:
        turns = self.turns
        try:
            if turns.link is None:
                if turns.pause(self.now) > 0:
                    return
                turns.opened(_Link(self.settings), self.now)
            request = REQUESTS[byte(data, 0) % len(REQUESTS)]
            exchange = turns.begin(request, byte(data, 1), None, self.now)
        except (ValueError, ConnectionLostError) as error:
            assert str(error)
            return
        if exchange is not None:
            self.until[exchange] = exchange.deadline
            self._note(exchange, exchange.deadline)

    def _note(self, exchange: Exchange[Any], until: float | None) -> None:
        """Wait until a time, or end the call."""
        if until is not None:
            self.until[exchange] = until
            return
        self._left(exchange)
        assert exchange.done
        self.turns.may_repeat(exchange)
        try:
            exchange.result()
        except ModbusError as error:
            assert str(error)

    def _left(self, exchange: Exchange[Any]) -> None:
        self.until.pop(exchange, None)
        self.woken.discard(exchange)
        assert self.turns.receiver is not exchange
        assert exchange not in self.turns.waiting

    def _run(self) -> None:
        """Let every caller do what it can do now."""
        for _ in range(200 + 50 * len(self.until)):
            have_done = [self._turn(exchange) for exchange in list(self.until)]
            if not any(have_done):
                return
        raise AssertionError("the callers never rest")

    def _turn(self, exchange: Exchange[Any]) -> bool:
        """Let one caller do what it can do now; return False if it waits."""
        turns = self.turns
        if exchange not in self.until:
            return False
        is_due = self.until[exchange] <= self.now
        if turns.receiver is exchange:
            self.woken.discard(exchange)
            link = turns.link
            found = link.arrived.pop(0) if link is not None and link.arrived else None
            if found is None and not is_due and not exchange.done:
                return False
            self._note(exchange, turns.step(exchange, self.now, link, found))
            return True
        if exchange in self.woken or is_due or exchange.done:
            self.woken.discard(exchange)
            turns.waiting.pop(exchange, None)
            self._note(exchange, turns.step(exchange, self.now))
            return True
        turns.waiting.setdefault(exchange, exchange)
        return False

    def _wait(self, until: float) -> None:
        for _ in range(200 + 50 * len(self.until)):
            due = min(self.until.values(), default=until)
            if due >= until:
                break
            self.now = max(self.now, due)
            self._run()
        else:
            raise AssertionError("the deadlines have no end")
        self.now = max(self.now, until)
        self._run()

    def check(self) -> None:
        """Check that every call ends."""
        if self.turns.link is not None:
            self.turns.link.is_sending = False
            self._wake_receiver()
        self._wait(self.now + 1000.0)
        assert not self.until, "a caller waits for ever"
        assert not self.turns.waiting
        assert self.turns.receiver is None


def _check(name: str, data: bytes) -> None:
    play = _Play(name, data[:2])
    for number, step in enumerate(script.steps(data[2:])):
        play.step(number, step)
    play.check()


def _seeds() -> list[bytes]:
    found: list[bytes] = []
    for at in range(12):
        calls = [(CALL, bytes((at + more, 1))) for more in range(4)]
        found.append(script.written(*calls, (PAUSE, b"\6")))
        found.append(
            script.written(*calls, (ECHO, b"\x08"), (ECHO, b"\x0c"), (LEAVE, bytes((at,))))
        )
        for odd in range(5):
            found.append(script.written(*calls, (ODD, bytes((odd,))), *calls, (LEAVE, b"\0\1")))
    return [bytes((index * 37 & 0xFF, index & 0x7F)) + each for index, each in enumerate(found)]


TARGETS = [Target(f"turns-{name}", partial(_check, name), _seeds, WORDS) for name in FRAMINGS]
