"""What axe-core finds on a page."""

from typing import Any

from playwright.sync_api import Page

from tests.support.servers.server import ROOT

__all__ = ["faults"]

AXE = ROOT / "tests" / "vendor" / "axe.min.js"
SERIOUS = ("serious", "critical")

# Violations as [impact, rule, [selector, what is wrong]...]. A rule of which all violations are of
# less impact would only cost time.
RUN_AXE = """async ([within, tags, serious]) => {
  const small = axe._audit.rules.filter(({ impact }) => !serious.includes(impact));
  const all = { rules: Object.fromEntries(small.map(({ id }) => [id, { enabled: false }])) };
  const some = { runOnly: { type: 'tag', values: tags } };
  const how = { resultTypes: ['violations'], ...(tags ? some : all) };
  const { violations } = await axe.run(within, how);
  return violations.map(({ impact, id, nodes }) => [
    impact, id, ...nodes.map(({ target, failureSummary }) => [target.join(' '), failureSummary]),
  ]);
}"""


def faults(page: Page, where: str, within: str = "html") -> list[Any]:
    """Return what axe-core finds in the page as it is, light and dark, beyond small things.

    A whole page takes over two seconds of CPU time. What is new on it is ``within`` a selector.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = []
    for scheme, tags in (("light", None), ("dark", ["cat.color"])):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += [
            [where, scheme, *fault]
            for fault in page.evaluate(RUN_AXE, [within, tags, SERIOUS])
            if fault[0] in SERIOUS
        ]
    return found
