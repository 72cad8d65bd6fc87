/** The line at the foot of the page: how the server and the connection are doing. */
import { formatAge, formatBitrate, formatBytes, formatMs, formatPercent } from '../ui/format.js';
import { addTerm, make, setText } from '../ui/dom.js';

/** Each item: its label, what it means, and how it reads. */
const ITEMS = [
  ['CPU', 'Server process, in percent of one core', ({ process }) => formatPercent(process.cpu_percent)],
  ['Event-loop delay', 'How late the event loop is', ({ process }) => formatMs(process.hub_lag_ms)],
  ['Memory', 'Server process', ({ process }) => formatBytes(process.rss_bytes)],
  ['Up', 'Since the server started', ({ process }) => formatAge(process.uptime_s)],
  ['Receiving', 'All cameras on this page', ({ bytesPerSecond }) => formatBitrate(bytesPerSecond)],
  ['Round trip', 'To the server and back', ({ roundTripS }) => formatMs(roundTripS * 1000)],
];

export class Statusbar {
  #values;
  #process = {};

  /** @param {HTMLElement} element */
  constructor(element) {
    const list = make('dl');
    this.#values = ITEMS.map(([label, meaning, read]) => [addTerm(list, label, meaning), read]);
    element.append(list);
    // On a phone it scrolls sideways; the keyboard can scroll only what can have the focus.
    const observer = new ResizeObserver(() => {
      if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
      else element.removeAttribute('tabindex');
    });
    observer.observe(element);
    observer.observe(list);
    this.refresh({ bytesPerSecond: NaN, roundTripS: NaN });
  }

  /** @param {object | null} process  The `process` part of `stats`; null while disconnected. */
  setProcess(process) {
    this.#process = process ?? {};
  }

  /** @param {{bytesPerSecond: number, roundTripS: number}} own  What this page measured. */
  refresh(own) {
    for (const [value, read] of this.#values) setText(value, read({ ...own, process: this.#process }));
  }
}
