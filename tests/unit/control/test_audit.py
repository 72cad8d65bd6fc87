"""The audit log."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from server.control import audit as audit_module
from server.control.audit import Audit, line_of
from tests.support.fakes import FakeClock, settle, until


def lines(folder: Path, name: str = "audit.log") -> list[Any]:
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_entry_records_who_what_where_when_and_result(tmp_path: Path, clock: FakeClock) -> None:
    """An entry is one line of JSON; fields without a value are left out."""
    audit = Audit(tmp_path, clock.time)

    audit.note("ada", "fps", "10.0.0.7", camera="door", value=5.0, by=None)
    audit.close()

    assert lines(tmp_path) == [
        {
            "at": "2023-11-14T22:30:00.000+00:00",
            "who": "ada",
            "what": "fps",
            "from": "10.0.0.7",
            "result": "ok",
            "camera": "door",
            "value": 5.0,
        }
    ]


def test_log_file_is_private(tmp_path: Path) -> None:
    """Only the server's own account may read it."""
    audit = Audit(tmp_path)

    audit.note("ada", "quit", "::1")
    audit.close()

    assert stat.S_IMODE((tmp_path / "audit.log").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\x1b[2J", "\x00", "\x7f", "\u2028", "\ud800"])
def test_control_characters_are_escaped(text: str) -> None:
    """An entry cannot end its line, forge another one, or move a cursor."""
    line = line_of({"who": text}, 0)

    assert line.endswith("}\n")
    assert line[:-1].isascii()
    assert line[:-1].isprintable()
    assert json.loads(line)["who"] == text


def test_long_values_are_truncated() -> None:
    """A single long name cannot fill the disk."""
    assert len(line_of({"who": "x" * 100_000}, 0)) < 400


def test_large_log_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stays below its limit; the previous one is kept."""
    monkeypatch.setattr(audit_module, "MAX_BYTES", 1000)
    audit = Audit(tmp_path)

    for number in range(30):
        audit.note("ada", "fps", "::1", value=number)
        audit.close()

    assert (tmp_path / "audit.log").stat().st_size <= 1000
    assert (tmp_path / "audit.log.1").stat().st_size <= 1000
    kept = [entry["value"] for entry in lines(tmp_path, "audit.log.1") + lines(tmp_path)]
    assert kept == list(range(kept[0], 30))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.log", "audit.log.1"]


def test_repeated_refusals_are_merged_with_a_count(tmp_path: Path, clock: FakeClock) -> None:
    """Password guessing cannot push everything else out of the file; actions are never merged."""
    audit = Audit(tmp_path, clock.time)

    for _ in range(500):
        audit.note(None, "login", "10.0.0.9", "unauthorized")
    for _ in range(3):
        audit.note("ada", "start", "::1")
    clock.advance(31)
    audit.note(None, "login", "10.0.0.9", "unauthorized")
    audit.close()

    assert [entry["what"] for entry in lines(tmp_path)] == ["start"] * 3
    refusals = lines(tmp_path, "refused.log")
    assert [entry.get("repeated") for entry in refusals] == [None, 499, None]


def test_refusals_do_not_displace_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """Refusals go to a file of their own, however many there are and wherever they come from.

    Refusals used to be told apart by each login's text, so 32,000 requests left nothing else in the
    log.
    """
    monkeypatch.setattr(audit_module, "MAX_BYTES", 20_000)
    audit = Audit(tmp_path, clock.time)
    audit.note("ada", "quit", "::1")

    for number in range(3000):
        audit.note(None, "/api", f"10.{number // 250}.{number % 250}.9", "unauthorized", by="other")
        audit.note("vera", "stop", "10.0.0.7", "unknown_camera", camera=f"no{number}")
    audit.note("ada", "start", "::1")
    audit.close()

    assert [entry["what"] for entry in lines(tmp_path)] == ["quit", "start"]
    assert not (tmp_path / "audit.log.1").exists()
    kept = lines(tmp_path, "refused.log.1") + lines(tmp_path, "refused.log")
    others = [entry for entry in kept if entry["from"] == "others"]
    assert sum(entry.get("repeated", 1) for entry in others if entry["what"] == "/api") >= 2400
    assert (tmp_path / "refused.log").stat().st_mode & 0o777 == 0o600


def test_refusals_that_differ_in_caller_text_are_merged(tmp_path: Path, clock: FakeClock) -> None:
    """Neither the caller's text nor another address of the same IPv6 network starts a new entry."""
    audit = Audit(tmp_path, clock.time)

    for number in range(200):
        audit.note("vera", "stop", "10.0.0.7", "unknown_camera", camera=f"no{number}")
        audit.note(None, "login", f"2001:db8::{number:x}", "unauthorized", tried="ada")
        audit.note(f"2001:db8::{number:x}", "fps", f"2001:db8::{number:x}", "bad_request")
    audit.note(None, "login", "2001:db8::1", "unauthorized", tried="bob")
    audit.close()

    refusals = lines(tmp_path, "refused.log")
    firsts = [entry for entry in refusals if "repeated" not in entry]
    assert [(entry["what"], entry.get("tried")) for entry in firsts] == [
        ("stop", None),
        ("login", "ada"),
        ("fps", None),
        ("login", "bob"),
    ]
    assert [entry["repeated"] for entry in refusals if "repeated" in entry] == [199] * 3


def test_actions_go_ahead_when_the_log_cannot_be_written(tmp_path: Path) -> None:
    """An action goes ahead without its entry, and the next entry says how many were lost."""
    folder = tmp_path / "missing"
    audit = Audit(folder)
    audit.open()

    audit.note("ada", "start", "::1")
    settle()
    until(lambda: audit._done._lost == 1)
    folder.mkdir()
    audit.note("ada", "stop", "::1")
    until(lambda: lines(folder))
    audit.close()

    assert lines(folder)[0]["what"] == "stop"
    assert lines(folder)[0]["lost_before"] == 1


def test_pending_entries_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk hangs, memory does not grow: entries are lost and counted."""
    monkeypatch.setattr(audit_module, "MAX_PENDING", 10)
    audit = Audit(tmp_path)

    for _ in range(25):
        audit.note("ada", "start", "::1")
    audit.close()

    assert len(lines(tmp_path)) == 10


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    """Otherwise anyone with access to the folder could make the server append to another file."""
    target = tmp_path / "target"
    target.write_text("")
    (tmp_path / "audit.log").symlink_to(target)
    audit = Audit(tmp_path)

    audit.note("ada", "start", "::1")
    audit.close()

    assert target.read_text() == ""
