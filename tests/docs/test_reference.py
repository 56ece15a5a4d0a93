"""The pages of the reference are complete: no option, error, call or name is missing."""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

import modwire
from pages import PAGES, ROOT

sys.path.append(str(ROOT / "docs" / "_ext"))  # as docs/conf.py does

from docstrings import MODULES
from generated_parts import filled
from parts import PARTS

REFERENCE = ROOT / "docs" / "reference"
PACKAGES = [
    *MODULES,
    "modwire_sync",
    "modwire_asyncio",
    "modwire_trio",
    "modwire_gevent",
]
# Rooms of core, and of a package, of which pages name classes.
ROOMS = [
    "modwire.client.constructors",
    "modwire.client.turns",
    "modwire.gateway.devices",
    "modwire.serial_settings",
    "modwire.server.connection",
    "modwire.server.constructors",
    "modwire.server.datagrams",
    "modwire.server.execution",
    "modwire.server.line",
    "modwire_sync.sniffing",
]
# Pages that name classes of pymodbus, or settings of systemd.
OTHERS = (
    "from-pymodbus-2.md",
    "from-pymodbus-3.md",
    "payload-orders.md",
    "pymodbus-peers.md",
    "systemd.md",
)


def text_of(page: Path) -> str:
    """Return a page with its generated parts."""
    return filled(page.read_text(encoding="utf-8"))


def cells(text: str, heading: str) -> list[list[str]]:
    """Return the rows of the table whose first header cell is `heading`."""
    lines = text.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {heading} |")) + 2
    rows: list[list[str]] = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def first_cells(text: str, heading: str) -> list[str]:
    return [row[0].strip("`") for row in cells(text, heading)]


def test_every_generated_part_is_on_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {name for name in PARTS if f"<!-- generated: {name} -->" not in text} == set()


@pytest.mark.parametrize("module", PACKAGES)
def test_every_public_name_is_documented(module: str) -> None:
    """A name that is on no page is one that users do not find."""
    pages = [path.read_text(encoding="utf-8") for path in (REFERENCE / "api").glob("*.md")]
    documented = {
        name
        for text in pages
        for of, names in re.findall(r"<!-- api: ([\w.]+)((?:\s+\w+)+)\s*-->", text)
        if of == module
        for name in names.split()
    }
    # A hook that pytest calls, the version, and the name that asyncio and trio take from core.
    elsewhere = {"pytest_runtest_makereport", "__version__", "AsyncUnit"}
    if module == "modwire":
        text = "".join(pages)
        elsewhere |= set(
            re.findall(r"auto(?:class|function):: modwire\.(\w+)$", text, re.MULTILINE)
        )
    assert set(importlib.import_module(module).__all__) - elsewhere - documented == set()


def test_the_table_of_functions_has_every_call_and_every_code() -> None:
    rows = cells(text_of(REFERENCE / "functions.md"), "code")
    calls = {row[1].removeprefix("{py:obj}`").partition("(")[0] for row in rows}
    methods = {name for name in dir(modwire.BlockingCalls) if not name.startswith("_")}
    assert methods - calls == {"call"}
    codes = {row[0] for row in rows}
    for request in modwire.REQUESTS:
        code = f"{request.function_code}"
        if request.sub_code is not None:
            code += f"/{request.sub_code}"
        assert any(each == code or each.startswith(f"{code}/") for each in codes), code


def test_the_table_of_options_has_every_option_with_its_default() -> None:
    parameters = dict(inspect.signature(modwire.ClientOptions).parameters)
    text = text_of(REFERENCE / "client-options.md")
    rows = {row[0].strip("`"): row[1].strip("`") for row in cells(text, "option")}
    assert rows.keys() == parameters.keys()
    for name, shown in rows.items():
        default = parameters[name].default
        if name == "decoder":
            assert shown == "Decoder()"
        elif name == "quirks":
            assert shown == f"Quirks.{default.name or 'none'}"
        else:
            assert shown == repr(default), name
    assert set(first_cells(text, "quirk")) == set(modwire.Quirks.__members__) - {"none"}


