"""A camera's own video, passed on: real sources and real child processes."""

import itertools
import shlex
import statistics
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from server.capture.frames.unit import Unit
from server.capture.sources.reader import read_and_compare
from server.capture.sources.testpattern import read_time
from tests.support.cameras.films import make_film
from tests.support.cameras.rtsp_server import RtspServer
from tests.support.fakes import until
from tests.support.servers.server import each_time
from tests.unit.capture.watched import X264, Watch, decode, film, rtsp, watch

__all__ = ["film", "rtsp", "watch"]


def test_film_arrives_bit_for_bit(watch: Watch, film: Path) -> None:
    """The decoded video is what the file holds, and was not decoded on the way."""
    watched = watch(f"file:{film}?loop=0")
    until(lambda: watched.camera.state == "ended", 20)

    with av.open(str(film)) as container:
        expected = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    found = [image for _, image in decode(watched.units)]
    assert len(found) == len(expected) == 30
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert [unit.key for unit in watched.units] == [at % 10 == 0 for at in range(30)]
    assert [unit.seq for unit in watched.units] == list(range(1, 31))
    assert watched.pictures == []
    assert watched.camera.meter.captured == 30


@pytest.mark.parametrize("mount", ["h264", "b-frames", "h265"])
def test_picture_and_unit_of_one_number_match(mount: str, rtsp: RtspServer, watch: Watch) -> None:
    """A viewer that changes from JPEG to video and back continues seamlessly."""
    watched = watch(rtsp.url(mount), pictures=True)
    until(lambda: len(watched.units) > 60 and len(watched.pictures) > 20, 30)
    watched.camera.set_viewers(0)

    shown = dict(decode(watched.units))
    shown.pop(watched.units[-1].seq, None)  # The last unit flushed the decoder.
    at = {unit.seq: unit.at_unix for unit in watched.units}
    both = [one for one in watched.pictures if one.seq in shown]
    assert len(both) > 15
    assert all(one.at_unix == at[one.seq] for one in both)
    assert min(cv2.PSNR(shown[one.seq], np.asarray(one.picture)) for one in both) > 35
    numbers = [unit.seq for unit in watched.units]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert sorted(set(at.values())) == list(at.values()), "times only grow"
    assert watched.camera.meter.drops["damaged"] == 0
    told = watched.camera.describe()
    assert (told["width"], told["height"]) == (640, 360)
    assert told["video"]["codec"] == watched.units[0].codec
    assert told["video"]["passed_through"]


def test_b_frame_units_carry_their_capture_times(rtsp: RtspServer, watch: Watch) -> None:
    """A camera sends B-frames after the picture they depend on, in one burst. Sorted, the units'
    own times are those burned into the pictures."""
    watched = watch(rtsp.url("b-frames"))
    until(lambda: len(watched.units) > 150, 30)
    keys = [at for at, unit in enumerate(watched.units) if unit.key]
    units = watched.units[keys[2] : keys[5]]  # The backlog at the start arrives in one burst.

    frames = frames_of(units)
    burned = {one.pts: read_time(one.to_ndarray(format="bgr24")) for one in frames}
    own = sorted((units[at].shown_unix, burned_at) for at, burned_at in burned.items() if burned_at)

    assert [one.pts for one in frames] != sorted(one.pts for one in frames)
    assert len(own) > 60
    assert [burned_at for _, burned_at in own] == sorted(burned_at for _, burned_at in own)
    assert 0 <= statistics.median(shown - burned_at for shown, burned_at in own) < 1
    times = [unit.at_unix for unit in units]
    assert times == sorted(times)


