/** Sources found on the server: its devices, each with a picture on request, and files. */
import { ask } from '../bridge/api.js';
import { Trial } from './trial.js';
import { formatBytes, plural } from '../ui/format.js';

/** Event: `use` ({source, words}); a name is made from `words`. */
export class Found extends EventTarget {
  #element;
  #note;
  #devices;
  #files;
  #choice;
  #template = document.querySelector('#found-device-template');

  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.#element = element;
    this.#note = element.querySelector('[data-found-note]');
    this.#devices = element.querySelector('[data-devices]');
    this.#files = element.querySelector('[data-files]');
    this.#choice = element.querySelector('[data-file-choice]');
    this.#choice.addEventListener('change', () => {
      const { value } = this.#choice;
      if (value) this.#use(value, value.split('/').at(-1).replace(/^file:|\.[^.]*$/g, ''));
    });
  }

  hide() {
    this.#element.hidden = true;
  }

  /** Show it, and search again. */
  async show() {
    this.#element.hidden = false;
    this.#devices.replaceChildren();
    this.#files.hidden = true;
    this.#note.textContent = 'Looking for devices and files.';
    const { ok, data, message } = await ask('GET', 'api/admin/cameras/found');
    if (!ok) {
      this.#note.textContent = message;
      return;
    }
    const { devices, files, more, media } = data;
    this.#devices.replaceChildren(...devices.map((device) => this.#build(device)));
    this.#files.hidden = files.length === 0;
    const [first] = this.#choice.options;
    const options = files.map(({ source, title, bytes }) => new Option(`${title} (${formatBytes(bytes)})`, source));
    this.#choice.replaceChildren(first, ...options);
    this.#choice.value = '';
    this.#note.textContent = describe(devices, files, more, media);
  }

  #build({ path, source, title, used_by: usedBy }) {
    const item = this.#template.content.firstElementChild.cloneNode(true);
    const picture = item.querySelector('.found-picture');
    const trial = new Trial(picture, picture.querySelector('[data-picture]'), picture.querySelector('[data-words]'));
    item.querySelector('[data-title]').textContent = title;
    item.querySelector('[data-about]').textContent = usedBy ? `${path} · camera ${usedBy}` : path;
    const show = item.querySelector('[data-show]');
    const use = item.querySelector('[data-use]');
    show.setAttribute('aria-label', `Show a picture of ${title}`);
    use.setAttribute('aria-label', `Use ${title}`);
    // A device in use cannot be opened twice.
    show.disabled = use.disabled = usedBy !== null;
    show.addEventListener('click', async () => {
      show.disabled = true;
      await trial.run({ source });
      show.disabled = false;
    });
    use.addEventListener('click', () => this.#use(source, title));
    return item;
  }

  #use(source, words) {
    this.dispatchEvent(new CustomEvent('use', { detail: { source, words } }));
  }
}

function describe(devices, files, more, media) {
  const found = devices.length > 0 ? plural(devices.length, 'device') : 'No devices';
  if (!media) return `${found}. Video files can be added too, once the settings name their folder (media_folder).`;
  const listed = files.length > 0 ? plural(files.length, 'file') : 'no files';
  return `${found}, and ${listed} in the media folder${more ? ', which has more than are listed' : ''}.`;
}
