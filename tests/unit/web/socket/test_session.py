"""A dashboard's watching and acknowledging, on real rooms; only the line is a fake."""

import json
from typing import Any

import numpy as np
import pytest

from server.capture.camera import Camera
from server.delivery.fanout import Fanout
from server.delivery.packet import Packet
from server.web.socket.session import Session
from tests.support.fakes import encoded, give_video, picture, put_frame, settle, unit, until


class FakeLine:
    """A WebSocket that records what it is offered."""

    def __init__(self) -> None:
        self.busy = False
        self.closed = False
        self.packets: list[bytes] = []
        self.texts: list[str] = []
        self.on_message: Any = None
        self.on_drained: Any = None

    def offer(self, packet: Packet) -> str | None:
        if self.busy:
            return "unsent"
        self.packets.append(packet.data)
        return "gone" if self.closed else None

    def send_text(self, text: str) -> None:
        self.texts.append(text)

    @property
    def headers(self) -> list[dict[str, Any]]:
        found = []
        for text in b"".join(self.packets).split(b"451-")[1:]:
            (_, header, _), _ = json.JSONDecoder().raw_decode(text.decode("latin-1"))
            found.append(header)
        return found

    @property
    def seqs(self) -> list[int]:
        return [header["seq"] for header in self.headers]


@pytest.fixture
def line() -> FakeLine:
    """The line that frames are sent on."""
    return FakeLine()


@pytest.fixture
def session(line: FakeLine) -> Session:
    """One connection."""
    return Session("sid", line, "127.0.0.1", "operator", 2)  # type: ignore[arg-type]


def wait_sent(line: FakeLine, *seqs: int) -> None:
    until(lambda: line.seqs == list(seqs))


def test_silent_viewer_gets_exactly_the_window(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout
) -> None:
    """Without an acknowledgement two frames are sent and no more."""
    session.watch(fanout)

    for seq in (1, 2):
        put_frame(camera, seq)
        until(lambda seq=seq: len(line.packets) == seq)  # type: ignore[misc]
    for seq in range(3, 20):
        put_frame(camera, seq)
        settle()

    assert line.seqs == [1, 2]
    assert camera.meter.encoded == 2


def test_acknowledgement_brings_the_newest_frame(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout
) -> None:
    """Returned credit is spent on the newest frame; missed frames stay missed."""
    session.watch(fanout)
    for seq in (1, 2):
        put_frame(camera, seq)
        until(lambda seq=seq: len(line.packets) == seq)  # type: ignore[misc]
    put_frame(camera, 3)
    put_frame(camera, 9)
    settle()

    session.acknowledge("door", 1)

    wait_sent(line, 1, 2, 9)


def test_acknowledgement_bypasses_engineio(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout
) -> None:
    """An ``ack`` or a pong is handled before Engine.IO, without a Flask context."""
    session.watch(fanout)
    put_frame(camera, 1)
    wait_sent(line, 1)

    assert line.on_message('42["ack","door",1]') is True
    assert line.on_message('42["watch",{"camera":"door"}]') is False
    assert line.on_message("3") is True
    assert line.on_message(b'42["ack","door",1]') is False

    viewer: Any = fanout.get("sid")
    assert viewer.credit.in_flight == 0


@pytest.mark.parametrize(
    "message",
    ['42["ack",', '42["ack","door"]', '42["ack","door",1,2,3]', '42["ack","door",' + "[" * 3000],
)
def test_malformed_acknowledgement_gives_no_credit(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout, message: str
) -> None:
    """A malformed ``ack`` is left to the message filter, and gives no credit."""
    session.watch(fanout)
    put_frame(camera, 1)
    wait_sent(line, 1)

    line.on_message(message)

    viewer: Any = fanout.get("sid")
    assert viewer.credit.in_flight == 1


