"""A dashboard's way into a camera's past and back, on real rooms; the line is a fake."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from server.capture.camera import Camera
from server.capture.frames.unit import Unit
from server.delivery.fanout import Fanout
from server.errors import RequestError
from server.protocol import PlayPayload, SeekPayload
from server.web.socket.past_viewer import MAX_PACK_BYTES, packs
from server.web.socket.seek_requests import SeekRequests
from server.web.socket.session import Session
from tests.support.fakes import give_video, offline_camera, put_frame, settle, until
from tests.unit.recording.test_rewind import T0, filled, jpeg, video
from tests.unit.web.socket.test_session import FakeLine

SEEN = [jpeg(at / 10) for at in range(20)]


class Desk:
    """A dashboard that watches a camera with a kept past."""

    def __init__(self, camera: Camera, fanout: Fanout, kept: Sequence[Unit] = SEEN) -> None:
        self.line = FakeLine()
        self.session = Session("sid", self.line, "127.0.0.1", "operator", 2)  # type: ignore[arg-type]
        self.rewind = filled(*kept)
        self.made: list[Sequence[Unit]] = []
        control: Any = SimpleNamespace(camera=lambda name: camera)
        self._seeks = SeekRequests(control, lambda name: self.rewind, self._make)
        self.session.watch(fanout)

    def seek(self, at: float | None, video: bool = True, packed: bool = False) -> dict[str, Any]:
        wanted = None if at is None else T0 + at
        payload = SeekPayload(camera="door", at=wanted, video=video, packed=packed)
        return self._seeks.seek(self.session, payload)

    def play(self, speed: float) -> dict[str, Any]:
        return self._seeks.play(self.session, PlayPayload(camera="door", speed=speed))

    def ack(self, seq: int) -> None:
        self.session.acknowledge("door", seq)

    def expect(self, *seqs: int) -> None:
        """Wait until exactly these frames were sent."""
        until(lambda: self.line.seqs == list(seqs))
        settle()
        assert self.line.seqs == list(seqs)

    def _make(self, units: Sequence[Unit]) -> bytes:
        self.made.append(units)
        return b"\xff\xd8made\xff\xd9"


@pytest.fixture
def desk(camera: Camera, fanout: Fanout) -> Desk:
    """A dashboard that has been shown a live frame."""
    one = Desk(camera, fanout)
    put_frame(camera, 1)
    one.expect(1)
    one.ack(1)
    return one


def test_seek_shows_the_past_and_nothing_live(desk: Desk, camera: Camera, fanout: Fanout) -> None:
    """Others stay live; the camera stays open for it, and its JPEG is made to be kept."""
    other = Desk(camera, fanout)
    other.session.sid = "other"
    other.session.watch(fanout)
    made = camera.meter.encoded

    answer = desk.seek(0.55)
    desk.expect(1, SEEN[5].seq)
    put_frame(camera, 2)
    until(lambda: camera.meter.encoded > made)
    desk.expect(1, SEEN[5].seq)

    assert answer["at"] == SEEN[5].at_unix
    assert (answer["before"], answer["after"]) == (SEEN[4].at_unix, SEEN[6].at_unix)
    assert (answer["from"], answer["to"]) == (SEEN[0].at_unix, SEEN[-1].at_unix)
    header = desk.line.headers[-1]
    assert (header["live"], header["seek"]) == (False, answer["seek"])
    assert other.line.seqs[-1] == 2


def test_seeking_never_leaves_the_camera_without_viewers(
    desk: Desk, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one, it would drop its newest frame, and be closed after a while."""
    told: list[int] = []
    monkeypatch.setattr(camera, "set_viewers", told.append)

    desk.seek(0.5)
    desk.seek(None)
    desk.seek(0.2)
    desk.session.unwatch("door")

    assert set(told[:-1]) <= {1, 2}
    assert told[-1] == 0


def test_return_to_live_shows_only_newer_frames(desk: Desk, camera: Camera) -> None:
    """They are also newer than those shown of the past."""
    desk.seek(0.5)
    desk.expect(1, SEEN[5].seq)
    answer = desk.seek(None)
    put_frame(camera, 2)
    settle()
    put_frame(camera, SEEN[5].seq + 1)

    desk.expect(1, SEEN[5].seq, SEEN[5].seq + 1)
    assert answer["at"] is None
    assert "live" not in desk.line.headers[-1]


