"""A site whose page attacks the simulator's page in the browser that shows it."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ATTACK = """<!doctype html><title>attack</title><script>
const target = "http://127.0.0.1:%(port)d";
const body = JSON.stringify({address: 0, values: [1]});
const path = target + "/api/devices/0/units/1/tables/coils";
const attempts = [
  fetch(path, {method: "PUT", headers: {"content-type": "application/json"}, body}),
  fetch(path, {method: "PUT", body}),
  fetch(target + "/api/devices/0/stop", {method: "POST", mode: "no-cors", body: "{}"}),
  fetch(target + "/api").then((answer) => answer.text()),
  new Promise((resolve, reject) => {
    const socket = new WebSocket("ws://127.0.0.1:%(port)d/live");
    socket.onopen = resolve;
    socket.onerror = reject;
  }),
];
Promise.allSettled(attempts).then((ends) => {
  document.title = ends.map((end) => end.status[0]).join("");
});
</script>"""


@contextmanager
def attacking_site(port: int) -> Iterator[str]:
    """Serve the page during the block; yields its link. It attacks the server at `port`.

    The title of the page becomes one letter for each attempt: "r" for rejected, "f" for fulfilled.
    """
    text = (ATTACK % {"port": port}).encode()

    class Attacker(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments: object) -> None:
            pass

    # With threads, because browsers open connections in advance.
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Attacker) as site:
        serving = threading.Thread(target=site.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{site.server_port}/"
        finally:
            site.shutdown()
            serving.join()