def test_units_are_timed_in_decoder_output_order(rtsp: RtspServer, watch: Watch) -> None:
    """The first unit has the first picture's time, and so on, though units are reordered."""
    watched = watch(rtsp.url("film0"))
    until(lambda: len(watched.units) > 50, 30)  # The backlog at the start arrives in one burst.

    def check_the_next_groups() -> None:
        begun = len(watched.units)
        until(lambda: sum(unit.key for unit in watched.units[begun:]) > 2, 20)
        keys = [at for at, unit in enumerate(watched.units) if unit.key and at >= begun]
        units = watched.units[keys[0] : keys[2]]

        shown = [units[one.pts].shown_unix for one in frames_of(units)]
        assert len(shown) == len(units) == 20
        assert [unit.at_unix for unit in units] == pytest.approx(shown, abs=0.02)

    # When a busy machine reads one unit sooner than all before, the clocks turn out closer; times
    # only grow, so for a moment they lag behind.
    each_time(check_the_next_groups)


def frames_of(units: list[Unit]) -> list[av.VideoFrame]:
    """Return what a decoder outputs, in its order; ``pts`` is the index of each one's unit."""
    context = av.CodecContext.create("h264", "r")
    packets: list[av.Packet[Any] | None] = []
    for at, unit in enumerate(units):
        packet = av.Packet(unit.data)
        packet.pts, packet.time_base = at, Fraction(1, 25)
        packets.append(packet)
    return [one for packet in (*packets, None) for one in context.decode(packet)]


def test_video_is_live_almost_without_decoding(rtsp: RtspServer, watch: Watch) -> None:
    """An occasional key frame shows that it can be decoded; no viewer is sent it late."""
    watched = watch(rtsp.url("h264"))
    camera = watched.camera
    until(lambda: len(watched.units) > 80, 30)

    assert camera.state == "live"
    assert watched.pictures == []
    assert camera.slot.frame is None
    assert camera.describe()["source_fps"] == pytest.approx(25, rel=0.3)
    assert camera.meter.captured == watched.units[-1].seq
    for seq, image in list(decode(watched.units))[-3:]:
        unit = next(one for one in watched.units if one.seq == seq)
        burned = read_time(image)
        assert burned is not None
        assert 0 <= unit.at_unix - burned < 1, "it is current"

    watched.wants(video=True, pictures=True)
    until(lambda: watched.pictures)
    assert watched.pictures[0].seq > 80
    assert camera.state == "live"


def test_video_resumes_with_a_key_frame_after_a_reconnect(rtsp: RtspServer, watch: Watch) -> None:
    """After a reconnect numbers continue, and the first unit is a key frame."""
    watched = watch(rtsp.url("h264"))
    until(lambda: len(watched.units) > 5, 30)

    rtsp.stop()
    rtsp.start()
    until(lambda: not watched.camera.videos["full"].units, 20)
    before = len(watched.units)
    until(lambda: len(watched.units) > before + 5, 30)

    assert watched.units[before].key
    numbers = [unit.seq for unit in watched.units]
    assert numbers == sorted(set(numbers))


def test_lost_packets_are_counted_and_end_the_group(rtsp: RtspServer, watch: Watch) -> None:
    """Over UDP some packets are always lost: units that depend on them are counted drops."""
    watched = watch(rtsp.url("lossy"))
    until(lambda: watched.camera.meter.drops["damaged"] > 20 and len(watched.units) > 20, 40)

    before = None
    for unit in watched.units:
        assert unit.key or before == unit.seq - 1
        before = unit.seq


