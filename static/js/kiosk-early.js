// A classic script in <head>, so that the bars of the page never flash up in a kiosk. kiosk.js does the rest.
if (new URLSearchParams(location.search).get('view') === 'kiosk') {
  document.documentElement.toggleAttribute('data-kiosk', true);
}
