"""A browser without WebCodecs: ``WITHOUT_WEBCODECS=1 make test ARGS=tests/browser``.

Chromium has no switch for it any more. So an init script takes it away in each page, and in its
workers, before their own code is loaded. The page's own policy forbids such a worker, and the page
would do all by itself; so contexts of such a run have no policy.
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
