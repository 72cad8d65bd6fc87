"""Remove WebCodecs from the browser: ``WITHOUT_WEBCODECS=1 make test ARGS=tests/browser``.

Chromium no longer has a switch for it. Instead an init script removes it from each page and its
workers before their own code loads. The page's own policy forbids such a worker, and the page would
then paint without one; so contexts of such a run have no policy.
"""

import os

import pytest

__all__ = ["NEEDS_WEBCODECS", "NO_WEBCODECS", "WITHOUT_WEBCODECS"]

WITHOUT_WEBCODECS = bool(os.environ.get("WITHOUT_WEBCODECS"))

NEEDS_WEBCODECS = pytest.mark.skipif(WITHOUT_WEBCODECS, reason="what it shows is video")

NO_WEBCODECS = """{
  const gone = "for (const one of ['VideoDecoder', 'EncodedVideoChunk']) delete globalThis[one];";
  (0, eval)(gone);
  window.Worker = class extends Worker {
    constructor(url, options) {
      const script = `${gone} await import(${JSON.stringify(String(url))});`;
      super(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), options);
    }
  };
}"""
