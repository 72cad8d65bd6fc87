"""Check a page for accessibility with axe-core."""

from typing import Any

from playwright.sync_api import Page

from tests.support.servers.server import ROOT

__all__ = ["faults"]

AXE = ROOT / "tests" / "vendor" / "axe.min.js"
SERIOUS = ("serious", "critical")

# Replaces hidden parts with empty elements, and returns a function that restores them. Nine in ten
# elements are hidden: axe walks through all of them for each rule and finds nothing. A part that a
# visible element refers to stays.
REMOVE_HIDDEN = """() => {
  const hidden = [];
  const texts = new Set();
  const others = new Set();
  const note = (names, one, ids) => {
    for (const name of names) {
      for (const id of one.getAttribute(`aria-${name}`)?.split(' ') ?? []) ids.add(id);
    }
  };
  const look = (parent) => {
    for (const one of parent.children) {
      if (one.matches('svg, select, script, template')) continue;
      if (!one.checkVisibility()) {
        hidden.push(one);
        continue;
      }
      note(['labelledby', 'describedby', 'details', 'errormessage'], one, texts);
      note(['controls', 'owns', 'activedescendant'], one, others);
      look(one);
    }
  };
  look(document.body);
  const isNamed = (one) => texts.has(one.id)
    || [...one.querySelectorAll('[id]')].some(({ id }) => texts.has(id) || others.has(id));
  const moved = hidden.filter((one) => !isNamed(one)).map((one) => [one, one.cloneNode(false)]);
  for (const [one, empty] of moved) one.replaceWith(empty);
  return () => {
    for (const [one, empty] of moved) empty.replaceWith(one);
  };
}"""

# Violations as [impact, rule, [selector, message]...]. Rules whose violations all have a lower
# impact would only cost time. Nothing else runs meanwhile: axe waits only for timers of 0 ms unless
# it reads style sheets, which one rule does.
RUN_AXE = f"""async ([within, tags, serious]) => {{
  const ids = [...document.querySelectorAll('[id]')].map(({{ id }}) => id);
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  const small = axe._audit.rules.filter(({{ impact }}) => !serious.includes(impact));
  const all = {{ rules: Object.fromEntries(small.map(({{ id }}) => [id, {{ enabled: false }}])) }};
  const some = {{ runOnly: {{ type: 'tag', values: tags }} }};
  const how = {{ resultTypes: ['violations'], preload: false, ...(tags ? some : all) }};
  const {{ setTimeout }} = window;
  window.setTimeout = (act, ms, ...more) => (
    ms === 0 ? queueMicrotask(act) : setTimeout(act, ms, ...more)
  );
  const putBack = ({REMOVE_HIDDEN})();
  const {{ violations }} = await axe.run(within, how).finally(() => {{
    putBack();
    window.setTimeout = setTimeout;
  }});
  return [...violations.map(({{ impact, id, nodes }}) => [
    impact, id, ...nodes.map(({{ target, failureSummary }}) => [target.join(' '), failureSummary]),
  ]), ...twice.map((id) => ['serious', 'duplicate-id', [`#${{id}}`, 'there are two']])];
}}"""


# The rule that reads style sheets: it checks that a page does not lock a phone's orientation.
RUN_ON_SHEETS = """async () => {
  const { violations } = await axe.run({ runOnly: ['css-orientation-lock'] });
  return violations.map(({ impact, id, nodes }) => [impact, id, ...nodes.map(({ html }) => html)]);
}"""


def faults(page: Page, where: str, within: str = "html") -> list[Any]:
    """Return axe-core's findings in the page as it is, light and dark, without minor ones.

    On a page that was checked before, ``within`` selects the new part.
    """
    found = []
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
        if within == "html":
            found += [[where, "any", *fault] for fault in page.evaluate(RUN_ON_SHEETS)]
    for scheme, tags in (("light", None), ("dark", ["cat.color"])):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += [
            [where, scheme, *fault]
            for fault in page.evaluate(RUN_AXE, [within, tags, SERIOUS])
            if fault[0] in SERIOUS
        ]
    return found
