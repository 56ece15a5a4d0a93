"""A program: the window of `modwire gui`, operated by lines on standard input.

test_gui_process.py starts it with a port. The lines are "start", "show POINT" and "close".
"""

from __future__ import annotations

import queue
import sys
import threading

from driven_window import cell, message
from modwire_tools.gui.setup import Setup
from modwire_tools.gui.window import Window


def main() -> None:
    window = Window(Setup(port=sys.argv[1]))
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)

    def obey() -> None:
        while not lines.empty():
            command, _, name = lines.get().strip().partition(" ")
            if command == "start":
                window.form.start_button.invoke()
            elif command == "show":
                value = cell(window.points.rows, name, 1)
                print(f"{window.session.state}|{value}|{message(window)}", flush=True)
            else:
                # As the close button of the window does.
                window.root.tk.eval(window.root.protocol("WM_DELETE_WINDOW"))
                return
        window.root.after(5, obey)

    threading.Thread(target=read, daemon=True).start()
    window.root.after(5, obey)
    window.run()
    print("closed", flush=True)


main()
