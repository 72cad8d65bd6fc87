"""Cameras of other nodes: how they appear, stay up to date, and go."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from server.capture.frames.rendition import FULL
from server.cluster.bus.library_message import Happened
from server.cluster.bus.messages import (
    Figures,
    MessageError,
    Notice,
    Presence,
    Reply,
    Request,
    Status,
    VideoFacts,
    Wake,
    parse_message,
)
from server.cluster.bus.outbox import Outbox
from server.cluster.incoming import directory as roster
from server.cluster.incoming import remote
from server.cluster.incoming import subscriber as reception
from server.cluster.incoming.directory import FORGET_S, MAX_CAMERAS, SILENT_S, Directory
from server.cluster.incoming.remote import RemoteCamera
from server.cluster.incoming.rpc import Requests
from server.commands import SetFps, Stop
from server.errors import RequestError
from server.loop import hub
from server.recording.disk.index import Event
from tests.support.fakes import FakeClock, offline_camera, until
from tests.support.servers.bus import FakeBus, FakeSubscription

US, THEM, STRANGER = "0" * 16, "1" * 16, "2" * 16


def status(name: str = "door", **changes: Any) -> Status:
    return Status(**(offline_camera(name).describe() | {"since": 5.0} | changes))


def presence(*cameras: Status, node: str = THEM, leaving: bool = False) -> Presence:
    return Presence(node=node, host="attic", leaving=leaving, cameras=list(cameras))


class Desk:
    """A roster and everything it announced."""

    def __init__(self) -> None:
        self.bus = FakeBus()
        self.outbox = Outbox(cast(Any, self.bus))
        self.requests = Requests(cast(Any, self.bus), US, self.outbox)
        self.cameras: dict[str, RemoteCamera] = {}
        self.changes: list[str] = []
        self.notices: list[tuple[str, str, str, str | None]] = []
        self.events: list[Event] = []
        self.is_bus_connected = True
        self.roster = Directory(
            cast(Any, self.bus),
            US,
            {"ours"},
            self.outbox,
            self.requests,
            lambda: self.is_bus_connected,
            self._arrive,
            lambda camera: self.cameras.pop(camera.name),
            lambda camera: self.changes.append(camera.name),
            lambda *notice: self.notices.append(notice),
            self.events.append,
        )

    def _arrive(self, camera: RemoteCamera) -> None:
        self.cameras[camera.name] = camera

    @property
    def door(self) -> RemoteCamera:
        return self.cameras["door"]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Iterator[Desk]:
    """A roster on a clock that the test advances."""
    monkeypatch.setattr(roster, "time", clock)
    monkeypatch.setattr(remote, "time", clock)
    monkeypatch.setattr(roster, "WATCH_PERIOD_S", 0.001)
    desk = Desk()
    desk.roster.open()
    yield desk
    desk.roster.close()


def test_remote_camera_is_described_like_a_local_one(desk: Desk) -> None:
    """STATE has the same keys and the node's values, except that the viewers are ours."""
    desk.roster.on_presence(presence(status(state="live", viewers=7, title="The door")))

    told = desk.door.describe()

    assert told.keys() == offline_camera().describe().keys()
    assert (told["state"], told["title"], told["viewers"]) == ("live", "The door", 0)
    assert desk.door.owner is desk.door


def test_only_changes_are_announced(desk: Desk) -> None:
    """An unchanged state is not announced, and new figures do not count as a change."""
    desk.roster.on_presence(presence(status()))
    desk.roster.on_presence(presence(status()))
    desk.roster.on_presence(presence(status(figures=Figures(captured=812))))
    before = len(desk.changes)
    desk.roster.on_presence(presence(status(state="stopped", reason="stopped by an operator")))

    assert (before, desk.changes) == (0, ["door"])
    assert desk.door.state == "stopped"
    assert desk.door.figures["captured"] == desk.door.meter.captured == 812


