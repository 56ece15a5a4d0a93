"""Servers without I/O: the protocol, and the server half of the adapter kit.

- `protocol.ServerProtocol` turns bytes into calls and responses into bytes; its `executor`
  executes calls on units and calls the hooks of `options.ServerOptions`.
- `connection.Connection` is one peer on a stream. `next()` returns the adapter's next step: read,
  send, execute a call, wait or close. `connection.Connections` limits their number.
- `line.LineServer` is for a serial line, where time decides if an answer is sent.
- `datagrams.DatagramServer` is for UDP sockets.
- `constructors` has `TcpServerBase`, `UdpServerBase` and `SerialServerBase`, with their
  arguments, defaults and checks.

Each module documents its part, docs/how-to/embed.md shows a connection. Nothing is imported here,
so that `import modwire` does not load the kit.
"""
