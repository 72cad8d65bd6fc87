"""What is kept of a camera."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Keeping", "RecordMode"]

RecordMode = Literal["off", "motion", "always"]

# Motion has lasted for about so long when it is noticed.
NOTICED_S = 2.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept of one camera, with all defaults filled in.

    Attributes:
        rewind_s: How much is kept in memory.
        record: Whether it is recorded.
        before_s: How much before motion is recorded with it.
        after_s: How much after motion is recorded with it.
        days: After how many recordings are deleted; 0 for never.
        gb: What its recordings take at most; None for no limit of its own.
        motion: Whether to look for motion.
        timelapse_s: From one picture of a film to the next; 0 for no film.
        job: What a film is made of now instead of the day, such as a printer's job.
        job_since_unix: When that began.
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
        """How much has to be in memory: what can be looked back at, and before motion."""
        before_s = self.before_s and self.before_s + NOTICED_S
        return max(self.rewind_s, before_s if self.record == "motion" else 0.0)
