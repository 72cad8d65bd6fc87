"""How many frames one acknowledgement covers."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.support.browser.chromium import (
    READ_TIME,
    backstage,
    wait_for,
    wait_for_paint,
    wait_to_see,
)
from tests.support.servers.server import PATIENCE_S, PortholeServer, wait_until

Start = Callable[..., PortholeServer]


# Runs where frames are acknowledged: records [number, Unix ms] of each acknowledgement.
KEEP_ACKS = """() => {
  self.acks = [];
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    const ack = typeof data === 'string' && /^42\\["ack",".*",(\\d+),\\d+\\]$/.exec(data);
    if (ack) self.acks.push([Number(ack[1]), performance.timeOrigin + performance.now()]);
    return send.call(this, data);
  };
}"""

BLOCK = """(ms) => {
  const now = () => performance.timeOrigin + performance.now();
  const began = now();
  while (now() < began + ms);
  return [began, now()];
}"""

# Feeds a Thinning frames at a steady pace, one run after another. For each run: after how many
# seconds an acknowledgement might first cover more than one frame, or null; and how many it covered
# in the end.
RUN_THINNING = """async ([runs, window_]) => {
  const { Thinning } = await import(new URL('static/js/stream/thinning.js', document.baseURI));
  const thinning = new Thinning();
  thinning.grant(window_);
  let nowMs = 1000;
  return runs.map(({ seconds, fps, hold, roundTrip, gap = false, video = false }) => {
    const began = nowMs;
    let thinAt = null;
    let covered = 1;
    for (let frame = 0; frame < seconds * fps; frame += 1) {
      nowMs += 1000 / fps;
      const facts = {
        at: nowMs / 1000, gap: gap && frame === 0, holdMs: hold, roundTripMs: roundTrip ?? NaN,
        video,
      };
      covered = thinning.painted(facts, nowMs);
      if (covered > 1) thinAt ??= (nowMs - began) / 1000;
    }
    return [thinAt, covered];
  });
}"""

RUN_ACKNOWLEDGER = """async () => {
  const module = new URL('static/js/stream/acknowledger.js', document.baseURI);
  const { Acknowledger } = await import(module);
  const sent = [];
  const acknowledger = new Acknowledger((seq) => sent.push(seq));
  for (let seq = 1; sent.at(-1) === seq - 1 || seq === 1; seq += 1) {
    if (seq > 1000) return null;
    const facts = { at: seq / 30, gap: false, holdMs: 5, roundTripMs: 1, video: false };
    acknowledger.painted(seq, facts, (seq * 1000) / 30);
  }
  const before = sent.at(-1);
  while (sent.at(-1) === before) await new Promise((resolve) => setTimeout(resolve, 5));
  return sent.at(-1) - before;
}"""


def test_busy_page_does_not_delay_frames(share_server: Start, page: Page) -> None:
    """While a script blocks the page, frames are still painted and acknowledged."""
    server = share_server("test:?size=320x180&fps=20")
    page.goto(server.url)
    wait_for_paint(page, "test")
    backstage(page).evaluate(KEEP_ACKS)

    before = page.evaluate("() => window.porthole.tiles.get('test').painted")
    began, ended = page.evaluate(BLOCK, 1500)
    acks = backstage(page).evaluate("() => self.acks")

    # If they had to wait for the page there would be none; a busy machine makes them slow.
    meanwhile = [seq for seq, at in acks if began < at < ended]
    assert len(meanwhile) >= 2
    assert meanwhile == sorted(set(meanwhile))
    wait_for(
        page,
        "([target]) => window.porthole.tiles.get('test').painted >= target",
        [before + len(meanwhile)],
    )
    wait_to_see(lambda: (page.evaluate(READ_TIME, "canvas") or 9999) < 1500)


def test_page_that_keeps_up_acks_two_frames_at_once(start_server: Start, page: Page) -> None:
    """A page that keeps up acknowledges two frames at a time."""
    server = start_server("test:?size=160x90&fps=25")
    page.goto(server.url)
    wait_for_paint(page, "test")
    backstage(page).evaluate(KEEP_ACKS)

    def thinned() -> bool:
        count = "() => self.acks.splice(0).length"
        backstage(page).evaluate(count)
        wait_for_paint(page, "test", 10)
        return bool(backstage(page).evaluate(count) < 8)

    # A short hiccup returns it to single frames for some seconds.
    wait_until(thinned, 3 * PATIENCE_S)


@pytest.mark.parametrize(
    ("fps", "hold", "round_trip", "expected"),
    [
        (30, 8, 1, True),
        (60, 3, 1, True),
        (60, 9, 1, False),
        (30, 8, 12, False),
        (30, 8, None, False),
        (15, 8, 1, False),
    ],
    ids=["keeps up", "fast", "too fast", "long link", "link unknown", "past the deadline"],
)
def test_acks_thin_out_only_with_time_to_spare(
    blank: Page, fps: int, hold: float, round_trip: float | None, expected: bool
) -> None:
    """An ack may cover two frames if that leaves enough time, after two seconds of evidence."""
    run = {"seconds": 5, "fps": fps, "hold": hold, "roundTrip": round_trip}
    ((thin_after_s, covered),) = blank.evaluate(RUN_THINNING, [[run], 2])

    assert (thin_after_s is not None) == expected
    assert covered == (2 if expected else 1)
    assert thin_after_s is None or 2 <= thin_after_s < 3


def test_each_gap_pauses_thinning_for_longer(blank: Page) -> None:
    """Where thinning costs frames it is retried less and less often."""
    steady = {"seconds": 20, "fps": 30, "hold": 8, "roundTrip": 1}
    runs = blank.evaluate(RUN_THINNING, [[steady] + 3 * [{**steady, "gap": True}], 2])

    assert [round(seconds) for seconds, _ in runs] == [2, 4, 8, 16]


@pytest.mark.parametrize(
    ("fps", "hold", "round_trip", "expected"),
    [
        (30, 8, 1, 4),
        (15, 8, 1, 3),
        (10, 8, 1, 2),
        (5, 8, 1, 2),
        (5, 60, 50, 1),
        (4, 8, 1, 1),
        (30, 8, 12, 1),
    ],
    ids=[
        "keeps up",
        "all in flight",
        "window of two",
        "within 250 ms",
        "too late for the third",
        "too slow a camera",
        "long link",
    ],
)
def test_wider_window_allows_four_frames_per_ack(
    blank: Page, fps: int, hold: float, round_trip: float, expected: int
) -> None:
    """On a quick link an ack covers as many as may be in flight and arrive within 250 ms."""
    run = {"seconds": 8, "fps": fps, "hold": hold, "roundTrip": round_trip}
    ((_, covered),) = blank.evaluate(RUN_THINNING, [[run], 6])

    assert covered == expected


@pytest.mark.parametrize(
    ("fps", "expected"), [(30, 6), (25, 5), (15, 3)], ids=["keeps up", "all in flight", "few"]
)
def test_ack_covers_up_to_six_frames_of_video(blank: Page, fps: int, expected: int) -> None:
    """Video frames are small, and time limits how many are in flight; for JPEG it is four again."""
    run = {"seconds": 10, "fps": fps, "hold": 8, "roundTrip": 1}
    (_, covered), (_, after) = blank.evaluate(RUN_THINNING, [[{**run, "video": True}, run], 8])

    assert (covered, after) == (expected, min(expected, 4))


def test_lone_frame_is_acknowledged(blank: Page) -> None:
    """When no second frame comes, the first is acknowledged all the same."""
    assert blank.evaluate(RUN_ACKNOWLEDGER) == 1
