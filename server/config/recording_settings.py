"""Settings of rewind, recording, motion and time-lapse for one camera."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["RecordMode", "RecordingSettings"]

RecordMode = Literal["off", "motion", "always"]

# Typical delay of motion detection.
DETECTION_S = 2.0


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    """One camera's settings, with all defaults filled in.

    Attributes:
        rewind_s: Seconds kept in memory to look back.
        record: Whether it is recorded.
        before_s: Seconds before motion that are recorded with it.
        after_s: Seconds after motion that are recorded with it.
        days: Age at which its recordings are deleted; 0 for never.
        gb: The most gigabytes that its recordings may take; None for no limit of its own.
        motion: Whether to detect motion.
        timelapse_s: Time between two pictures of a time-lapse film; 0 for no film.
        job: The job that is being filmed instead of the day, such as a 3D print.
        job_since_unix: When the job began.
    """

    rewind_s: float = 60.0
    record: RecordMode = "off"
    before_s: float = 5.0
    after_s: float = 10.0
    days: float = 7.0
    gb: float | None = None
    motion: bool = False
    timelapse_s: float = 0.0
    job: str | None = None
    job_since_unix: float = 0.0

    @property
    def memory_s(self) -> float:
        """Seconds to keep in memory, for rewind and for recording before motion."""
        before_s = self.before_s and self.before_s + DETECTION_S
        return max(self.rewind_s, before_s if self.record == "motion" else 0.0)
