/**
 * Decode a JPEG. The caller closes the bitmap.
 *
 * @param {ArrayBuffer | Blob} jpeg
 * @returns {Promise<ImageBitmap>}  Rejects if the bytes are not a JPEG.
 */
export function decodeJpeg(jpeg) {
  return createImageBitmap(new Blob([jpeg], { type: 'image/jpeg' }));
}
