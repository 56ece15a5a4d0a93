"""`modwire pki`: an authority, its certificates with roles, and a plant that uses them."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from modwire.tls import role_of
from modwire_command import Result, good, modwire, started
from modwire_tools.cli.completing import find

pytestmark = pytest.mark.timeout(300)

if importlib.util.find_spec("cryptography") is None:
    pytest.skip("to install it: pip install cryptography", allow_module_level=True)


def pki(*words: object) -> str:
    """Run `modwire pki`; return what it says."""
    result = modwire("pki", *words)
    assert result.code == 0, result.err
    return result.err


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    folder = tmp_path / "plant"
    pki("init", folder)
    return folder


def der(path: Path) -> bytes:
    text = path.read_text()
    end = "-----END CERTIFICATE-----\n"
    return ssl.PEM_cert_to_DER_cert(text[: text.index(end) + len(end)])


def days_of(found: dict[str, str]) -> float:
    """Return the days until a certificate ends."""
    ends = datetime.fromisoformat(found["ends"]).replace(tzinfo=timezone.utc)
    return (ends - datetime.now(timezone.utc)) / timedelta(days=1)


def shown(folder: Path, *words: str) -> dict[str, dict[str, str]]:
    return {
        each["name"]: each for each in json.loads(good("pki", "show", folder, *words, "--json"))
    }


def test_a_plant_is_tried_in_five_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pki("init", "plant")
    pki("issue", "plant", "plc", "--host", "localhost", "--host", "127.0.0.1")
    pki("issue", "plant", "alice", "--role", "operator")
    files = ("--certificate", "plant/plc.pem", "--key", "plant/plc.key")
    trusted = ("--client-ca", "plant/ca.pem", "--crl", "plant/crl.pem")
    with started("serve", "tls://127.0.0.1:0", *files, *trusted, "--set", "hr:0=5") as server:
        place = server.read_until(r"serves (tls://127.0.0.1:\d+):")[1]
        query = "ca=plant/ca.pem&certificate=plant/alice.pem&key=plant/alice.key&timeout=20"
        assert good("read", f"{place}?{query}", "hr:0") == "hr:0\t5\n"
        by_name = place.replace("127.0.0.1", "localhost")
        assert good("read", f"{by_name}?{query}", "hr:0") == "hr:0\t5\n"
        digits = shown(Path("plant"), "plc")["plc"]["sha256"]
        pinned = query.replace("ca=plant/ca.pem", f"pinned={digits}")
        assert good("read", f"{place}?{pinned}", "hr:0") == "hr:0\t5\n"
        if hasattr(os, "kill") and os.name == "posix":
            import signal

            pki("revoke", "plant", "alice")
            server.child.send_signal(signal.SIGHUP)
            server.read_until("were reloaded")
            assert "certificate_revoked" in modwire("read", f"{place}?{query}", "hr:0").err


@pytest.mark.parametrize(
    "role", ["operator", " Chief  Engineer ", "Übersicht", "y" * 130, "y" * 300]
)
def test_the_role_is_the_whole_text(plant: Path, role: str) -> None:
    pki("issue", plant, "alice", "--role", role)
    assert role_of(der(plant / "alice.pem")) == role
    assert shown(plant)["alice"]["role"] == role


def test_what_certificates_are_for(plant: Path) -> None:
    pki("issue", plant, "plc", "--host", "plc.example", "--host", "192.0.2.7", "--host", "fe80::1")
    pki("issue", plant, "guest")
    pki("issue", plant, "both", "--host", "both.example", "--role", "peer")
    found = shown(plant)
    assert list(found) == ["ca", "both", "guest", "plc"]
    assert found["plc"]["hosts"] == ["plc.example", "192.0.2.7", "fe80::1"]
    assert (found["plc"]["role"], found["guest"]["role"]) == (None, None)
    assert {each["state"] for each in found.values()} == {"valid"}
    server, client = bytes.fromhex("2b06010505070301"), bytes.fromhex("2b06010505070302")
    uses = {name: der(plant / f"{name}.pem") for name in ("plc", "guest", "both")}
    assert {name: (server in raw, client in raw) for name, raw in uses.items()} == {
        "plc": (True, False),
        "guest": (False, True),
        "both": (True, True),
    }


@pytest.mark.skipif(os.name != "posix", reason="there are no permissions of files")
def test_keys_can_be_read_by_their_owner_only(plant: Path) -> None:
    before = os.umask(0)
    try:
        pki("issue", plant, "alice")
    finally:
        os.umask(before)
    assert stat.S_IMODE(plant.stat().st_mode) == 0o700
    for name in ("ca.key", "alice.key"):
        assert stat.S_IMODE((plant / name).stat().st_mode) == 0o600
        assert "PRIVATE KEY" in (plant / name).read_text()
    assert "PRIVATE" not in (plant / "alice.pem").read_text()


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_nothing_is_overwritten(plant: Path, tmp_path: Path) -> None:
    pki("issue", plant, "alice", "--role", "operator")
    (plant / "bob.key").write_text("a key of somebody else")
    (plant / "carol.pem").symlink_to(tmp_path / "elsewhere")
    before = contents_without_link(plant)
    for words, name in (
        (("init", plant), "ca.pem"),
        (("issue", plant, "alice"), "alice.pem"),
        (("issue", plant, "bob"), "bob.key"),
        (("issue", plant, "carol"), "carol.pem"),
    ):
        result = modwire("pki", *words)
        assert result.code == 1
        assert result.err == f"modwire: {plant / name} exists already, and is not overwritten\n"
    assert contents_without_link(plant) == before
    assert not (tmp_path / "elsewhere").exists()


def contents_without_link(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if not each.is_symlink()}


def test_revoked_certificates_stay_revoked(plant: Path) -> None:
    for name in ("alice", "bob", "carol"):
        pki("issue", plant, name)
    said = pki("revoke", plant, "alice")
    assert f"alice is revoked; send SIGHUP to servers that have --crl {plant / 'crl.pem'}" in said
    pki("revoke", plant, str(plant / "bob.pem"))
    states = {name: each["state"] for name, each in shown(plant).items()}
    assert states == {"ca": "valid", "alice": "revoked", "bob": "revoked", "carol": "valid"}
    again = modwire("pki", "revoke", plant, "alice")
    assert (again.code, again.err) == (1, f"modwire: {plant / 'alice.pem'} is revoked already\n")
    assert [line.split("\t")[4] for line in good("pki", "show", plant).splitlines()] == [
        "valid",
        "revoked",
        "revoked",
        "valid",
    ]


def test_openssl_agrees(plant: Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("there is no openssl")
    pki("issue", plant, "plc", "--host", "plc.example")
    pki("issue", plant, "alice", "--role", "operator")
    pki("revoke", plant, "alice")

    def verified(name: str) -> str:
        command = [program, "verify", "-x509_strict", "-CAfile", plant / "ca.pem", "-crl_check"]
        command += ["-CRLfile", plant / "crl.pem", plant / f"{name}.pem"]
        ended = subprocess.run(command, capture_output=True, text=True)
        return ended.stdout + ended.stderr

    assert verified("plc").endswith(": OK\n")
    assert "certificate revoked" in verified("alice")


def test_how_long_certificates_are_valid(tmp_path: Path, plant: Path) -> None:
    pki("issue", plant, "long", "--days", "3000")
    pki("issue", plant, "usual")
    found = shown(plant)
    assert 3649 < days_of(found["ca"]) < 3651
    assert 2999 < days_of(found["long"]) < 3001
    assert 824 < days_of(found["usual"]) < 826
    short = tmp_path / "short"
    pki("init", short, "--days", "30", "--name", "Plant 7")
    pki("issue", short, "alice")
    assert 29 < days_of(shown(short)["alice"]) < 31
    result = modwire("pki", "issue", short, "bob", "--days", "31")
    assert result.code == 1
    assert "no other can be valid for 31 days" in result.err
    assert not (short / "bob.key").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("issue FOLDER a --role=", 2, "a role must be a text of 1..1000 bytes that can be printed"),
        ("issue FOLDER a --role x\0", 2, "a role must be a text of 1..1000 bytes"),
        ("issue FOLDER a --host plc:802", 2, "a host must be a name such as plc.example, or an"),
        ("issue FOLDER a --host 192.0.2", 2, "a host must be a name such as plc.example, or an"),
        ("issue FOLDER a --host=", 2, "a host must be a name such as plc.example, or an"),
        ("issue FOLDER a --days 0", 2, "--days must be a whole number, 1..36500, got '0'"),
        ("issue FOLDER ca", 1, "a name must be letters, digits and - _ . and not ca or crl"),
        ("issue FOLDER ../a", 1, "a name must be letters, digits and - _ . and not ca or crl"),
        ("issue FOLDER .a", 1, "a name must begin with a letter or a digit, got '.a'"),
        ("issue FOLDER " + "a" * 65, 1, "a name must have 1..64 characters"),
        ("issue FOLDER", 2, "missing argument 'NAME'"),
        ("issue NOTHING a", 1, "NOTHING has no authority: modwire pki init NOTHING makes one"),
        ("revoke FOLDER nobody", 1, "nobody.pem: No such file or directory"),
        ("revoke FOLDER ca", 1, "ca.pem is the certificate of the authority itself"),
        ("show FOLDER nobody", 1, "nobody.pem: No such file or directory"),
        ("init FOLDER/a/b", 1, "b: No such file or directory"),
        ("isue FOLDER a", 2, "no such command 'isue', did you mean 'issue'?"),
    ],
)
def test_mistakes(plant: Path, tmp_path: Path, words: str, code: int, said: str) -> None:
    nothing = str(tmp_path / "nothing")
    before = contents(plant)
    texts = [
        each.replace("FOLDER", str(plant)).replace("NOTHING", nothing) for each in words.split(" ")
    ]
    result = modwire("pki", *texts)
    assert (result.code, result.out) == (code, "")
    assert said.replace("NOTHING", nothing) in result.err
    assert result.err.count("\n") == 1
    assert contents(plant) == before


def damaged(folder: Path) -> Iterator[tuple[str, str]]:
    """Damage one file after the other; yield its name, and the words of the error."""
    other = folder.parent / "other"
    pki("init", other, "--name", "Other")
    for name, said in (
        ("ca.key", "is not the key of"),
        ("crl.pem", "is not signed by"),
        ("ca.pem", "is not the key of"),
    ):
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes((other / name).read_bytes())
        yield name, said
        (folder / name).write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n")
        yield name, "cannot be read: it is damaged, or no PEM"
        (folder / name).write_bytes(kept)


def test_files_of_an_authority_that_do_not_fit(plant: Path) -> None:
    pki("issue", plant, "alice")
    for name, said in damaged(plant):
        before = contents(plant)
        for words in (("issue", plant, "bob"), ("revoke", plant, "alice"), ("show", plant)):
            result: Result = modwire("pki", *words)
            assert result.code == 1, name
            assert said in result.err
            assert "PRIVATE" not in result.err
        assert contents(plant) == before
    other = plant.parent / "other"
    pki("issue", other, "mallory")
    result = modwire("pki", "revoke", plant, other / "mallory.pem")
    assert "was not issued by" in result.err


def test_a_list_that_cannot_be_written_keeps_the_old_one(
    plant: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pki("issue", plant, "alice")
    before = contents(plant)

    def fail(path: object, to: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    result = modwire("pki", "revoke", plant, "alice")
    assert result.code == 1
    assert "No space left on device" in result.err
    assert contents(plant) == before


def test_the_command_alone_shows_what_there_is() -> None:
    out = good("pki")
    assert out == good("pki", "--help")
    for name in ("init", "issue", "revoke", "show"):
        assert f"  {name} " in out
        assert f"Usage: modwire pki {name} " in good("pki", name, "--help")


def test_completion_goes_into_subcommands() -> None:
    assert [value for value, _ in find(["pki"], "re").values] == ["revoke"]
    found = [value for value, _ in find(["pki", "issue", "plant"], "--").values]
    assert {"--role", "--host", "--days"} <= set(found)


def test_the_extra_is_named_if_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    for name in [each for each in sys.modules if each.startswith("modwire_tools.pki")]:
        monkeypatch.delitem(sys.modules, name)
    for words in (("init", tmp_path / "x"), ("show", tmp_path), ("issue", tmp_path, "a")):
        result = modwire("pki", *words)
        assert (result.code, result.err) == (
            1,
            'modwire: modwire pki needs more packages: pip install "modwire-tools[pki]"\n',
        )
    assert list(tmp_path.iterdir()) == []
