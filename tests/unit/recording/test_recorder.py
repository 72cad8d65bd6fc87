"""Which parts of a camera's video are recorded."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.capture.camera import Camera
from server.capture.frames.unit import JPEG, Unit
from server.config.models import ServerSettings, Settings
from server.config.recording_settings import RecordingSettings, RecordMode
from server.delivery.fanout import Fanout
from server.recording import recorder as module
from server.recording.disk.index import Recorded
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from server.recording.events import EventLog
from server.recording.media.process import MediaProcess
from server.recording.recorder import Recorder
from server.recording.rewind import Rewind
from tests.support.cameras.units import make_units
from tests.support.fakes import camera_settings, offline_camera, until

AT = 1_795_000_000.0


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    """Four seconds at 25 fps, with every tenth a key frame."""
    made = make_units(tmp_path_factory.mktemp("film"), 4, source="testsrc2=size=128x72:rate=25")
    return [replace(one, at_unix=one.at_unix - 1e6 + AT) for one in made]


class Desk:
    """A recorder of one camera, whose video the test supplies."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(ServerSettings(), (), folder)
        self.storage = Storage(folder / "media")
        self.writer = Writer(self.storage)
        self.events = EventLog(self.storage, self.writer)
        self.notices: list[tuple[str, str, str | None]] = []
        self.cameras: dict[str, Camera] = {}
        self.fanouts: dict[str, Fanout] = {}
        self.rewinds: dict[str, Rewind] = {}
        self.media = MediaProcess()
        self.recorder = Recorder(
            self.settings,
            self.cameras,
            self.fanouts,
            self.rewinds,
            self.storage,
            self.writer,
            self.events,
            self.media,
            lambda *notice: self.notices.append(notice),
        )
        self.camera = self.add("door", "file:door.mp4")
        self.recorder.open()

    def add(self, name: str, source: str) -> Camera:
        """Add a camera that passes H.264 through."""
        camera = Camera(camera_settings(name, source), ServerSettings())
        self.cameras[name] = camera
        self.fanouts[name] = Fanout(camera)
        self.rewinds[name] = Rewind(60.0)
        camera.on_change = self.recorder.refresh
        camera.videos["full"].codec = "avc1.64000a"
        camera.videos["full"].passed_through = True
        return camera

    def set(self, mode: RecordMode, before_s: float = 5.0, after_s: float = 10.0) -> None:
        """Set the recording mode."""
        self.camera.recording_settings = RecordingSettings(
            record=mode, before_s=before_s, after_s=after_s
        )
        self.camera.announce()

    def recordings(self) -> list[Recorded]:
        """Return the recordings so far, oldest first."""
        self.writer.call(lambda: None)
        return self.storage.index.all_recordings()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A running recorder on the film's clock."""
    monkeypatch.setattr(module, "PERIOD_S", 0.01)
    desk = Desk(tmp_path)
    yield desk
    desk.recorder.close()
    desk.media.close()


def test_nothing_is_recorded_by_default(desk: Desk, film: list[Unit]) -> None:
    """By default nothing is written, and the source is not opened for it."""
    desk.camera.announce()
    for unit in film:
        desk.rewinds["door"].put(unit)

    assert desk.recordings() == []
    assert not desk.storage.media.exists()
    assert "record" not in desk.camera._state.duties


def test_always_mode_records_continuously(desk: Desk, film: list[Unit]) -> None:
    """The source stays open, the file has the group so far, and STATE says it is recorded."""
    rewind = desk.rewinds["door"]
    for unit in film[:15]:
        rewind.put(unit)
    desk.set("always")
    for unit in film[15:]:
        rewind.put(unit)
    until(lambda: desk.camera.describe()["recording"])

    assert "record" in desk.camera._state.duties
    desk.set("off")
    until(lambda: not desk.camera.describe()["recording"])
    assert "record" not in desk.camera._state.duties
    (one,) = desk.recordings()
    assert (one.begin, one.end) == (film[10].at_unix, pytest.approx(film[0].at_unix + 4))


def test_a_loss_ends_a_file(desk: Desk, film: list[Unit]) -> None:
    """The next one begins with the key frame after it."""
    desk.set("always")
    rewind = desk.rewinds["door"]
    for unit in film[:33]:
        rewind.put(unit)
    rewind.lose()
    for unit in film[35:]:
        rewind.put(unit)
    desk.set("off")

    assert [one.begin for one in desk.recordings()] == [film[0].at_unix, film[40].at_unix]