def test_videos_are_those_of_the_owning_node(desk: Desk) -> None:
    """A viewer may request a video before its first unit arrives; an older node has none.

    Whether it is encoded may change, as when a processor is added.
    """
    facts = VideoFacts(codec="avc1.64001f", passed_through=True)
    small = VideoFacts(codec="avc1.42c01f", passed_through=False)
    desk.roster.on_presence(presence(status(widths=[640])))
    assert {track.codec for track in desk.door.videos.values()} == {None}

    videos = {"full": facts, "640": small, "other": small}
    desk.roster.on_presence(presence(status(widths=[640], videos=videos, prefers_video=True)))

    assert desk.door.videos["full"].codec == "avc1.64001f"
    assert desk.door.videos["full"].passed_through
    assert not desk.door.videos["640"].passed_through
    assert "other" not in desk.door.videos
    assert desk.door.prefers_video
    assert not {"videos", "prefers_video"} & desk.door.describe().keys()


def test_key_frame_is_requested_once_a_second(desk: Desk, clock: FakeClock) -> None:
    """Only for encoded video that is watched here: a camera's own video cannot be influenced."""
    facts = [VideoFacts(codec="avc1.42c01f", passed_through=own) for own in (False, True)]
    videos = dict(zip(("full", "640"), facts, strict=True))
    desk.roster.on_presence(presence(status(widths=[640], videos=videos)))
    desk.door.request_key("full")
    desk.door.set_videos(["full", "640"])
    for seconds in (0.0, 0.3, 0.3, 0.5, 0.1):
        clock.advance(seconds)
        desk.door.request_key("full")
        desk.door.request_key("640")
        desk.door.request_key("nonsense")

    desk.outbox.open()
    hub.sleep(0)
    desk.outbox.close()
    wakes = [parse_message(Wake, data) for _, data in desk.bus.commands.published]
    assert [(one.camera, one.rendition) for one in wakes if one.key] == [("door", "full")] * 2
    desk.door.close()


def test_silent_node_is_lost(desk: Desk, clock: FakeClock) -> None:
    """After three silent rounds the camera says why, is announced, and comes back."""
    desk.roster.on_presence(presence(status(state="live", reason="")))
    clock.advance(SILENT_S + 0.1)
    until(lambda: desk.door.state == "retrying")
    lost = desk.door.describe()
    desk.roster.on_presence(presence(status(state="live", reason="")))

    assert lost["reason"] == "its node attic is unavailable"
    assert lost["since"] == pytest.approx(clock.time())
    assert desk.door.state == "live"
    assert desk.changes == ["door", "door"]
    assert [level for level, *_ in desk.notices] == ["warning", "info"]


def test_bus_outage_is_not_blamed_on_nodes(desk: Desk, clock: FakeClock) -> None:
    """While the bus is down, no node is blamed and no camera forgotten, however long it takes."""
    desk.roster.on_presence(presence(status()))
    desk.is_bus_connected = False
    clock.advance(SILENT_S + 0.1)
    until(lambda: desk.door.state == "retrying")
    reason = desk.door.reason
    clock.advance(FORGET_S * 2)
    until(lambda: desk.door.heard_at == clock.now)
    desk.is_bus_connected = True
    clock.advance(SILENT_S + 0.1)

    until(lambda: "attic" in desk.door.reason)
    assert reason == "the bus between the nodes is unavailable"


def test_node_that_shuts_down_is_lost_at_once(desk: Desk, clock: FakeClock) -> None:
    """A node that shuts down says so, and that stays the reason."""
    desk.roster.on_presence(presence(status()))
    desk.roster.on_presence(presence(status(), leaving=True))
    said = desk.door.reason
    clock.advance(SILENT_S + 0.1)
    hub.sleep(0.01)  # It has looked several times by then.

    assert desk.door.reason == said == "its node attic is unavailable: it was shut down"


def test_long_absent_camera_is_forgotten(desk: Desk, clock: FakeClock) -> None:
    """After a long time it leaves the list, and may come back as new."""
    desk.roster.on_presence(presence(status()))
    clock.advance(FORGET_S + 1)
    until(lambda: not desk.cameras)
    desk.roster.on_presence(presence(status()))

    assert set(desk.cameras) == {"door"}


def test_another_node_may_take_over_a_lost_camera(desk: Desk, clock: FakeClock) -> None:
    """Another node gets the name once the first one is gone, not before."""
    desk.roster.on_presence(presence(status(title="First")))
    desk.roster.on_presence(presence(status(title="Thief"), node=STRANGER))
    before = desk.door.title
    clock.advance(SILENT_S + 0.1)
    until(lambda: desk.door.state == "retrying")
    desk.roster.on_presence(presence(status(title="Heir"), node=STRANGER))

    assert (before, desk.door.title, desk.door.owner_id) == ("First", "Heir", STRANGER)


