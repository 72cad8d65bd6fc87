/** A list of plots shown together, as drawings or as tables. */
import { recall, remember } from '../ui/preferences.js';
import { Plot } from './plot.js';
import { onTheme } from './scheme.js';

const NAME = 'plots';

export class Plots {
  #plots;
  #toggle;
  #list;

  /**
   * @param {HTMLElement} list
   * @param {HTMLButtonElement} toggle  Switches between drawings and tables.
   * @param {import('./charts.js').Chart[]} charts
   * @param {number} spanS  Seconds shown.
   * @param {string} group
   */
  constructor(list, toggle, charts, spanS, group) {
    const template = document.querySelector('#plot-template');
    this.#list = list;
    this.#toggle = toggle;
    this.#plots = new Map(charts.map((chart) => {
      const plot = new Plot(chart, spanS, group, template);
      return [plot.element, plot];
    }));
    list.append(...this.#plots.keys());
    // Elements that are hidden, in a closed <details>, or scrolled away do not intersect.
    const observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.#plots.get(target).setVisible(isIntersecting);
    });
    for (const element of this.#plots.keys()) observer.observe(element);
    onTheme(() => this.#each((plot) => plot.repaint()));
    toggle.addEventListener('click', () => {
      this.#showAs(list.dataset.as === 'table' ? 'plot' : 'table');
      remember(NAME, list.dataset.as);
    });
    this.#showAs(recall(NAME, (value) => (value === 'table' ? value : null), 'plot'));
  }

  /** @param {import('./ring.js').Row[]} rows  Oldest first. */
  show(rows) {
    this.#each((plot) => plot.setRows(rows));
    this.#refresh();
  }

  #showAs(as) {
    this.#list.dataset.as = as;
    this.#toggle.setAttribute('aria-pressed', String(as === 'table'));
    this.#refresh();
  }

  #refresh() {
    // In a closed drawer or <details> they are not seen and must cost nothing.
    if (this.#list.checkVisibility?.() ?? true) this.#each((plot) => plot.refresh());
  }

  #each(act) {
    this.#plots.forEach(act);
  }
}
