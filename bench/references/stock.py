"""Stock Flask-SocketIO on eventlet: encode once, `emit` to a room, an event per acknowledgement."""

import warnings

warnings.simplefilter("ignore")
import eventlet  # noqa: E402

eventlet.monkey_patch()

import socket  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import cv2  # noqa: E402
import flask  # noqa: E402
from flask_socketio import SocketIO, join_room  # noqa: E402

from bench.references.listening import LoopingCamera, announce, read_arguments  # noqa: E402
from bench.support.content import QUALITY, SIZE  # noqa: E402


def main() -> None:
    """Serve until killed."""
    camera = LoopingCamera(read_arguments())
    app = flask.Flask("stock")
    socketio = SocketIO(app, async_mode="eventlet")
    painted: dict[str, int] = {}

    @socketio.on("watch")
    def watch(_: Any) -> dict[str, Any]:
        join_room("viewers")
        return {"ok": True}

    @socketio.on("ack")
    def ack(_: str, seq: int) -> None:
        painted[flask.request.sid] = seq  # type: ignore[attr-defined]

    @socketio.on("clock")
    def clock(payload: dict[str, Any]) -> dict[str, Any]:
        return {"ok": True, "t": payload["t"], "server": time.time()}

    def run() -> None:
        seq = 0
        while True:
            picture, at_unix = camera.read()
            _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            seq += 1
            header = {
                "camera": "test",
                "seq": seq,
                "at": at_unix,
                "width": SIZE[0],
                "height": SIZE[1],
                "rendition": "full",
            }
            socketio.emit("frame", (header, jpeg.tobytes()), to="viewers")

    # Pick a port that was free a moment ago: the library does not report the port it binds.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    socketio.start_background_task(run)
    eventlet.spawn_after(0.5, announce, "stock Flask-SocketIO", port)
    socketio.run(app, "127.0.0.1", port, log_output=False)


if __name__ == "__main__":
    main()
