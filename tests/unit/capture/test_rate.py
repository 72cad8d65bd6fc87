"""How many of a source's pictures are taken."""

import pytest

from server.capture.pacing.schedule import DEFAULT_FPS
from server.loop import hub
from tests.support.fakes import FakeClock, FakeSource, picture, until
from tests.unit.capture.opened import MakeCamera, live, quick, use_clock

__all__ = ["quick"]


@pytest.mark.parametrize(
    ("claimed", "fps", "taken"),
    [(30, 10, 30), (30, 60, 90), (0, 10, 30), (25, 28, 84)],
    ids=["a third", "more than there is", "of an unknown rate", "more than is claimed"],
)
def test_fps_setting_is_met_on_average(
    make_camera: MakeCamera,
    monkeypatch: pytest.MonkeyPatch,
    clock: FakeClock,
    claimed: float,
    fps: float,
    taken: int,
) -> None:
    """Of 30 frames per second, as many are taken and decoded as the setting allows.

    A camera that claimed 25 but sent 60 used to be limited only by settings up to 25.
    """
    use_clock(clock, monkeypatch)
    source = FakeSource(fps=claimed)
    camera = make_camera(source, fps=fps)
    camera.set_viewers(1)

    for number in range(1, 91):
        source.give()
        until(lambda number=number: source.grabs == number)  # type: ignore[misc]
        hub.sleep(0)
        clock.advance(1 / 30)
    until(lambda: camera.meter.captured >= taken - 2)

    assert taken - 2 <= camera.meter.captured <= taken + 2
    assert source.decoded == camera.meter.captured


def test_rate_is_the_lower_of_source_and_setting(make_camera: MakeCamera) -> None:
    """The rate is read for each picture, so it is computed only when either one changes."""
    source = FakeSource(fps=25)
    camera = make_camera(source)
    before = camera.rate
    live(camera, source)
    rates = [camera.rate]
    for fps in (5.0, 60.0, None):
        camera.set_fps(fps)
        rates.append(camera.rate)

    assert before == DEFAULT_FPS
    assert rates == [25, 5, 25, 25]


def test_fps_change_applies_to_the_next_picture(make_camera: MakeCamera) -> None:
    """A camera at 0.1 fps that is set to 100 does not wait out its ten seconds."""
    source = FakeSource()
    camera = make_camera(source, fps=0.1)
    live(camera, source)
    source.give()
    until(lambda: source.grabs == 2)
    assert camera.meter.captured == 1

    camera.set_fps(100)
    source.give()

    until(lambda: camera.meter.captured == 2)


def test_new_viewer_does_not_wait_for_a_slow_camera(make_camera: MakeCamera) -> None:
    """A new viewer gets the source's very next picture."""
    source = FakeSource()
    camera = make_camera(source, fps=0.1)
    live(camera, source)

    camera.set_viewers(2)
    source.give()

    until(lambda: camera.meter.captured == 2)


def test_replaced_frame_is_counted(make_camera: MakeCamera) -> None:
    """A frame that nobody took in time counts as a drop, with its reason."""
    source = FakeSource()
    camera = make_camera(source)
    camera.set_viewers(1)

    source.give(picture(), picture(), picture())
    until(lambda: camera.meter.captured == 3)

    assert camera.meter.drops["replaced"] == 2
