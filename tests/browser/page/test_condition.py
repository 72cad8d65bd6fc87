"""The condition of a camera and of the server, as the page shows it."""

from playwright.sync_api import Page

from tests.support.browser.chromium import in_module


def test_slow_first_picture_is_not_a_stall(blank: Page) -> None:
    """A camera whose first picture is still on its way is connecting, not stalled.

    On a slow machine, ten of forty cameras used to be called stalled three seconds after the page
    was opened.
    """
    words = in_module(
        blank,
        "camera/condition",
        """({ conditionOf }) => {
          const facts = { state: 'live', connected: true, watching: true, intervalS: 0.1 };
          return [[false, 3], [false, 9], [true, 1], [true, 3]].map(
            ([painted, silenceS]) => conditionOf({ ...facts, painted, silenceS }));
        }""",
    )

    assert words == ["connecting", "stalled", "live", "stalled"]


def test_badge_shows_at_most_one_problem(blank: Page) -> None:
    """A slow link, failing code or a slow server gets one badge; without trouble there is none."""
    tiles = in_module(
        blank,
        "grid/badge",
        """({ badgeOf }) => {
          const bad = [{ name: 'find', state: 'failing', message: 'no template' }];
          return [
            badgeOf('live', { process: [] }, 'tile'), badgeOf('live', {}, 'server'),
            badgeOf('stalled', {}, 'network'), badgeOf('live', {}, 'network'),
            badgeOf('live', { process: bad }, 'network'),
            badgeOf('past', { state: 'live' }, 'network'),
            badgeOf('past', { state: 'stalled' }, ''),
          ].map((trouble) => trouble && [trouble.word, trouble.text]);
        }""",
    )
    system = in_module(
        blank,
        "insight/system",
        """({ serverTroubleOf }) => [
          serverTroubleOf({ cpu_percent: 40, hub_lag_ms: 8 }, true),
          serverTroubleOf({ cpu_percent: 180, hub_lag_ms: 8 }, true),
          serverTroubleOf({ cpu_percent: 99, hub_lag_ms: 60 }, true),
          serverTroubleOf({ cpu_percent: 50, hub_lag_ms: 400 }, true),
          serverTroubleOf({}, true), serverTroubleOf({ cpu_percent: 40, hub_lag_ms: 8 }, false),
        ]""",
    )

    assert tiles == [
        *(None, None, None, ["Slow link", "Slow link"]),
        ["Processor failing", "find: no template"],
        *(None, ["Stalled", "Stalled"]),
    ]
    assert system == ["", "", "the CPU is full", "the event loop is late", "", "disconnected"]
