"""Reads the time that a test pattern burns into its picture, in a browser."""

__all__ = ["MAKE_READER", "ON_DRAWN"]

MAKE_READER = """(() => {
  const strip = new OffscreenCanvas(56, 1);
  const context = strip.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  return (source) => {
    if (!source || source.width < 128) return null;
    const side = Math.floor(source.width / 64);
    const top = 4 * side + Math.floor(side / 2);
    // All cells in one call: for each, Chromium copies the whole picture that a worker painted.
    context.drawImage(source, 4 * side, top, 56 * side, 1, 0, 0, 56, 1);
    const { data } = context.getImageData(0, 0, 56, 1);
    const bytes = [0, 0, 0, 0, 0, 0, 0];
    for (let cell = 0; cell < 56; cell += 1) {
      bytes[cell >> 3] = bytes[cell >> 3] * 2 + (data[cell * 4] > 127 ? 1 : 0);
    }
    const checksum = bytes.pop();
    if (bytes.reduce((all, byte) => all ^ byte, 0) !== checksum) return null;
    return bytes.reduce((all, byte) => all * 256 + byte, 0);
  };
})()"""
"""Creates a function that reads it from a canvas, in Unix ms; null if there is none.

server/capture/sources/testpattern.py describes the layout of the cells.
"""

ON_DRAWN = """((onDrawn) => {
  const context = OffscreenCanvasRenderingContext2D.prototype;
  for (const name of ['drawImage', 'putImageData']) {
    const draw = context[name];
    context[name] = function (...what) {
      draw.apply(this, what);
      onDrawn(this.canvas);
    };
  }
})"""
"""Calls a function with each canvas of a worker after something was drawn on it."""
