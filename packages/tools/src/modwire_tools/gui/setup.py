"""`Setup`: the texts of the form, and the simulation made from them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from modwire import Endpoint

from ..simulator.files import read_device
from ..simulator.meter import energy_meter
from ..simulator.placing import CONSECUTIVE
from ..simulator.simulation import Simulation, place
from ..values.numbers import parse_whole

__all__ = ["CONSECUTIVE", "MOST_DEVICES", "Setup"]

MOST_DEVICES = 65535


@dataclass(frozen=True)
class Setup:
    """The texts in the form; without a `file` the built-in energy meter is simulated."""

    file: str = ""
    host: str = "127.0.0.1"
    port: str = "5020"
    devices: str = "1"
    consecutive: str = "ports"

    @property
    def folder(self) -> str:
        """The folder of the file, or the current one: where to look for another file."""
        folder = Path(os.path.expanduser(self.file.strip())).parent if self.file else Path()
        return str(folder.absolute())

    def simulation(self) -> Simulation:
        """Return the simulation.

        Raises OSError for a file that cannot be read, and ValueError for any other mistake.
        """
        port = parse_whole(self.port.strip(), 0, 65535, name="port")
        count = parse_whole(self.devices.strip(), 1, MOST_DEVICES, name="the number of devices")
        host = self.host.strip()
        if not host:
            raise ValueError("host must be a name or an address, such as 127.0.0.1, got nothing")
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        endpoint = Endpoint.parse(f"tcp://{host}:{port}")
        file = self.file.strip()
        device = read_device(Path(os.path.expanduser(file))) if file else energy_meter()
        return Simulation(place([device], [endpoint], count=count, consecutive=self.consecutive))
