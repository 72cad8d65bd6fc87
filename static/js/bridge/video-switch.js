/**
 * The switch beside the camera in focus that turns video on or off for all cameras; it is remembered. Where the browser
 * decodes video only on https, a note says what https would save.
 */
import { formatBitrate } from '../ui/format.js';
import { setText } from '../ui/dom.js';
import { recall, remember } from '../ui/preferences.js';

const NAME = 'video';

export class VideoSwitch {
  #element;
  #input;
  #note;
  // The answer is the same in a worker.
  #able = typeof VideoDecoder === 'function';

  /**
   * @param {HTMLElement} element
   * @param {import('./client.js').BackendClient} backend
   */
  constructor(element, backend) {
    this.#element = element;
    this.#input = element.querySelector('input');
    this.#note = element.querySelector('[data-video-note]');
    this.#input.checked = recall(NAME, (value) => (value === false ? value : null), true);
    this.#input.addEventListener('change', () => {
      remember(NAME, this.#input.checked ? null : false);
      backend.useVideo(this.#input.checked);
    });
    element.querySelector('label').hidden = !this.#able;
    backend.useVideo(this.#able && this.#input.checked);
  }

  /** Show the switch or note that fits a camera. @param {import('../grid/tile.js').Tile} tile */
  show({ state, viewer }) {
    const note = this.#noteFor(state.video, viewer);
    setText(this.#note, note);
    this.#note.hidden = note === '';
    this.#element.hidden = note === '' && !(this.#able && state.video);
  }

  #noteFor(video, viewer) {
    if (!video) return '';
    if (this.#able) return this.#input.checked ? (FAULTS[viewer.videoFault] ?? '') : '';
    if (window.isSecureContext || !video.passed_through) return '';
    const now = viewer.bytesPerSecond;
    const then = video.kbps * 125;
    const saved = now > then ? ` instead of ${formatBitrate(now)}` : '';
    const rate = then > 0 ? `: ${formatBitrate(then)}${saved}` : '';
    return `Over https, this picture could come as the camera’s own video${rate}.`;
  }
}

/** Why JPEG comes although video was requested. @type {Record<import('../painting/unit-decoder.js').VideoFault, string>} */
const FAULTS = {
  unsupported: 'JPEG, because this browser does not decode this camera’s video.',
  slow: 'JPEG for now: this browser decodes the video too slowly.',
  stuck: 'JPEG for now: this browser’s decoder returned no picture.',
  reclaimed: 'JPEG for now: this browser had no decoder to spare.',
  broken: 'JPEG for now: the video could not be decoded.',
  'no key': 'JPEG until the next key frame.',
};
