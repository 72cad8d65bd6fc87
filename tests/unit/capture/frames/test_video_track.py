"""The current group of pictures, and its listeners."""

from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack


def unit(seq: int, key: bool = False) -> Unit:
    return Unit(b"data", key, seq, float(seq), "avc1.64001f", 640, 360)


def test_listener_is_called_once_per_group_in_a_batch() -> None:
    """A listener that takes the new units misses none, though a key frame drops older groups."""
    track = VideoTrack("full")
    heard: list[list[int]] = []
    track.listen(lambda: heard.append([one.seq for one in track.units]))

    track.extend([unit(1), unit(2)])
    assert heard == [], "nothing begins without a key frame"
    track.extend([unit(3, key=True), unit(4), unit(5)])
    track.extend([unit(6), unit(7, key=True), unit(8)])

    assert heard == [[3, 4, 5], [3, 4, 5, 6], [7, 8]]
