"""Films for tests, which a run makes only once."""

from pathlib import Path

import pytest

from tests.support.cameras import films


def test_film_is_made_once_per_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repeated request gets a copy; another source makes another film."""
    kept = tmp_path / "kept"
    kept.mkdir()
    monkeypatch.setenv(films.KEPT, str(kept))
    source = "color=red:size=64x48:rate=5"
    first = films.make_film(tmp_path / "first.mp4", "-t", "1", source=source)
    made = first.read_bytes()
    first.write_bytes(b"changed by a test")

    with monkeypatch.context() as without:
        without.setenv("PATH", "")
        second = films.make_film(tmp_path / "second.mp4", "-t", "1", source=source)
    other = films.make_film(tmp_path / "other.mp4", "-t", "1", source=source.replace("red", "blue"))

    assert second.read_bytes() == made
    assert other.read_bytes() != made
    assert len(list(kept.iterdir())) == 2
