// A classic script in <head>, so that the remembered colours are set before the first paint: a module
// would run after it and flash. theme.js does the rest.
(() => {
  try {
    const theme = localStorage.getItem('porthole.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is off: the colours follow the system.
  }
})();
