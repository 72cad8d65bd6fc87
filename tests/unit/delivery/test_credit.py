"""A viewer's credit, on all kinds of simulated links."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.delivery.credit import MAX_FLIGHT_S, Credit

WINDOW = 2

FPS = 30.0

START = 1000.0


@dataclass
class Link:
    """A viewer behind a link, and the pump that sends it the newest frame when there is credit.

    Bytes queue up without limit, as in the worst kernels and proxies; only credit limits them.
    """

    bytes_per_s: float
    delay_s: float = 0.0
    """One way, in seconds; the same in each direction."""
    frame_bytes: int = 50_000
    fps: float = FPS
    window: int = WINDOW
    paint_s: float = 0.002
    acknowledges: bool = True

    now: float = 1000.0
    shown: list[tuple[float, float]] = field(default_factory=list)
    """When each picture was painted, and when it was captured."""
    widest: int = 0

    def __post_init__(self) -> None:
        self.credit = Credit(self.window, self.now)
        self._free_at = self.now
        self._painted_at = self.now
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._newest = (0, 0.0)
        self._sent = 0
        self._at(0, self._capture)

    def run(self, seconds: float) -> None:
        """Advance the simulation by some seconds."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, act = heapq.heappop(self._events)
            act()
            assert self.credit.in_flight <= max(WINDOW, self.window, self.widest_allowed)
            self.widest = max(self.widest, self.credit.window)
        self.now = end

    @property
    def widest_allowed(self) -> int:
        return max(self.window, int(MAX_FLIGHT_S * self.fps))

    def rate(self, seconds: float) -> float:
        """Return the pictures painted per second over the last ``seconds``."""
        return sum(at > self.now - seconds for at, _ in self.shown) / seconds

    def oldest_shown(self) -> float:
        """Return the greatest age of any picture on the screen."""
        replaced = [at for at, _ in self.shown[1:]] + [self.now]
        return max(
            gone - captured for gone, (_, captured) in zip(replaced, self.shown, strict=True)
        )

    def _at(self, delay_s: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + delay_s, self._count, act))

    def _capture(self) -> None:
        self._newest = (self._newest[0] + 1, self.now)
        if self.credit.ready:
            self._send()
        else:
            self.credit.miss()
        self._at(1 / self.fps, self._capture)

    def _send(self) -> None:
        seq, captured = self._newest
        assert seq > self._sent, "never twice, never back"
        self._sent = seq
        self.credit.spend(seq, self.now)
        assert self.credit.in_flight <= self.credit.window
        self._free_at = max(self._free_at, self.now) + self.frame_bytes / self.bytes_per_s
        self._at(self._free_at + self.delay_s - self.now, lambda: self._arrive(seq, captured))

    def _arrive(self, seq: int, captured: float) -> None:
        self._painted_at = max(self._painted_at, self.now) + self.paint_s

        def paint() -> None:
            self.shown.append((self.now, captured))
            if self.acknowledges:
                self._at(self.delay_s, lambda: self._acknowledge(seq))

        self._at(self._painted_at - self.now, paint)

    def _acknowledge(self, seq: int) -> None:
        waited = not self.credit.ready
        self.credit.acknowledge(seq, self.now, self.fps)
        if waited and self._newest[0] > self._sent and self.credit.ready:
            self._send()


def test_fast_link_gets_every_frame_with_the_initial_window() -> None:
    """On a local network no frame is missed, so the window does not widen."""
    link = Link(bytes_per_s=50e6, delay_s=0.001)

    link.run(30)

    assert link.rate(10) >= 29.5
    assert link.widest == WINDOW
    assert link.oldest_shown() < 0.1


def test_long_link_gets_a_wider_window_and_full_rate() -> None:
    """With a round trip of 150 ms the window widens beyond two frames."""
    link = Link(bytes_per_s=50e6, delay_s=0.075)

    link.run(20)
    assert link.rate(5) >= 25
    link.run(60)

    assert link.rate(40) >= 25
    assert link.credit.window > WINDOW
    assert link.oldest_shown() < 0.5


def test_narrow_link_shows_fresh_pictures() -> None:
    """At one frame a second no picture on the screen is ever older than three seconds."""
    link = Link(bytes_per_s=50_000)

    link.run(120)

    assert link.oldest_shown() <= 3.01  # Three transfers of a second each, and the painting.
    assert link.rate(60) >= 0.8
    assert link.widest == WINDOW


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.1, 0.25])
@pytest.mark.parametrize("bytes_per_s", [50e3, 150e3, 500e3, 2e6, 50e6])
def test_any_link_stays_fresh_and_does_not_starve(bytes_per_s: float, delay_s: float) -> None:
    """On any link pictures keep coming, and none on the screen gets old."""
    link = Link(bytes_per_s=bytes_per_s, delay_s=delay_s)

    link.run(60)

    each_s = link.frame_bytes / bytes_per_s
    assert link.oldest_shown() <= 3 * each_s + 4 * delay_s + 0.5
    # Half of what the link, or two frames in flight, allow.
    assert link.rate(30) >= 0.45 * min(FPS, 1 / each_s, WINDOW / (2 * delay_s + each_s + 0.002))


def test_starved_link_carries_one_frame_at_a_time() -> None:
    """On a link known to be narrow, a second frame in flight would only be older."""
    link = Link(bytes_per_s=50_000)
    link.run(20)

    link.shown = link.shown[-1:]
    link.run(30)

    assert link.credit.window == 1
    assert link.oldest_shown() <= 2.1
    assert link.rate(20) >= 0.9


def test_narrowing_link_soon_shows_fresh_pictures() -> None:
    """A phone that leaves the Wi-Fi soon gets fresh pictures again, after a few old ones."""
    link = Link(bytes_per_s=50e6, delay_s=0.05)
    link.run(30)
    link.bytes_per_s = 50_000

    link.run(20)
    link.shown = link.shown[-3:]

    assert link.oldest_shown() <= 3


def test_widening_link_returns_to_the_full_rate() -> None:
    """After a narrow stretch the full rate returns."""
    link = Link(bytes_per_s=50_000)
    link.run(30)
    link.bytes_per_s = 50e6

    link.run(30)

    assert link.rate(5) >= 28


def test_silent_viewer_gets_exactly_the_window() -> None:
    """A viewer that never acknowledges is sent two frames and no more."""
    link = Link(bytes_per_s=50e6, acknowledges=False)

    link.run(600)

    assert len(link.shown) == WINDOW


@pytest.mark.parametrize("window", [1, 2, 5, 8])
def test_initial_window_can_be_configured(window: int) -> None:
    """The initial window comes from the settings; a silent viewer gets no more."""
    link = Link(bytes_per_s=50e6, acknowledges=False, window=window)

    link.run(60)

    assert len(link.shown) == window


@given(
    bytes_per_s=st.floats(20e3, 50e6),
    delay_s=st.floats(0, 0.5),
    fps=st.floats(0.5, 120),
    window=st.integers(1, 8),
)
def test_window_is_bounded_on_every_link(
    bytes_per_s: float, delay_s: float, fps: float, window: int
) -> None:
    """At most a quarter of a second is in flight, unless the settings allow more."""
    link = Link(bytes_per_s=bytes_per_s, delay_s=delay_s, fps=fps, window=window)

    link.run(20)

    assert 1 <= link.widest <= max(window, MAX_FLIGHT_S * fps)
