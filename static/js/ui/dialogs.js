/** The two dialogs: help, and the question before the server is shut down. */

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
    // Esc leaves the value of the last time in place; it must never read as a confirmation.
    dialog.returnValue = '';
    dialog.showModal();
  };
}

function closeOnBackdrop(dialog) {
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close('cancel');
  });
}
