"""`TARGETS`: all targets, by name. A new one is a file here and its name in `_FILES`."""

from __future__ import annotations

from importlib import import_module

from ..target import Target

_FILES = (
    "framings",
    "servers",
    "clients",
    "turns",
    "sniffers",
    "messages",
    "endpoints",
    "device_files",
    "plant_files",
    "captures",
    "web",
    "tls",
)


def _all() -> dict[str, Target]:
    found: dict[str, Target] = {}
    for file in _FILES:
        targets: list[Target] = import_module(f"{__name__}.{file}").TARGETS
        for target in targets:
            assert target.name not in found, f"two targets have the name {target.name}"
            found[target.name] = target
    return found


TARGETS = _all()