def test_past_frames_are_acknowledged_in_sending_order(desk: Desk) -> None:
    """The newest seek waits for credit. An acknowledgement covers the frame it names and those sent
    before it, not those with smaller numbers."""
    seqs = [one.seq for one in SEEN]
    for at in (0.9, 0.5):
        desk.seek(at)
        settle()
    desk.seek(0.3)
    desk.seek(0.1)
    desk.expect(1, seqs[9], seqs[5])

    desk.ack(seqs[9])
    desk.expect(1, seqs[9], seqs[5], seqs[1])
    desk.seek(0.2)
    desk.ack(seqs[9])
    desk.expect(1, seqs[9], seqs[5], seqs[1])
    desk.ack(seqs[1])
    desk.expect(1, seqs[9], seqs[5], seqs[1], seqs[2])


def test_seek_waits_for_a_busy_line(desk: Desk) -> None:
    """The newest seek follows as soon as the line has drained."""
    desk.line.busy = True
    desk.seek(0.3)
    desk.seek(0.1)
    settle()
    assert desk.line.seqs == [1]

    desk.line.busy = False
    desk.line.on_drained()

    desk.expect(1, SEEN[1].seq)


def test_unacknowledged_past_frames_are_owed(desk: Desk) -> None:
    """As with live frames, the viewer is disconnected in the end; a pause owes nothing."""
    now = time.monotonic()
    desk.seek(0.3)
    desk.expect(1, SEEN[3].seq)
    assert desk.session.owing_s(now + 13) > 12

    desk.ack(SEEN[3].seq)

    assert desk.session.owing_s(now + 100) == 0


def test_live_frame_in_flight_is_not_owed_for_ever(desk: Desk, camera: Camera) -> None:
    """A seek came before its acknowledgement; a return to live must not count it."""
    put_frame(camera, 2)
    desk.expect(1, 2)
    desk.seek(0.3)
    desk.expect(1, 2, SEEN[3].seq)
    desk.ack(SEEN[3].seq)

    desk.seek(None)

    assert desk.session.owing_s(time.monotonic() + 100) == 0


@pytest.mark.parametrize("how", ["watch", "unwatch", "leave"])
def test_end_of_watching_ends_the_past(desk: Desk, fanout: Fanout, how: str) -> None:
    """No frame of the past follows."""
    desk.seek(0.3)
    desk.expect(1, SEEN[3].seq)
    desk.play(1.0)
    {
        "watch": lambda: desk.session.watch(fanout),
        "unwatch": lambda: desk.session.unwatch("door"),
        "leave": desk.session.leave,
    }[how]()
    desk.ack(SEEN[3].seq)
    settle()

    assert desk.session.past_viewer_of("door") is None
    assert desk.line.seqs == [1, SEEN[3].seq]
    assert len(fanout) == (how == "watch")


def test_replaced_camera_keeps_its_past(desk: Desk, fanout: Fanout) -> None:
    """A new address does not erase the past; live frames come from the new source."""
    desk.seek(0.3)
    desk.expect(1, SEEN[3].seq)
    other = offline_camera()
    give_video(other)

    fanout.take_over(other)
    desk.session.follow(fanout)
    desk.ack(SEEN[3].seq)
    desk.seek(0.4)
    desk.expect(1, SEEN[3].seq, SEEN[4].seq)
    desk.seek(None)
    put_frame(other, 5000)

    desk.expect(1, SEEN[3].seq, SEEN[4].seq, 5000)
    assert len(fanout) == 1


def test_playback_continues_live_at_the_end(desk: Desk, camera: Camera) -> None:
    """The viewer need not ask for it."""
    desk.seek(1.8)
    desk.expect(1, SEEN[18].seq)
    desk.ack(SEEN[18].seq)
    assert desk.play(8.0)["speed"] == 8
    desk.expect(1, SEEN[18].seq, SEEN[19].seq)
    desk.ack(SEEN[19].seq)
    until(lambda: desk.session.past_viewer_of("door") is None)
    put_frame(camera, 9000)

    desk.expect(1, SEEN[18].seq, SEEN[19].seq, 9000)


