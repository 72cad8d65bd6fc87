/** Copies text to the clipboard. */

/**
 * @param {string} text
 * @returns {Promise<boolean>}
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

// The only way on plain http.
function copySelected(text) {
  const area = document.createElement('textarea');
  area.className = 'visually-hidden';
  area.value = text;
  const focused = document.activeElement;
  // While a modal dialog is open, nothing outside it can be selected.
  (focused?.closest('dialog') ?? document.body).append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  focused?.focus();
  return copied;
}
