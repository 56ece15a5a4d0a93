"""Communication diagnostics of a serial device: functions 8, 11 and 12 (6.8 to 6.10).

`Communication` is the base of `Unit` that keeps the counters, the event log, listen-only mode and
the diagnostic register; `BusStatistics` has the counter that all units on one line share.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from ..errors import ExceptionCode, IllegalFunctionError
from ..messages.comm_events import CommEvent
from ..messages.modbus_plus import STATISTICS_SIZE, ModbusPlusOperation, ModbusPlusStatistics

_LOG_SIZE = 64  # events, section 6.10

# Events of the log (section 6.10).
_RECEIVED = 0x80
_RECEIVED_WITH_ERROR = 0x82
_OVERRUN = 0x10
_BROADCAST = 0x40
_SENT = 0x40
_IN_LISTEN_ONLY = 0x20
_ENTERED_LISTEN_ONLY = 0x04
_RESTARTED = 0x00
_SENT_EXCEPTION = {1: 0x01, 2: 0x01, 3: 0x01, 4: 0x02, 5: 0x04, 6: 0x04, 7: 0x08}
_GOOD_EXCHANGE = bytes((_RECEIVED, _SENT))


class BusStatistics:
    """Counter that all units on a line share: `messages`, the valid frames for any unit.

    The server protocol adds one for each, before the frame is executed; it reports damaged frames
    to `Units.communication_error`.
    """

    __slots__ = ("messages",)

    def __init__(self) -> None:
        self.messages = 0


class _Counters:
    """Counters that can be cleared; unbounded here, and reduced to 16 bits when read."""

    def __init__(self) -> None:
        self.events = 0
        self.communication_errors = 0
        self.exceptions = 0
        self.server_messages = 0
        self.no_responses = 0
        self.naks = 0
        self.busies = 0
        self.overruns = 0


class Communication:
    """Counters, event log, listen-only mode and diagnostic register of one unit.

    All counters have 16 bits and wrap around to 0 after 65535: section 6.9 tells clients to
    compare the event counter before and after a series of messages. They need differences modulo
    65536, and could not detect a change in a counter that stopped at 65535.

    The counters include the message that is being answered. Counters that a message clears are 0
    after it, because that message itself is not counted.
    """

    def __init__(self) -> None:
        self.busy = False
        self.overrun_flag = False
        self.ascii_delimiter = 0x0A
        self._diagnostic_register = 0
        self._plus_statistics = ModbusPlusStatistics().to_words()
        self._listen_only = False
        self._log: deque[int] = deque(maxlen=_LOG_SIZE)
        self._buses: list[BusStatistics] = []
        self._bus_base = 0
        # The action of a diagnostic request that is done after its answer.
        self._due: Callable[[], None] | None = None
        # Number of successful requests, without broadcasts, that are not yet in the counters and
        # the log. So a plain read costs only one addition.
        self._good_exchanges = 0
        self._counters = _Counters()

    def _reset_counters(self) -> None:
        self._settle()
        self._counters = _Counters()
        self._bus_base = sum([bus.messages for bus in self._buses])

    def _settle(self) -> None:
        """Add the good exchanges to the counters and the log."""
        count = self._good_exchanges
        if count:
            self._good_exchanges = 0
            self._counters.server_messages += count
            self._counters.events += count
            self._log.extendleft(_GOOD_EXCHANGE * min(count, _LOG_SIZE >> 1))

    # Attributes that the owner sets and may read.

    @property
    def diagnostic_register(self) -> int:
        """The 16 bits that sub-function 2 reads; their meaning is device-specific."""
        return self._diagnostic_register

    @diagnostic_register.setter
    def diagnostic_register(self, value: int) -> None:
        if not 0 <= value <= 0xFFFF:
            raise ValueError(f"diagnostic_register must be 0..65535, got {value}")
        self._diagnostic_register = value

    @property
    def modbus_plus_statistics(self) -> ModbusPlusStatistics:
        """The statistics of sub-function 21, which only Modbus Plus devices had.

        They may be set as their 54 words, too.
        """
        return ModbusPlusStatistics.from_words(self._plus_statistics)

    @modbus_plus_statistics.setter
    def modbus_plus_statistics(self, statistics: ModbusPlusStatistics | Sequence[int]) -> None:
        if not isinstance(statistics, ModbusPlusStatistics):
            statistics = ModbusPlusStatistics.from_words(statistics)
        self._plus_statistics = statistics.to_words()

    @property
    def listen_only(self) -> bool:
        """True in listen-only mode; sub-function 4 sets it."""
        return self._listen_only

    @listen_only.setter
    def listen_only(self, value: bool) -> None:
        self._settle()
        if value and not self._listen_only:
            self._log.appendleft(_ENTERED_LISTEN_ONLY)
        self._listen_only = value

    # The counters, each with the sub-function that reads it.

    @property
    def bus_message_count(self) -> int:
        """Sub-function 11: valid frames on the line, for any unit.

        A unit outside of a `Units` has no line, so this counts its own messages.
        """
        if not self._buses:
            return self.server_message_count
        return (sum([bus.messages for bus in self._buses]) - self._bus_base) & 0xFFFF

    @property
    def message_count(self) -> int:
        """The message count of function 12, which is `bus_message_count` by definition."""
        return self.bus_message_count

    @property
    def communication_error_count(self) -> int:
        """Sub-function 12: damaged frames on the line (CRC or LRC, parity, overrun, too short)."""
        return self._counters.communication_errors & 0xFFFF

    @property
    def exception_count(self) -> int:
        """Sub-function 13: exception responses, and those that a broadcast would have caused."""
        return self._counters.exceptions & 0xFFFF

    @property
    def server_message_count(self) -> int:
        """Sub-function 14: messages addressed to the unit, and broadcasts."""
        return (self._counters.server_messages + self._good_exchanges) & 0xFFFF

    @property
    def no_response_count(self) -> int:
        """Sub-function 15: messages without an answer: broadcasts, and all in listen-only mode."""
        return self._counters.no_responses & 0xFFFF

    @property
    def nak_count(self) -> int:
        """Sub-function 16: answers with exception 07, negative acknowledge."""
        return self._counters.naks & 0xFFFF

    @property
    def busy_count(self) -> int:
        """Sub-function 17: answers with exception 06, server device busy."""
        return self._counters.busies & 0xFFFF

    @property
    def overrun_count(self) -> int:
        """Sub-functions 18 and 19: frames that were lost to a character overrun."""
        return self._counters.overruns & 0xFFFF

    @property
    def event_counter(self) -> int:
        """Function 11: messages completed with success, except function 11 itself."""
        return (self._counters.events + self._good_exchanges) & 0xFFFF

    @property
    def event_log(self) -> bytes:
        """Function 12: the codes of 0 to 64 events, the newest first; see `CommEvent.from_code`."""
        self._settle()
        return bytes(self._log)

    def add_event(self, event: CommEvent | int) -> None:
        """Add an event to the log, or the code of one, 0..255; the oldest of 64 goes."""
        self._settle()
        self._log.appendleft((event if isinstance(event, CommEvent) else CommEvent(event)).code)

    def clear_event_log(self) -> None:
        """Remove all events from the log; the counters stay."""
        self._settle()
        self._log.clear()

    @property
    def comm_status(self) -> int:
        """Functions 11 and 12: FFFF while `busy` is True (a program command runs), else 0000."""
        return 0xFFFF if self.busy else 0

    # Events on the line.

    def attach(self, bus: BusStatistics) -> None:
        """Count the frames of this line too; called by `Units`."""
        if bus not in self._buses:
            # The count so far is kept: the base is chosen so that the sum does not change.
            count = self.bus_message_count
            self._buses.append(bus)
            self._bus_base = sum([each.messages for each in self._buses]) - count

    def communication_error(self, count: int = 1, *, overrun: bool = False) -> None:
        """Count and log `count` damaged frames; `overrun` if one of them lost characters."""
        self._settle()
        self._counters.communication_errors += count
        event = _RECEIVED_WITH_ERROR
        if overrun:
            self._counters.overruns += 1
            self.overrun_flag = True
            event |= _OVERRUN
        self._log.extendleft([event | self._mode] * min(count, _LOG_SIZE))

    @property
    def _mode(self) -> int:
        return _IN_LISTEN_ONLY if self._listen_only else 0

    def restart(self, *, clear_log: bool = False) -> None:
        """Leave listen-only mode, clear the counters and, if `clear_log`, the log (FC8, 1)."""
        self._reset_counters()
        self.overrun_flag = False
        self._listen_only = False
        if clear_log:
            self._log.clear()
        self._log.appendleft(_RESTARTED)

    def clear_counters(self) -> None:
        """Clear all counters, the overrun flag and the diagnostic register (FC8, 10)."""
        self._reset_counters()
        self.overrun_flag = False
        self._diagnostic_register = 0

    def clear_overruns(self) -> None:
        """Clear the overrun counter and flag (FC8, 20)."""
        self._counters.overruns = 0
        self.overrun_flag = False

    def _message_received(self, broadcast: bool) -> None:
        self._settle()
        self._counters.server_messages += 1
        self._log.appendleft(_RECEIVED | self._mode | (_BROADCAST if broadcast else 0))

    def _message_done(self, *, success: bool, answered: bool) -> None:
        if success:
            self._counters.events += 1
        if not answered:
            self._counters.no_responses += 1
        self._log.appendleft(_SENT | self._mode)
        self._do_what_is_due()

    def _message_refused(self, code: int, *, answered: bool) -> None:
        self._counters.exceptions += 1
        event = _SENT | self._mode
        if not answered:
            self._counters.no_responses += 1
        else:
            # Only an exception response that is sent is logged as "exception sent".
            event |= _SENT_EXCEPTION.get(code, 0)
            self._counters.naks += code == ExceptionCode.NEGATIVE_ACKNOWLEDGE
            self._counters.busies += code == ExceptionCode.SERVER_DEVICE_BUSY
        self._log.appendleft(event)
        self._do_what_is_due()

    def _do_what_is_due(self) -> None:
        due = self._due
        if due is not None:
            self._due = None
            due()

    # Function 8.

    def diagnose(self, sub_function: int, data: tuple[int, ...]) -> tuple[int, ...] | None:
        """Execute function 8 (section 6.8); return the data words, None for no answer.

        `data` are the words of the request, already checked by the message. Restarting and
        clearing the counters are done after the answer, when the request itself was counted.
        Raises `IllegalFunctionError` for an unknown `sub_function`: override this to support more,
        and call `super().diagnose` for the others. 19 and 21 are from older documents: 19 is the
        count of 18, and for Modbus Plus 3 gets the statistics and 4 clears them.
        """
        read = _READINGS.get(sub_function)
        if read is not None:
            return (read(self),)
        if sub_function == 1:
            self._due = partial(self.restart, clear_log=data == (0xFF00,))
            return None if self._listen_only else data
        if sub_function == 4:
            self.listen_only = True
            return None
        if sub_function == 21 and data == (ModbusPlusOperation.GET_STATISTICS,):
            return (*data, STATISTICS_SIZE, *self._plus_statistics)
        if sub_function == 3:
            self.ascii_delimiter = data[0] >> 8
        elif sub_function == 10:
            self._due = self.clear_counters
        elif sub_function == 20:
            self.clear_overruns()
        elif sub_function == 21 and data == (ModbusPlusOperation.CLEAR_STATISTICS,):
            self._plus_statistics = ModbusPlusStatistics().to_words()
        elif sub_function:
            raise IllegalFunctionError(detail=f"diagnostics has no sub-function {sub_function}")
        return data


_READINGS: dict[int, Callable[[Communication], int]] = {
    2: lambda unit: unit.diagnostic_register,
    11: lambda unit: unit.bus_message_count,
    12: lambda unit: unit.communication_error_count,
    13: lambda unit: unit.exception_count,
    14: lambda unit: unit.server_message_count,
    15: lambda unit: unit.no_response_count,
    16: lambda unit: unit.nak_count,
    17: lambda unit: unit.busy_count,
    18: lambda unit: unit.overrun_count,
    19: lambda unit: unit.overrun_count,
}
