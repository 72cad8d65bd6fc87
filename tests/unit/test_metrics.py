"""Turn counters into rates."""

from server.metrics import CameraStats, Meter, ProcessMeter
from tests.support.fakes import FakeClock


def test_rates_cover_the_time_since_the_last_call(clock: FakeClock) -> None:
    """Rates are differences over the elapsed time; totals are totals."""
    meter = Meter(captured=100)
    stats = CameraStats(meter, clock)
    meter.captured += 30
    meter.encoded += 20
    meter.sent += 60
    meter.sent_bytes += 250_000
    meter.encode_s += 0.1
    meter.ready += 25
    meter.capture_s += 0.05
    meter.sent_age_s += 0.6
    clock.advance(2)

    first = stats.take()
    clock.advance(1)
    second = stats.take()

    assert first["captured_fps"] == 15
    assert first["encoded_fps"] == 10
    assert first["sent_fps"] == 30
    assert first["sent_kbps"] == 1000
    assert (first["capture_ms"], first["encode_ms"], first["wait_ms"]) == (2, 5, 3)
    assert second["capture_ms"] is second["encode_ms"] is second["wait_ms"] is None
    assert first["captured"] == second["captured"] == 130
    assert second["captured_fps"] == second["sent_kbps"] == 0


def test_encode_time_is_unknown_when_nothing_was_encoded(clock: FakeClock) -> None:
    """No frame encoded means no encode time, not zero."""
    stats = CameraStats(Meter(), clock)
    clock.advance(1)

    assert stats.take()["encode_ms"] is None


def test_two_calls_at_the_same_time_are_harmless(clock: FakeClock) -> None:
    """No time between two calls must not cause a division by zero."""
    stats = CameraStats(Meter(), clock)

    assert stats.take()["captured_fps"] == 0


def test_drops_are_counted_by_reason(clock: FakeClock) -> None:
    """Every reason for a drop keeps its own count, as a copy."""
    meter = Meter()
    meter.drops["credit"] += 2
    meter.drops["replaced"] += 1
    stats = CameraStats(meter, clock)

    told = stats.take()["drops"]
    meter.drops["credit"] += 1

    assert told == {"credit": 2, "replaced": 1}


def test_meters_share_nothing() -> None:
    """One camera's drops are not another's."""
    first, second = Meter(), Meter()

    first.drops["credit"] += 1

    assert not second.drops


def test_process_reports_its_uptime_and_memory(clock: FakeClock) -> None:
    """The process's figures are in the units that their names give."""
    meter = ProcessMeter(clock)
    clock.advance(3)

    figures = meter.take()

    assert figures["uptime_s"] == 3
    assert 10e6 < figures["rss_bytes"] < 10e9
    assert figures["cpu_percent"] >= 0


def test_open_descriptors_are_counted() -> None:
    """Every open file counts as a descriptor until it is closed."""
    meter = ProcessMeter()
    before = meter.take()["descriptors"]

    with open("/dev/null", "rb"):
        opened = meter.take()["descriptors"]

    assert opened == before + 1
    assert meter.take()["descriptors"] == before


def test_cpu_use_covers_the_time_since_the_last_call(clock: FakeClock) -> None:
    """CPU time between two calls counts for the second, in percent of a core."""
    meter = ProcessMeter(clock)
    clock.advance(1)
    sum(number * number for number in range(400_000))

    clock.advance(1)
    busy = meter.take()["cpu_percent"]
    clock.advance(1000)
    idle = meter.take()["cpu_percent"]

    assert busy > 0.5
    assert idle < 0.5
