"""The time that ages are computed from when the clock jumps."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.cli.media import media as commands
from server.errors import ConfigError
from server.recording.disk.age_clock import (
    MAX_DOUBT_S,
    ClockReading,
    ClockState,
    initial_state,
    parse,
    to_bytes,
    update_state,
)
from server.recording.disk.index import Event
from server.recording.disk.layout import event_id
from server.recording.disk.retention import Limits, Policy
from server.recording.disk.storage import Storage, read_clocks, trust_clock
from tests.unit.recording.disk.conftest import BEGIN_UNIX

HOUR_S, DAY_S, YEAR_S = 3600.0, 86400.0, 365 * 86400.0


class Machine:
    """A machine whose clock can be wrong; its server checks the clock each minute or hour.

    Attributes:
        unix: What the clock says.
        state: What the server knows of it.
    """

    def __init__(self, unix: float = BEGIN_UNIX) -> None:
        self.unix = unix
        self._boots, self._boot_s = 1, 10 * HOUR_S
        self.state = initial_state(self.now())

    def now(self) -> ClockReading:
        """Return the readings of its clocks."""
        return ClockReading(self.unix, self._boot_s, f"boot {self._boots}")

    def look(self) -> ClockState:
        """Let the server check the clock, then store and reload its state."""
        known = parse(to_bytes(self.state))
        assert known == self.state
        self.state = update_state(known, self.now())
        return self.state

    def run(self, seconds: float, every_s: float = HOUR_S) -> None:
        """Let time pass while the server runs."""
        while seconds > 0:
            self.unix, self._boot_s = self.unix + every_s, self._boot_s + every_s
            seconds -= every_s
            self.look()

    def boot(self, off_s: float, has_battery: bool = True) -> None:
        """Switch it off for a while; without a battery the clock stands still."""
        self._boots, self._boot_s = self._boots + 1, 20.0
        self.unix += off_s if has_battery else 0.0
        self.look()

    @property
    def is_trusted(self) -> bool:
        """Whether ages follow its clock."""
        return self.look().reference_unix == self.unix


@pytest.fixture
def machine() -> Machine:
    """A machine that has run for hours."""
    return Machine()


def test_forward_clock_jump_is_ignored_for_a_day(machine: Machine) -> None:
    """A time server's wrong answer made everything older than `keep_days` within a minute. Time
    continues meanwhile, so what is due by then is still deleted."""
    machine.unix += 10 * YEAR_S

    assert machine.look().reference_unix == BEGIN_UNIX
    assert machine.state.ahead_s == 10 * YEAR_S
    machine.run(23 * HOUR_S)
    assert machine.state.reference_unix == BEGIN_UNIX + 23 * HOUR_S
    machine.run(HOUR_S)
    assert machine.is_trusted


def test_corrected_clock_is_trusted_immediately(machine: Machine) -> None:
    """Somebody corrects it within a day; a later jump starts a new wait."""
    for _ in range(2):
        machine.unix += 40 * DAY_S
        machine.run(20 * HOUR_S)
        assert machine.state.ahead_s == 40 * DAY_S
        machine.unix -= 40 * DAY_S
        assert machine.is_trusted


def test_small_and_backward_steps_are_trusted_immediately(machine: Machine) -> None:
    """A time server may correct seconds; setting the clock back makes everything younger."""
    for step_s in (50 * 60.0, -50 * 60.0, -2 * HOUR_S, -YEAR_S):
        machine.unix += step_s
        assert machine.is_trusted


def test_repeated_jumps_delay_for_three_days_at_most(machine: Machine) -> None:
    """Each jump restarts the wait of a day, but old files must be deleted in the end."""
    machine.unix += 2 * HOUR_S
    machine.run(23 * HOUR_S)
    machine.unix += YEAR_S
    machine.run(2 * HOUR_S)
    assert machine.state.ahead_s == YEAR_S + 2 * HOUR_S

    waited_s = 25 * HOUR_S
    while machine.state.ahead_s:
        machine.unix += DAY_S
        machine.run(8 * HOUR_S)
        waited_s += 8 * HOUR_S
    assert MAX_DOUBT_S <= waited_s < MAX_DOUBT_S + 8 * HOUR_S


def test_machine_that_was_off_trusts_its_clock(machine: Machine) -> None:
    """Ten months off is no reason to keep anything longer, nor is a server stopped for as long."""
    machine.boot(300 * DAY_S)

    assert machine.is_trusted
    machine.unix, machine._boot_s = machine.unix + 300 * DAY_S, machine._boot_s + 300 * DAY_S
    assert machine.is_trusted


def test_boot_years_later_counts_as_a_jump(machine: Machine) -> None:
    """Nobody sees the clock step while the machine is off. Further restarts do not end the wait."""
    machine.boot(20 * YEAR_S)
    assert machine.state.ahead_s == pytest.approx(20 * YEAR_S, abs=DAY_S)

    for _ in range(3):
        machine.run(7 * HOUR_S)
        machine.boot(HOUR_S)
        assert machine.state.ahead_s > 19 * YEAR_S
    machine.run(3 * HOUR_S)

    assert machine.is_trusted


def test_jump_while_the_server_was_stopped_is_detected(machine: Machine) -> None:
    """The machine kept running, so its uptime tells ten minutes from twenty days."""
    machine.unix, machine._boot_s = machine.unix + 20 * DAY_S, machine._boot_s + 600

    assert machine.look().ahead_s == pytest.approx(20 * DAY_S, abs=600)


@pytest.mark.parametrize("begins_unix", [None, 0.0])
def test_missing_clock_battery_is_not_taken_for_a_jump(
    machine: Machine, begins_unix: float | None
) -> None:
    """Its clock starts where it was, or in 1970, and is right a minute later. A machine switched
    off each evening must not give a notice for that."""
    for _ in range(3):
        now = machine.unix
        machine.boot(0.0, has_battery=False)
        if begins_unix is not None:
            machine.unix = begins_unix
        machine.run(60.0, every_s=60.0)
        assert not machine.state.ahead_s
        machine.unix = now + 16 * HOUR_S
        assert machine.is_trusted
        machine.run(8 * HOUR_S)
        assert not machine.state.ahead_s


def test_first_reading_is_compared_with_the_newest_recording() -> None:
    """There is no earlier reading yet; years since the newest recording count as a jump."""
    now = ClockReading(BEGIN_UNIX, 10 * HOUR_S, "boot")

    assert initial_state(now).reference_unix == BEGIN_UNIX
    assert initial_state(now, BEGIN_UNIX - 300 * DAY_S).reference_unix == BEGIN_UNIX
    assert initial_state(now, BEGIN_UNIX - 2 * YEAR_S).reference_unix == BEGIN_UNIX - 2 * YEAR_S


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 512, b"[]", b"{}", to_bytes(ClockState(ClockReading(1, 2, ""), 3))[:90]]
)
def test_damaged_clock_state_is_ignored(data: bytes) -> None:
    """A power cut may damage it; older versions left only the file's time."""
    assert parse(data) is None


