"""The site in a real browser: search, titles, no request to others, and no barrier by axe-core.

Chromium and chromedriver are Debian packages; where they are missing, the tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from axe_core import violations
from chromium import Browser, chromium, console, hosts, is_there, wait
from site_builder import built, served

if TYPE_CHECKING:
    from conftest import RequirePeer

# Pages of each kind are also looked at in dark mode and on a narrow screen.
KINDS = (
    "index.html",
    "start/first-device.html",
    "troubleshooting/timeout.html",
    "how-to/maps.html",
    "reference/client-options.html",
    "reference/api/framings.html",
    "topics/design.html",
    "search.html",
)
# These are all made by autodoc in one way, and are long: some of them stand for all.
SAMPLES = ("index", "calls", "errors", "framings", "testing")
pytestmark = pytest.mark.timeout(600)  # a busy machine takes a minute to build the site


@pytest.fixture(scope="module")
def site(
    require_peer: RequirePeer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    """The folder of the site, and its address."""
    require_peer("sphinx", find_spec("sphinx") is not None, "pip install -r requirements-docs.txt")
    folder = built(tmp_path_factory.getbasetemp().parent)
    with served(folder) as address:
        yield folder, address


@pytest.fixture
def browser(require_peer: RequirePeer) -> Iterator[Browser]:
    require_peer("chromium", is_there(), "apt-get install chromium chromium-driver")
    has_axe = find_spec("selenium_axe_python") is not None
    require_peer("axe-core", has_axe, "pip install selenium-axe-python")
    with chromium() as driver:
        yield Browser(driver)


def pages(folder: Path) -> list[str]:
    """Return the pages of the site, without those that only search and list."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))


def test_every_page_is_reached_and_has_a_title_of_its_own(site: tuple[Path, str]) -> None:
    folder, _ = site
    titles: dict[str, str] = {}
    for page in pages(folder):
        text = (folder / page).read_text(encoding="utf-8")
        title = text.partition("<title>")[2].partition("</title>")[0].partition(" - ")[0]
        assert title.strip(), page
        assert title not in titles, f"{page} and {titles.get(title)}: {title}"
        titles[title] = page
    assert len(titles) > 50


def test_the_search_finds_pages_and_names(site: tuple[Path, str], browser: Browser) -> None:
    _, address = site
    for words, page in {
        "swapped words": "troubleshooting/swapped-words.html",
        "read_holding_registers": "reference/api/calls.html",
        "suppress_echo": "troubleshooting/echo.html",
        "pymodbus payload": "how-to/payload-orders.html",
        "prometheus": "how-to/metrics.html",
    }.items():
        browser.open(f"{address}/search.html?q={words.replace(' ', '+')}")
        links = f'#search-results a[href*="{page}"]'
        wait(f"the search for {words} finds {page}", lambda links=links: browser.all(links))
    # From the field of a page, as a reader does it.
    browser.open(f"{address}/index.html")
    field = browser.one(".sidebar-search")
    field.send_keys("turnaround", "\n")
    browser.one('#search-results a[href*="client-options.html"]')
    assert console(browser.driver) == []
    assert hosts(browser.driver) == {address.partition("//")[2]}


def test_no_page_has_a_barrier_or_asks_another_machine(
    site: tuple[Path, str], browser: Browser
) -> None:
    folder, address = site
    found: dict[str, list[str]] = {}
    for page in pages(folder):
        browser.open(f"{address}/{page}")
        if page.startswith("reference/api/") and Path(page).stem not in SAMPLES:
            continue
        if told := violations(browser.driver):
            found[page] = told
    assert found == {}
    assert console(browser.driver) == []
    assert hosts(browser.driver) == {address.partition("//")[2]}


@pytest.mark.parametrize(("theme", "width"), [("dark", 1280), ("light", 390)])
def test_kinds_of_pages_have_no_barrier_in_any_look(
    site: tuple[Path, str], browser: Browser, theme: str, width: int
) -> None:
    _, address = site
    browser.open(f"{address}/index.html")
    browser.run(f"localStorage.setItem('theme', '{theme}')")
    browser.resize(width)
    found: dict[str, list[str]] = {}
    for page in KINDS:
        browser.open(f"{address}/{page}")
        assert browser.run("return document.body.dataset.theme") == theme
        if told := violations(browser.driver):
            found[page] = told
        overhang = browser.run(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert isinstance(overhang, int) and overhang <= 0, f"{page} is wider than the screen"
    assert found == {}
