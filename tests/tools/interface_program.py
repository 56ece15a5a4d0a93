"""A program: `modwire simulate --interface` in the network namespace of this process.

test_interface.py starts it with what ends the simulation (the number of a signal, 0 for nothing, or
"powerless" for a process without rights), the first address, the number of devices, an address that
the interface already has, and "taken" if its port is in use. It prints what it has seen as JSON.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from time import sleep

from pyroute2 import IPRoute, NetlinkError

from modwire_sync import TcpClient
from modwire_tools.values.host_port import parse_host_port

PATIENCE = 60.0
_TENTATIVE = 0x40


def addresses() -> list[str]:
    """Return the addresses of eth9, except those that each link has by itself."""
    with IPRoute() as netlink:
        index = socket.if_nametoindex("eth9")
        found = [each.get_attr("IFA_ADDRESS") for each in netlink.get_addr(index=index)]
    return sorted(each for each in found if not each.startswith("fe80"))


def is_ready(netlink: IPRoute) -> bool:
    """True if eth9 has its own IPv6 address: earlier, it may lose what it sends."""
    own = netlink.get_addr(family=socket.AF_INET6, index=socket.if_nametoindex("eth9"))
    return any(not each["flags"] & _TENTATIVE for each in own)


def prepare(present: str, *, ipv6: bool) -> None:
    with IPRoute() as netlink:
        try:
            netlink.link("add", ifname="eth9", kind="dummy")
        except NetlinkError:  # this kernel has no such links
            netlink.link("add", ifname="eth9", kind="bridge")
        for name in ("lo", "eth9"):
            netlink.link("set", index=socket.if_nametoindex(name), state="up")
        while ipv6 and not is_ready(netlink):
            sleep(0.02)  # the kernel looks whether another machine has its address
        if present:
            index = socket.if_nametoindex("eth9")
            netlink.addr("add", index=index, address=present, prefixlen=24)


def read(host: str) -> list[int]:
    with TcpClient(host, 502, timeout=PATIENCE, connect_timeout=PATIENCE) as client:
        return list(client.read_holding_registers(0, 1))


def main() -> None:
    end, first, count, present, taken = [*sys.argv[1:], "", ""][:5]
    prepare(present, ipv6="[" in first)
    listener = socket.create_server((present, 502)) if taken else None
    command = [sys.executable, "-m", "modwire_tools", "simulate", "--interface", "eth9"]
    command += ["--tcp", first, "--devices", count, "--consecutive", "addresses"]
    if end == "powerless":
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen: dict[str, object] = {}
    assert process.stderr is not None
    told = ""
    if end.isdecimal() and int(end):
        while "Ctrl+C ends it" not in told:
            line = process.stderr.readline()
            assert line, told
            told += line
        seen["meanwhile"] = addresses()
        host, _ = parse_host_port(first)
        seen["first"] = read(host)
        hosts = [each for each in addresses() if each != host]
        seen["last"] = read(max(hosts, key=lambda each: socket.inet_pton(_family(each), each)))
        process.send_signal(int(end))
    _, errors = process.communicate(timeout=PATIENCE)
    seen |= {"told": told, "errors": errors, "code": process.returncode}
    seen["afterwards"] = addresses()
    if listener is not None:
        listener.close()
    json.dump(seen, sys.stdout)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


main()