@pytest.mark.parametrize(
    ("name", "seq"),
    [
        ("yard", 1),
        (None, 1),
        (["door"], 1),
        ("door", "1"),
        ("door", True),
        ("door", 1.0),
        ("door", None),
        ({}, {}),
    ],
)
def test_invalid_acknowledgement_gives_no_credit(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout, name: object, seq: object
) -> None:
    """An ack for another camera, or one with wrong types, does not raise an error either."""
    session.watch(fanout)
    put_frame(camera, 1)
    wait_sent(line, 1)

    session.acknowledge(name, seq)

    viewer: Any = fanout.get("sid")
    assert viewer.credit.in_flight == 1


def test_busy_line_skips_to_the_newest_frame(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout
) -> None:
    """While earlier bytes wait nothing is added; then the newest frame follows."""
    session.watch(fanout)
    put_frame(camera, 1)
    wait_sent(line, 1)
    line.busy = True
    put_frame(camera, 2)
    put_frame(camera, 3)
    settle()
    assert line.seqs == [1]

    line.busy = False
    line.on_drained()

    wait_sent(line, 1, 3)


def test_watching_again_repeats_no_frame(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout
) -> None:
    """Looking away for a moment does not repeat frames."""
    session.watch(fanout)
    put_frame(camera, 1)
    wait_sent(line, 1)
    session.unwatch("door")

    session.watch(fanout)
    put_frame(camera, 1)
    settle()
    put_frame(camera, 2)

    wait_sent(line, 1, 2)


def test_watching_twice_counts_as_one_viewer(session: Session, fanout: Fanout) -> None:
    """A repeated watch replaces the first."""
    session.watch(fanout)
    session.watch(fanout)

    assert len(fanout) == 1


def test_leaving_ends_all_watching(session: Session, fanout: Fanout) -> None:
    """A closed connection leaves every room; leaving again is harmless."""
    session.watch(fanout)

    session.leave()
    session.leave()
    session.unwatch("nowhere")

    assert len(fanout) == 0


def test_viewers_share_one_packet(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout
) -> None:
    """Two connections are offered the very same bytes."""
    other_line = FakeLine()
    other = Session("other", other_line, "127.0.0.1", "viewer", 2)  # type: ignore[arg-type]
    session.watch(fanout)
    other.watch(fanout)

    put_frame(camera, 1)
    wait_sent(other_line, 1)

    assert line.packets[0] is other_line.packets[0]
    assert line.packets[0] != encoded(1).packet.data


def test_automatic_rendition_grows_on_a_fast_link(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout
) -> None:
    """The smallest is sent first, and then one that fills the tile."""
    shown = picture(1280, 720)
    choice = session.watch_auto(fanout, 900).choice
    put_frame(camera, 1, shown)
    wait_sent(line, 1)
    assert choice.rendition == "320"

    line.on_message('42["ack","door",1,4]')
    put_frame(camera, 2, shown)
    wait_sent(line, 1, 2)

    assert line.headers[0]["rendition"] == "320"
    assert line.headers[1]["rendition"] == "960"
    said = '["rendition", {"camera": "door", "rendition": "960", "reason": "tile"}]'
    assert line.texts == [f"42{said}"]


def test_resized_tile_keeps_the_link_estimate(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout
) -> None:
    """With another width the same choice continues, and the next frame fits."""
    shown = picture(1280, 720)
    choice = session.watch_auto(fanout, 900).choice
    put_frame(camera, 1, shown)
    wait_sent(line, 1)
    line.on_message('42["ack","door",1,4]')

    assert session.watch_auto(fanout, 300).choice is choice
    put_frame(camera, 2, shown)
    wait_sent(line, 1, 2)

    assert line.headers[1]["rendition"] == "320"
    assert choice.reason == "tile"


