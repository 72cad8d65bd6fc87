/** Suggests names for new cameras. Uses no DOM. */

const MAX_NAME = 40;

/**
 * Return a valid, unused camera name made from words such as a title.
 *
 * @param {string} words
 * @param {Iterable<string>} taken
 * @returns {string}
 */
export function suggestName(words, taken) {
  const plain = words.normalize('NFKD').replace(/[\u0300-\u036f]/g, '');
  const base = plain.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, MAX_NAME) || 'camera';
  const names = new Set(taken);
  let name = base;
  for (let number = 2; names.has(name); number += 1) {
    const end = `-${number}`;
    name = base.slice(0, MAX_NAME - end.length).replace(/-+$/, '') + end;
  }
  return name;
}

/**
 * Return what to call a camera with this source: the host, or the name of the file or device.
 *
 * @param {string} source
 * @returns {string}
 */
export function nameFromSource(source) {
  const url = /^[a-z]+:\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]+)/i.exec(source);
  if (url) return url[1];
  const [, scheme, rest] = /^([a-z]+):(.*)$/i.exec(source) ?? [null, '', source];
  const last = rest.split('?')[0].split('/').at(-1);
  if (scheme === 'file' || scheme === '') return last.replace(/\.[^.]*$/, '');
  return /^\d*$/.test(last) ? `${scheme} ${last}` : last;
}
