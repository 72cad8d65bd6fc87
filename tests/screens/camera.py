"""A network camera that shows a scene and can be given a fault."""

from pathlib import Path

import cv2

from tests.screens.scenes.film import FPS
from tests.support.cameras.bad_camera import BadCamera, Fault

__all__ = ["SceneCamera"]


class SceneCamera(BadCamera):
    """Serves a film as MJPEG over HTTP.

    Args:
        film: Motion JPEG, as :mod:`tests.screens.scenes` writes it.
    """

    def __init__(self, film: Path) -> None:
        video = cv2.VideoCapture(str(film))
        self._pictures: list[bytes] = []
        while (read := video.read())[0]:
            self._pictures.append(cv2.imencode(".jpg", read[1])[1].tobytes())
        video.release()
        super().__init__(fps=FPS)

    def _body(self, fault: Fault, number: int) -> bytes:
        return self._pictures[number % len(self._pictures)]
