/** The strip of days: what each one holds, and which one is shown. */
import { formatLength } from '../ui/format.js';
import { make } from '../ui/dom.js';
import { addDays, countDay, dateOf } from './data.js';

const DAYS = 35;
const STEP = 28;
const WEEKDAY = new Intl.DateTimeFormat(undefined, { weekday: 'short' });
const MONTH = new Intl.DateTimeFormat(undefined, { month: 'short' });
const WHOLE = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

/** Events: `choose` ({day}); `range` ({days}) when the strip shows other days, whose counts are needed. */
export class DayStrip extends EventTarget {
  #strip;
  #steps;
  #today = '';
  #end = '';
  #day = '';
  #key = '';

  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.#strip = element.querySelector('[data-days-strip]');
    this.#steps = [...element.querySelectorAll('[data-days-step]')];
    for (const button of this.#steps) button.addEventListener('click', () => this.#turn(Number(button.dataset.daysStep)));
    this.#strip.addEventListener('click', ({ target }) => {
      const { day } = target.closest('[data-day]')?.dataset ?? {};
      if (day) this.#choose(day);
    });
    this.#strip.addEventListener('keydown', (event) => this.#onKey(event));
  }

  /** The days in the strip, oldest first. */
  get days() {
    return Array.from({ length: DAYS }, (_, index) => addDays(this.#end, index + 1 - DAYS));
  }

  /** @param {string} day  The shown day. @param {string} today */
  select(day, today) {
    const moved = day !== this.#day;
    this.#day = day;
    this.#today = today;
    if (this.#end === '' || day > this.#end) this.#end = day > today ? day : today;
    while (day < this.days[0]) this.#end = addDays(this.#end, -STEP);
    if (moved) this.dispatchEvent(new CustomEvent('range', { detail: { days: this.days } }));
  }

  /** @param {(day: string) => Record<string, object> | undefined} countsOf @param {string} camera  Empty for all. */
  render(countsOf, camera) {
    const counts = this.days.map((day) => countDay(countsOf(day), camera));
    const key = JSON.stringify([this.#day, this.#today, this.#end, counts]);
    if (key === this.#key) return;
    this.#key = key;
    const most = Math.max(1, ...counts.map(({ events }) => events));
    const hadFocus = this.#strip.contains(document.activeElement);
    this.#strip.replaceChildren(...this.days.map((day, index) => this.#build(day, counts[index], most)));
    const selected = this.#strip.querySelector('[aria-current]');
    if (hadFocus) selected?.focus({ preventScroll: true });
    // Not scrollIntoView, which would also scroll the page around the strip.
    if (selected) {
      const [strip, day] = [this.#strip, selected].map((element) => element.getBoundingClientRect());
      this.#strip.scrollLeft += day.left + day.width / 2 - (strip.left + strip.width / 2);
    }
    this.#steps[1].disabled = this.#end >= this.#today;
  }

  #build(day, { events, recordings, seconds }, most) {
    const date = dateOf(day);
    const item = make('li', 'day');
    const button = make('button', 'day-open');
    button.type = 'button';
    button.dataset.day = day;
    const isSelected = day === this.#day;
    if (isSelected) button.setAttribute('aria-current', 'date');
    button.tabIndex = isSelected ? 0 : -1;
    button.toggleAttribute('data-nothing', events + recordings === 0);
    button.toggleAttribute('data-recorded', recordings > 0);
    button.toggleAttribute('data-today', day === this.#today);
    button.disabled = day > this.#today;
    const isFirst = date.getDate() === 1 || day === this.days[0];
    const bar = make('span', 'day-bar');
    bar.style.setProperty('--share', String(events === 0 ? 0 : Math.max(0.15, Math.sqrt(events / most))));
    button.toggleAttribute('data-month', isFirst);
    const told = [`${events} event${events === 1 ? '' : 's'}`, seconds > 0 ? `${formatLength(seconds)} recorded` : 'nothing recorded'];
    button.append(
      make('span', 'day-week', isFirst ? MONTH.format(date) : WEEKDAY.format(date)),
      ' ',
      make('span', 'day-number', String(date.getDate())),
      bar,
      make('span', 'visually-hidden', `, ${WHOLE.format(date)}: ${told.join(', ')}`),
    );
    button.title = `${WHOLE.format(date)}\n${told.join(', ')}`;
    item.append(button);
    return item;
  }

  #turn(by) {
    const end = addDays(this.#end, by * STEP);
    this.#end = end > this.#today ? this.#today : end;
    this.dispatchEvent(new CustomEvent('range', { detail: { days: this.days } }));
  }

  #choose(day) {
    this.dispatchEvent(new CustomEvent('choose', { detail: { day } }));
  }

  #onKey(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -7, PageDown: 7 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const day = addDays(this.#day, by);
    if (day <= this.#today) this.#choose(day);
  }
}
