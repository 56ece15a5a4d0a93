"""axe-core in a page that Selenium shows: finds what users of a screen reader would miss.

`selenium-axe-python` brings the script. Only that file is used: its Python code adds nothing here.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

# Every rule except the experimental ones, those of best practice too. axe-core leaves the contrast
# of single characters to the reader, but has computed it.
_RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations", "incomplete"]}).then((found) => {
  const isPale = ({any: [{data}]}) => data?.contrastRatio > 0
    && data.contrastRatio < parseFloat(data.expectedContrastRatio);
  const doubts = found.incomplete.filter(({id}) => id === "color-contrast")
    .map((rule) => ({...rule, nodes: rule.nodes.filter(isPale)}));
  const told = [];
  for (const {id, nodes} of [...found.violations, ...doubts]) {
    for (const {html, target, failureSummary} of nodes) {
      told.push(`${id}: ${target.join(" ")}: ${html.slice(0, 150)}: ${failureSummary}`);
    }
  }
  done({told, passed: found.passes.length});
}, (error) => done({told: [`axe-core failed: ${error}`], passed: 0}));
"""


@cache
def _script() -> str:
    return (files("selenium_axe_python") / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(driver: WebDriver) -> list[str]:
    """Return a sentence for each element of the shown page that breaks a rule."""
    driver.set_script_timeout(120)
    driver.execute_script(_script())
    found = driver.execute_async_script(_RUN)
    assert found["passed"] or found["told"], "axe-core has found nothing to check"
    return [str(each) for each in found["told"]]
