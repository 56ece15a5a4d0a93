"""The device of the corpus of malformed messages in any framing, and calls done by hand."""

from __future__ import annotations

from collections import deque

from modwire import (
    FRAMINGS,
    Call,
    Decoder,
    Identity,
    InvalidRequestError,
    Response,
    SequentialBlock,
    ServerOptions,
    ServerProtocol,
    Unit,
    Units,
)


def reference_unit() -> Unit:
    """The tables, files, queue and identity that `context` in malformed.json describes."""
    return Unit(
        coils=SequentialBlock(0, [i % 3 == 0 for i in range(2048)]),
        discrete_inputs=SequentialBlock(0, [i % 5 == 0 for i in range(2048)]),
        holding_registers=SequentialBlock(0, list(range(2048))),
        input_registers=SequentialBlock(0, [0x1000 + i for i in range(2048)]),
        files={1: SequentialBlock(0, [0] * 10000), 4: SequentialBlock(0, [0] * 10000)},
        fifo_queues={0x04DE: deque([440, 4740])},
        identity=Identity({0: "modwire", 1: "reference", 2: "1.0"}),
    )


def answered(unit: Unit, pdu: bytes, decoder: Decoder, *, broadcast: bool = False) -> bytes:
    """Return the PDU of the response of `unit`; b"" for silence."""
    try:
        request = decoder.decode_request(pdu)
    except InvalidRequestError as error:
        response: Response | None = unit.refuse(error, broadcast=broadcast)
    else:
        response = unit.execute(request, broadcast=broadcast)
    return b"" if response is None else response.encode()


def executed(call: Call, units: Units) -> Response | None:
    """Execute a call from `next_call`, as a program that embeds core does."""
    if call.broadcast:
        for unit in units:
            unit.execute(call.request, broadcast=True)
        return None
    found = units.get(call.unit)
    if found is None:
        return None
    return found.execute(call.request) if call.refusal is None else found.refuse(call.refusal)


class Wire:
    """A server protocol with its units and its clock."""

    def __init__(self, framing: str = "rtu", units: Units | None = None, **options: object) -> None:
        self.units = units if units is not None else Units({1: reference_unit()})
        self.framing = FRAMINGS[framing]
        self.options = ServerOptions(**options)  # type: ignore[arg-type]
        self.now = 10.0
        self.connect()

    @property
    def unit(self) -> Unit:
        return self.units[1]

    def connect(self) -> None:
        self.protocol = ServerProtocol(self.framing, self.options)
        self.protocol.connected(self.now)

    def hear(self, data: bytes | str, *, after: float = 0.0) -> bytes:
        """Return the response to bytes that arrive `after` seconds of silence."""
        self.now += after
        self.protocol.receive_data(bytes.fromhex(data) if isinstance(data, str) else data, self.now)
        return self.protocol.answer_all(self.units)

    def quiet(self, seconds: float = 0.01) -> bytes:
        """Return the bytes that the server sends after a silence."""
        self.now += seconds
        self.protocol.handle_timeout(self.now)
        return self.protocol.answer_all(self.units)