def test_named_rendition_never_changes(
    session: Session, line: FakeLine, camera: Camera, fanout: Fanout
) -> None:
    """A rendition requested by name is sent, whatever the link does."""
    session.watch(fanout, "640")
    for seq in (1, 2, 3):
        put_frame(camera, seq, picture(1280, 720))
        until(lambda seq=seq: len(line.packets) == seq)  # type: ignore[misc]
        line.on_message(f'42["ack","door",{seq}]')

    assert [header["rendition"] for header in line.headers] == ["640"] * 3
    assert line.texts == []


H264 = frozenset({"h264"})


def test_video_is_acknowledged_like_any_frame(
    session: Session, line: FakeLine, camera: Camera
) -> None:
    """Without acknowledgements, units continue for a quarter of a second, not for two frames."""
    track = give_video(camera)
    fanout = Fanout(camera)
    fanout.open()
    viewer = session.watch(fanout, "full", H264)

    for seq in range(1, 6):
        track.put(unit(seq, key=seq == 1))
        settle(4)
    assert line.seqs == [1, 2, 3, 4, 5]
    line.on_message('42["ack","door",5,1]')
    session.leave()
    fanout.close()

    assert viewer.credit.in_flight == 0
    assert viewer.credit.delivery.total > 5000
    header = line.headers[0]
    assert (header["codec"], header["key"], "catch_up" in header) == ("avc1.64001f", True, False)


def test_fast_link_is_sent_the_cameras_own_video(
    session: Session, line: FakeLine, camera: Camera
) -> None:
    """A small JPEG comes first; once it arrived quickly, the video follows from its key frame."""
    track = give_video(camera)
    fanout = Fanout(camera)
    fanout.open()
    viewer = session.watch_auto(fanout, 900, H264)
    track.put(unit(1, key=True))
    put_frame(camera, 1, np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8))
    wait_sent(line, 1)

    line.on_message('42["ack","door",1,9999]')  # All of the time was decoding.
    track.put(unit(2))
    settle()
    session.leave()
    fanout.close()

    assert [header.get("catch_up") for header in line.headers[1:]] == [True, None]
    assert viewer.credit.in_flight == 1, "what is not painted is not acknowledged either"
    assert line.seqs[-1] == 2
    assert '"rendition": "full", "reason": "tile", "video": "avc1.64001f"' in line.texts[0]


@pytest.mark.parametrize("fits", [True, False])
def test_link_estimate_carries_over_to_the_next_camera(
    session: Session, line: FakeLine, camera: Camera, fits: bool
) -> None:
    """A tile shown again used to begin with a JPEG, for which a group had to be decoded. The link
    is known from the connection, so the camera's own video comes immediately."""
    track = give_video(camera)
    fanout = Fanout(camera)
    fanout.open()
    session.watch(fanout, "full", H264)
    track.put(unit(1, True, 60_000))
    settle()
    line.on_message('42["ack","door",1,9999]')
    session.unwatch("door")
    track.put(unit(2))

    watch = session.watch_auto if fits else session.watch
    viewer = watch(fanout, 900 if fits else "full", H264)  # type: ignore[operator]
    settle()
    session.leave()
    fanout.close()

    assert line.seqs[-1] == 2
    assert line.headers[-1]["codec"] == "avc1.64001f"
    assert viewer.link.is_known
    assert viewer.choice is not None
    assert (viewer.choice.video, viewer.choice.reason) == ("full", "tile" if fits else "fixed")


def test_fixed_rendition_switches_to_video_when_available(
    session: Session, line: FakeLine, camera: Camera
) -> None:
    """A closed camera learns its codec only after it is watched."""
    track = give_video(camera)
    track.codec = None
    fanout = Fanout(camera)
    fanout.open()
    viewer = session.watch(fanout, "full", H264)
    put_frame(camera, 1)
    wait_sent(line, 1)

    track.codec = "avc1.64001f"
    line.on_message('42["ack","door",1,1]')
    track.put(unit(2, key=True))
    settle()

    assert viewer.flows
    assert line.seqs == [1, 2]
    session.leave()
    fanout.close()
