/** Watches for changes between light and dark colours, by the system or the page's own button. */

/** @param {() => void} changed  Called when the new colours are in effect. */
export function onTheme(changed) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ['data-theme'] });
}
