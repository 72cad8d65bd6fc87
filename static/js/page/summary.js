/** The summary of all cameras in the top bar, and the page title. */
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

// Return a brief text for narrow screens, and the rest. It does not count live cameras, because one that is idle while
// out of sight is fine, too.
function summarize(count, problems, stopped) {
  if (count === 0) return ['', ''];
  if (problems.length > 0) {
    // Name them with their reasons, because some are on other pages.
    const each = problems.map(({ title, reason }) => `${inSentence(title)}, ${reason}`).join('; ');
    return [plural(problems.length, 'problem'), `: ${each}`];
  }
  return stopped > 0 ? [`${stopped} stopped`, ` of ${count}`] : [plural(count, 'camera'), ''];
}
