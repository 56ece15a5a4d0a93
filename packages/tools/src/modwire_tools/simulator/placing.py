"""`place`: assigns devices to endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from modwire import Endpoint

from ..endpoint_forms import ALL, shown
from ..server.listen_options import check_listens
from .devices import DeviceSpec

CONSECUTIVE = ("ports", "addresses")


@dataclass(frozen=True)
class PlacedDevice:
    """A device and the endpoints at which it is served."""

    device: DeviceSpec
    endpoints: Sequence[Endpoint]


def place(
    devices: Sequence[DeviceSpec],
    endpoints: Sequence[str | Endpoint],
    *,
    count: int | None = None,
    consecutive: str = "ports",
) -> list[PlacedDevice]:
    """Return `devices` with their endpoints: each at the next port, or the next IP address.

    With `count`, that number of devices is made, by using `devices` in turn. Devices on one serial
    port share the line. Raises ValueError if that is impossible, for example because two units
    on a line have the same id, and for an option of an endpoint that only clients have.
    """
    if consecutive not in CONSECUTIVE:
        raise ValueError(f"consecutive must be ports or addresses, got {consecutive!r}")
    if not devices:
        raise ValueError("there must be a device to simulate, got none")
    count = len(devices) if count is None else count
    if count < 1:
        raise ValueError(f"devices must be at least 1, got {count}")
    parsed = [each if isinstance(each, Endpoint) else Endpoint.parse(each) for each in endpoints]
    placed = [
        PlacedDevice(
            devices[index % len(devices)],
            [_moved(endpoint, index, consecutive) for endpoint in parsed],
        )
        for index in range(count)
    ]
    for endpoint in parsed:
        check_listens(endpoint, str(endpoint))
        if endpoint.transport == "unix" and count > 1:
            raise ValueError(f"{endpoint} is one socket, which cannot be that of {count} devices")
        if endpoint.transport == "serial":
            _check_line(placed, endpoint)
    return placed


def _check_line(placed: Sequence[PlacedDevice], endpoint: Endpoint) -> None:
    seen: dict[int, str] = {}
    for each in placed:
        for unit in each.device.units:
            if unit.id in seen:
                raise ValueError(
                    f"{endpoint.path} is one line, where every unit needs an id of its own: "
                    f"{unit.id} is in {seen[unit.id]!r} and in {each.device.name!r}"
                )
            if not unit.id:
                raise ValueError(
                    f"units on the serial line {endpoint.path} must be 1..255, "
                    f"got {unit.id} in {each.device.name!r}"
                )
            seen[unit.id] = each.device.name


def _moved(endpoint: Endpoint, by: int, consecutive: str) -> Endpoint:
    """Return the endpoint of the device with index `by`."""
    if not by or endpoint.path:
        return endpoint
    host, port = endpoint.host, endpoint.port
    if consecutive == "addresses":
        if host == ALL:
            raise ValueError(
                f"{shown(endpoint)} is at all addresses of this machine: consecutive addresses "
                "need the first of them, such as 127.0.1.1"
            )
        try:
            host = str(ip_address(host) + by)
        except ValueError as error:
            raise ValueError(
                f"consecutive addresses need an IP address to begin with, got {host!r}: {error}"
            ) from None
    elif port:
        if port + by > 0xFFFF:
            raise ValueError(f"ports must be 1..65535: device {by + 1} would be at {port + by}")
        port += by
    return endpoint.replace(host=host, port=port)
