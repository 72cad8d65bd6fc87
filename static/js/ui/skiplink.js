/**
 * The link past what stands above the cameras. Not left to the browser, because the address would keep the
 * fragment, and whenever history is gone back (Esc does) the keyboard focus would be taken there again.
 *
 * @param {HTMLAnchorElement} link
 */
export function setUpSkipLink(link) {
  link.addEventListener('click', (event) => {
    event.preventDefault();
    document.querySelector(link.hash).focus();
  });
}
