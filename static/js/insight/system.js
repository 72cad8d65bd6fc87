/** The drawer that shows the state of the server. */
import { SERVER_CHARTS } from './charts.js';
import { Drawer } from '../ui/drawer.js';
import { UNKNOWN, formatAge, formatBitrate, formatBytes, formatCount, formatMs, formatPercent } from '../ui/format.js';
import { Plots } from './plots.js';
import { SERVER_S } from './samples.js';
import { addTerm, setText, setTitle } from '../ui/dom.js';

/** For each figure, its label, its meaning, and a function that returns its text. */
const FIGURES = [
  ['CPU', 'In percent of one core', ({ process }) => formatPercent(process.cpu_percent)],
  ['Event-loop delay', 'Worst delay of the event loop in the last second', ({ process }) => formatMs(process.hub_lag_ms)],
  ['Memory', 'Resident', ({ process }) => formatBytes(process.rss_bytes)],
  ['Connections', 'Dashboards and other clients', ({ process }) => formatCount(process.connections)],
  ['Open files', 'Files, sockets and pipes', ({ process }) => formatCount(process.descriptors)],
  ['Hangs', 'Times the event loop hung for more than 2 s', ({ process }) => formatCount(process.hangs)],
  ['Round trip', 'From this page to the server and back', ({ roundTripS }) => formatMs(roundTripS * 1000)],
  ['Receiving', 'All cameras on this page', ({ kbps }) => formatBitrate((kbps * 1000) / 8)],
];

/** Texts for the reasons in `stats`. */
const REASONS = {
  bad_request: 'Malformed',
  unknown_camera: 'No such camera',
  forbidden: 'Not allowed',
  rate_limited: 'Too many events',
  unavailable: 'Not possible',
  unauthorized: 'Not logged in',
  evicted: 'No acknowledgements',
  flood: 'Too many messages',
  malformed: 'Malformed messages',
  400: 'Malformed requests',
  403: 'From other sites',
  421: 'For other hosts',
  429: 'Too many connections',
};

// The event loop sends every picture, so this delay affects them all.
const LATE_MS = 250;
// In percent of one core. Encoding uses other cores, so a high value is a fault only if the event loop is late too.
const FULL_PERCENT = 95;
const WAITING_MS = 30;

export class System {
  #drawer;
  #button;
  #clock;
  #samples;
  #parts;
  #figures;
  #plots;
  #process = {};
  #version = '';
  // Assumed until the first connection, so as not to report a fault at the start.
  #connected = true;

  /**
   * @param {HTMLElement} element
   * @param {HTMLButtonElement} button
   * @param {import('./samples.js').Samples} samples
   * @param {import('../stream/clock.js').ClockOffset} clock
   */
  constructor(element, button, samples, clock) {
    this.#samples = samples;
    this.#clock = clock;
    this.#button = button;
    this.#drawer = new Drawer(element, button);
    const find = (selector) => element.querySelector(selector);
    this.#parts = {
      about: find('[data-about]'),
      trouble: find('[data-system-trouble]'),
      refused: find('[data-refused]'),
    };
    this.#figures = FIGURES.map(([label, meaning, read]) => [addTerm(find('[data-figures]'), label, meaning), read]);
    this.#plots = new Plots(find('[data-plot-list]'), find('[data-as-table]'), SERVER_CHARTS, SERVER_S, 'server');
    this.#drawer.addEventListener('open', () => this.refresh());
  }

  toggle() {
    this.#drawer.toggle();
  }

  /** @param {string} version  The server's. */
  setVersion(version) {
    this.#version = version;
    this.#connected = true;
  }

  /** @param {object | null} process  The `process` part of `stats`; null while disconnected. */
  setProcess(process) {
    this.#connected = process !== null;
    // Keep the last figures, which are labelled as such.
    this.#process = process ?? this.#process;
    this.refresh();
  }

  refresh() {
    this.#showTrouble();
    if (!this.#drawer.open) return;
    const facts = {
      process: this.#process,
      roundTripS: this.#clock.roundTrip,
      kbps: this.#samples.server.newest?.kbps ?? NaN,
    };
    for (const [value, read] of this.#figures) setText(value, read(facts));
    const age = formatAge(this.#process.uptime_s);
    const version = this.#version ? `Porthole ${this.#version}` : 'Porthole';
    const about = this.#connected ? `${version}, up for ${age}` : `${version}. Disconnected; these are the last figures.`;
    setText(this.#parts.about, about);
    this.#showRejected();
    this.#plots.show(this.#samples.server.rows());
  }

  #showTrouble() {
    const trouble = serverTroubleOf(this.#process, this.#connected);
    const label = trouble ? `System: ${trouble}` : 'System';
    this.#button.toggleAttribute('data-trouble', trouble !== '');
    this.#button.setAttribute('aria-label', label);
    setTitle(this.#button, `${label}  i`);
    setText(this.#parts.trouble, trouble);
    this.#parts.trouble.hidden = trouble === '';
  }

  #showRejected() {
    const counts = Object.entries(this.#process.refused ?? {}).sort(([, one], [, other]) => other - one);
    const text = counts.map(([reason, count]) => `${REASONS[reason] ?? reason.replaceAll('_', ' ')}: ${formatCount(count)}`);
    setText(this.#parts.refused, text.join(', ') || (Object.keys(this.#process).length > 0 ? 'none' : UNKNOWN));
  }
}

/** Describe what is wrong with the server; empty if all is well. @param {object} process  From `stats`. */
export function serverTroubleOf({ cpu_percent: cpu, hub_lag_ms: lag }, connected) {
  if (!connected) return 'disconnected';
  if (cpu >= FULL_PERCENT && lag >= WAITING_MS) return 'the CPU is full';
  return lag >= LATE_MS ? 'the event loop is late' : '';
}
