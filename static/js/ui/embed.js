/**
 * Being a picture in somebody else's page. A browser sends no cookie there, so the token in the page's address
 * goes along with whatever is asked for.
 */

/** @type {string | null} */
const token = new URLSearchParams(location.search).get('token');

export const isEmbedded = token !== null;

/** @param {string} address  Relative. @returns {string} */
export function withToken(address) {
  if (token === null) return address;
  return `${address}${address.includes('?') ? '&' : '?'}token=${encodeURIComponent(token)}`;
}
