"""A long and lossy link: pictures stay fresh, and as many arrive as it carries.

The link is a proxy on loopback, because the kernel's own (``tc netem``) is not available
everywhere.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.support.clients.client import Viewer
from tests.support.network.poor_link import PoorLink
from tests.support.servers.server import PortholeServer

Start = Callable[..., PortholeServer]
MakeLink = Callable[..., PoorLink]

FPS = 25
ROUND_TRIP_S = 0.2

# From the issue.
MAX_AGE_S = 1.0


@pytest.fixture
def make_link() -> Iterator[MakeLink]:
    """Make links that are closed at the end."""
    links: list[PoorLink] = []

    def make(server: PortholeServer, loss: float) -> PoorLink:
        links.append(PoorLink(server.port, ROUND_TRIP_S / 2, loss))
        return links[-1]

    yield make
    for link in links:
        link.close()


def watch(link: PoorLink) -> Viewer:
    viewer = Viewer("127.0.0.1", link.port)
    viewer.connect()
    assert viewer.call("watch", {"camera": "test"})["ok"]
    return viewer


def rate_of(viewer: Viewer, count: int) -> float:
    """Return frames per second over the next frames, by capture time."""
    first = len(viewer.arrivals)
    viewer.pump(lambda: len(viewer.arrivals) > first + count, 30)
    times = [arrival.at_unix for arrival in viewer.arrivals[first:]]
    return (len(times) - 1) / (times[-1] - times[0])


def test_credit_widens_on_a_long_link(start_server: Start, make_link: MakeLink) -> None:
    """Two frames in 200 ms are 10 fps; a wider window delivers more, and none of them is old."""
    server = start_server(f"test:?size=320x180&fps={FPS}")
    viewer = watch(make_link(server, loss=0.0))

    viewer.pump(lambda: rate_of(viewer, 25) > 1.5 * 2 / ROUND_TRIP_S, 60)
    rate_of(viewer, 50)
    viewer.close()

    ages = sorted(arrival.age_s for arrival in viewer.arrivals[-50:])
    assert ages[0] >= ROUND_TRIP_S / 2
    assert ages[len(ages) * 9 // 10] < MAX_AGE_S


def test_pictures_stay_fresh_on_a_lossy_link(start_server: Start, make_link: MakeLink) -> None:
    """At 200 ms and 5 % loss the picture's age does not grow, and frames keep coming."""
    server = start_server(f"test:?size=320x180&fps={FPS}")
    viewer = watch(make_link(server, loss=0.05))

    rate = rate_of(viewer, 150)
    viewer.close()

    seqs = [arrival.seq for arrival in viewer.arrivals]
    assert seqs == sorted(set(seqs))
    early, late = viewer.arrivals[10:60], viewer.arrivals[-50:]
    for arrivals in (early, late):
        ages = sorted(arrival.age_s for arrival in arrivals)
        assert ages[len(ages) * 9 // 10] < MAX_AGE_S
    # At least one frame for each loss; a window of two without loss would give 10.
    assert rate > 2
    print(f"{rate:.1f} fps, age {ages[len(ages) // 2] * 1000:.0f} ms median")
