"""A camera's videos: which are available, which are wanted, and the units that arrive."""

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from server.capture.frames.encoding import MAX_FPS, Encoding, encoding_of
from server.capture.frames.rendition import FULL, Rendition
from server.capture.frames.unit import Unit
from server.capture.frames.video_track import VideoTrack
from server.capture.isolation.units import Gap, GapReason, UnitHead, UnitReceiver, unit_sockets
from server.capture.output import Output
from server.capture.pacing.measured import Measured
from server.capture.pacing.schedule import Schedule
from server.capture.sources.reader import Reader
from server.config import models as config
from server.loop import hub

__all__ = ["CameraVideo"]

# A frame rate set to the source's own is no limit, even if the measured rate is a little higher.
SAME_RATE = 0.95

NOTHING: dict[str, Any] = {"pass": False, "encode": {}, "limit": 0.0, "rate": 0, "lazy": False}

DROPS = {GapReason.DAMAGED: "damaged", GapReason.UNREAD: "unread"}


class CameraVideo:
    """The videos of one camera. Runs on the hub.

    The camera's child process sends units over a separate socket as soon as they arrive; see
    :mod:`server.capture.isolation.units`.

    Args:
        settings: The camera's settings.
        ladder: The camera's renditions, the full one first.
        source: What is known of the source.
        schedule: Knows the limit of the frame rate.
        output: Numbers and counts units, as it does pictures.
        on_arrival: Called when units arrive.

    Attributes:
        tracks: The videos by rendition name; empty if the camera can have none.
    """

    def __init__(
        self,
        settings: config.Camera,
        ladder: Sequence[Rendition],
        source: Measured,
        schedule: Schedule,
        output: Output,
        on_arrival: Callable[[], None],
    ) -> None:
        # Only child processes make units, and the test pattern has none.
        none = settings.video == "off" or settings.address.scheme == "test"
        self.tracks: Mapping[str, VideoTrack] = {
            one.name: VideoTrack(one.name) for one in ladder if not none
        }
        self._order = list(self.tracks.values())
        self._ladder = ladder[: len(self._order)]
        self._source = source
        self._schedule = schedule
        self._output = output
        self._meter = output.meter
        self._on_arrival = on_arrival
        self._wanted: frozenset[str] = frozenset()
        self._lazy = False
        self._reader: Reader | None = None
        self._sent = NOTHING
        # The videos with a pending request for a key frame: one serves all viewers.
        self._keys_asked: set[int] = set()
        self._receiver: UnitReceiver | None = None
        # Whether the socket for units was lost: then there is no video until the source is
        # reopened, but pictures still arrive.
        self._lost = False
        self._watch: hub.ReadWatch | None = None

    def describe(self) -> dict[str, Any] | None:
        """Return ``video`` of STATE: the video in full size; None if there is none."""
        full = self.tracks.get(FULL.name)
        if full is None or full.codec is None:
            return None
        return {
            "codec": full.codec,
            "passed_through": full.passed_through,
            "kbps": full.kbps or None,
        }

    def set_wanted(self, names: Collection[str], lazy: bool = False) -> None:
        """Set which videos are wanted; the others get no units.

        Args:
            names: The names of their renditions.
            lazy: Whether nobody watches, so that units may be sent in batches.
        """
        self._wanted, self._lazy = frozenset(names), lazy
        self.refresh()

    def attach(self, reader: Reader) -> None:
        """Use a newly opened source."""
        self._reader, self._lost = reader, False
        self._output.numbering.restart()
        self.refresh()

    def detach(self) -> None:
        """Let go of the source before it is closed."""
        self._reader, self._lost = None, False
        self._disconnect()

    def refresh(self) -> bool:
        """Apply the current settings and measurements; return whether STATE changed."""
        if not self.tracks:
            return False
        full, limit = self.tracks[FULL.name], self._schedule.limit
        before = full.codec, full.passed_through
        info = self._source.info
        # Ignore the source where there can be no video, whatever it offers.
        if info is not None and (info.polled or self._lost or self._output.pipeline.needed):
            info = None
        own = "" if info is None or self._is_limited(limit) else info.video
        encode = self._offer(self._source.size if info is not None else (0, 0))
        full.passed_through = bool(own)
        if own:
            full.codec, full.kbps = own, self._source.kbps
            encode.pop("0", None)
        most = min(limit or MAX_FPS, MAX_FPS)
        if limit is None and SAME_RATE * self._source.fps <= MAX_FPS:
            most = 0.0  # Encode all pictures: a limit would drop some that arrive unevenly.
        rate = round(min(self._schedule.rate, MAX_FPS)) or 1
        passed = full.passed_through and FULL.name in self._wanted
        wanted = {
            "pass": passed,
            "encode": encode,
            "limit": most,
            "rate": rate,
            "lazy": self._lazy,
        }
        if wanted != self._sent and (passed or encode or self._receiver is not None):
            self._send(wanted)
        return before != (full.codec, full.passed_through)

    def request_key(self, name: str) -> None:
        """Ask for a key frame in a video that is encoded here; does nothing for others."""
        at = next((at for at, one in enumerate(self._order) if one.rendition == name), None)
        if at is None or at in self._keys_asked or str(at) not in self._sent["encode"]:
            return
        if self._reader is not None and self._reader.request_key(at):
            self._keys_asked.add(at)

    def _is_limited(self, limit: float | None) -> bool:
        """Return whether the frame rate is set below the source's own."""
        return limit is not None and limit < (SAME_RATE * self._source.fps or math.inf)

    def _offer(self, size: tuple[int, int]) -> dict[str, Encoding]:
        """Note how each video would be encoded; return the wanted ones by index.

        Args:
            size: Width and height of the pictures to encode; 0 if there are none.
        """
        wanted: dict[str, Encoding] = {}
        for at, (rendition, track) in enumerate(zip(self._ladder, self._order, strict=True)):
            if not all(size) or not (rendition.width is None or rendition.scales(size[0])):
                track.codec, track.kbps = None, 0
                continue
            encoding = encoding_of(rendition.width or size[0], size)
            track.codec, track.kbps = encoding.codec, encoding.kbps
            if track.rendition in self._wanted:
                wanted[str(at)] = encoding
        return wanted

    def _send(self, wanted: dict[str, Any]) -> None:
        """Send the child the wanted videos, with a socket for the units if it has none."""
        for at, track in enumerate(self._order):
            same = str(at) in wanted["encode"] and str(at) in self._sent["encode"]
            if not same and not (at == 0 and wanted["pass"] and self._sent["pass"]):
                track.lose()
        if self._reader is None:
            return
        theirs = None
        if self._receiver is None:
            ours, theirs = unit_sockets()
            self._receiver = UnitReceiver(ours, len(self._order), self._on_units, self._on_gap)
            self._watch = hub.ReadWatch(ours, self._receive)
        if self._reader.set_videos(wanted, -1 if theirs is None else theirs.fileno()):
            self._sent = wanted
        elif theirs is not None:
            self._disconnect()
        if theirs is not None:
            theirs.close()

    def _disconnect(self) -> None:
        self._sent = NOTHING
        self._keys_asked.clear()
        if self._watch is not None:
            self._watch.stop()
        if self._receiver is not None:
            self._receiver.close()
        self._watch = self._receiver = None
        for track in self._order:
            track.lose()

    def _receive(self, _fd: int) -> None:
        assert self._receiver is not None
        try:
            self._receiver.receive()
        except EOFError:
            self._lose()  # If the child has closed its source, its other socket reports that.
        except ValueError:
            self._meter.drops["broken"] += 1
            self._lose()

    def _lose(self) -> None:
        self._reader, self._lost = None, True
        self._disconnect()

    def _on_units(self, arrived: list[tuple[UnitHead, bytes]]) -> None:
        meter, numbering, now = self._meter, self._output.numbering, time.time()
        taken: dict[int, list[Unit]] = {}
        for head, data in arrived:
            at, key, place, at_unix, width, height, codec, early_s = head
            passed = at == 0 and self._sent["pass"]
            if not passed and str(at) not in self._sent["encode"]:
                continue  # It was sent before the child knew that the video is unwanted.
            track = self._order[at]
            units = taken.setdefault(at, [])
            before = numbering.newest
            seq = numbering.number(place)
            newest = units[-1] if units else track.newest
            if newest is not None and seq <= newest.seq:
                raise ValueError("a unit came twice")
            meter.captured += seq > before
            meter.ready += 1
            if now > at_unix:
                meter.capture_s += now - at_unix
            if key:
                track.codec = codec
                self._keys_asked.discard(at)
                if passed:
                    self._output.note_size(width, height)
            units.append(Unit(data, key, seq, at_unix, codec, width, height, early_s))
        self._on_arrival()
        for at, units in taken.items():
            self._order[at].extend(units)

    def _on_gap(self, gap: Gap) -> None:
        self._meter.drops[DROPS.get(gap.why, "damaged")] += gap.skipped
        self._order[gap.track].lose()
