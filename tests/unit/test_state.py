"""State kept on disk across restarts."""

import logging
import os
from pathlib import Path

import pytest

from server.errors import ConfigError
from server.state import StateFile


def test_saved_document_is_loaded(tmp_path: Path) -> None:
    """A saved document is loaded by the next run."""
    StateFile(tmp_path).save({"cameras": {"door": {"fps": 5}}})

    assert StateFile(tmp_path).load() == {"cameras": {"door": {"fps": 5}}}


def test_missing_folder_is_created(tmp_path: Path) -> None:
    """A missing folder is created, with its parents."""
    file = StateFile(tmp_path / "a" / "b")

    assert file.load() == {}
    file.save({"x": 1})
    assert file.load() == {"x": 1}


def test_save_replaces_the_document(tmp_path: Path) -> None:
    """The last save counts, and leaves nothing else in the folder."""
    file = StateFile(tmp_path)

    file.save({"x": 1})
    file.save({"y": 2})

    assert file.load() == {"y": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"1"])
def test_broken_document_is_set_aside(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """An unreadable document does not stop the start; it is set aside and reported once."""
    (tmp_path / "state.json").write_bytes(content)

    with caplog.at_level(logging.WARNING):
        document = StateFile(tmp_path).load()

    assert document == {}
    assert (tmp_path / "state.broken").read_bytes() == content
    assert not (tmp_path / "state.json").exists()
    assert len(caplog.records) == 1


def test_failed_save_keeps_the_old_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save that fails half-way leaves the previous document."""
    file = StateFile(tmp_path)
    file.save({"x": 1})

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        file.save({"x": 2})

    assert file.load() == {"x": 1}


def test_folder_that_is_a_file_is_rejected(tmp_path: Path) -> None:
    """An impossible state folder ends the start with a message."""
    (tmp_path / "taken").write_text("")

    with pytest.raises(ConfigError, match="accepted: a folder that can be written to"):
        StateFile(tmp_path / "taken").load()


def test_unwritable_folder_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without write permission is found at the start, not at the first change."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # Root may write anywhere.

    with pytest.raises(ConfigError, match="cannot be written to"):
        StateFile(tmp_path).load()
