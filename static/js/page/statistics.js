/** The switch that shows the figures of all tiles, instead of only the one under the pointer; it is remembered. */
import { recall, remember } from '../ui/preferences.js';

const NAME = 'statistics';

/**
 * @param {HTMLElement} control  Has `role="switch"`.
 * @returns {() => boolean} toggles them, and returns whether they are shown now
 */
export function setUpStatistics(control) {
  let shown = recall(NAME, (value) => (value === true ? true : null), false);
  const show = () => {
    document.documentElement.toggleAttribute('data-statistics', shown);
    control.setAttribute('aria-checked', String(shown));
  };
  show();
  return () => {
    shown = !shown;
    remember(NAME, shown || null);
    show();
    return shown;
  };
}
