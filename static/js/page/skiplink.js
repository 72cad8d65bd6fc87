/**
 * The link that skips to the cameras. Not left to the browser: the address would keep the fragment, and every
 * step back in the history (Esc makes one) would move the keyboard focus there again.
 *
 * @param {HTMLAnchorElement} link
 */
export function setUpSkipLink(link) {
  link.addEventListener('click', (event) => {
    event.preventDefault();
    document.querySelector(link.hash).focus();
  });
}
