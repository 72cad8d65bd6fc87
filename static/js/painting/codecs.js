/**
 * Finds out which codecs this browser decodes. WebCodecs exists on https and localhost only, and not in every browser.
 * Uses no DOM, so it can run in a worker.
 */

// For each family, by its name on the wire: a codec that every decoder of it supports.
const EXAMPLES = { h264: 'avc1.42e01f', h265: 'hev1.1.6.L93.B0' };

const FAMILIES = { avc1: 'h264', avc3: 'h264', hev1: 'h265', hvc1: 'h265' };

/** @type {Map<string, Promise<boolean>>} */
const answers = new Map();

/** The families that can be decoded here, most common first. @returns {Promise<string[]>} */
export async function decodableFamilies() {
  const able = await Promise.all(Object.values(EXAMPLES).map(canDecode));
  return Object.keys(EXAMPLES).filter((_, at) => able[at]);
}

/** Whether an RFC 6381 codec can be decoded here; the browser is asked once. @param {string} codec */
export function canDecode(codec) {
  if (!answers.has(codec)) answers.set(codec, ask(codec));
  return answers.get(codec);
}

/** The family of a codec; empty if unknown. @param {string} codec */
export function familyOf(codec) {
  return FAMILIES[codec.split('.', 1)[0]] ?? '';
}

/**
 * Return the configuration for a VideoDecoder. Without a `description` it expects Annex B.
 *
 * @param {string} codec
 * @returns {VideoDecoderConfig}
 */
export function configOf(codec) {
  // Otherwise a decoder returns each picture only once the next one comes.
  return { codec, optimizeForLatency: true };
}

async function ask(codec) {
  if (typeof VideoDecoder === 'undefined') return false;
  try {
    return (await VideoDecoder.isConfigSupported(configOf(codec))).supported === true;
  } catch {
    return false;
  }
}
