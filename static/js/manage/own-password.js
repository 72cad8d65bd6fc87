/** The dialog where logged-in people change their own password. */
import { ask } from '../bridge/api.js';
import { showFieldErrors } from './fields.js';

/**
 * @param {HTMLDialogElement} dialog
 * @param {Iterable<HTMLElement>} openers
 * @param {(message: string) => void} tell  Reports success.
 */
export function setUpOwnPassword(dialog, openers, tell) {
  const form = dialog.querySelector('form');
  for (const opener of openers) {
    opener.addEventListener('click', () => {
      form.reset();
      showFieldErrors(form, {});
      dialog.showModal();
    });
  }
  dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => form.reset());
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const save = form.querySelector('[data-save]');
    save.disabled = true;
    const body = { old: form.elements.old.value, new: form.elements.new.value };
    const { ok, data, message } = await ask('POST', 'api/password', { body });
    save.disabled = false;
    if (!ok) {
      showFieldErrors(form, data?.fields ?? {}, message);
      return;
    }
    dialog.close();
    tell('Your password was changed. Other browsers were logged out.');
  });
}
