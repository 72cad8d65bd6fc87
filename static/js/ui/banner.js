/** The banner above the cameras that says what is wrong with the connection. */

const TEXTS = {
  gone: ['Disconnected.', 'The pictures below are the last ones received. Reconnecting.'],
  unreachable: ['The server cannot be reached.', 'Retrying.'],
  blocked: [
    'The WebSocket connection is blocked.',
    'Pictures come as plain MJPEG instead, and controls are disabled. ' +
      'A proxy in between probably needs to allow WebSocket.',
  ],
  refused: ['The server rejected the connection.', ''],
  quit: ['Porthole was shut down.', 'This page reconnects once it is started again on its machine.'],
};

export class Banner {
  #element;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {keyof TEXTS} kind @param {string} [detail] */
  show(kind, detail = '') {
    const [title, text] = TEXTS[kind];
    this.#element.dataset.kind = kind;
    this.#element.dataset.status = kind === 'blocked' ? 'stalled' : 'gone';
    this.#element.querySelector('[data-banner-title]').textContent = title;
    this.#element.querySelector('[data-banner-text]').textContent = detail || text;
    this.#element.hidden = false;
  }

  hide() {
    this.#element.hidden = true;
  }
}
