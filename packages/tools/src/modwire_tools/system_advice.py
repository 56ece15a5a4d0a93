"""Errors of the system about a port, an address or a file: `tidied` texts, and what to do next.

The command, the window and the simulator call these.
"""

from __future__ import annotations

import re
import sys

from .pasting import command, for_shell

# The endpoint that a text begins with: its scheme without the framing, and the rest.
_PLACE = re.compile(r"((?:(rtu|ascii|binary)\+?)?(tcp|udp|unix|tls)?)://(\S*?)(?=: |$)")
_PORT = re.compile(r":(\d+)$")
_NOT_THERE = ("ermission denied", "Read-only file system", "No such file")
_NO_NAME = ("not known", "No address associated", "name resolution", "getaddrinfo failed")

_NUMBER = re.compile(r"\[Errno -?\d+\] ")
# What libraries put around the reason: pyserial the port twice, trio the address.
_OPENING = re.compile(r"could not open port (\S+): (.*?)(?:: '\1')?$")
_CONNECTING = re.compile(r"Error connecting to \(.*?\): ")


def tidied(text: str) -> str:
    """Return the text of an error on one line, without the numbers and names that say nothing."""
    return _CONNECTING.sub("", _OPENING.sub(r"\2", _NUMBER.sub("", " ".join(text.split()))))


def system_advice(text: str) -> str:
    """Return what to do about an error, or "".

    `text` says what failed and why, and begins with the endpoint if it is about one.
    """
    place = _PLACE.match(text)
    if place is None:
        return _about_a_file(text)
    _, framing, transport, rest = place.groups()
    where = rest.partition("?")[0]
    if transport is None:
        return _about_a_port(text, framing, where)
    if transport == "unix":
        return _about_a_socket(text, where)
    return _about_a_network(text, f"{framing}+{transport}" if framing else transport, where)


def _about_a_port(text: str, scheme: str, name: str) -> str:
    """Return advice about a serial port."""
    if "ermission denied" in text:
        if sys.platform != "linux":
            return "you may not open the port: another user may own it"
        group = for_shell(_group_of(name))
        return f"you may not open the port: `sudo usermod -aG {group} $USER`, then log in again"
    if "No such file" in text or "FileNotFound" in text:
        if name.startswith(("tty", "cu.")):
            return f"the name of a port is a path: {scheme}:///dev/{name}"
        return f"is the adapter plugged in, and its name right? {command('ports')} lists ports"
    if "lock" in text or "busy" in text or "Resource temporarily" in text:
        return f"another program has the port open (`fuser -v {for_shell(name)}` names it)"
    if "ioctl" in text or "onfigure port" in text:
        return f"it is no serial port: {command('ports')} lists those of this machine"
    return ""


def _group_of(name: str) -> str:
    """Return the group that may open a serial port: its own, or "dialout"."""
    import grp
    import os

    try:
        status = os.stat(name)
        group = grp.getgrgid(status.st_gid).gr_name
    except (KeyError, OSError):
        return "dialout"
    # Pseudo-terminals belong to tty, and a port without rules to root: nobody joins these.
    return "dialout" if group in ("root", "tty") or not status.st_mode & 0o020 else group


def _about_a_socket(text: str, path: str) -> str:
    """Return advice about a Unix socket."""
    if "ermission denied" in text:
        return "you may not use this path: its folder or the socket belongs to another user"
    if "in use" in text:
        return "another program serves there already: name another path"
    if "No such file" in text:
        return "is there such a folder, and does the server run that makes the socket?"
    if "refused" in text:
        return "nobody serves at that socket any more: start the server again"
    return ""


def _about_a_network(text: str, scheme: str, where: str) -> str:
    """Return advice about listening at, or connecting to, an address of a network."""
    found = _PORT.search(where)
    port = found[1] if found else ""
    if "in use" in text:
        kind = "-lunp" if scheme.endswith("udp") else "-ltnp"
        which = f" (`ss {kind} 'sport = :{port}'` names it)" if sys.platform == "linux" else ""
        return f"another program listens there already{which}: take another port"
    if "ermission denied" in text:
        return "ports below 1024 need permission: take a port such as 5020"
    if "annot assign" in text:
        return (
            "this machine has no such address: take 127.0.0.1 for this machine alone, or "
            f"{scheme}://:{port} for all its addresses"
        )
    if any(each in text for each in _NO_NAME):
        return (
            "no such name is known: check its spelling, or take the IP address, as in "
            f"{scheme}://192.0.2.7:{port}"
        )
    if "refused" in text:
        return "is the device on, and the port right?"
    return ""


def _about_a_file(text: str) -> str:
    """Return advice about a file."""
    is_written = "cannot write" in text
    if is_written and any(each in text for each in _NOT_THERE):
        return "you may not write there: name a file in another folder"
    if "ermission denied" in text:
        return "it belongs to another user, who decides who may read it"
    if "No space left" in text:
        return "the disk is full: remove something, or name a file on another disk"
    if "Is a directory" in text:
        return "it is a folder: name a file in it"
    return ""
