"""Keys with a password in every command: read from a file, never asked for, never shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from modwire_command import COMMAND, PATIENCE, Started, good, modwire, started
from plant_pki import Issued
from secret_texts import PASSWORD, check_hidden
from secured import Plant

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name != "posix", reason="there are no pseudo-terminals"),
]

TLS = "tls://127.0.0.1:0"
LISTENING = r"(tls://127.0.0.1:\d+)"
# A session of its own, whose terminal it is: OpenSSL would ask there.
ON_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Locked(Plant):
    """A plant whose keys have a password, which is in a file; another file has a wrong one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = self.pki.server(password=PASSWORD.encode())
        self.operator = self.pki.client("operator", password=PASSWORD.encode())
        self.password, self.wrong = folder / "password", folder / "wrong"
        self.password.write_text(f"{PASSWORD}\nanother line\n")
        self.wrong.write_text(f"{PASSWORD}!\n")

    @property
    def files(self) -> list[str]:
        return [*super().files, "--key-password-file", str(self.password)]

    def at(self, endpoint: str, issued: Issued | None = None) -> str:
        found = super().at(endpoint, issued)
        return found if issued is None else f"{found}&password_file={quote(str(self.password))}"

    def check_hidden(self, *shown: str) -> None:
        check_hidden(" ".join(shown), self.server.key, self.operator.key)


@pytest.fixture
def plant(tmp_path: Path) -> Locked:
    return Locked(tmp_path)


def test_all_commands_take_it_from_a_file(plant: Locked, tmp_path: Path) -> None:
    with started("serve", TLS, *plant.options, "-v") as server:
        place = server.read_until(f"serves {LISTENING}:")[1]
        endpoint = plant.at(place, plant.operator)
        shown = [good("write", endpoint, "hr:0=5")]
        shown += [good("read", endpoint, "hr:0")]
        assert shown[-1] == "hr:0\t5\n"
        verbose = modwire("read", endpoint, "hr:0", "-v")
        shown += [verbose.err, good("bench", endpoint, "--requests", "3")]
        shown += [good("scan", endpoint, "--units", "1")]
        copy = tmp_path / "copy.toml"
        result = modwire("scrape", endpoint, "-o", copy, "-u", "1", "--addresses", "0..9")
        assert result.code == 0
        assert f'password_file = "{plant.password}"' in copy.read_text()
        shown += [result.err, copy.read_text()]
        device = tmp_path / "device.toml"
        device.write_text(f'[connection]\nendpoint = "{endpoint}"\n')
        assert good("read", "--device", device, "hr:0") == "hr:0\t5\n"
        with started("gateway", TLS, endpoint, *plant.files, "-v") as gateway:
            front = gateway.read_until(f"gateway at {LISTENING} leads")[1]
            assert good("read", plant.at(front, plant.operator), "hr:0") == "hr:0\t5\n"
            assert gateway.interrupt() == 130
        assert server.interrupt() == 130
    plant.check_hidden(*shown, server.text, gateway.text, plant.audit.read_text())


def test_a_simulator_and_its_page_take_it_from_files(plant: Locked) -> None:
    own = ["--web", "127.0.0.1:0", "--web-certificate", str(plant.server.certificate)]
    own += ["--web-key", str(plant.server.key), "--web-key-password-file", str(plant.password)]
    with started("simulate", "--tls", "0", *plant.files, *own) as server:
        place = server.read_until(LISTENING)[1]
        server.read_until("Page: https://")
        assert good("read", plant.at(place, plant.operator), "ir:0").startswith("ir:0\t")
        assert server.interrupt() == 130
    plant.check_hidden(server.text)


def test_a_new_key_with_a_new_password_is_reloaded(plant: Locked) -> None:
    import signal

    certificate, key, password = (
        plant.server.certificate,
        plant.server.key,
        plant.password,
    )
    with started("serve", TLS, *plant.files) as server:
        place = server.read_until(f"serves {LISTENING}:")[1]
        operator = plant.pki.client("operator")
        free = Plant.at(plant, place, operator)
        other = plant.pki.server(password=b"another secret")
        certificate.write_bytes(other.certificate.read_bytes())
        key.write_bytes(other.key.read_bytes())
        server.child.send_signal(signal.SIGHUP)
        server.read_until("nothing was reloaded: key .*: the password is wrong")
        assert good("read", free, "hr:0") == "hr:0\t0\n"
        password.write_text("another secret")
        server.child.send_signal(signal.SIGHUP)
        server.read_until("certificates and rights were reloaded")
        assert good("read", free, "hr:0") == "hr:0\t0\n"
        assert server.interrupt() == 130
    assert "another secret" not in server.text


def on_terminal(*words: object) -> tuple[str, int]:
    """Run a command on a terminal where nobody types; return what it shows, and its code."""
    ours, theirs = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, *COMMAND, *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    try:
        running = Started(child, ours)
        code = running.wait()
        return " ".join(running.text.split()), code
    finally:
        child.kill()
        child.wait(PATIENCE)
        os.close(ours)


