/** Notices when the colours change between light and dark, by the system or by the page's own button. */

/** @param {() => void} changed  Called when the new colours are in effect. */
export function onTheme(changed) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ['data-theme'] });
}
