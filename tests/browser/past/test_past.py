"""A viewer's position in the past: seeks, steps and replies, without a camera."""

from typing import Any

from playwright.sync_api import Page

from tests.support.browser.chromium import (
    in_module,
)

# A PastRequests, and a server that replies when the test says so; `asked` records its requests.
RIG = """(() => {
  const asked = [];
  const waiting = [];
  const hooks = {
    onChange() { told.push(past.report.wanted); },
    onSwitch() { switches.push(past.active); },
  };
  const told = [];
  const switches = [];
  const plain = [];
  const past = new module.PastRequests((event, payload) => {
    plain.push(payload.video === false);
    asked.push([event, payload.at ?? payload.speed ?? null]);
    return new Promise((resolve) => waiting.push(resolve));
  }, hooks);
  const answer = async (reply) => {
    waiting.shift()({ ok: true, from: 0, to: 100, ...reply });
    await new Promise((resolve) => setTimeout(resolve));
  };
  const frame = (seek, at, more = {}) => {
    return past.accept({ live: false, catchUp: false, seek, at, ...more });
  };
  const live = () => past.accept({ live: true, catchUp: false, seek: 0 });
  const seen = async (seek, at) => {
    past.painted({ seek, at });
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { past, asked, told, plain, switches, answer, frame, live, seen };
})()"""


def with_past(page: Page, body: str) -> Any:
    """Run a test of a viewer's position."""
    return in_module(
        page, "stream/past-requests", f"async (module) => {{ const rig = {RIG}; {body} }}"
    )


def test_frames_of_an_older_seek_are_ignored(blank: Page) -> None:
    """Frames may precede their seek's reply; those of an older seek or of live are ignored.

    Live frames after those of the past mean that playback has caught up.
    """
    result = with_past(
        blank,
        """
        rig.past.seek(50);
        const catchUp = { catchUp: true };
        const before = [rig.live(), rig.frame(3, 50, catchUp), rig.live(), rig.frame(3, 50)];
        await rig.answer({ at: 50, seek: 3 });
        await rig.seen(3, 50);
        rig.past.seek(40);
        await rig.answer({ at: 40, seek: 4 });
        const after = [rig.frame(3, 50), rig.live(), rig.frame(4, 40)];
        await rig.seen(4, 40);
        const caughtUp = [rig.live(), rig.frame(4, 41), rig.past.report.wanted];
        return { before, after, caughtUp, switches: rig.switches };
        """,
    )

    assert result == {
        "before": [True, True, False, True],
        "after": [False, False, True],
        "caughtUp": [True, False, None],
        "switches": [True, False],
    }


def test_only_the_newest_request_is_sent(blank: Page) -> None:
    """During a drag one seek is in flight; of the moments requested meanwhile the last is sent."""
    result = with_past(
        blank,
        """
        for (const at of [50, 49, 48, 47]) rig.past.seek(at);
        await rig.answer({ at: 50, seek: 1 });
        rig.past.seek(46);
        rig.frame(1, 50);
        await rig.seen(1, 50);
        await rig.answer({ at: 46, seek: 2 });
        rig.past.play(2);
        rig.frame(2, 46);
        await rig.seen(2, 46);
        await rig.answer({ speed: 2 });
        rig.past.seek(null);
        await rig.answer({ at: null, seek: 3 });
        return [rig.asked, rig.past.active, rig.past.report.wanted];
        """,
    )

    assert result == [[["seek", 50], ["seek", 46], ["play", 2], ["seek", None]], False, None]


def test_steps_go_to_the_neighbouring_frames(blank: Page) -> None:
    """Steps use the server's times of neighbours; after playing they first seek the position."""
    result = with_past(
        blank,
        """
        const arrive = async (seek, at, around) => {
          await rig.answer({ at, seek, ...around });
          rig.frame(seek, at);
          await rig.seen(seek, at);
        };
        rig.past.seek(50);
        await arrive(1, 50, { before: 49.9, after: 50.1 });
        rig.past.step(-1);
        await arrive(2, 49.9, { before: 49.8, after: 50 });
        rig.past.play(1);
        await rig.answer({ speed: 1 });
        rig.frame(2, 51);
        await rig.seen(2, 51);
        rig.past.step(1);
        await arrive(3, 51, { before: 50.9, after: 51.1 });
        await arrive(4, 51.1, { before: 51, after: null });
        rig.past.step(1);
        await new Promise((resolve) => setTimeout(resolve));
        return [rig.asked.map(([, at]) => at), rig.past.report.wanted];
        """,
    )

    assert result == [[50, 49.9, 1, 51, 51.1], 51.1]


