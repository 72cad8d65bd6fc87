/**
 * One plot: title, newest value, the drawing, a legend with values, and a table of the same. uPlot draws it, only while
 * it is visible, and is loaded when the first plot becomes visible.
 */
import { UNKNOWN } from '../ui/format.js';
import { summarise } from './ring.js';
import { roundTop } from './scale.js';
import { make, setText } from '../ui/dom.js';

// Shortest time between descriptions: screen readers start again at each change.
const DESCRIBE_EVERY_MS = 5000;
const GRID_WIDTH = 1;
const LINE_WIDTH = 1.75;
const MAX_LABEL = 12;

// Each attempt uses another address: browsers never retry a module that failed to load.
let library = null;
let failures = 0;
const load = () => (library ??= fetchLibrary());

async function fetchLibrary() {
  const again = failures > 0 ? `?again=${failures}` : '';
  try {
    return (await import(`../../vendor/uPlot.esm.js${again}`)).default;
  } catch {
    failures += 1;
    library = null;
    return null;
  }
}

export class Plot {
  #chart;
  #spanS;
  #group;
  #parts;
  #series;
  #element;
  #uplot = null;
  #loading = false;
  /** @type {import('./ring.js').Row[]} */
  #rows = [];
  #visible = false;
  #described = -Infinity;
  #colours = null;

  /**
   * @param {import('./charts.js').Chart} chart
   * @param {number} spanS  Seconds shown.
   * @param {string} group  Plots of a group share the selected moment.
   * @param {HTMLTemplateElement} template
   */
  constructor(chart, spanS, group, template) {
    this.#chart = chart;
    this.#spanS = spanS;
    this.#group = group;
    this.#element = template.content.firstElementChild.cloneNode(true);
    const find = (selector) => this.#element.querySelector(selector);
    this.#parts = {
      value: find('.plot-value'),
      of: find('.plot-of'),
      drawing: find('.plot-drawing'),
      legend: find('.plot-legend'),
      rows: find('tbody'),
      caption: find('caption'),
      spoken: find('.plot-spoken'),
    };
    this.#element.dataset.shape = chart.shape ?? 'line';
    this.#element.toggleAttribute('data-single', chart.series.length === 1);
    this.#element.toggleAttribute('data-wide', chart.series.some(({ label }) => label.length > MAX_LABEL));
    find('.plot-title').textContent = chart.title;
    this.#parts.caption.textContent = `${chart.title}, the last ${spanText(spanS)}`;
    find('.plot-since').textContent = `${spanText(spanS)} ago`;
    this.#series = chart.series.map((series) => this.#build(series));
    this.#parts.drawing.addEventListener('keydown', (event) => this.#onKey(event));
    this.#parts.drawing.addEventListener('focus', () => this.#describe(true));
    this.#parts.drawing.addEventListener('blur', () => this.#select(null));
    new ResizeObserver(() => this.#fit()).observe(this.#parts.drawing);
  }

  get element() {
    return this.#element;
  }

  /** Set whether it is visible; if not, only the parts for screen readers are kept up to date. */
  setVisible(visible) {
    this.#visible = visible;
    if (visible) this.refresh();
  }

  /** Set the rows that the next refresh shows. @param {import('./ring.js').Row[]} rows  Oldest first. */
  setRows(rows) {
    this.#rows = rows;
  }

  /** Redraw in the new colours. */
  repaint() {
    this.#colours = null;
    if (this.#visible) this.refresh();
  }

  refresh() {
    const columns = this.#columns();
    for (const [index, series] of this.#series.entries()) {
      series.shown = !this.#chart.sparse || columns[index].some((value) => value > 0);
      series.item.hidden = !series.shown;
      series.row.hidden = !series.shown;
      series.summary = summarise(columns[index]);
    }
    const none = this.#chart.sparse === true && !this.#series.some(({ shown }) => shown);
    this.#element.toggleAttribute('data-none', none);
    this.#showValues(this.#uplot?.cursor.idx ?? null);
    this.#showTable();
    this.#describe(false);
    if (this.#visible && !none) this.#draw(columns);
  }

  #columns() {
    return this.#chart.series.map(({ key }) => this.#rows.map((row) => row[key] ?? null));
  }

  // The legend and the table.

  #build({ label, meaning, tone, dash, soft }) {
    const item = make('li');
    const value = make('span', 'plot-now');
    item.append(swatch(tone, dash, soft), document.createTextNode(label), value);
    if (meaning) item.title = meaning;
    this.#parts.legend.append(item);
    const row = make('tr');
    const head = make('th', '', label);
    head.scope = 'row';
    if (meaning) head.title = meaning;
    const cells = ['now', 'min', 'mean', 'max'].map(() => make('td'));
    row.append(head, ...cells);
    this.#parts.rows.append(row);
    return { label, item, row, cells, value, swatch: item.firstElementChild, shown: true, summary: null };
  }

