"""The part of pyroute2 that `modwire_tools.simulator.interface` uses."""

from collections.abc import Iterable

class NetlinkError(Exception):
    code: int

class Message:
    def get_attr(self, name: str) -> str | None: ...

class IPRoute:
    def __enter__(self) -> IPRoute: ...
    def __exit__(self, *error: object) -> None: ...
    def addr(
        self, command: str, *, index: int, address: str, prefixlen: int, flags: int
    ) -> object: ...
    def get_addr(self) -> Iterable[Message]: ...