def test_local_names_and_excess_cameras_are_ignored(desk: Desk) -> None:
    """No node may add a camera with our names, nor more than the limit."""
    desk.roster.on_presence(presence(status("ours")))
    desk.roster.on_presence(presence(status("mirror"), node=US))
    for number in range(MAX_CAMERAS + 5):
        desk.roster.on_presence(presence(status(f"c{number}")))

    assert len(desk.cameras) == MAX_CAMERAS
    assert not {"ours", "mirror"} & set(desk.cameras)
    assert desk.roster.refused == 6


def test_notices_from_other_nodes_are_ignored(desk: Desk) -> None:
    """Notices about another node's camera are ignored."""
    desk.roster.on_presence(presence(status()))
    for node in (THEM, STRANGER):
        notice = Notice(node=node, level="info", message=node, camera="door", who="ann")
        desk.roster.on_notice(notice)

    assert desk.notices == [("info", THEM, "door", "ann")]


def test_events_from_other_nodes_are_ignored(desk: Desk) -> None:
    """Events from other nodes than the camera's, and impossible ones, are ignored."""
    desk.roster.on_presence(presence(status()))
    event = Event("door_20261126_120000000", "door", "motion", 1795700000.0)
    for node in (STRANGER, THEM):
        desk.roster.on_event(Happened(node=node, event=event))
    with pytest.raises(MessageError):
        desk.roster.on_event(Happened(node=THEM, event=replace(event, camera="yard")))
    with pytest.raises(MessageError):
        desk.roster.on_event(Happened(node=THEM, event=replace(event, id="../door")))

    assert desk.events == [event]


def test_only_the_owners_answer_counts(desk: Desk) -> None:
    """The owner is asked; an answer from another node is ignored, the owner's STATE is taken."""
    desk.roster.on_presence(presence(status()))
    done: list[object] = []
    hub.spawn(lambda: done.append(desk.door.execute("ann", SetFps(camera="door", fps=5))))
    desk.outbox.open()
    until(lambda: desk.bus.commands.published)
    channel, data = desk.bus.commands.published[0]
    asked = Request.model_validate_json(data)
    desk.requests.on_reply(Reply(id=asked.id, node=STRANGER, camera=status(fps=99.0)))
    desk.requests.on_reply(Reply(id=asked.id, node=THEM, camera=status(fps=5.0)))
    until(lambda: done)
    desk.outbox.close()

    assert channel == f"test:request:{THEM}"
    assert (asked.node, asked.who, asked.command) == (US, "ann", SetFps(camera="door", fps=5))
    assert desk.door.describe()["fps"] == 5.0


def test_failed_request_says_why(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request without an answer, or to a lost node, fails as unavailable."""
    desk.roster.on_presence(presence(status()))
    monkeypatch.setattr("server.cluster.incoming.rpc.DEADLINE_S", 0.02)

    with pytest.raises(RequestError) as silent:
        desk.door.execute("ann", Stop(camera="door"))
    desk.door.lose("it is gone")
    with pytest.raises(RequestError) as gone:
        desk.door.execute("ann", Stop(camera="door"))

    assert (silent.value.code, gone.value.code, str(gone.value)) == (
        "unavailable",
        "unavailable",
        "it is gone",
    )


def test_frame_request_reaches_the_owning_node(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot of a slow camera watched here used to wait for the next regular frame."""
    monkeypatch.setattr(reception, "Subscription", FakeSubscription())
    said: list[Any] = []
    monkeypatch.setattr(desk.outbox, "send", lambda channel, wake: said.append(wake))
    desk.roster.on_presence(presence(status()))
    desk.door.request_frame()
    unheard = list(said)
    desk.door.set_renditions([FULL])
    until(lambda: len(said) == 1)  # It asks by itself once it subscribes.
    desk.door.request_frame()
    desk.door.close()

    assert unheard == []
    assert said == [Wake(camera="door", rendition="full")] * 2
