/**
 * The two ends of a channel within one thread, used like a worker's: each end receives what the other one sends.
 * Unlike a MessageChannel it passes objects that cannot be cloned, such as a canvas.
 */
export class LocalPort extends EventTarget {
  #other = null;

  /** @returns {[LocalPort, LocalPort]} */
  static pair() {
    const ends = /** @type {[LocalPort, LocalPort]} */ ([new LocalPort(), new LocalPort()]);
    ends[0].#other = ends[1];
    ends[1].#other = ends[0];
    return ends;
  }

  /** @param {object} message */
  postMessage(message) {
    this.#other.dispatchEvent(new MessageEvent('message', { data: message }));
  }
}
