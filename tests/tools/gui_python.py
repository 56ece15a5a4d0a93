"""`python_for`: a Python that has a toolkit; `environment`: with our packages.

GTK and wx are packages of Debian for Debian's Python. It imports ours from the path of this one,
which must be of the same version; else SYSTEM_PACKAGES names a folder with all that modwire-tools
needs, as in .ci/run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from virtual_screen import virtual_display

if TYPE_CHECKING:
    from ..conftest import RequirePeer

SYSTEM_PYTHON = "/usr/bin/python3"
PACKAGES = {
    "tk": ("Tk", "python3-tk"),
    "gtk": ("GTK 3 for Python", "python3-gi gir1.2-gtk-3.0"),
    "wx": ("wxPython", "python3-wxgtk4.0"),
}
_LOOK = """
import sys
from modwire_tools.gui.toolkits import find_toolkit
import modwire_tools.simulator.view  # has msgspec, which is compiled for one version of Python
find_toolkit(sys.argv[1])
"""


def environment(python: str, display: str, home: Path) -> dict[str, str]:
    """Return the environment of a window on a display; toolkits keep files in `home`."""
    standard = sysconfig.get_path("stdlib")
    path = [each for each in sys.path if "site-packages" in each or not each.startswith(standard)]
    others = os.environ.get("SYSTEM_PACKAGES")
    if others and python == SYSTEM_PYTHON:
        path = [each for each in path if "site-packages" not in each] + [others]
    return {
        **os.environ,
        "DISPLAY": display,
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, path)),
        # There is no desktop with the services that GTK would look for.
        "GSETTINGS_BACKEND": "memory",
        "NO_AT_BRIDGE": "1",
    }


@cache
def _python_for(toolkit: str) -> str:
    for python in (sys.executable, SYSTEM_PYTHON):
        if shutil.which(python) is not None:
            command = [python, "-c", _LOOK, toolkit]
            surroundings = environment(python, "", Path.home())
            done = subprocess.run(command, env=surroundings, capture_output=True, check=False)
            if not done.returncode:
                return python
    return ""


def python_for(toolkit: str, require_peer: RequirePeer) -> tuple[str, str]:
    """Return a Python that has a toolkit, and a display; skips or fails the test without them."""
    display = virtual_display(require_peer)
    name, packages = PACKAGES[toolkit]
    python = _python_for(toolkit)
    how = f"apt-get install {packages}; if {SYSTEM_PYTHON} has another version, see .ci/run"
    require_peer(name, bool(python), how)
    return python, display