  /** @param {number | null} index  Of the selected row; null for the newest. */
  #showValues(index) {
    const { format, head, of = '', none = '' } = this.#chart;
    const row = this.#rows.at(index ?? -1) ?? {};
    const read = (key) => (Number.isFinite(row[key]) ? format(row[key]) : UNKNOWN);
    const empty = this.#element.hasAttribute('data-none');
    setText(this.#parts.value, empty ? '' : read(head));
    const ago = index === null ? 0 : Math.round(this.#rows.at(-1).at - row.at);
    setText(this.#parts.of, empty ? none : ago > 0 ? `${ago} s ago` : of);
    this.#chart.series.forEach(({ key }, i) => setText(this.#series[i].value, read(key)));
  }

  #showTable() {
    // The style sheet decides whether the table is visible, so ask the layout.
    if (this.#parts.rows.offsetParent === null) return;
    const { format } = this.#chart;
    for (const { cells, summary } of this.#series) {
      ['now', 'min', 'mean', 'max'].forEach((key, i) => {
        const value = summary?.[key] ?? null;
        setText(cells[i], value === null ? UNKNOWN : format(value));
      });
    }
  }

  #describe(atOnce) {
    const now = performance.now();
    if (!atOnce && now - this.#described < DESCRIBE_EVERY_MS) return;
    this.#described = now;
    const { format, title } = this.#chart;
    const parts = this.#series
      .filter(({ shown, summary }) => shown && summary !== null)
      .map(({ label, summary: { now: newest, min, max } }) => {
        const last = newest === null ? 'unknown now' : `now ${format(newest)}`;
        return `${label} ${last}, from ${format(min)} to ${format(max)}`;
      });
    const text = `${title}, the last ${spanText(this.#spanS)}. ${parts.join('; ') || 'No data yet'}.`;
    this.#parts.drawing.setAttribute('aria-label', text);
  }

  // The drawing.

  async #draw(columns) {
    const { drawing } = this.#parts;
    if (this.#rows.length === 0 || drawing.clientWidth === 0) return;
    if (this.#uplot === null) {
      if (this.#loading) return;
      this.#loading = true;
      const UPlot = await load();
      this.#loading = false;
      // Disconnected; the next sample tries again.
      if (UPlot === null) return;
      this.#uplot = new UPlot(this.#options(UPlot), this.#data(this.#columns()), drawing);
      this.#fit();
      return;
    }
    const uplot = this.#uplot;
    uplot.batch(() => {
      this.#order().forEach((index, place) => {
        const { shown } = this.#series[index];
        if (uplot.series[place + 1].show !== shown) uplot.setSeries(place + 1, { show: shown });
      });
      uplot.setData(this.#data(columns));
    });
  }

  // A stack is drawn from the top, each area over the one above it.
  #order() {
    const order = this.#chart.series.map((_, index) => index);
    return this.#chart.shape === 'stack' ? order.reverse() : order;
  }

  #data(columns) {
    const values = this.#chart.shape === 'stack' ? stack(columns) : columns;
    return [this.#rows.map(({ at }) => at), ...this.#order().map((index) => values[index])];
  }

  #options(UPlot) {
    const { drawing } = this.#parts;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    // uPlot accepts only whole pixels.
    const font = `${Math.round(0.6875 * rem)}px ${getComputedStyle(drawing).fontFamily}`;
    const { leastTop, format, axis = format } = this.#chart;
    const quarters = (from, to) => [0, 1, 2, 3, 4].map((step) => from + (step * (to - from)) / 4);
    const grid = { stroke: () => this.#palette().grid, width: GRID_WIDTH };
    return {
      width: drawing.clientWidth,
      height: drawing.clientHeight,
      padding: [0.5 * rem, 0.25 * rem, 0.5 * rem, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        points: { show: false },
        sync: { key: this.#group, scales: ['x', null] },
      },
      scales: {
        x: { time: false, range: (_, min, max) => [max - this.#spanS, max] },
        y: { range: (_, min, max) => [0, roundTop(max, leastTop)] },
      },
      axes: [
        { size: 0, ticks: { show: false }, grid, splits: (_, i, min, max) => quarters(min, max), values: () => [] },
        {
          size: 3.25 * rem,
          gap: 0.375 * rem,
          font,
          stroke: () => this.#palette().text,
          ticks: { show: false },
          grid,
          splits: (_, i, min, max) => [0, max / 2, max],
          values: (_, splits) => splits.map((value) => (value === 0 ? '0' : axis(value))),
        },
      ],
      series: [{}, ...this.#order().map((index) => this.#line(index, UPlot))],
      hooks: { setCursor: [({ cursor }) => this.#showValues(cursor.idx ?? null)] },
    };
  }

  #line(index, UPlot) {
    const { dash, soft, width = LINE_WIDTH } = this.#chart.series[index];
    const { shape } = this.#chart;
    return {
      stroke: () => this.#palette()[soft ? 'areas' : 'lines'][index],
      fill: shape === 'stack' ? () => this.#palette().areas[index] : undefined,
      width,
      dash,
      paths: shape === 'step' ? UPlot.paths.stepped({ align: 1 }) : undefined,
      points: { show: false },
    };
  }

  // The style sheet's colours for the swatches, in a form that a canvas accepts.
  #palette() {
    if (this.#colours === null) {
      const drawing = getComputedStyle(this.#parts.drawing);
      const styles = this.#series.map(({ swatch: sample }) => getComputedStyle(sample));
      this.#colours = {
        text: drawing.color,
        grid: drawing.outlineColor,
        lines: styles.map(({ color }) => color),
        areas: styles.map(({ fill }) => fill),
      };
    }
    return this.#colours;
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.#parts.drawing;
    if (this.#uplot !== null && width > 0) this.#uplot.setSize({ width, height });
    else if (width > 0) this.refresh();
  }

  // Selecting a moment, by keyboard or mouse.

  #onKey(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
    const selected = this.#uplot?.cursor.idx ?? null;
    if (event.key === 'Escape' && selected !== null) this.#select(null);
    else if (by !== undefined && this.#uplot !== null) this.#step(selected, by);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #step(selected, by) {
    const last = this.#rows.length - 1;
    const index = Math.min(last, Math.max(0, (selected ?? last) + by));
    this.#select(index);
    const row = this.#rows[index];
    const values = this.#chart.series
      .filter((_, i) => this.#series[i].shown)
      .map(({ key, label }) => `${label} ${Number.isFinite(row[key]) ? this.#chart.format(row[key]) : 'unknown'}`);
    const ago = Math.round(this.#rows[last].at - row.at);
    setText(this.#parts.spoken, `${ago} s ago: ${values.join(', ')}`);
  }

  #select(index) {
    const uplot = this.#uplot;
    if (uplot === null) return;
    const left = index === null ? -10 : uplot.valToPos(this.#rows[index].at, 'x');
    uplot.setCursor({ left, top: index === null ? -10 : 1 });
  }
}

/**
 * Stack columns: each becomes the sum of itself and all before it. If the last one is unknown at a moment, all are;
 * any other unknown value counts as zero.
 */
function stack(columns) {
  const last = columns.at(-1);
  let below = last.map((value) => (value === null ? null : 0));
  return columns.map((column) => {
    below = below.map((sum, i) => (sum === null ? null : sum + (column[i] ?? 0)));
    return below;
  });
}

const SVG = 'http://www.w3.org/2000/svg';

function swatch(tone, dash, soft = false) {
  const element = document.createElementNS(SVG, 'svg');
  element.setAttribute('class', 'swatch');
  element.setAttribute('data-tone', String(tone));
  element.toggleAttribute('data-soft', soft);
  element.setAttribute('viewBox', '0 0 24 12');
  element.setAttribute('aria-hidden', 'true');
  const area = document.createElementNS(SVG, 'rect');
  for (const [name, value] of Object.entries({ class: 'swatch-area', y: 4, width: 24, height: 8 })) {
    area.setAttribute(name, String(value));
  }
  const line = document.createElementNS(SVG, 'line');
  for (const [name, value] of Object.entries({ x1: 0, x2: 24, y1: 6, y2: 6 })) line.setAttribute(name, String(value));
  if (dash) line.setAttribute('stroke-dasharray', dash.join(' '));
  element.append(area, line);
  return element;
}

function spanText(seconds) {
  return `${Math.round(seconds / 60)} minutes`;
}
