"""`Capture`: the Modbus in a capture file, as requests with their responses, in order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterator
from itertools import count
from socket import AF_INET, AF_INET6, inet_ntop
from typing import BinaryIO

from .conversation import Conversation, Exchange, Incident
from .layers import ACK, FIN, KNOWN_LINKS, RST, SYN, Segment, find_segment
from .packets import CaptureError, read_packets

PORT = 502
PATIENCE = 30.0  # timeout for a response, in seconds of the capture
_MOST_CONVERSATIONS = 10_000  # followed at the same time; on UDP they have no end
_MOST_WAITING = 100_000  # exchanges behind one that waits for its response

_Key = tuple[bool, bytes, int, bytes, int]


class Capture:
    """Each `Exchange` and `Incident` of a file, in the order of their begin; iterate it once.

    `ports` are the ports of servers; `framing` is the framing in TCP or UDP: "tcp", or a serial
    one. The counts are complete after the iteration. Raises CaptureError if the file is broken,
    after it has yielded the readable part.
    """

    def __init__(
        self, file: BinaryIO, name: str, *, ports: Collection[int] = (PORT,), framing: str = "tcp"
    ) -> None:
        self.packets = 0
        self.first: float | None = None  # begin of the capture, in seconds since the epoch
        self.other_ports: Counter[str] = Counter()  # packets with data, as "tcp 5020"
        self.unknown_links: Counter[int] = Counter()
        self._file = file
        self._name = name
        self._ports = frozenset(ports)
        self._framing = framing
        self._numbers = count(1)
        self._conversations: dict[_Key, Conversation] = {}
        self._waiting: deque[Exchange | Incident] = deque()

    def __iter__(self) -> Iterator[Exchange | Incident]:
        error: CaptureError | None = None
        packets = read_packets(self._file, self._name)
        while True:
            try:
                packet = next(packets, None)
            except CaptureError as found:
                error = found
                break
            if packet is None:
                break
            self.packets += 1
            if self.first is None:
                self.first = packet.time
            segment = find_segment(packet.link, packet.data)
            if segment is not None:
                self._take(packet.time, segment)
                if self._waiting:
                    yield from self._done(packet.time)
            elif packet.link not in KNOWN_LINKS:
                self.unknown_links[packet.link] += 1
        for conversation in self._conversations.values():
            conversation.end()
        yield from self._done(float("inf"))
        if error is not None:
            raise error

    def _done(self, now: float) -> Iterator[Exchange | Incident]:
        """Yield complete results, up to the first exchange that waits for its response."""
        waiting = self._waiting
        while waiting:
            first = waiting[0]
            if (
                isinstance(first, Exchange)
                and not first.is_done
                and now - first.time < PATIENCE
                and len(waiting) < _MOST_WAITING
            ):
                return
            yield waiting.popleft()

    def _take(self, time: float, segment: Segment) -> None:
        key, from_client = self._side(segment)
        if key is None:
            if segment.payload:
                link = "tcp" if segment.is_tcp else "udp"
                ports = (segment.source_port, segment.destination_port)
                self.other_ports[f"{link} {min(ports)}"] += 1
            return
        if not segment.is_tcp:
            conversation = self._conversation(key)
            conversation.datagram(from_client, time, segment.payload, segment.missing)
            return
        self._tcp(key, from_client, time, segment)

    def _side(self, segment: Segment) -> tuple[_Key | None, bool]:
        """Return the conversation of a segment, client first, and True if the client sent it."""
        key = (
            segment.is_tcp,
            segment.source,
            segment.source_port,
            segment.destination,
            segment.destination_port,
        )
        back = (key[0], *key[3:], *key[1:3])
        if key in self._conversations:
            return key, True
        if back in self._conversations:
            return back, False
        to_server = segment.destination_port in self._ports
        from_server = segment.source_port in self._ports
        if from_server and (not to_server or segment.flags & (SYN | ACK) == SYN | ACK):
            return back, False
        return (key, True) if to_server else (None, True)

    def _conversation(self, key: _Key) -> Conversation:
        found = self._conversations.get(key)
        if found is None:
            if len(self._conversations) >= _MOST_CONVERSATIONS:
                self._evict_idle()
            is_tcp, client, client_port, server, server_port = key
            found = self._conversations[key] = Conversation(
                _endpoint(client, client_port),
                _endpoint(server, server_port),
                "tcp" if is_tcp else "udp",
                self._framing,
                self._numbers,
                self._waiting,
            )
        return found

    def _evict_idle(self) -> None:
        """Evict the half of the conversations that was silent for longest."""
        by_time = sorted(self._conversations.items(), key=lambda item: item[1].last_received)
        for key, conversation in by_time[: len(by_time) // 2]:
            conversation.end()
            del self._conversations[key]

    def _tcp(self, key: _Key, from_client: bool, time: float, segment: Segment) -> None:
        known = self._conversations.get(key)
        flags, sequence = segment.flags, segment.sequence
        if flags & SYN:
            if known is not None and not known.sides[from_client].stream.start(sequence):
                known.end()
                del self._conversations[key]
                known = None
            if known is None:
                known = self._conversation(key)
                known.sides[from_client].stream.start(sequence)
            sequence = (sequence + 1) & 0xFFFFFFFF
        if known is None:
            if not segment.payload:
                return
            known = self._conversation(key)
        if flags & ACK:
            known.acknowledge(from_client, time, segment.acknowledged)
        if segment.payload or segment.missing:
            known.segment(from_client, time, sequence, segment.payload, segment.missing)
        if flags & FIN:
            known.sides[from_client].is_finished = True
        if flags & RST or (flags & FIN and known.is_finished):
            known.end()
            del self._conversations[key]


def _endpoint(address: bytes, port: int) -> str:
    if len(address) == 4:
        return f"{inet_ntop(AF_INET, address)}:{port}"
    return f"[{inet_ntop(AF_INET6, address)}]:{port}"
