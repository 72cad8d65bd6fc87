// A classic script in <head>, so that the bars of the page never flash up in a kiosk. kiosk.js does the rest.
{
  const query = new URLSearchParams(location.search);
  if (query.get('view') === 'kiosk' || query.has('token')) document.documentElement.toggleAttribute('data-kiosk', true);
}
