/** The dialog to rename, update, move and remove views, and to choose the one that opens at the start. */
import { setText } from '../ui/dom.js';
import { Toasts } from '../ui/toasts.js';
import { describeView } from './describe.js';

/** Event: `view` ({view}) to show a view. */
export class Organise extends EventTarget {
  #dialog;
  #saved;
  #page;
  #toasts;
  #template = document.querySelector('#organise-row-template');
  // Id of the view whose buttons are shown.
  #opened = '';

  /**
   * @param {HTMLDialogElement} dialog
   * @param {import('./saved.js').SavedViews} saved
   * @param {{query: () => string, titleOf: (name: string) => string}} page  What is shown now, and cameras' titles.
   */
  constructor(dialog, saved, page) {
    super();
    this.#dialog = dialog;
    this.#saved = saved;
    this.#page = page;
    this.#toasts = new Toasts(dialog.querySelector('[data-organise-toasts]'), document.querySelector('#toast-template'));
    dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close());
    dialog.addEventListener('click', (event) => this.#onClick(event));
    dialog.addEventListener('submit', (event) => this.#onSubmit(event));
    saved.addEventListener('change', () => dialog.open && this.#build());
  }

  open() {
    this.#opened = '';
    this.#build();
    this.#dialog.showModal();
    this.#dialog.querySelector('h2').focus();
  }

  #build() {
    const { activeElement } = document;
    const focused = activeElement?.closest('.organise-row')?.dataset.id;
    const part = ['[data-star]', '[data-more]', '[data-open]', ...ACTS].find((one) => activeElement?.matches(one));
    for (const kind of ['own', 'shared']) {
      const views = this.#saved[kind];
      const section = this.#dialog.querySelector(`[data-list="${kind}"]`);
      const mayChange = kind === 'own' || this.#saved.mayShare;
      section.hidden = views.length === 0;
      section.querySelector('ol').replaceChildren(
        ...views.map((view, at) => this.#buildRow(view, mayChange, at, views.length)),
      );
    }
    setText(this.#dialog.querySelector('[data-own-title]'), this.#saved.isKeptHere ? 'In this browser' : 'My views');
    this.#dialog.querySelector('[data-none]').hidden = this.#saved.all.length > 0;
    if (focused !== undefined) this.#focus(focused, part);
  }

  #buildRow(view, mayChange, at, count) {
    const row = this.#template.content.firstElementChild.cloneNode(true);
    row.dataset.id = view.id;
    setText(row.querySelector('[data-name]'), view.name);
    setText(row.querySelector('[data-about]'), describeView(view.query, this.#page.titleOf) || 'All cameras');
    row.querySelector('[data-open]').title = view.name;
    const star = row.querySelector('[data-star]');
    star.setAttribute('aria-pressed', String(this.#saved.default?.id === view.id));
    label(star, `Open ${view.name} when I open the page`);
    const more = row.querySelector('[data-more]');
    more.hidden = !mayChange;
    more.setAttribute('aria-expanded', String(this.#opened === view.id));
    label(more, `Change ${view.name}`);
    row.querySelector('[data-acts]').hidden = !mayChange || this.#opened !== view.id;
    row.querySelector('[data-act="up"]').disabled = at === 0;
    row.querySelector('[data-act="down"]').disabled = at === count - 1;
    row.querySelector('[data-act="update"]').disabled = view.query === this.#page.query();
    row.querySelector('[data-rename] input').setAttribute('aria-label', `New name of ${view.name}`);
    return row;
  }

  #focus(id, part) {
    const row = this.#dialog.querySelector(`.organise-row[data-id="${CSS.escape(id)}"]`);
    const target = row?.querySelector(`${part ?? '[data-open]'}:enabled`) ?? row?.querySelector('[data-more]');
    (target ?? this.#dialog.querySelector('h2')).focus();
  }

  #onClick(event) {
    if (event.target === this.#dialog) this.#dialog.close();
    const row = event.target.closest('.organise-row');
    const view = row && this.#saved.find(row.dataset.id);
    if (!view) return;
    if (event.target.closest('[data-open]')) {
      this.#dialog.close();
      this.dispatchEvent(new CustomEvent('view', { detail: { view } }));
    } else if (event.target.closest('[data-star]')) {
      const isDefault = this.#saved.default?.id === view.id;
      this.#do(view, this.#saved.chooseDefault(isDefault ? null : view), isDefault ? '' : `${view.name} opens at the start.`);
    } else if (event.target.closest('[data-more]')) {
      this.#opened = this.#opened === view.id ? '' : view.id;
      this.#build();
    } else this.#act(event.target.closest('[data-act]')?.dataset.act, view, row);
  }

  #act(action, view, row) {
    const list = this.#saved.isShared(view) ? this.#saved.shared : this.#saved.own;
    const at = list.findIndex(({ id }) => id === view.id);
    if (action === 'up' || action === 'down') {
      const to = at + (action === 'up' ? -1 : 1);
      this.#do(view, this.#saved.change(view, { at: to }), '');
      setText(this.#dialog.querySelector('[data-said]'), `${view.name}: ${to + 1} of ${list.length}`);
    } else if (action === 'update') {
      this.#do(view, this.#saved.change(view, { query: this.#page.query() }), `${view.name} was updated.`);
    } else if (action === 'remove') this.#remove(view, at);
    else if (action === 'rename') {
      const form = row.querySelector('[data-rename]');
      form.hidden = false;
      form.elements.name.value = view.name;
      form.elements.name.select();
    }
  }

  async #onSubmit(event) {
    event.preventDefault();
    const form = event.target;
    const view = this.#saved.find(form.closest('.organise-row').dataset.id);
    if (!view) return;
    const wrong = await this.#saved.change(view, { name: form.elements.name.value });
    setText(form.querySelector('[data-wrong]'), wrong);
    if (wrong) form.elements.name.focus();
    else this.#focus(view.id, '[data-act="rename"]');
  }

  async #remove(view, at) {
    const shared = this.#saved.isShared(view);
    const wrong = await this.#saved.remove(view);
    if (wrong) {
      this.#toasts.show(wrong, 'error');
      return;
    }
    this.#dialog.querySelector('h2').focus();
    const act = () => this.#do(view, this.#saved.add({ ...view, shared, at }), `${view.name} is back.`);
    this.#toasts.show(`${view.name} was removed.`, 'info', { stays: true, action: { word: 'Undo', act } });
  }

  async #do(view, doing, done) {
    const wrong = await doing;
    if (wrong) this.#toasts.show(`${view.name}: ${wrong}`, 'error');
    else if (done) this.#toasts.show(done);
  }
}

const ACTS = ['up', 'down', 'rename', 'update', 'remove'].map((act) => `[data-act="${act}"]`);

function label(button, text) {
  button.setAttribute('aria-label', text);
  button.title = text;
}
