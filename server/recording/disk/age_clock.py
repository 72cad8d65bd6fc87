"""Choose the time that ages are computed from: the system clock, unless it has just jumped. No I/O.

A jump ahead would make everything old enough to delete. It may be an error (a bad time server, a
typo) or a correction (a machine without a battery). So after a jump, ages are computed from the
time before it plus the time elapsed, until the clock has come back or run steadily for a day.
"""

import json
from dataclasses import asdict, dataclass, replace

__all__ = [
    "DAY_S",
    "MAX_FUTURE_S",
    "ClockReading",
    "ClockState",
    "initial_state",
    "parse",
    "to_bytes",
    "update_state",
]

DAY_S = 86400.0

MAX_STEP_S = 3600.0
"""A clock that differs by more from the time elapsed has jumped."""

MAX_OFF_S = 366 * DAY_S
"""Longest time a machine is assumed to have been off; a larger step across a boot is a jump."""

SYNC_S = 3600.0
"""A machine without a battery gets the time from the network within this time of its boot."""

STABLE_S = DAY_S
"""A clock without a jump for this long is trusted again."""
MAX_DOUBT_S = 3 * DAY_S
"""Longest distrust, however often the clock jumps: expired recordings must not stay forever."""

MAX_FUTURE_S = 3600.0
"""Anything dated further in the future was recorded while the clock was wrong."""

# Padded to one size, the file can be written on a full disk.
FILE_BYTES = 512


@dataclass(frozen=True, slots=True)
class ClockReading:
    """One reading of the machine's clocks.

    Attributes:
        unix: The system clock, which can be set, in Unix seconds.
        boot_s: Seconds since boot, from a clock that cannot be set.
        boot: The id of the boot; empty if unknown.
    """

    unix: float
    boot_s: float
    boot: str


@dataclass(frozen=True, slots=True)
class ClockState:
    """Whether the system clock is trusted; its fields are the JSON keys of the file.

    Attributes:
        at: The latest reading.
        expected_unix: The time extrapolated from when the clock was last trusted.
        settled: The id of the boot in which it was last trusted.
        doubted_s: How long it has been distrusted; None while it is trusted.
        stood_s: How long it has run without another jump since.
        beyond_since_unix: Since when the index has had entries from the future; None without.
    """

    at: ClockReading
    expected_unix: float
    settled: str = ""
    doubted_s: float | None = None
    stood_s: float = 0.0
    beyond_since_unix: float | None = None

    @property
    def reference_unix(self) -> float:
        """The time that ages are computed from, in Unix seconds."""
        return self.at.unix if self.doubted_s is None else min(self.at.unix, self.expected_unix)

    @property
    def ahead_s(self) -> float:
        """How far the clock may be ahead of the real time; 0 while it is trusted."""
        return self.at.unix - self.reference_unix


def initial_state(now: ClockReading, newest_unix: float | None = None) -> ClockState:
    """Return the state if none was stored.

    Args:
        now: The clocks.
        newest_unix: When the newest recording or event began, if there is one.
    """
    if newest_unix is None:
        return ClockState(now, now.unix, now.boot)
    return update_state(ClockState(ClockReading(newest_unix, 0.0, ""), newest_unix), now)


def update_state(
    last: ClockState, now: ClockReading, newest_unix: float | None = None
) -> ClockState:
    """Return the next state, given a new reading.

    Args:
        last: The previous state.
        now: The clocks.
        newest_unix: When the newest recording or event began, by the clock at that time.
    """
    same = bool(now.boot) and last.at.boot == now.boot
    passed_s = max(0.0, now.boot_s - last.at.boot_s) if same else 0.0
    expected = last.expected_unix + passed_s
    settled = last.settled == now.boot and now.boot_s > SYNC_S
    moved_s = now.unix - last.at.unix - passed_s
    jumped = not -MAX_STEP_S <= moved_s <= (MAX_STEP_S if same else MAX_OFF_S)
    beyond = None
    if newest_unix is not None and newest_unix > now.unix + MAX_FUTURE_S:
        back = moved_s < -MAX_STEP_S
        beyond = now.unix if back or last.beyond_since_unix is None else last.beyond_since_unix
    state = replace(last, at=now, expected_unix=expected, beyond_since_unix=beyond)
    trusted = replace(state, expected_unix=now.unix, settled=now.boot, doubted_s=None, stood_s=0.0)
    may_be_off = not settled and not last.ahead_s
    if -MAX_STEP_S <= now.unix - expected <= (MAX_OFF_S if may_be_off else MAX_STEP_S):
        return trusted
    doubted_s = 0.0 if last.doubted_s is None else last.doubted_s + passed_s
    stood_s = 0.0 if jumped or last.doubted_s is None else last.stood_s + passed_s
    if stood_s >= STABLE_S or doubted_s >= MAX_DOUBT_S:
        return trusted
    return replace(state, doubted_s=doubted_s, stood_s=stood_s)


def to_bytes(state: ClockState) -> bytes:
    """Serialise a state for the file."""
    return json.dumps(asdict(state)).encode().ljust(FILE_BYTES - 1) + b"\n"


def parse(data: bytes) -> ClockState | None:
    """Parse the file; return None if it is damaged, or empty as written by earlier versions."""
    try:
        read = json.loads(data)
        at, doubted_s, beyond = read["at"], read["doubted_s"], read["beyond_since_unix"]
        return ClockState(
            ClockReading(float(at["unix"]), float(at["boot_s"]), str(at["boot"])),
            float(read["expected_unix"]),
            str(read["settled"]),
            None if doubted_s is None else float(doubted_s),
            float(read["stood_s"]),
            None if beyond is None else float(beyond),
        )
    except (ValueError, TypeError, KeyError):
        return None
