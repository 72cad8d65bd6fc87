/** One line in the top bar about all cameras, and the title of the page. */
import { TROUBLE } from '../camera/condition.js';
import { setText, setTitle } from '../ui/dom.js';
import { inSentence, plural } from '../ui/format.js';

export class Summary {
  #element;
  #brief;
  #more;
  #grid;

  /** @param {HTMLElement} element @param {import('../grid/grid.js').Grid} grid */
  constructor(element, grid) {
    this.#element = element;
    this.#brief = element.querySelector('[data-summary-brief]');
    this.#more = element.querySelector('[data-summary-more]');
    this.#grid = grid;
  }

  /** @param {boolean} connected  Without a connection every camera would be a problem. */
  show(connected) {
    const tiles = [...this.#grid.tiles.values()];
    const problems = tiles.filter(({ condition }) => TROUBLE.has(condition));
    const stopped = tiles.filter(({ condition }) => condition === 'stopped' || condition === 'ended').length;
    const [brief, more] = summarize(tiles.length, connected ? problems : [], stopped);
    setText(this.#brief, brief);
    setText(this.#more, more);
    setTitle(this.#element, brief + more);
    this.#element.toggleAttribute('data-problems', connected && problems.length > 0);
    const { focused } = this.#grid;
    const subject = focused ? `${focused.title} – Porthole` : 'Porthole';
    document.title = problems.length > 0 ? `(${problems.length}) ${subject}` : subject;
  }
}

// In brief for a narrow screen, and what follows. A camera that is idle because nobody here sees it is fine, so the
// number of live ones would say little.
function summarize(count, problems, stopped) {
  if (count === 0) return ['', ''];
  if (problems.length > 0) {
    // Some are on other pages, so which ones and why is said here.
    const each = problems.map(({ title, reason }) => `${inSentence(title)}, ${reason}`).join('; ');
    return [plural(problems.length, 'problem'), `: ${each}`];
  }
  return stopped > 0 ? [`${stopped} stopped`, ` of ${count}`] : [plural(count, 'camera'), ''];
}
