"""A token bucket: limits events per second, and allows bursts."""

__all__ = ["Bucket"]


class Bucket:
    """Limits a rate.

    Args:
        per_s: Average events per second.
        burst: The most events at once after a pause.
        now: Time in monotonic seconds.
    """

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float, events: int = 1) -> bool:
        """Count events; return whether they are within the limit."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < events:
            return False
        self._tokens -= events
        return True
