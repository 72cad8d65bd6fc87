/**
 * The window where admins change cameras and people: opens it, and shows one of its tabs. Each tab has a module of
 * its own.
 */

const PARAMETER = 'manage';

/** Events: `show` ({tab, element}) when a tab is shown; `close`. */
export class Manage extends EventTarget {
  #dialog;
  #tabs;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {Iterable<HTMLElement>} openers  Buttons that open it; `data-open-manage` may name a tab.
   */
  constructor(dialog, openers) {
    super();
    this.#dialog = dialog;
    this.#tabs = [...dialog.querySelectorAll('[role="tab"]')];
    for (const opener of openers) {
      opener.addEventListener('click', () => this.show(opener.dataset.openManage || this.tab));
    }
    for (const tab of this.#tabs) tab.addEventListener('click', () => this.show(tab.dataset.tab));
    dialog.querySelector('[role="tablist"]').addEventListener('keydown', (event) => this.#onKey(event));
    dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => {
      setLink(null);
      this.dispatchEvent(new CustomEvent('close'));
    });
  }

  /** The name of the selected tab, even while the window is closed. */
  get tab() {
    return this.#tabs.find((tab) => tab.ariaSelected === 'true').dataset.tab;
  }

  /** Open what the address names, if anything. Call it once the tabs' modules listen. */
  openLinked() {
    const named = new URLSearchParams(location.search).get(PARAMETER);
    if (named !== null) this.show(this.#tabs.some((tab) => tab.dataset.tab === named) ? named : this.tab);
  }

  /** Show a tab; opens the window if needed. @param {string} name */
  show(name) {
    for (const tab of this.#tabs) {
      const shown = tab.dataset.tab === name;
      tab.setAttribute('aria-selected', String(shown));
      tab.tabIndex = shown ? 0 : -1;
      this.#panel(tab).hidden = !shown;
    }
    if (!this.#dialog.open) {
      this.#dialog.showModal();
      this.#tabs.find((tab) => tab.dataset.tab === name).focus();
    }
    setLink(name);
    const element = this.#panel(this.#tabs.find((tab) => tab.dataset.tab === name));
    this.dispatchEvent(new CustomEvent('show', { detail: { tab: name, element } }));
  }

  #panel(tab) {
    return this.#dialog.querySelector(`#${tab.getAttribute('aria-controls')}`);
  }

  #onKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const { length } = this.#tabs;
    const index = this.#tabs.findIndex((tab) => tab.ariaSelected === 'true');
    const next = this.#tabs[(index + step + length) % length];
    this.show(next.dataset.tab);
    next.focus();
  }
}

function setLink(tab) {
  const query = new URLSearchParams(location.search);
  if (tab === null) query.delete(PARAMETER);
  else query.set(PARAMETER, tab);
  // A comma is allowed in a query, and is easier to read.
  const text = query.toString().replaceAll('%2C', ',');
  history.replaceState(history.state, '', location.pathname + (text && `?${text}`));
}
