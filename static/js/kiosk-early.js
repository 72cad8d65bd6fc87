// A classic script in <head>, so that a kiosk never shows the page's bars. kiosk.js does the rest.
{
  const query = new URLSearchParams(location.search);
  if (query.get('view') === 'kiosk' || query.has('token')) document.documentElement.toggleAttribute('data-kiosk', true);
}