def test_held_key_stops_soon_after_release(blank: Page) -> None:
    """Only a few steps stay pending after a key is released, and none after another seek."""
    result = with_past(
        blank,
        """
        const arrive = async (seek, at) => {
          await rig.answer({ at, seek, before: at - 1, after: at + 1 });
          rig.frame(seek, at);
          await rig.seen(seek, at);
        };
        rig.past.seek(50);
        await arrive(1, 50);
        for (let held = 0; held < 30; held += 1) rig.past.step(-1);
        for (const seek of [2, 3, 4]) await arrive(seek, 51 - seek);
        const steps = rig.asked.length;
        for (let held = 0; held < 30; held += 1) rig.past.step(-1);
        rig.past.seek(20);
        await arrive(5, 46);
        await arrive(6, 20);
        return [steps, rig.asked.map(([, at]) => at)];
        """,
    )

    assert result == [4, [50, 49, 48, 47, 46, 20]]


def test_undecodable_moment_is_sought_again(blank: Page) -> None:
    """The latest seek is repeated, even before its reply; after another failure, as JPEG."""
    result = with_past(
        blank,
        """
        rig.past.seek(50);
        await rig.answer({ at: 50, seek: 1 });
        rig.frame(1, 50);
        await rig.seen(1, 50);
        rig.past.seek(40);
        rig.frame(2, 40);
        rig.past.retry();
        await rig.answer({ at: 39.9, seek: 2 });
        rig.frame(3, 40);
        await rig.answer({ at: 39.9, seek: 3 });
        rig.past.retry();
        await new Promise((resolve) => setTimeout(resolve));
        await rig.answer({ at: 39.9, seek: 4 });
        rig.frame(4, 39.9);
        await rig.seen(4, 39.9);
        rig.past.seek(null);
        await rig.answer({ at: null, seek: 5 });
        rig.past.seek(30);
        rig.frame(6, 30);
        rig.past.seek(null);
        rig.past.retry();
        await rig.answer({ at: 30, seek: 6 });
        await rig.seen(6, 30);
        return [rig.asked.map(([, at]) => at), rig.plain, rig.past.report.fault];
        """,
    )

    plain = [False, False, False, True, False, False, False]
    assert result == [[50, 40, 40, 39.9, None, 30, None], plain, ""]


def test_cameras_at_one_moment_show_one_time(blank: Page) -> None:
    """Cameras at one moment show one time, unless a picture is from long before it."""
    result = with_past(
        blank,
        """
        const asked = [];
        const arrive = async (seek, at) => {
          await rig.answer({ at, seek });
          rig.frame(seek, at);
          await rig.seen(seek, at);
          asked.push([rig.past.report.wanted, rig.past.report.asked]);
        };
        rig.past.seek(50);
        await arrive(1, 49.7);
        rig.past.seek(48);
        await arrive(2, 40);
        rig.past.seek(47);
        await arrive(3, 46.9);
        rig.past.play(1);
        asked.push(rig.past.report.asked);
        return asked;
        """,
    )

    assert result == [[49.7, 50], [40, None], [46.9, 47], None]


def test_position_updates_with_its_picture(blank: Page) -> None:
    """The page updates with the picture, not the reply; if no picture comes, it still updates."""
    result = with_past(
        blank,
        """
        rig.past.seek(50);
        await rig.answer({ at: 49.7, seek: 1 });
        const before = [...rig.told];
        rig.frame(1, 49.7);
        await rig.seen(1, 49.7);
        const after = [...rig.told];
        rig.past.seek(40);
        await rig.answer({ at: 39.9, seek: 2 });
        while (rig.told.at(-1) !== 39.9) await new Promise((resolve) => setTimeout(resolve, 10));
        return [before, after, rig.told];
        """,
    )

    assert result == [[50], [50, 49.7], [50, 49.7, 40, 39.9]]


def test_past_position_is_restored_after_a_reconnect(blank: Page) -> None:
    """The position is sought again after a lost connection; if it is no longer kept, it is live."""
    result = with_past(
        blank,
        """
        rig.past.seek(50);
        await rig.answer({ at: 50, seek: 7 });
        rig.past.forget();
        const away = [rig.past.active, rig.past.away];
        rig.past.restart();
        await rig.answer({ at: null, from: null, to: null, seek: 1 });
        return [rig.asked, away, rig.past.away, rig.past.report.fault];
        """,
    )

    assert result[:3] == [[["seek", 50], ["seek", 50]], [False, True], False]
    assert "No earlier pictures" in result[3]
