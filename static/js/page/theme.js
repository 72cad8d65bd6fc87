/** The button that switches between automatic, light and dark colours, and remembers the choice. */
import { recall, remember } from '../ui/preferences.js';
import { setText } from '../ui/dom.js';

const NAME = 'theme';
const THEMES = ['auto', 'light', 'dark'];
const LABELS = { auto: 'Colours: automatic', light: 'Colours: light', dark: 'Colours: dark' };

/** @param {HTMLButtonElement} button */
export function setUpTheme(button) {
  const use = button.querySelector('use');
  // The browser's own bars follow the choice too, most visibly in an installed page.
  const bars = [...document.querySelectorAll('meta[name="theme-color"]')];
  const barColours = bars.map((meta) => [meta.media.includes('dark') ? 'dark' : 'light', meta.content]);
  const show = (theme) => {
    bars.forEach((meta, index) => {
      meta.content = Object.fromEntries(barColours)[theme] ?? barColours[index][1];
    });
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    use.setAttribute('href', `#i-theme-${theme}`);
    setText(button.querySelector('span'), LABELS[theme]);
  };
  let theme = recall(NAME, (value) => (THEMES.includes(value) ? value : null), 'auto');
  show(theme);
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    show(theme);
    remember(NAME, theme);
  });
}
