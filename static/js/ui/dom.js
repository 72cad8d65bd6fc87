/**
 * Write text into an element only when it differs: most readouts are asked several times a second and
 * change rarely, and every write costs layout and may be read aloud.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * The same for what is shown on hover.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
export function setTitle(element, text) {
  if (element.title !== text) element.title = text;
}
