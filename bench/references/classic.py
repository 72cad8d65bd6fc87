"""The classic recipe, done well: one shared encode, and a thread per viewer that waits for it."""

import logging
import threading
from collections.abc import Iterator

import cv2
import flask
from werkzeug.serving import make_server

from bench.references.listening import LoopingCamera, announce, part, read_arguments
from bench.support.content import QUALITY


class SharedFrame:
    """The newest part, and a condition that wakes all viewers waiting for it."""

    def __init__(self, camera: LoopingCamera) -> None:
        self._camera = camera
        self._changed = threading.Condition()
        self._part = b""
        self._number = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            picture, at_unix = self._camera.read()
            _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            ready = part(jpeg.tobytes(), at_unix)
            with self._changed:
                self._part = ready
                self._number += 1
                self._changed.notify_all()

    def parts(self) -> Iterator[bytes]:
        """Yield each new part, for one viewer."""
        seen = 0
        while True:
            with self._changed:
                while self._number == seen:
                    self._changed.wait()
                seen, ready = self._number, self._part
            yield ready


def main() -> None:
    """Serve until killed."""
    shared = SharedFrame(LoopingCamera(read_arguments()))
    app = flask.Flask("classic")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)

    @app.get("/video_feed")
    def video_feed() -> flask.Response:
        return flask.Response(shared.parts(), mimetype="multipart/x-mixed-replace; boundary=frame")

    server = make_server("127.0.0.1", 0, app, threaded=True)
    announce("classic recipe", server.port)
    server.serve_forever()


if __name__ == "__main__":
    main()
