"""One camera's room: encode once, newest frame wins, slow viewers delay nobody."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from server.capture.camera import Camera
from server.capture.frames.frame import Jpeg
from server.delivery import fanout as fanout_module
from server.delivery.encoder import EncodedFrame, encode_jpeg
from server.delivery.fanout import Fanout
from server.loop import hub
from tests.support.fakes import RecordingViewer, put_frame, settle, until


def pump(camera: Camera, seq: int) -> None:
    """Put a frame in and wait until the pump has handled it."""
    before = camera.meter.encoded
    put_frame(camera, seq)
    until(lambda: camera.meter.encoded > before)
    settle()


def test_every_viewer_gets_the_same_encoded_frame(camera: Camera, fanout: Fanout) -> None:
    """However many watch, a frame is encoded once, and all viewers get the same object."""
    viewers = [RecordingViewer() for _ in range(100)]
    for number, viewer in enumerate(viewers):
        fanout.join(number, viewer)

    pump(camera, 1)

    until(lambda: viewers[-1].frames)
    assert camera.meter.encoded == 1
    assert {id(viewer.frames[0]) for viewer in viewers} == {id(viewers[0].frames[0])}
    assert camera.meter.sent == 100
    assert camera.meter.sent_bytes == 100 * len(viewers[0].frames[0].jpeg)


def test_nothing_is_encoded_without_viewers(camera: Camera, fanout: Fanout) -> None:
    """A frame that nobody watches is not encoded."""
    put_frame(camera, 1)
    settle()

    assert camera.meter.encoded == 0
    assert camera.meter.sent == 0


def test_nothing_is_encoded_if_no_viewer_is_ready(camera: Camera, fanout: Fanout) -> None:
    """A frame that nobody can take is not encoded, and each viewer records why it missed it."""
    viewer = RecordingViewer()
    viewer.obstacle = "credit"
    fanout.join("a", viewer)

    put_frame(camera, 1)
    settle()

    assert camera.meter.encoded == 0
    assert viewer.misses == ["credit"]


def test_slow_viewer_delays_nobody(camera: Camera, fanout: Fanout) -> None:
    """A viewer without credit skips frames, which is counted; the others get all of them."""
    fast, slow = RecordingViewer(), RecordingViewer()
    fanout.join("fast", fast)
    fanout.join("slow", slow)
    slow.obstacle = "credit"

    for seq in (1, 2, 3):
        pump(camera, seq)

    assert fast.seqs == [1, 2, 3]
    assert slow.seqs == []
    assert camera.meter.drops["credit"] == 3


def test_ready_viewer_gets_the_newest_frame_at_once(camera: Camera, fanout: Fanout) -> None:
    """When credit returns late, the newest frame is sent without being encoded again."""
    fast, slow = RecordingViewer(), RecordingViewer()
    fanout.join("fast", fast)
    fanout.join("slow", slow)
    slow.obstacle = "credit"
    for seq in (1, 2, 3):
        pump(camera, seq)

    slow.obstacle = None
    fanout.serve(slow)
    fanout.serve(slow)

    assert slow.seqs == [3]
    assert camera.meter.encoded == 3


def test_waiting_frame_is_encoded_once_a_viewer_is_ready(camera: Camera, fanout: Fanout) -> None:
    """A frame that no viewer could take is encoded as soon as one can."""
    viewer = RecordingViewer()
    viewer.obstacle = "credit"
    fanout.join("a", viewer)
    put_frame(camera, 1)
    settle()

    viewer.obstacle = None
    fanout.serve(viewer)

    until(lambda: viewer.seqs == [1])


def test_frames_are_never_repeated_or_out_of_order(camera: Camera, fanout: Fanout) -> None:
    """A viewer is not sent frames that it already had, or older ones."""
    viewer = RecordingViewer(last_seq=5)
    other = RecordingViewer()
    fanout.join("a", viewer)
    fanout.join("b", other)

    for seq in (4, 5, 6):
        pump(camera, seq)
    put_frame(camera, 6)
    settle()

    assert viewer.seqs == [6]
    assert other.seqs == [4, 5, 6]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> hub.Signal:
    """Blocks each encoding until it is set."""
    gate = hub.Signal()

    def slow_native(function: Callable[..., Any], *args: Any) -> Any:
        gate.wait(5)
        return function(*args)

    monkeypatch.setattr(fanout_module.hub, "run_native", slow_native)
    return gate


def test_newest_frame_wins_during_an_encode(
    camera: Camera, fanout: Fanout, gate: hub.Signal
) -> None:
    """Frames that arrive during encoding replace each other; the pump continues with the last."""
    viewer = RecordingViewer()
    fanout.join("a", viewer)
    put_frame(camera, 1)
    settle()
    for seq in (2, 3, 4):
        put_frame(camera, seq)

    gate.set()
    until(lambda: viewer.seqs)
    gate.set()
    until(lambda: len(viewer.seqs) == 2)

    assert viewer.seqs == [1, 4]
    assert camera.slot.replaced == 2


def test_viewer_that_leaves_during_an_encode_is_sent_nothing(
    camera: Camera, fanout: Fanout, gate: hub.Signal
) -> None:
    """Leaving takes effect immediately, even for a frame that is being encoded."""
    viewer, stays = RecordingViewer(), RecordingViewer()
    fanout.join("a", viewer)
    fanout.join("b", stays)
    put_frame(camera, 1)
    settle()

    fanout.leave("a")
    gate.set()

    until(lambda: stays.seqs == [1])
    assert viewer.seqs == []


def test_camera_knows_how_many_viewers_it_has(camera: Camera, fanout: Fanout) -> None:
    """The camera knows how many watch; leaving twice, or without joining, changes nothing."""
    fanout.join("a", RecordingViewer())
    fanout.join("b", RecordingViewer())
    assert camera.describe()["viewers"] == len(fanout) == 2

    fanout.leave("a")
    fanout.leave("a")
    fanout.leave("nobody")

    assert camera.describe()["viewers"] == len(fanout) == 1


def test_joining_again_replaces_the_viewer(camera: Camera, fanout: Fanout) -> None:
    """Joining again with the same key replaces the viewer."""
    old, new = RecordingViewer(), RecordingViewer()
    fanout.join("a", old)
    fanout.join("a", new)

    pump(camera, 1)

    assert (old.seqs, new.seqs) == ([], [1])
    assert len(fanout) == 1


def test_late_viewer_gets_the_newest_frame_at_once(camera: Camera, fanout: Fanout) -> None:
    """A second viewer sees the newest encoded frame without waiting for the next."""
    fanout.join("a", RecordingViewer())
    pump(camera, 1)
    late = RecordingViewer()

    fanout.join("b", late)

    assert late.seqs == [1]
    assert camera.meter.encoded == 1


def test_first_viewer_is_not_sent_an_old_frame(camera: Camera, fanout: Fanout) -> None:
    """A new viewer is not sent a frame encoded for viewers who left long ago."""
    fanout.join("a", RecordingViewer())
    pump(camera, 1)
    fanout.leave("a")
    late = RecordingViewer()

    fanout.join("b", late)
    settle()

    assert late.seqs == []


def test_frame_of_a_lost_source_is_not_sent(camera: Camera, fanout: Fanout) -> None:
    """When the slot is empty, the last encoded frame is outdated and not sent."""
    viewer, late = RecordingViewer(), RecordingViewer()
    fanout.join("a", viewer)
    pump(camera, 1)
    camera.slot.clear()

    fanout.join("b", late)

    assert late.seqs == []


def test_frame_that_cannot_be_encoded_is_counted(camera: Camera, fanout: Fanout) -> None:
    """A frame that cannot be a JPEG is counted as a drop, and the next one is sent."""
    viewer = RecordingViewer()
    fanout.join("a", viewer)
    put_frame(camera, 1, np.zeros((4, 4, 2), np.uint8))
    until(lambda: camera.meter.drops["encode"])

    pump(camera, 2)

    assert viewer.seqs == [2]


def test_failing_viewer_does_not_stop_the_pump(camera: Camera, fanout: Fanout) -> None:
    """An error in one viewer is counted, and the others still get their frames."""

    class Broken(RecordingViewer):
        """A viewer whose send raises."""

        def send(self, frame: EncodedFrame) -> bool:
            raise RuntimeError("broken")

    viewer = RecordingViewer()
    fanout.join("a", viewer)
    fanout.join("b", Broken())

    pump(camera, 1)
    fanout.leave("b")
    pump(camera, 2)

    assert viewer.seqs == [1, 2]
    assert camera.meter.drops["error"] == 1


def test_frame_for_a_closed_connection_is_not_counted(camera: Camera, fanout: Fanout) -> None:
    """A frame that reached no viewer does not count as sent."""
    gone = RecordingViewer()
    gone.connected = False
    fanout.join("a", gone)

    pump(camera, 1)

    assert camera.meter.sent == 0


def test_encode_time_is_measured(camera: Camera, fanout: Fanout) -> None:
    """The time for encoding is measured where it happens."""
    fanout.join("a", RecordingViewer())

    pump(camera, 1)

    assert camera.meter.encode_s > 0


def test_new_quality_applies_to_the_next_frame(camera: Camera, fanout: Fanout) -> None:
    """The quality that an operator sets applies to the very next frame."""
    viewer = RecordingViewer()
    fanout.join("a", viewer)
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    put_frame(camera, 1, noise)
    until(lambda: viewer.seqs == [1])
    camera.set_quality(10)

    put_frame(camera, 2, noise)
    until(lambda: viewer.seqs == [1, 2])

    first, second = (frame.jpeg for frame in viewer.frames)
    expected, *_ = encode_jpeg(camera.slot.frame, "door", "full", 10)  # type: ignore[arg-type]
    assert second == expected.jpeg
    assert len(second) < len(first)


def test_source_jpeg_is_passed_through(camera: Camera, fanout: Fanout) -> None:
    """A camera's own JPEG is not encoded again, and its header is right."""
    viewer = RecordingViewer()
    fanout.join("a", viewer)

    put_frame(camera, 1, Jpeg(b"as it came", 64, 48, 90))
    until(lambda: viewer.seqs == [1])

    frame = viewer.frames[0]
    assert frame.jpeg == b"as it came"
    assert (frame.width, frame.height) == (64, 48)
    assert (camera.meter.passed, camera.meter.encoded) == (1, 0)


def test_serving_a_large_room_yields_to_other_tasks(camera: Camera, fanout: Fanout) -> None:
    """Other green threads run before every viewer of the room has been served."""
    turns: list[int] = []
    viewers = [RecordingViewer() for _ in range(4 * fanout_module.BATCH_SIZE)]
    for number, viewer in enumerate(viewers):
        fanout.join(number, viewer)

    def observe() -> None:
        while True:
            turns.append(sum(bool(viewer.frames) for viewer in viewers))
            hub.sleep(0)

    task = hub.spawn(observe)
    put_frame(camera, 1)
    until(lambda: viewers[-1].frames)
    task.kill()

    assert set(turns) - {0, len(viewers)}


def test_close_removes_all_viewers(camera: Camera, fanout: Fanout) -> None:
    """A closed fanout has no viewers, and its camera knows."""
    fanout.join("a", RecordingViewer())

    fanout.close()

    assert len(fanout) == camera.describe()["viewers"] == 0