CERT, KEY = ("--certificate", "CERT"), ("--key", "KEY")
SERVE = ("serve", TLS, *CERT, *KEY, "--client-ca", "CA")
PAGE = ("simulate", "--tcp", "0", "--web", "127.0.0.1:0", "--web-certificate", "CERT")
CLIENT = "tls://127.0.0.1:1?ca=CA&certificate=CERT&key=KEY"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (SERVE, "key KEY is encrypted: --key-password-file is missing"),
        (
            (*SERVE, "--key-password-file", "WRONG"),
            "KEY, certificate CERT cannot be used: the pass",
        ),
        ((*SERVE, "--key-password-file", "NO"), "--key-password-file NO cannot be used: No such"),
        (
            (*SERVE, "--key-password-file", "/dev/null"),
            "--key-password-file /dev/null cannot be used: its first line, the password, must have",
        ),
        (("simulate", "--tls", "0", *SERVE[2:]), "is encrypted: --key-password-file is missing"),
        (
            ("gateway", TLS, "tcp://127.0.0.1:1", *SERVE[2:]),
            "is encrypted: --key-password-file is missing",
        ),
        ((*PAGE, "--web-key", "KEY"), "is encrypted: --web-key-password-file is missing"),
        (
            (*PAGE, "--web-key", "KEY", "--web-key-password-file", "WRONG"),
            "the password is wrong, or the key is damaged",
        ),
        (("read", CLIENT, "hr:0"), "key KEY is encrypted: give its password, or password_file; as"),
        (("write", CLIENT, "hr:0=1"), "password_file=client.password"),
        (("scan", CLIENT), "key KEY is encrypted: give its password, or password_file"),
        (("bench", CLIENT, "--requests", "1"), "key KEY is encrypted: give its password, or"),
        (("gateway", "tcp://127.0.0.1:0", CLIENT), "key KEY is encrypted: give its password, or"),
        (("read", f"{CLIENT}&password_file=WRONG", "hr:0"), "the password is wrong, or the key is"),
        (
            ("read", f"{CLIENT}&password_file=NO", "hr:0"),
            "password_file NO cannot be used: No such",
        ),
    ],
)
def test_nobody_is_asked_at_the_terminal(plant: Locked, words: tuple[str, ...], said: str) -> None:
    """A service would wait there for ever. One sentence says what is missing, or wrong."""
    places = {
        "WRONG": plant.wrong,
        "CERT": plant.server.certificate,
        "KEY": plant.server.key,
        "CA": plant.pki.ca,
        "NO": "/no/such",
    }

    def filled(text: str) -> str:
        return re.sub("|".join(places), lambda found: str(places[found[0]]), text)

    shown, code = on_terminal(*map(filled, words))
    assert filled(said) in shown
    assert code == 1
    assert shown.count("modwire: ") == 1
    assert "pass phrase" not in shown.lower()
    assert "Traceback" not in shown
    plant.check_hidden(shown)


def test_keys_of_an_authority_are_encrypted(plant: Locked, tmp_path: Path) -> None:
    """Its own, and those that it issues; a list of certificates needs none of them."""
    folder, given = tmp_path / "authority", ("--password-file", plant.password)
    shown = [modwire("pki", "init", folder, *given).err]
    issue = ("pki", "issue", folder, "plc", "--host", "127.0.0.1")
    for words, said in (
        (issue, "ca.key is encrypted: --password-file is missing"),
        ((*issue, "--password-file", plant.wrong), "cannot be read: its password is wrong, or it"),
        ((*issue, "--password-file", "/no/such"), "--password-file /no/such cannot be used: No"),
        ((*issue, "--key-password-file", "/no/such", *given), "--key-password-file /no/such"),
        (("pki", "revoke", folder, "plc"), "plc.pem: No such file"),
    ):
        text, code = on_terminal(*words)
        assert said in text
        assert code == 1
        shown.append(text)
    assert not (folder / "plc.key").exists()
    result = modwire(*issue, *given, "--key-password-file", plant.password)
    assert result.code == 0
    for name in ("ca", "plc"):
        assert "BEGIN ENCRYPTED PRIVATE KEY" in (folder / f"{name}.key").read_text()
        assert (folder / f"{name}.key").stat().st_mode & 0o077 == 0
    assert "--password-file is missing" in modwire("pki", "revoke", folder, "plc").err
    shown += [result.err, good("pki", "show", folder)]
    assert "valid" in shown[-1]
    options = ["--certificate", folder / "plc.pem", "--key", folder / "plc.key"]
    options += ["--client-ca", plant.pki.ca, "--key-password-file", plant.password]
    with started("serve", TLS, *options) as server:
        server.read_until("serves tls://")
        assert server.interrupt() == 130
    assert modwire("pki", "revoke", folder, "plc", *given).code == 0
    assert "revoked" in good("pki", "show", folder)
    check_hidden(" ".join([*shown, server.text]), folder / "ca.key", folder / "plc.key")


def test_the_key_for_a_broker_of_a_poller(
    plant: Locked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("paho.mqtt.client", reason="to install it: pip install paho-mqtt")
    device = '[connection]\nendpoint = "tcp://192.0.2.7"\n[[unit]]\nid = 1\n'
    device += '[[unit.point]]\nname = "level"\nat = "hr:0"\ntype = "uint16"\n'
    (tmp_path / "meter.toml").write_text(device)
    issued = plant.operator
    lines = [
        '[[device]]\nname = "m"\nfile = "meter.toml"\ninterval = "1s"\n[[sink]]\nmqtt = "mqtts://127.0.0.1"',
        f'ca = "{plant.pki.ca}"\ncertificate = "{issued.certificate}"\nkey = "{issued.key}"',
        'key_password = "${KEY_PASSWORD}"\n',
    ]
    file = tmp_path / "plant.toml"
    file.write_text("\n".join(lines[:2]))
    without, code = on_terminal("poll", "check", file)
    assert code == 2
    assert f"certificate: key {issued.key} is encrypted: give its key_password" in without
    assert "pass phrase" not in without.lower()
    file.write_text("\n".join(lines))
    monkeypatch.setenv("KEY_PASSWORD", f"{PASSWORD}!")
    wrong, code = on_terminal("poll", "check", file)
    assert code == 2
    assert "cannot be used: the password is wrong" in wrong
    monkeypatch.setenv("KEY_PASSWORD", PASSWORD)
    right = modwire("poll", "check", file)
    assert right.code == 0
    plant.check_hidden(without, wrong, right.out, right.err)
