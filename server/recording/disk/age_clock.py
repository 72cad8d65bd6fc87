"""By which time it is told how old something is: the clock's, unless that has just jumped. No I/O.

A clock that jumps ahead makes everything old at once: one without a battery that had been behind,
a wrong answer of a time server, a typing error. It may be right, too. So after a jump ages go on
from before it, until the clock has come back or has stood for a day.
"""

import json
from dataclasses import asdict, dataclass, replace

__all__ = ["BEYOND_S", "DAY_S", "Moment", "Sight", "first_sight", "look", "parse", "to_bytes"]

DAY_S = 86400.0

STEP_S = 3600.0
"""A clock that moves by more, beside the time that passed, has jumped."""

OFF_S = 366 * DAY_S
"""A machine may have been off for so long. What follows is a jump."""

SETTLE_S = 3600.0
"""Within this time from its boot, a machine without a battery learns what time it is."""

STAND_S = DAY_S
"""A clock that has stood for so long since its last jump is believed again."""
MAX_DOUBT_S = 3 * DAY_S
"""Longest doubt, however often the clock jumps: what has to go is not kept for ever."""

BEYOND_S = 3600.0
"""What lies this far in the future was recorded while the clock was wrong."""

# Padded to one size, the file can be written on a full disk.
FILE_BYTES = 512


@dataclass(frozen=True, slots=True)
class Moment:
    """What the machine's clocks say.

    Attributes:
        unix: The clock that can be set, in Unix seconds.
        boot_s: The one that cannot: seconds since the boot.
        boot: Which boot that was; empty if that is not known.
    """

    unix: float
    boot_s: float
    boot: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of the clock.

    Attributes:
        at: When it was looked at.
        expected_unix: What it should have said, by the last time that it was believed.
        settled: In which boot that was.
        doubted_s: For how long it has said something else; None while it is believed.
        stood_s: For how long it has not jumped since.
        beyond_since_unix: Since when something was known that lies in the future; None for nothing.
    """

    at: Moment
    expected_unix: float
    settled: str = ""
    doubted_s: float | None = None
    stood_s: float = 0.0
    beyond_since_unix: float | None = None

    @property
    def age_unix(self) -> float:
        """The time by which ages are told, in Unix seconds."""
        return self.at.unix if self.doubted_s is None else min(self.at.unix, self.expected_unix)

    @property
    def ahead_s(self) -> float:
        """By how much the clock may be wrong so that too much would be deleted; 0 if it is not."""
        return self.at.unix - self.age_unix


def first_sight(now: Moment, newest_unix: float | None = None) -> Sight:
    """Return what is known without an earlier sight.

    Args:
        now: The clocks.
        newest_unix: When the newest thing was recorded, if there is any.
    """
    if newest_unix is None:
        return Sight(now, now.unix, now.boot)
    return look(Sight(Moment(newest_unix, 0.0, ""), newest_unix), now)


def look(last: Sight, now: Moment, newest_unix: float | None = None) -> Sight:
    """Return what is known of the clock now.

    Args:
        last: What was known.
        now: The clocks.
        newest_unix: When the newest thing was recorded, by the clock of that time.
    """
    same = bool(now.boot) and last.at.boot == now.boot
    passed_s = max(0.0, now.boot_s - last.at.boot_s) if same else 0.0
    expected = last.expected_unix + passed_s
    settled = last.settled == now.boot and now.boot_s > SETTLE_S
    moved_s = now.unix - last.at.unix - passed_s
    jumped = not -STEP_S <= moved_s <= (STEP_S if same else OFF_S)
    beyond = None
    if newest_unix is not None and newest_unix > now.unix + BEYOND_S:
        back = moved_s < -STEP_S
        beyond = now.unix if back or last.beyond_since_unix is None else last.beyond_since_unix
    sight = replace(last, at=now, expected_unix=expected, beyond_since_unix=beyond)
    believed = replace(sight, expected_unix=now.unix, settled=now.boot, doubted_s=None, stood_s=0.0)
    may_be_off = not settled and not last.ahead_s
    if -STEP_S <= now.unix - expected <= (OFF_S if may_be_off else STEP_S):
        return believed
    doubted_s = 0.0 if last.doubted_s is None else last.doubted_s + passed_s
    stood_s = 0.0 if jumped or last.doubted_s is None else last.stood_s + passed_s
    if stood_s >= STAND_S or doubted_s >= MAX_DOUBT_S:
        return believed
    return replace(sight, doubted_s=doubted_s, stood_s=stood_s)


def to_bytes(sight: Sight) -> bytes:
    """Return it as a file has it."""
    return json.dumps(asdict(sight)).encode().ljust(FILE_BYTES - 1) + b"\n"


def parse(data: bytes) -> Sight | None:
    """Return what a file says; None if it is empty, as of earlier versions, or damaged."""
    try:
        read = json.loads(data)
        at, doubted_s, beyond = read["at"], read["doubted_s"], read["beyond_since_unix"]
        return Sight(
            Moment(float(at["unix"]), float(at["boot_s"]), str(at["boot"])),
            float(read["expected_unix"]),
            str(read["settled"]),
            None if doubted_s is None else float(doubted_s),
            float(read["stood_s"]),
            None if beyond is None else float(beyond),
        )
    except (ValueError, TypeError, KeyError):
        return None
