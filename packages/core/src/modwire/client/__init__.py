"""Clients without I/O: the protocol, and the client half of the adapter kit.

- `protocol.ClientProtocol` turns requests into bytes and bytes into responses; an
  `exchange.Exchange` is one request under way, `options.ClientOptions` has timeouts and the like.
- `turns.Turns` lets callers share one link. An adapter gives it a `link.Link` (send, receive
  what has arrived, withdraw), a way to wake a caller, and a way to close a link.
- `threads.ThreadTurns` adds the locks for callers in threads, each of which may be interrupted.
- `constructors` has `TcpClientBase`, `UdpClientBase`, `UnixClientBase` and `SerialClientBase`,
  with their arguments, defaults and checks, and `client_for` for an endpoint.

`turns` explains how a call runs, docs/how-to/embed.md shows one. Nothing is imported here, so that
`import modwire` does not load the kit.
"""
