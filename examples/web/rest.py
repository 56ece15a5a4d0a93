"""REST over a server of one's own: start examples/web/server_with_page.py before."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

DEVICE = "http://127.0.0.1:8080/api/devices/0"
UNIT = f"{DEVICE}/units/1"


def ask(method: str, link: str, body: object = None) -> Any:
    """Return what the interface answers, and its sentence for a wrong request."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    try:
        with urlopen(Request(link, data, headers, method=method)) as response:
            return json.load(response)
    except HTTPError as error:
        with error:
            return json.load(error)["error"]


print(ask("GET", f"{UNIT}/tables/input_registers?address=0&count=3")["values"])
print(ask("PUT", f"{UNIT}/tables/holding_registers", {"address": 0, "values": [16, 41]})["values"])
print(ask("PUT", f"{UNIT}/tables/holding_registers", {"address": 1, "values": [101]}))
print(ask("GET", f"{UNIT}/identity")[0])
print(ask("GET", f"{UNIT}/counters")["server messages"])
print([event["type"] for event in ask("GET", f"{UNIT}/events")])
print(ask("DELETE", f"{UNIT}/events"))
print(ask("POST", f"{DEVICE}/networks", {"network": "192.168.0.0/16"})["networks"])
print(ask("DELETE", f"{DEVICE}/networks/192.168.0.0/16")["networks"])
print(ask("POST", f"{UNIT}/reset", {"values": True})["server messages"])
