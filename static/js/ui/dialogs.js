/** Help, the confirmation before the server is shut down, and where the keyboard focus goes after any dialog. */

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
    // Esc keeps the value of the last time, which must not count as a confirmation.
    dialog.returnValue = '';
    dialog.showModal();
  };
}

/**
 * Give a button the keyboard focus when a dialog closes before which nothing had it, as one that a link opens.
 *
 * @param {HTMLElement} button
 */
export function focusAfterDialogs(button) {
  const onClose = ({ target }) => {
    if (!(target instanceof HTMLDialogElement)) return;
    const { activeElement, body } = document;
    // What was in the dialog may keep the focus until the next frame.
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
