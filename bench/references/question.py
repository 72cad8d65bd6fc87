"""The question that started this project, unchanged: `while True: read, encode, yield`.

One thread reads the camera. Every request runs its own loop, which encodes the newest picture as
fast as it can: once per viewer, and the same picture again and again. On threads it uses the whole
machine; on eventlet the first feed never yields to the others or to the camera.
"""

import sys

if "--eventlet" in sys.argv:
    sys.argv.remove("--eventlet")
    ON_EVENTLET = True
    import warnings

    warnings.simplefilter("ignore")
    import eventlet

    eventlet.monkey_patch()
else:
    ON_EVENTLET = False

import logging
import threading
from collections.abc import Iterator

import cv2
import flask

from bench.references.listening import LoopingCamera, announce, part, read_arguments
from bench.support.content import QUALITY


class Newest:
    """The global variable of the recipe."""

    def __init__(self, camera: LoopingCamera) -> None:
        self.picture, self.at_unix = camera.read()
        self._camera = camera
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self.picture, self.at_unix = self._camera.read()


def main() -> None:
    """Serve until killed."""
    newest = Newest(LoopingCamera(read_arguments()))
    app = flask.Flask("question")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    @app.get("/video_feed")
    def video_feed() -> flask.Response:
        return flask.Response(frames(), mimetype="multipart/x-mixed-replace; boundary=frame")

    def frames() -> Iterator[bytes]:
        while True:
            at_unix = newest.at_unix
            _, jpeg = cv2.imencode(".jpg", newest.picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            yield part(jpeg.tobytes(), at_unix)

    if ON_EVENTLET:
        from eventlet import wsgi

        listener = eventlet.listen(("127.0.0.1", 0))
        announce("question on eventlet", listener.getsockname()[1])
        wsgi.server(listener, app, log_output=False)
    else:
        from werkzeug.serving import make_server

        server = make_server("127.0.0.1", 0, app, threaded=True)
        announce("question on threads", server.port)
        server.serve_forever()


if __name__ == "__main__":
    main()