def test_video_from_a_command_is_passed_on(watch: Watch, film: Path) -> None:
    """FFmpeg's program is the source, as for cameras that only it can read."""
    command = [
        *("ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(film)),
        *("-c", "copy", "-f", "mpegts", "-"),
    ]
    watched = watch(f"exec:{shlex.join(command)}")
    until(lambda: len(watched.units) > 30, 30)

    assert watched.units[0].codec.startswith("avc1.")
    assert watched.units[0].key
    assert len([image for _, image in decode(watched.units)]) == len(watched.units)


def test_units_are_batched_while_nobody_watches(watch: Watch, film: Path) -> None:
    """Batches cost less; no unit is lost when a viewer comes or leaves."""
    watched = watch(f"file:{film}")
    until(lambda: watched.units, 20)
    for lazy in (True, False, True):
        watched.camera.set_videos(["full"], lazy)
        before = len(watched.units)
        until(lambda before=before: len(watched.units) > before + 20, 20)
        if lazy:
            assert max(watched.ages[before:]) > 0.15, "the first waited for the others"

    seqs = [unit.seq for unit in watched.units]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert watched.camera.meter.drops.total() == 0


def test_resting_process_keeps_true_times(rtsp: RtspServer, watch: Watch) -> None:
    """Waking twice a second halves the cost; the times of recorded units stay true."""
    watched = watch(rtsp.url("h264"))
    watched.camera.set_videos(["full"], lazy=True)
    until(lambda: len(watched.units) > 220, 40)

    ages = watched.ages[-60:]
    assert max(ages) > 0.15, "they have waited"
    bursts = 1 + sum(later > earlier + 0.02 for earlier, later in itertools.pairwise(ages))
    assert bursts < 15
    began = next(at for at, one in enumerate(watched.units) if one.key and one.seq > 120)
    units = watched.units[began:]
    at = {one.seq: one.at_unix for one in units}
    late = [at[seq] - (read_time(image) or 0.0) for seq, image in decode(units)]
    # From a busy camera some come late anyway.
    lower, upper = np.percentile(late, (25, 75))
    assert upper - lower < 0.04, "within one interval"

    watched.camera.set_videos(["full"], lazy=False)
    before = len(watched.units)
    until(lambda: len(watched.units) > before + 30, 20)
    assert np.median(watched.ages[-20:]) < 0.1, "a viewer gets each unit as it comes"


def test_resting_process_that_reads_ahead_keeps_true_times(watch: Watch, film: Path) -> None:
    """From an HTTP stream or a command, each picture has the time at which it was due."""
    command = [
        *("ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(film)),
        *("-c", "copy", "-f", "mpegts", "-"),
    ]
    watched = watch(f"exec:{shlex.join(command)}")
    watched.camera.set_videos(["full"], lazy=True)
    until(lambda: len(watched.units) > 160, 40)

    assert max(watched.ages[-60:]) > 0.15, "they have waited"
    steps = np.diff([unit.at_unix for unit in watched.units[-60:]])
    # Where the film starts over, a step may differ.
    assert np.percentile(np.abs(steps - 0.04), 80) < 0.008
    seqs = [unit.seq for unit in watched.units]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


def test_no_thread_waits_for_unneeded_pictures(
    watch: Watch, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waking a thread a few times a second cost as much as all other work on the units."""
    reads = 0

    def read_natively(*args: Any) -> Any:
        nonlocal reads
        reads += 1
        return read_and_compare(*args)

    monkeypatch.setattr("server.capture.connection.read_and_compare", read_natively)
    watched = watch(f"file:{film}")
    until(lambda: watched.units and watched.camera.state == "live", 20)
    before, reads = len(watched.units), 0
    until(lambda: len(watched.units) > before + 50, 20)
    assert reads < 4, "one takes the key frame that tests decoding"

    watched.wants(video=True, pictures=True)
    until(lambda: len(watched.pictures) > 3, 20)


def test_undecodable_video_is_stalled(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If units arrive that no decoder can show, the camera must not be live."""
    whole = make_film(tmp_path / "whole.h264", "-t", "4", *X264).read_bytes()
    broken = bytearray(whole)
    at = 0
    while (at := broken.find(b"\0\0\1", at + 4)) >= 0:
        if broken[at + 3] & 31 in (1, 5):
            broken[at + 8 : at + 48] = bytes(range(200, 240))
    path = tmp_path / "broken.h264"
    path.write_bytes(broken)
    monkeypatch.setattr("server.capture.state.SEEN_PROBE_S", 0.0)
    watched = watch(f"file:{path}")

    until(lambda: watched.camera.state == "stalled", 30)

    assert "damaged" in watched.camera.reason
