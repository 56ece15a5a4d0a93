"""Servers without I/O: the protocol, and the half of the adapter kit that peers are served with.

- `protocol.ServerProtocol`: bytes become calls, responses become bytes; its `executor` executes
  calls on units and tells the hooks of `options.ServerOptions`.
- `connection.Connection`: one peer on a stream. `next()` says what the adapter has to do: read,
  send, execute a call, wait or close. `connection.Connections` limits how many there are.
- `line.LineServer`: a serial line, on which time decides what is sent.
- `datagrams.DatagramServer`: UDP sockets.
- `servers`: the constructors `TcpServerBase`, `UdpServerBase` and `SerialServerBase`, with their
  defaults and checks.

Each module explains its part, README.md shows a connection. Nothing is imported here, so that
`import modwire` does not load the kit.
"""
