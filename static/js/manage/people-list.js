/** The lists of users, tokens and connections. */
import { make } from '../ui/dom.js';
import { formatWhen } from '../ui/format.js';

/**
 * @typedef {object} Account  A user or token, as the server describes it to admins.
 * @property {string} name
 * @property {'viewer' | 'operator' | 'admin'} role
 * @property {string[] | null} cameras  Null for all.
 * @property {boolean} [embed]
 * @property {boolean} [clips]   Whether an embed link may also save clips.
 */

/**
 * @typedef {object} Connection
 * @property {string | null} name  Null on a server without users.
 * @property {string} by
 * @property {string} address
 * @property {number} since  Unix seconds.
 * @property {string[]} watching
 */

const ROLES = { viewer: 'Viewer', operator: 'Operator', admin: 'Admin' };

/** Events: `open` ({account, kind}); `remove` ({account}) for a token. */
export class PeopleList extends EventTarget {
  #users;
  #tokens;
  #now;
  #add;
  #template = document.querySelector('#person-row-template');
  #shown = '';

  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.#users = element.querySelector('[data-users]');
    this.#tokens = element.querySelector('[data-tokens]');
    this.#now = element.querySelector('[data-now]');
    this.#add = element.querySelector('[data-add]');
  }

  /** @param {{you: string | null, users: Account[], tokens: Account[], connections: Connection[]}} people */
  show(people) {
    const shown = JSON.stringify(people);
    // Leave unchanged rows alone: they keep the keyboard focus and are not read aloud again.
    if (shown === this.#shown) return;
    this.#shown = shown;
    const focused = document.activeElement?.closest?.('.person-row')?.dataset.name;
    const on = groupByName(people.connections);
    this.#users.replaceChildren(...people.users.map((one) => this.#buildUser(one, on.get(one.name), people.you)));
    this.#tokens.replaceChildren(...people.tokens.map((one) => this.#buildToken(one, on.get(one.name))));
    this.#now.replaceChildren(...people.connections.map(buildConnection));
    for (const [list, words] of [[this.#users, ''], [this.#tokens, 'None.'], [this.#now, 'Nobody.']]) {
      if (list.children.length === 0 && words) list.append(make('li', 'managed-note', words));
    }
    if (focused !== undefined) this.focus(focused);
  }

  /** Put the keyboard focus on an account, or else on the button that adds one. @param {string} name */
  focus(name) {
    const rows = [...this.#users.children, ...this.#tokens.children];
    const row = rows.find((one) => one.dataset.name === name);
    (row?.querySelector('button:not([hidden], :disabled)') ?? this.#add).focus();
  }

  #buildUser(account, on, you) {
    const row = this.#build(account, on, ROLES[account.role]);
    if (account.name === you) row.querySelector('[data-name]').append(make('span', 'person-you', ' (you)'));
    row.querySelector('[data-open]').addEventListener('click', () => this.#emit('open', account, 'user'));
    return row;
  }

  #buildToken(account, on) {
    const row = this.#build(account, on, account.embed ? `Embed link${account.clips ? ' with clips' : ''}` : `${ROLES[account.role]} token`);
    row.querySelector('[data-open]').addEventListener('click', () => this.#emit('open', account, 'token'));
    const remove = row.querySelector('[data-row-remove]');
    remove.hidden = false;
    remove.title = `Remove ${account.name}`;
    remove.setAttribute('aria-label', remove.title);
    remove.addEventListener('click', () => this.#emit('remove', account));
    return row;
  }

  #build(account, on = [], role) {
    const row = this.#template.content.firstElementChild.cloneNode(true);
    row.dataset.name = account.name;
    row.querySelector('[data-name]').textContent = account.name;
    row.querySelector('[data-about]').textContent = account.cameras === null ? 'All cameras' : account.cameras.join(', ');
    row.querySelector('[data-role]').textContent = role;
    row.querySelector('[data-on]').hidden = on.length === 0;
    row.querySelector('[data-on-word]').textContent = on.length > 1 ? `Connected, ${on.length} times` : 'Connected';
    return row;
  }

  #emit(name, account, kind = 'token') {
    this.dispatchEvent(new CustomEvent(name, { detail: { account, kind } }));
  }
}

/** @param {Connection} connection @returns {string} */
export function describeConnection({ address, since, watching }) {
  const { time } = formatWhen(since);
  return `${address}, since ${time}, ${watching.length > 0 ? `watching ${watching.join(', ')}` : 'watching nothing'}`;
}

function buildConnection(connection) {
  const item = make('li', 'people-connection');
  item.append(make('strong', '', connection.name ?? 'Somebody'), make('span', '', describeConnection(connection)));
  return item;
}

function groupByName(connections) {
  const groups = new Map();
  for (const one of connections) groups.set(one.name, [...(groups.get(one.name) ?? []), one]);
  return groups;
}
