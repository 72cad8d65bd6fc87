"""The memory of all cameras has a limit in bytes."""

from server.recording.budget import Budget
from server.recording.rewind import Rewind
from tests.unit.recording.test_rewind import T0, jpeg, unit


def cameras(count: int, limit: int, seconds: float = 60.0) -> list[Rewind]:
    """Return the buffers of cameras that share a limit in bytes."""
    rewinds: list[Rewind] = []
    budget = Budget(limit, lambda: rewinds)
    rewinds += [Rewind(seconds, budget.spend) for _ in range(count)]
    return rewinds


def test_older_pictures_are_thinned_before_any_moment_is_lost() -> None:
    """All cameras keep their whole minute, though the limit is a fifth of what that takes."""
    rewinds = cameras(2, limit=2 * 360 * 100)
    most = 0

    for at in range(3000):
        for one in rewinds:
            one.put(jpeg(at / 30))
        most = max(most, sum(one.nbytes for one in rewinds))

    assert most <= 2 * 360 * 100
    for one in rewinds:
        begin, end = one.span or (0.0, 0.0)
        assert end - begin > 59
        assert len(one.between(end - 2, end)) == 61


def test_video_keeps_its_key_frames() -> None:
    """Only the key frames of the oldest groups stay, since they can be decoded alone."""
    [rewind] = cameras(1, limit=250 * 100)

    for at in range(600):
        rewind.put(unit(at / 10, key=at % 20 == 0))

    units = rewind.units
    assert rewind.nbytes <= 250 * 100
    assert units[0].at_unix < T0 + 5
    assert not any(one.key is False for one in rewind.find(T0 + 10))
    assert len(rewind.find(T0 + 57.9)) == 20


def test_oldest_units_are_dropped_when_thinning_is_not_enough() -> None:
    """With almost no memory only the newest moments stay, whichever camera they are from."""
    many, few = cameras(2, limit=40 * 100)

    few.put(jpeg(0.0))
    for at in range(400):
        many.put(unit(at / 10, key=at % 20 == 0))

    assert few.nbytes == 0
    assert 0 < many.nbytes <= 40 * 100
    assert many.newest is not None
    assert many.newest.at_unix == T0 + 39.9


def test_oversized_group_keeps_its_key_frame() -> None:
    """A recorder still gets all of it, and the next group is tried again."""
    [rewind] = cameras(1, limit=500)
    told: list[object] = []
    rewind.listen(told.append)

    for at in range(10):
        rewind.put(unit(at / 10, key=at == 0))
    assert [one.key for one in rewind.units] == [True]
    rewind.put(unit(1.0, key=True))

    assert len(told) == 11
    assert [one.at_unix for one in rewind.units] == [T0, T0 + 1]


def test_removed_cameras_use_no_budget() -> None:
    """A removed camera's buffer is no longer counted."""
    rewinds: list[Rewind] = []
    budget = Budget(1000, lambda: rewinds)
    gone = Rewind(60, budget.spend)
    rewinds += [gone, Rewind(60, budget.spend)]
    for at in range(8):
        gone.put(jpeg(at / 10))

    rewinds.remove(gone)
    for at in range(8):
        rewinds[0].put(jpeg(at / 10))

    assert len(rewinds[0].units) == 8
