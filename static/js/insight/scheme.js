/** Tells when light turns to dark or back, by the system or by the page's own button. */

/** @param {() => void} changed  The new colours are in force when it is called. */
export function onTheme(changed) {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  new MutationObserver(changed).observe(document.documentElement, { attributeFilter: ['data-theme'] });
}
