"""Health check of the container: the command that serves must answer at `/metrics`.

Exit code 0 is healthy, 1 is not. Without MODWIRE_METRICS there is nothing to ask for.
"""

from __future__ import annotations

import os
import sys
from urllib.request import ProxyHandler, build_opener

TIMEOUT = 4.0  # seconds; the check itself has five


def main() -> int:
    """Return the exit code."""
    port = os.environ.get("MODWIRE_METRICS", "").rpartition(":")[2]
    if not port:
        return 0
    try:
        # A proxy of the environment could not reach this container.
        opener = build_opener(ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT) as answer:
            is_right = answer.read().startswith(b"# HELP modwire_info ")
    except OSError as error:
        sys.stderr.write(f"no answer at /metrics: {error}\n")
        return 1
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
