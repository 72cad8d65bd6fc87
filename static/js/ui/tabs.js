/** Tabs: the Tab key reaches the selected one; arrows, Home and End select the others. */

export class Tabs {
  #tabs;

  /** @param {HTMLElement} list  The tab list; each tab names its panel in `aria-controls`. */
  constructor(list) {
    this.#tabs = [...list.querySelectorAll('[role="tab"]')];
    list.addEventListener('click', (event) => {
      const tab = event.target.closest('[role="tab"]');
      if (tab) this.#select(tab);
    });
    list.addEventListener('keydown', (event) => this.#onKey(event));
  }

  /** Show or hide a tab; if a hidden one was selected, select the first. @param {string} id @param {boolean} offered */
  offer(id, offered) {
    const tab = this.#tabs.find((one) => one.id === id);
    if (tab.hidden === !offered) return;
    tab.hidden = !offered;
    if (!offered && tab.ariaSelected === 'true') this.#select(this.#offered[0]);
  }

  get #offered() {
    return this.#tabs.filter((tab) => !tab.hidden);
  }

  #onKey(event) {
    const tabs = this.#offered;
    const at = tabs.indexOf(event.target);
    const last = tabs.length - 1;
    const to = { ArrowLeft: at > 0 ? at - 1 : last, ArrowRight: at < last ? at + 1 : 0, Home: 0, End: last }[event.key];
    if (at < 0 || to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.#select(tabs[to]);
    tabs[to].focus();
  }

  #select(selected) {
    for (const tab of this.#tabs) {
      const on = tab === selected;
      tab.setAttribute('aria-selected', String(on));
      tab.tabIndex = on ? 0 : -1;
      document.getElementById(tab.getAttribute('aria-controls')).hidden = !on;
    }
  }
}