def old_event(storage: Storage, age_s: float) -> str:
    key = event_id("door", BEGIN_UNIX - age_s)
    storage.write_event(Event(key, "door", "motion", BEGIN_UNIX - age_s, BEGIN_UNIX - age_s))
    return key


POLICY = Policy(others=Limits(days=7))


def kept(storage: Storage) -> list[str]:
    """Return what is kept after tidying."""
    storage.tidy(POLICY, lambda one: one)
    return [one.id for one in storage.index.all_events()]


@pytest.fixture
def tidied(media: Path, machine: Machine) -> Storage:
    """A folder on that machine, with an event of yesterday."""
    storage = Storage(media, clocks=machine.now)
    old_event(storage, DAY_S)
    assert len(kept(storage)) == 1
    return storage


def test_jump_deletes_nothing_until_the_clock_is_trusted(tidied: Storage, machine: Machine) -> None:
    """A restart does not change that. A day of recordings was gone before anybody noticed."""
    machine.unix += YEAR_S
    assert len(kept(tidied)) == 1
    assert tidied.ahead_s == YEAR_S
    tidied.index.close()
    again = Storage(tidied.media, clocks=machine.now)
    assert len(kept(again)) == 1

    trust_clock(again.media, machine.now)

    assert kept(again) == []
    assert again.ahead_s == 0.0
    again.index.close()


def test_trust_clock_command_ends_the_wait(tmp_path: Path) -> None:
    """Without a folder of recordings, it fails with an error."""
    media = tmp_path / "media"
    arguments = ["trust-clock", "--state", str(tmp_path)]
    refused = CliRunner().invoke(commands, arguments)
    assert isinstance(refused.exception, ConfigError)

    media.mkdir()
    assert CliRunner().invoke(commands, arguments).exit_code == 0

    known = parse((media / ".alive").read_bytes())
    assert known is not None
    assert not update_state(known, read_clocks()).ahead_s


def test_empty_file_of_an_older_version_counts_by_its_time(
    tidied: Storage, machine: Machine
) -> None:
    """Older versions left an empty file, whose modification time was the last sign of life."""
    for ago_s, count in ((2 * YEAR_S, 1), (10 * DAY_S, 0)):
        machine.unix = BEGIN_UNIX + ago_s
        (tidied.media / ".alive").write_bytes(b"")
        os.utime(tidied.media / ".alive", (BEGIN_UNIX, BEGIN_UNIX))
        again = Storage(tidied.media, clocks=machine.now)
        assert len(kept(again)) == count
        again.index.close()
    tidied.index.close()


def test_events_from_the_future_are_deleted_in_time(tidied: Storage, machine: Machine) -> None:
    """By its own time such an event would have been kept for ten more years."""
    old_event(tidied, -10 * YEAR_S)
    assert len(kept(tidied)) == 2

    machine.run(6.5 * DAY_S)
    assert len(kept(tidied)) == 1, "yesterday's was too old"
    machine.run(DAY_S)

    assert kept(tidied) == []
    tidied.index.close()
