/**
 * Supports embedding in another page. Browsers send no cookie there, so every request carries the token from the
 * page's address.
 */

/** @type {string | null} */
const token = new URLSearchParams(location.search).get('token');

export const isEmbedded = token !== null;

/** @param {string} address  Relative. @returns {string} */
export function withToken(address) {
  if (token === null) return address;
  return `${address}${address.includes('?') ? '&' : '?'}token=${encodeURIComponent(token)}`;
}
