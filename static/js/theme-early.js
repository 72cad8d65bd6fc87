// A classic script in <head>, so that the remembered colours are set before the first paint: a module
// would run after it, and the page would flash. theme.js does the rest.
(() => {
  try {
    // As preferences.js stores it, or as plain text, as earlier versions did.
    const theme = localStorage.getItem('porthole.theme')?.replaceAll('"', '');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is off: the colours follow the system.
  }
})();
