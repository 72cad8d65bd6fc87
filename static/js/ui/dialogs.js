/** The help dialog, the confirmation before a shutdown, and where the keyboard focus goes after any dialog. */

/**
 * @param {HTMLDialogElement} dialog
 * @returns {() => void} opens it
 */
export function setUpHelp(dialog) {
  closeOnBackdrop(dialog);
  return () => {
    if (!dialog.open) dialog.showModal();
  };
}

/**
 * @param {HTMLDialogElement} dialog
 * @param {() => void} onConfirmed
 * @returns {() => void} opens it
 */
export function setUpQuit(dialog, onConfirmed) {
  closeOnBackdrop(dialog);
  dialog.addEventListener('close', () => {
    if (dialog.returnValue === 'quit') onConfirmed();
  });
  return () => {
    // Esc leaves the last return value, which must not count as a confirmation.
    dialog.returnValue = '';
    dialog.showModal();
  };
}

/**
 * Give a button the keyboard focus after a dialog if nothing had it before, as with a dialog opened by a link.
 *
 * @param {HTMLElement} button
 */
export function focusAfterDialogs(button) {
  const onClose = ({ target }) => {
    if (!(target instanceof HTMLDialogElement)) return;
    const { activeElement, body } = document;
    // An element in the dialog may keep the focus until the next frame.
    if (activeElement === body || target.contains(activeElement)) button.focus({ preventScroll: true });
  };
  // `close` does not bubble.
  document.addEventListener('close', onClose, { capture: true });
}

function closeOnBackdrop(dialog) {
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close('cancel');
  });
}
