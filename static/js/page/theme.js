/** The button that goes through automatic, light and dark colours, and remembers the choice. */

const KEY = 'porthole.theme';
const ORDER = ['auto', 'light', 'dark'];
const LABELS = { auto: 'Colours: automatic', light: 'Colours: light', dark: 'Colours: dark' };

/** @param {HTMLButtonElement} button */
export function setUpTheme(button) {
  const use = button.querySelector('use');
  // The browser's own bars, of an installed page above all, follow the choice too.
  const bars = [...document.querySelectorAll('meta[name="theme-color"]')];
  const barColours = bars.map((meta) => [meta.media.includes('dark') ? 'dark' : 'light', meta.content]);
  const show = (theme) => {
    bars.forEach((meta, index) => {
      meta.content = Object.fromEntries(barColours)[theme] ?? barColours[index][1];
    });
    if (theme === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    use.setAttribute('href', `#i-theme-${theme}`);
    button.title = LABELS[theme];
    button.setAttribute('aria-label', LABELS[theme]);
  };
  let theme = remembered();
  show(theme);
  button.addEventListener('click', () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    show(theme);
    remember(theme);
  });
}

function remembered() {
  try {
    const theme = localStorage.getItem(KEY);
    return ORDER.includes(theme) ? theme : 'auto';
  } catch {
    return 'auto';
  }
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
}
