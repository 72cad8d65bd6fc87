/** The two dialogs: help, and the confirmation before the server is shut down. */

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

function closeOnBackdrop(dialog) {
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close('cancel');
  });
}
