"""The condition of a camera and of the server, as the page shows it."""

from playwright.sync_api import Page

from tests.support.browser.chromium import in_module


def test_the_first_picture_is_waited_for(blank: Page) -> None:
    """A first picture that is still on its way does not make a camera stalled.

    Of forty cameras on a slow machine ten were called stalled, three seconds after the page was
    opened.
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


def test_what_is_wrong_is_one_badge(blank: Page) -> None:
    """A narrow link, failing code, a slow server; no badge while all is well."""
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
        """({ badgeOf }) => [
          badgeOf({ cpu_percent: 40, hub_lag_ms: 8 }, true),
          badgeOf({ cpu_percent: 180, hub_lag_ms: 8 }, true),
          badgeOf({ cpu_percent: 99, hub_lag_ms: 60 }, true),
          badgeOf({ cpu_percent: 50, hub_lag_ms: 400 }, true),
          badgeOf({}, true), badgeOf({ cpu_percent: 40, hub_lag_ms: 8 }, false),
        ]""",
    )

    assert tiles == [
        *(None, None, None, ["Slow link", "Slow link"]),
        ["Processor failing", "find: no template"],
        *(None, ["Stalled", "Stalled"]),
    ]
    assert system == ["", "", "the CPU is full", "the event loop is late", "", "disconnected"]
