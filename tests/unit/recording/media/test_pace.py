"""How an encoder stays within its camera's round on an overloaded machine."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from server.recording.media.pace import ROUND_S, Pace, spread

FPS = 30


class Recorded:
    """A camera whose pictures are encoded, on a machine where each takes a while.

    Args:
        cost_s: Returns how long a picture takes at a moment, urgent or not.
    """

    def __init__(self, cost_s: Callable[[float, bool], float]) -> None:
        self.oldest_s: list[float] = []  # Age of the oldest picture not yet encoded, each round.
        self.encoded: list[float] = []
        self.urgent: list[bool] = []
        self._cost_s = cost_s

    def run(self, seconds: float) -> None:
        pace, now, taken = Pace(), 0.0, 0
        waiting: list[float] = []
        while now < seconds:
            came = int(now * FPS)
            waiting += [number / FPS for number in range(taken, came)]
            taken = came
            began = now
            if waiting:
                first = waiting[0]
                pictures, urgent = pace.plan(len(waiting))
                batch, done = spread(waiting, pictures), 0
                while done < len(batch) and now - began <= ROUND_S:
                    now += self._cost_s(now, urgent)
                    done += 1
                pace.note(done, urgent, now - began)
                self.encoded += batch[:done]
                waiting = batch[done:]
                self.urgent.append(urgent)
                self.oldest_s.append(now - first)
            now = max(now, began + ROUND_S)


def test_everything_is_encoded_at_low_priority_given_time() -> None:
    """On a machine that is not overloaded, low priority is enough: live encoding goes first."""
    camera = Recorded(lambda _, urgent: 0.007)
    camera.run(30)

    assert not any(camera.urgent)
    assert len(camera.encoded) >= 29 * FPS


@pytest.mark.parametrize("usual_s", [0.012, 0.05, 0.3])
def test_overload_leaves_no_old_pictures_waiting(usual_s: float) -> None:
    """A killed server once lost 7 s of a camera without video. On an overloaded machine its encoder
    ran at low priority, and up to 150 pictures waited for it."""

    def cost_s(now: float, urgent: bool) -> float:
        busy = 10 < now < 40
        return (usual_s if urgent else 10 * usual_s) if busy else 0.007

    camera = Recorded(cost_s)
    camera.run(80)

    late = [age_s for age_s in camera.oldest_s if age_s > 1.3]
    assert len(late) <= 3, "only until the cost is known"
    # One picture at low priority may take longer.
    assert max(camera.oldest_s) < 3 * ROUND_S + 10 * usual_s
    assert camera.encoded == sorted(camera.encoded)
    busy = [at for at in camera.encoded if 15 < at < 40]
    gaps = [later - earlier for earlier, later in pairwise(busy)]
    assert max(gaps) < max(0.2, 4 * usual_s), "what is left out is spread"
    assert not any(camera.urgent[-20:]), "it is gentle again"
    assert sum(at > 60 for at in camera.encoded) >= 19 * FPS


def test_encoded_pictures_are_spread_evenly() -> None:
    """A film that jumps evenly shows more than one that freezes in between."""
    assert spread(range(10), 10) == list(range(10))
    assert spread(range(10), 5) == [1, 3, 5, 7, 9]
    assert spread(range(10), 1) == [9]
    for count in range(1, 16):
        assert len(set(spread(range(15), count))) == count