def test_the_tables_of_servers_have_every_argument_and_option() -> None:
    from modwire_sync import SerialServer, TcpServer, UdpServer

    text = text_of(REFERENCE / "server-options.md")
    arguments = {row[0].strip("`"): row[1].strip("`") for row in cells(text, "argument")}
    options = {row[0].strip("`"): row[1].strip("`") for row in cells(text, "option")}
    tcp, udp = (dict(inspect.signature(kind).parameters) for kind in (TcpServer, UdpServer))
    assert arguments.keys() == {*tcp, *udp}
    for name, parameter in {**udp, **tcp}.items():
        shown = arguments[name].replace('"', "'")
        if name == "framing":
            assert shown == "TcpFraming"
        elif name != "units":
            assert shown == repr(parameter.default), name
    parameters = dict(inspect.signature(modwire.ServerOptions).parameters)
    assert options.keys() == parameters.keys()
    for name in inspect.signature(SerialServer).parameters:
        assert name == "port" or f"`{name}" in text, name


def test_the_table_of_errors_has_every_error() -> None:
    listed = re.findall(r"^\| \{py:obj\}`~modwire\.(\w+)`", PARTS["errors"](), re.MULTILINE)
    assert set(listed) == {name for name in modwire.__all__ if name.endswith("Error")}


def test_the_matrix_says_what_packages_have() -> None:
    rows = {row[0]: row[1:] for row in cells(PARTS["features"](), "feature")}
    assert rows["server over TCP"] == ["`TcpServer`", "`TcpServer`", "`serve_tcp`", "`TcpServer`"]
    assert rows["unit that is awaited"] == ["-", "`AsyncUnit`", "`AsyncUnit`", "-"]
    assert rows["sniffer on a serial line"] == ["`sniffing.SerialSniffer`"] * 4


def test_every_command_has_a_section() -> None:
    from modwire_command import good

    listed = re.findall(r"^## (\w+)$", PARTS["command"](), re.MULTILINE)
    commands = re.findall(r"^  (\w+)  ", good("--help").partition("Commands:")[2], re.MULTILINE)
    assert commands and listed == commands


def test_the_section_of_a_command_has_its_options_examples_and_exit_codes() -> None:
    from modwire_command import good

    for section in PARTS["command"]().split("\n## "):
        name = section.removeprefix("## ").partition("\n")[0]
        told = good(name, "--help")
        named = re.findall(r"^  (?:-\w, )?(--[\w-]+)", told, re.MULTILINE)
        rows = {row[0] for row in cells(section, "argument, option")}
        missing = {each for each in named if not any(each in row for row in rows)}
        assert missing == {"--help"}, name
        assert "Exit codes: 0 success; 1 " in section and f"\nmodwire {name}" in section


def test_every_class_that_a_page_names_exists() -> None:
    modules = [importlib.import_module(name) for name in [*PACKAGES, *ROOMS]]
    for page in PAGES:
        if page.name in OTHERS:
            continue
        for name in set(re.findall(r"`([A-Z][a-z]+[A-Z]\w+)\b", page.read_text(encoding="utf-8"))):
            known = any(hasattr(module, name) for module in modules)
            known = known or re.search(rf"\b(class {name}|def {name}|{name} =)", _code(page))
            assert known or hasattr(builtins, name), f"{page.name}: {name}"


def _code(page: Path) -> str:
    """Return the code of a page: it may define the names that it speaks of."""
    return "\n".join(re.findall(r"^```.*?^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE))


def test_the_links_of_pages_that_are_not_on_the_site_lead_somewhere() -> None:
    """Sphinx checks those of the site."""
    places = [page for page in PAGES if page.parent == ROOT]
    for page in [*places, ROOT / "benchmarks" / "README.md", ROOT / "fuzz" / "README.md"]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            is_there = target.startswith("https://") or (page.parent / target).exists()
            assert is_there, f"{page.name}: {target}"


def test_the_parts_of_the_adapter_kit_exist() -> None:
    text = (ROOT / "docs" / "how-to" / "embed.md").read_text(encoding="utf-8")
    for row in cells(text, "part of the kit"):
        for path in re.findall(r"`(modwire[.\w]+)`", row[0]):
            module, _, name = path.rpartition(".")
            found = importlib.import_module(module if name[0].isupper() else path)
            assert hasattr(found, name) or found.__name__ == path
