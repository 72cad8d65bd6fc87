/**
 * Saves a part of a camera's past as a file: immediately if the server only copies it, otherwise when the server has
 * made it, with a progress bar that can cancel it.
 */
import { ask } from '../bridge/api.js';
import { formatAge, inSentence } from '../ui/format.js';
import { make } from '../ui/dom.js';

const POLL_MS = 400;
/** Longest clip that the server makes. */
export const MAX_CLIP_S = 3600;

const WORDS = {
  401: 'You have been logged out.',
  403: 'You may not save clips.',
  404: 'That time is no longer kept.',
  429: 'The server is making other clips. Try again in a moment.',
};

export class Clips {
  #element;
  #template;
  #toasts;
  #titleOf;
  #copied;

  /**
   * @param {HTMLElement} element  Holds the progress bars.
   * @param {HTMLTemplateElement} template
   * @param {import('../ui/toasts.js').Toasts} toasts
   * @param {object} cameras
   * @param {(camera: string) => string} cameras.titleOf
   * @param {(camera: string) => boolean} cameras.sendsVideo  Whether its own video is kept.
   */
  constructor(element, template, toasts, { titleOf, sendsVideo }) {
    this.#element = element;
    this.#template = template;
    this.#toasts = toasts;
    this.#titleOf = (camera) => inSentence(titleOf(camera));
    this.#copied = sendsVideo;
  }

  /**
   * Save a part of a camera's past, and report errors in a toast. Times are Unix seconds, by the server's clock.
   *
   * @param {string} camera
   * @param {number} from
   * @param {number} to
   * @returns {Promise<boolean>} whether the browser received the file
   */
  async save(camera, from, to) {
    const address = `clip/${encodeURIComponent(camera)}.mp4?from=${from.toFixed(3)}&to=${to.toFixed(3)}`;
    if (this.#copied(camera)) {
      const { ok, status, message } = await look(address);
      if (ok) this.#give(address, camera, to - from);
      else this.#fail(camera, status, message);
      return ok;
    }
    return this.#make(camera, from, to);
  }

  async #make(camera, from, to) {
    const { ok, status, data, message } = await ask('POST', 'api/clips', { body: { camera, from, to } });
    if (!ok) {
      this.#fail(camera, status, message);
      return false;
    }
    const bar = this.#showBar(`Clip of ${this.#titleOf(camera)}, ${formatAge(to - from)}`);
    let job = data;
    while (!job.done && !job.error && !bar.cancelled) {
      bar.show(job.share);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      const answer = await ask('GET', `api/clips/${job.id}`);
      if (answer.ok) job = answer.data;
      // An unreachable server may come back; any other failed answer means that it has lost the job.
      else if (answer.status !== 0) job = { ...job, error: answer.message };
    }
    bar.remove();
    if (bar.cancelled) {
      ask('DELETE', `api/clips/${job.id}`);
      return false;
    }
    if (job.error) this.#fail(camera, 0, job.error);
    else this.#give(`clip/${job.id}.mp4`, camera, to - from);
    return !job.error;
  }

  #showBar(title) {
    const item = this.#template.content.firstElementChild.cloneNode(true);
    const progress = item.querySelector('progress');
    const share = item.querySelector('[data-clip-share]');
    const bar = {
      cancelled: false,
      show: (done) => {
        progress.value = done;
        share.textContent = `${Math.round(done * 100)} %`;
      },
      remove: () => item.remove(),
    };
    item.querySelector('[data-clip-title]').textContent = title;
    progress.setAttribute('aria-label', title);
    item.querySelector('[data-clip-cancel]').addEventListener('click', () => {
      bar.cancelled = true;
      item.remove();
    });
    this.#element.append(item);
    return bar;
  }

  #give(address, camera, seconds) {
    download(address);
    this.#toasts.show(`Saved ${formatClip(seconds)} of ${this.#titleOf(camera)}`);
  }

  #fail(camera, status, message) {
    const why = WORDS[status] ?? message;
    this.#toasts.show(`The clip of ${this.#titleOf(camera)} was not saved. ${why}`, 'error');
  }
}

// Look before following a link: a failed download would give no message.
async function look(address) {
  try {
    const { ok, status, statusText } = await fetch(address, { method: 'HEAD', cache: 'no-store' });
    return { ok, status, message: statusText };
  } catch {
    return { ok: false, status: 0, message: 'The server does not answer.' };
  }
}

// The server names the file.
function download(address) {
  const link = make('a');
  link.href = address;
  link.download = '';
  document.body.append(link);
  link.click();
  link.remove();
}

/** `12.4 s`, `1:05 min`. @param {number} seconds */
export function formatClip(seconds) {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : formatAge(seconds);
}
