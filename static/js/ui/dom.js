/** Builds elements and writes into them. */

/**
 * Write text into an element only if it differs: most readouts are refreshed several times a second but rarely
 * change, and every write costs layout and may be read aloud.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent === text) return;
  const node = element.firstChild;
  // Replacing the text node would make browsers check :has() rules again and restyle everything around it.
  if (text !== '' && node instanceof Text && node === element.lastChild) node.data = text;
  else element.textContent = text;
}

/** Set a tooltip only if it differs. @param {HTMLElement} element @param {string} text */
export function setTitle(element, text) {
  if (element.title !== text) element.title = text;
}

/**
 * Make an element with a class and text, either of which may be empty.
 *
 * @param {string} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElement}
 */
export function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/**
 * Add an entry to a list of terms.
 *
 * @param {HTMLDListElement} list
 * @param {string} label
 * @param {string} [meaning]  Shown on hover.
 * @returns {HTMLElement} the element for its value
 */
export function addTerm(list, label, meaning = '') {
  const item = make('div');
  const value = make('dd');
  if (meaning) item.title = meaning;
  item.append(make('dt', '', label), value);
  list.append(item);
  return value;
}
