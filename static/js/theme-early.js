// A classic script in <head>, to set the remembered colours before the first paint: a module would run after it, and
// the page would flash. theme.js does the rest.
(() => {
  try {
    // Stored as JSON by preferences.js, or as plain text by earlier versions.
    const theme = localStorage.getItem('porthole.theme')?.replaceAll('"', '');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is off: the colours follow the system.
  }
})();
