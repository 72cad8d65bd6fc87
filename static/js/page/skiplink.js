/**
 * Set up the link that skips to the cameras. The browser would keep the fragment in the address, and every step back
 * in the history (as Esc makes) would move the keyboard focus there again.
 *
 * @param {HTMLAnchorElement} link
 */
export function setUpSkipLink(link) {
  link.addEventListener('click', (event) => {
    event.preventDefault();
    document.querySelector(link.hash).focus();
  });
}
