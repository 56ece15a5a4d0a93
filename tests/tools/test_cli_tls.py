"""Commands that serve at `tls://`, and commands that go there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from modwire_command import COMMAND, good, modwire, started
from modwire_sync import connect
from secured import Plant

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP"),
]

TLS = "tls://127.0.0.1:0"
LISTENING = r"(tls://127.0.0.1:\d+)"


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(tmp_path)


def test_every_command_goes_to_a_server_over_tls(plant: Plant, tmp_path: Path) -> None:
    with started("serve", TLS, *plant.files, "--set", "hr:3=33") as server:
        place = server.read_until(f"serves {LISTENING}:")[1]
        endpoint = plant.at(place, plant.pki.client("operator"))
        assert good("read", endpoint, "hr:3") == "hr:3\t33\n"
        assert good("write", endpoint, "hr:0=5", "--verify")
        assert good("scan", endpoint, "--units", "1")
        assert good("bench", endpoint, "--requests", "3")
        copy = tmp_path / "copy.toml"
        assert modwire("scrape", endpoint, "-o", copy, "-u", "1", "--addresses", "0..9").code == 0
        assert f'ca = "{plant.pki.ca}"' in copy.read_text()
        device = tmp_path / "device.toml"
        query = endpoint.partition("?")[2].replace("%20", " ").split("&")
        lines = [f'endpoint = "{place}"', *('{} = "{}"'.format(*each.split("=")) for each in query)]
        device.write_text("[connection]\n" + "\n".join(lines))
        assert good("read", "--device", device, "hr:3") == "hr:3\t33\n"
        assert server.interrupt() == 130
    assert "Traceback" not in server.text


def test_rights_and_audit_of_a_server(plant: Plant) -> None:
    """A request that is denied is not executed, and not forgotten."""
    viewer, operator = plant.pki.client("viewer"), plant.pki.client("operator")
    with started("serve", TLS, *plant.options) as server:
        place = server.read_until(f"serves {LISTENING}:")[1]
        assert good("write", plant.at(place, operator), "hr:0=7")
        refused = modwire("write", plant.at(place, viewer), "hr:0=9")
        assert refused.code == 1
        assert "exception 01" in refused.err
        assert "the rights of the server do not allow it to the role" in refused.err
        assert good("read", plant.at(place, viewer), "hr:0") == "hr:0\t7\n"
        assert modwire("read", plant.at(place, plant.pki.client()), "hr:0").code == 1
        server.interrupt()
    events = [json.loads(line) for line in plant.audit.read_text().splitlines()]
    assert [(each["role"], each["function"], each["outcome"]) for each in events] == [
        ("operator", 6, "done"),
        ("viewer", 6, "denied"),
        (None, 3, "denied"),
    ]
    assert {each["subject"] for each in events} == {"CN=client,O=Plant"}


def test_plain_clients_have_rights_too(plant: Plant) -> None:
    """A second endpoint without TLS would otherwise be a way around them."""
    with started("serve", "tcp://127.0.0.1:0", "--rights", plant.rights) as server:
        place = server.read_until(r"serves (tcp://127.0.0.1:\d+):")[1]
        assert "exception 01" in modwire("read", place, "hr:0").err
        plant.rights.write_text(
            '[[no_role]]\nunits = "all"\naccess = "read"\ntables = "holding_registers"\n'
        )
        server.child.send_signal(signal.SIGHUP)
        server.read_until("were reloaded")
        assert good("read", place, "hr:0") == "hr:0\t0\n"
        assert modwire("write", place, "hr:0=1").code == 1


def test_a_hangup_puts_a_revoked_client_out_at_once(plant: Plant) -> None:
    bad, other = plant.pki.client("operator"), plant.pki.client("operator")
    with started("serve", TLS, *plant.options) as server:
        place = server.read_until(f"serves {LISTENING}:")[1]
        with connect(plant.at(place, bad), retries=0) as client:
            client.write_register(0, 1)
            plant.pki.revoke(bad)
            server.child.send_signal(signal.SIGHUP)
            server.read_until("certificates and rights were reloaded")
            result = modwire("write", plant.at(place, bad), "hr:0=2")
            assert result.code == 1
            assert "alert certificate_revoked about our certificate" in result.err
            assert "your certificate was revoked" in result.err
            with pytest.raises(Exception, match="certificate_revoked|closed|lost"):
                client.write_register(0, 3)
        assert good("read", plant.at(place, other), "hr:0") == "hr:0\t1\n"


def test_files_that_are_wrong_at_a_hangup_change_nothing(plant: Plant) -> None:
    operator = plant.pki.client("operator")
    with started("serve", TLS, *plant.options) as server:
        place = server.read_until(f"serves {LISTENING}:")[1]
        plant.rights.write_text("[[role.operator]]\nunits = 300\n")
        server.child.send_signal(signal.SIGHUP)
        said = server.read_until("nothing was reloaded: (.*)\n")[1]
        assert str(plant.rights) in said
        assert "role 'operator', rule 1" in said
        assert good("write", plant.at(place, operator), "hr:0=7")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
def test_a_terminal_that_is_closed_ends_it(plant: Plant) -> None:
    """Its SIGHUP is no wish to reload: nobody could end the server with Ctrl+C any more."""
    ours, theirs = os.openpty()
    words = [*COMMAND, "serve", "tcp://127.0.0.1:0", "--rights", str(plant.rights)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=theirs, stdout=pipe, stderr=pipe, text=True) as child:
        os.close(theirs)
        try:
            assert child.stderr is not None
            assert f"kill -HUP {child.pid} reads" in child.stderr.readline()
            child.send_signal(signal.SIGHUP)
            assert "were reloaded" in child.stderr.readline()
            os.close(ours)
            child.send_signal(signal.SIGHUP)
            assert child.wait(100) == 0
            assert child.stderr.read() == ""
        finally:
            child.kill()


def test_processes_reload_their_files(plant: Plant, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'plant.db'}"
    options = [*plant.files, "--crl", str(plant.crl), "--processes", "2", "--store", store]
    bad = plant.pki.client("operator")
    with started("serve", TLS, *options) as server:
        place = server.read_until(f"serves {LISTENING}:")[1]
        assert good("write", plant.at(place, bad), "hr:0=7")
        plant.pki.revoke(bad)
        server.child.send_signal(signal.SIGHUP)
        server.read_until("(?s)were reloaded.*were reloaded")
        for _ in range(4):
            assert "certificate_revoked" in modwire("read", plant.at(place, bad), "hr:0").err
        assert server.interrupt() == 130


def test_processes_write_one_audit(plant: Plant, tmp_path: Path) -> None:
    """Whichever process a connection goes to, its writes are in the same file."""
    store = f"sqlite:///{tmp_path / 'plant.db'}"
    operator = plant.pki.client("operator")
    with started("serve", TLS, *plant.options, "--processes", "2", "--store", store) as server:
        place = server.read_until(f"serves {LISTENING}:")[1]
        for value in range(12):
            with connect(plant.at(place, operator)) as client:
                client.write_register(0, value)
        assert server.interrupt() == 130
    found = [json.loads(line) for line in plant.audit.read_text().splitlines()]
    assert [int(each["pdu"], 16) & 0xFF for each in found] == list(range(12))


def test_a_gateway_over_tls_that_only_reads(plant: Plant) -> None:
    """Devices without TLS behind it, as at a machine that must not be changed from outside."""
    operator = plant.pki.client("operator")
    rights = ["--rights", str(plant.rights)]
    with started("serve", "tcp://127.0.0.1:0", "--set", "hr:0=5") as device:
        line = device.read_until(r"serves (tcp://127.0.0.1:\d+):")[1]
        gateway = ("gateway", TLS, f"{line}?timeout=20", *plant.files, *rights, "--read-only")
        with started(*gateway) as server:
            place = server.read_until(f"gateway at {LISTENING} leads")[1]
            assert good("read", plant.at(place, operator), "hr:0") == "hr:0\t5\n"
            assert "exception 01" in modwire("write", plant.at(place, operator), "hr:0=6").err
            assert "exception 01" in modwire("read", plant.at(place, operator), "ir:0").err
            assert server.interrupt() == 130
        assert good("read", line, "hr:0") == "hr:0\t5\n"


def test_a_simulated_device_over_tls(plant: Plant) -> None:
    viewer = plant.pki.client("viewer")
    with started("simulate", "--tls", "0", *plant.options) as server:
        place = server.read_until(LISTENING)[1]
        said = server.read_until(r"Try: (.*)\n")[1]
        assert (
            f'modwire read "{place}?ca=ca.pem&certificate=client.pem&key=client.key" ir:0' in said
        )
        assert good("read", plant.at(place, viewer), "hr:0").startswith("hr:0\t")
        assert "exception 01" in modwire("write", plant.at(place, viewer), "hr:0=6").err
        plant.pki.revoke(viewer)
        server.child.send_signal(signal.SIGHUP)
        server.read_until("were reloaded")
        assert "certificate_revoked" in modwire("read", plant.at(place, viewer), "hr:0").err
        assert server.interrupt() == 130
    assert '"outcome": "denied"' in plant.audit.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--certificate", "NO", "--client-ca", "CA"], "certificate NO cannot be read"),
        (["--certificate", "CERT", "--client-ca", "CA"], "it has a certificate and no key"),
        (["--certificate", "CERT", "--key", "KEY", "--client-ca", "KEY"], "client_ca KEY cannot"),
        (
            ["--certificate", "CERT", "--key", "KEY", "--client-ca", "CA", "--crl", "CA"],
            "crl CA cannot be used: it has no list of revoked certificates in PEM",
        ),
    ],
)
def test_files_of_a_server_that_cannot_be_used(plant: Plant, words: list[str], said: str) -> None:
    names = {
        "NO": "/no/such.pem",
        "CERT": str(plant.server.certificate),
        "KEY": str(plant.server.key),
        "CA": str(plant.pki.ca),
    }
    for name, path in names.items():
        said = said.replace(name, path)
    result = modwire("serve", TLS, *(names.get(each, each) for each in words))
    assert result.code == 1
    assert result.err.startswith("modwire: ")
    assert said in result.err
    assert result.err.count("\n") == 1
    assert "PRIVATE" not in result.err


def test_what_to_do_if_tls_fails(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> None:
    operator = plant.pki.client("operator")
    with started("serve", TLS, "tcp://127.0.0.1:0", *plant.files) as server:
        place, plain = server.read_until(rf"serves {LISTENING}, (tcp://127.0.0.1:\d+):").groups()
        right = plant.at(place, operator)
        stranger = Plant(tmp_path_factory.mktemp("stranger"), "Strangers")
        advice = {
            f"{place}?timeout=20": "as in ",
            plant.at(place): "the server asks for a certificate, as in ",
            plant.at(
                plain.replace("tcp:", "tls:"), operator
            ): "it may have no TLS at this port: try tcp://",
            f"{right}&server_hostname=other.example": "take a name of its certificate, as in ",
            stranger.at(place, operator): "ca must be the file of the authority",
            plant.at(place, stranger.pki.client("operator")): "the server trusts other authorities",
            f"{right}&pinned={'ab' * 32}": "add the new SHA-256 to pinned",
        }
        for endpoint, step in advice.items():
            result = modwire("read", endpoint, "hr:0")
            assert (result.out, result.code) == ("", 1), endpoint
            assert step in result.err
            assert "is the device on" not in result.err
            assert result.err.count("\n") == 1
