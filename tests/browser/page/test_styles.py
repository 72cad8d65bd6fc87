"""Changes that make a browser restyle the whole page, and which the page must avoid."""

from playwright.sync_api import Page

CHANGE_TEXT = """async () => {
  const { setText } = await import(new URL('static/js/ui/dom.js', document.baseURI));
  const part = document.createElement('p');
  const nodes = [];
  for (const text of ['one', 'two', '', 'three']) {
    setText(part, text);
    nodes.push([part.textContent, part.firstChild]);
  }
  part.replaceChildren('a', document.createElement('b'));
  setText(part, 'four');
  return [
    nodes.map(([text]) => text).concat(part.textContent),
    nodes[0][1] === nodes[1][1], part.childNodes.length,
  ];
}"""

FIT = """async () => {
  const { fitDrawers } = await import(new URL('static/js/ui/drawer.js', document.baseURI));
  const [bar, between, drawer] = ['div', 'div', 'div'].map((tag) => document.createElement(tag));
  bar.style.height = '50px';
  between.style.height = '100px';
  drawer.className = 'drawer';
  document.body.style.margin = '0';
  document.body.append(bar, between, drawer);
  const before = document.body.style.length;
  fitDrawers(between);
  await new Promise((resolve) => { new ResizeObserver(resolve).observe(between); });
  const inherited = document.body.style.length - before + document.documentElement.style.length;
  const top = drawer.style.getPropertyValue('--drawer-top');
  document.body.replaceChildren();
  document.body.removeAttribute('style');
  return [top, inherited];
}"""


def test_changing_text_keeps_its_node(blank: Page) -> None:
    """A text change reuses the text node.

    A new node for each figure used to restyle the page around it, several times a second.
    """
    texts, same, nodes = blank.evaluate(CHANGE_TEXT)

    assert texts == ["one", "two", "", "three", "four"]
    assert same
    assert nodes == 1


def test_drawer_position_is_set_on_drawers_only(blank: Page) -> None:
    """A drawer's position is set on the drawer itself.

    It used to be set on the body and inherited by the whole page, which was styled three times on
    load.
    """
    assert blank.evaluate(FIT) == ["50px", 0]
