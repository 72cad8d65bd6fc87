/** Requests to the server's HTTP API. */

/**
 * @typedef {object} Answer
 * @property {boolean} ok
 * @property {number} status  HTTP status; 0 if the server was not reached.
 * @property {any} data       The parsed JSON, a Blob for a picture, or null.
 * @property {string} message Why it failed, for people.
 * @property {Headers | null} headers
 */

const UNREACHED = 'The server does not answer. Try again when it is back.';

/**
 * Send a request; never throws.
 *
 * @param {string} method
 * @param {string} path    Relative, such as `api/admin/cameras`.
 * @param {object} [options]
 * @param {object} [options.body]    Sent as JSON.
 * @param {string} [options.match]   The revision to change, for `If-Match`.
 * @param {AbortSignal} [options.signal]
 * @param {boolean} [options.keepalive]  Finish even if the page is closed.
 * @returns {Promise<Answer>}
 */
export async function ask(method, path, { body, match, signal, keepalive = false } = {}) {
  const headers = { Accept: 'application/json' };
  if (method !== 'GET') {
    headers['Content-Type'] = 'application/json';
    headers['X-CSRF-Token'] = document.querySelector('[data-csrf]').dataset.csrf;
  }
  if (match) headers['If-Match'] = `"${match}"`;
  try {
    const sent = method === 'GET' ? undefined : JSON.stringify(body ?? {});
    const response = await fetch(path, { method, headers, body: sent, signal, keepalive, cache: 'no-store' });
    const type = response.headers.get('Content-Type') ?? '';
    const isJson = type.startsWith('application/json');
    const data = isJson ? await response.json() : type.startsWith('image/') ? await response.blob() : null;
    const message = isJson ? data.message : data === null ? await response.text() : '';
    const { ok, status, statusText } = response;
    return { ok, status, data, message: message?.trim() || statusText, headers: response.headers };
  } catch (error) {
    const message = error.name === 'AbortError' ? '' : UNREACHED;
    return { ok: false, status: 0, data: null, message, headers: null };
  }
}