def test_live_can_be_paused(desk: Desk) -> None:
    """It pauses at its newest frame; played forward it stays live."""
    assert desk.play(2.0) == {"at": None, "speed": 1.0}
    assert desk.session.past_viewer_of("door") is None

    assert desk.play(0.0)["at"] == SEEN[-1].at_unix
    desk.expect(1, SEEN[-1].seq)


def test_viewer_without_a_decoder_is_sent_jpeg(camera: Camera, fanout: Fanout) -> None:
    """The JPEG is made from the group up to the picture."""
    units = video(3)
    desk = Desk(camera, fanout, units)

    desk.seek(1.25)
    desk.expect(units[12].seq)

    [made] = desk.made
    assert [one.seq for one in made] == [one.seq for one in units[10:13]]
    assert "codec" not in desk.line.headers[-1]
    assert b"made" in desk.line.packets[-1]


def test_viewer_with_a_decoder_is_sent_the_group(camera: Camera, fanout: Fanout) -> None:
    """Only its last unit is painted."""
    units = video(3)
    desk = Desk(camera, fanout, units)
    desk.session.watch(fanout, codecs=frozenset({"h264"}))

    desk.seek(1.25)
    desk.expect(*(one.seq for one in units[10:13]))

    assert [one.get("catch_up") for one in desk.line.headers] == [True, True, None]
    assert [one["key"] for one in desk.line.headers] == [True, False, False]
    assert desk.line.headers[0]["codec"] == units[0].codec


def test_group_is_packed_into_few_frames_on_request(camera: Camera, fanout: Fanout) -> None:
    """A message costs a browser more than a unit: a seek on four cameras took 240. A frame's bytes
    are limited, so that a decoder can start before all has arrived."""
    units = video(3)
    for one in units:
        one.data = bytes([one.seq % 256]) * 100
    units[13].data = bytes(MAX_PACK_BYTES)
    desk = Desk(camera, fanout, units)
    desk.session.watch(fanout, codecs=frozenset({"h264"}))

    desk.seek(1.55, packed=True)
    desk.expect(*(units[at].seq for at in (12, 13, 15)))

    headers = desk.line.headers
    assert [one.get("units") for one in headers] == [[100] * 3, None, [100] * 2]
    assert [one.get("catch_up") for one in headers] == [True, True, None]
    assert [one["key"] for one in headers] == [True, False, False]
    assert headers[-1]["at"] == units[15].at_unix
    assert desk.line.packets[-1].endswith(units[14].data + units[15].data)


def test_key_frame_always_starts_a_new_pack() -> None:
    """A frame's header says only of its first unit whether it is a key frame."""
    assert [[one.key for one in pack] for pack in packs(video(2))] == [[True] + [False] * 9] * 2
    assert list(packs(SEEN[:2])) == [[SEEN[0]], [SEEN[1]]]
    assert not list(packs([]))


def test_seek_without_a_past_stays_live(desk: Desk) -> None:
    """A camera that was never open before has nothing to show."""
    desk.rewind = filled()

    answer = desk.seek(0.5)

    assert (answer["at"], answer["from"], answer["to"]) == (None, None, None)
    assert desk.session.past_viewer_of("door") is None


def test_failed_seek_changes_nothing(camera: Camera, fanout: Fanout) -> None:
    """The answer is the error."""
    desk = Desk(camera, fanout, video(1))

    def refuse(units: Sequence[Unit]) -> bytes:
        raise RequestError("unavailable", "it took too long")

    desk._seeks._to_jpeg = refuse

    with pytest.raises(RequestError, match="too long"):
        desk.seek(0.5)
    assert desk.session.past_viewer_of("door") is None


def test_client_can_request_jpeg_for_one_seek(camera: Camera, fanout: Fanout) -> None:
    """A failing decoder is not given the same group forever; the next seek is video again."""
    units = video(3)
    desk = Desk(camera, fanout, units)
    desk.session.watch(fanout, codecs=frozenset({"h264"}))

    desk.seek(1.25, video=False)
    desk.expect(units[12].seq)
    desk.ack(units[12].seq)
    assert "codec" not in desk.line.headers[-1]

    desk.seek(0.15)
    desk.expect(units[12].seq, units[0].seq, units[1].seq)
    assert desk.line.headers[-1]["codec"] == units[1].codec
