"""Clients without I/O: the protocol, and the half of the adapter kit that calls are made with.

- `protocol.ClientProtocol`: requests become bytes, bytes become responses; `exchange.Exchange` is
  one request under way, `options.ClientOptions` its timeouts and the like.
- `turns.Turns`: callers that share one link. An adapter gives it a `turns.Link` (send, receive
  what has arrived, withdraw), a way to wake a caller, and a way to close a link.
- `clients`: the constructors `TcpClientBase`, `UdpClientBase`, `UnixClientBase` and
  `SerialClientBase`, with their defaults and checks, and `client_for` for an endpoint.

`turns` explains how a call runs, README.md shows one. Nothing is imported here, so that
`import modwire` does not load the kit.
"""