def test_motion_recording_includes_the_time_before(
    desk: Desk, film: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From some seconds before to some seconds after it, and nothing without motion."""
    monkeypatch.setattr(module.time, "time", lambda: film[75].at_unix)  # It is noticed late.
    desk.set("motion", before_s=1.0, after_s=0.0)
    rewind = desk.rewinds["door"]
    for unit in film[:60]:
        rewind.put(unit)
    assert desk.recordings() == []

    key = desk.events.begin("door", "motion", film[60].at_unix)
    for unit in film[60:80]:
        rewind.put(unit)
    desk.events.end(key, film[80].at_unix)
    until(lambda: desk.recordings() and not desk.writer.open)
    for unit in film[80:]:
        rewind.put(unit)

    (one,) = desk.recordings()
    assert (one.begin, one.reason) == (film[30].at_unix, "motion")
    assert one.end == pytest.approx(film[79].at_unix + 0.04)


def test_jpeg_from_before_motion_is_recorded_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera without its own video keeps JPEG while nothing moves, even unwatched. It is encoded
    once something moves, the older part first. Video made for viewers does not replace it."""
    monkeypatch.setattr(module.time, "time", lambda: AT + 3.5)
    monkeypatch.setattr(desk.camera, "set_videos", lambda names, lazy=False: None)
    monkeypatch.setattr(Camera, "state", "live")
    desk.camera.videos["full"].passed_through = False
    rewind = desk.rewinds["door"]
    desk.set("motion", before_s=2.0, after_s=0.0)
    picture = np.zeros((48, 64, 3), np.uint8)
    data = cv2.imencode(".jpg", picture)[1].tobytes()
    jpegs = [Unit(data, True, at + 1, AT + at / 10, JPEG, 64, 48) for at in range(60)]

    assert desk.camera.describe()["viewers"] == 0
    assert not rewind.takes_video
    for one in jpegs[:30]:
        rewind.put(one)
    key = desk.events.begin("door", "motion", AT + 2.95)
    for one in jpegs[30:40]:
        rewind.put(one)
    until(lambda: desk.writer.open, 20)
    until(lambda: desk.writer.open["door"].end >= AT + 3.8, 20)
    desk.events.end(key, AT + 3.9)
    until(lambda: not desk.writer.open and desk.recordings())

    (one,) = desk.recordings()
    assert one.begin == pytest.approx(AT + 0.9)
    assert one.reason == "motion"
    desk.set("off")
    assert rewind.takes_video


def test_only_motion_events_start_a_recording(desk: Desk, film: list[Unit]) -> None:
    """A processor's reports do not start a recording."""
    desk.set("motion")
    desk.events.begin("door", "cat", film[0].at_unix)
    for unit in film:
        desk.rewinds["door"].put(unit)

    assert desk.recordings() == []


def test_encoded_video_is_recorded(
    desk: Desk, film: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A JPEG camera's process encodes the video; recording does not count as a viewer."""
    # Without a source, the camera would clear its list of videos.
    monkeypatch.setattr(desk.camera, "set_videos", lambda names, lazy=False: None)
    track = desk.camera.videos["full"]
    track.passed_through = False
    desk.set("always")
    for unit in film[:50]:
        track.put(unit)
    track.lose()
    desk.set("off")

    assert desk.camera.describe()["viewers"] == 0
    assert [one.end - one.begin for one in desk.recordings()] == [pytest.approx(2.0)]


def test_dropped_pictures_are_reported(desk: Desk) -> None:
    """A drop counts as ``unrecorded`` for its camera, and gives a notice."""
    desk.writer.dropped["door"] = 12
    until(lambda: desk.notices)

    assert desk.camera.meter.drops["unrecorded"] == 12
    assert desk.notices == [("warning", "Door: 12 pictures were not recorded", "door")]


def test_full_disk_is_reported_once(desk: Desk) -> None:
    """There is one notice when recording pauses, and one when it resumes."""
    desk.writer.problem = "the disk is full"
    until(lambda: desk.notices)
    desk.writer.problem = ""
    until(lambda: len(desk.notices) > 1)

    assert desk.notices == [
        ("error", "Recording is paused: the disk is full", None),
        ("info", "Recording has resumed", None),
    ]


def test_a_lost_camera_is_an_event(desk: Desk) -> None:
    """The event begins with the loss and ends with the return, which is an event, too."""
    camera = offline_camera("yard")
    told = []
    desk.events.on_event = told.append
    camera._state.fail("no route")
    desk.events.follow(camera)
    desk.events.follow(camera)
    camera._state.recover()
    camera._state.refresh()
    desk.events.follow(camera)

    assert [(one.label, one.end is None) for one in told] == [
        ("offline", True),
        ("offline", False),
        ("online", True),
        ("online", False),
    ]


def test_stopping_a_camera_logs_no_online_event(desk: Desk) -> None:
    """Its offline event ends, but no event says that it is online."""
    camera = offline_camera("yard")
    told = []
    desk.events.on_event = told.append
    camera._state.fail("no route")
    desk.events.follow(camera)
    camera._state.enabled = False
    camera._state.refresh()
    desk.events.follow(camera)

    assert [(one.label, one.end is None) for one in told] == [("offline", True), ("offline", False)]


def test_removed_camera_ends_its_file(desk: Desk, film: list[Unit]) -> None:
    """The file ends even if the removal is not announced."""
    desk.set("always")
    for unit in film:
        desk.rewinds["door"].put(unit)
    desk.camera.on_change = lambda camera: None
    del desk.cameras["door"]
    until(lambda: desk.recordings() and not desk.writer.open)

    assert not desk.recordings()[0].open


def test_key_frame_does_not_trigger_the_writer(
    desk: Desk, film: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each group used to be handed over, with the second it completes, before viewers had it. Two
    threads then wanted the same turn, which made key frames, of all frames, late."""
    handed: list[list[Unit]] = []
    put = desk.writer.put
    monkeypatch.setattr(desk.writer, "put", lambda *one: handed.append(list(one[1])) or put(*one))
    desk.set("always")

    for unit in film[:41]:
        desk.rewinds["door"].put(unit)
    assert handed == []

    until(lambda: bool(handed))
    assert [one.seq for one in handed[0]] == [one.seq for one in film[:41]]
    desk.set("off")
    (recording,) = desk.recordings()
    assert recording.end - recording.begin == pytest.approx(41 / 25, abs=0.01)


def test_clock_jump_is_reported_once(desk: Desk) -> None:
    """It is reported again after a later jump."""
    for _ in range(2):
        desk.storage.ahead_s = 49 * 3600.0
        until(lambda: bool(desk.notices))
        desk.storage.ahead_s = 50 * 3600.0
        desk.recorder._notify_changes()
        ((level, message, _),) = desk.notices
        assert level == "warning"
        assert message.startswith("The clock has jumped ahead by 49 hours.")
        assert "manage.py media trust-clock" in message
        desk.storage.ahead_s = 0.0
        desk.recorder._notify_changes()
        desk.notices.clear()
