/** Names for new cameras, and words of their sources. Uses no document. */

const MAX_NAME = 40;

/**
 * Return a name that a camera may have and no other one has, made from words such as a title.
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
 * Return what to call a camera by its source: the host, the file's or the device's name.
 *
 * @param {string} source
 * @returns {string}
 */
export function wordsOf(source) {
  const url = /^[a-z]+:\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]+)/i.exec(source);
  if (url) return url[1];
  const [, scheme, rest] = /^([a-z]+):(.*)$/i.exec(source) ?? [null, '', source];
  const last = rest.split('?')[0].split('/').at(-1);
  if (scheme === 'file' || scheme === '') return last.replace(/\.[^.]*$/, '');
  return /^\d*$/.test(last) ? `${scheme} ${last}` : last;
}
