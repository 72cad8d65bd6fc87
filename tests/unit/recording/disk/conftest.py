"""Units and files that these tests share."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.capture.frames.unit import Unit
from server.recording.disk.storage import Storage
from server.recording.disk.writer import Writer
from tests.support.cameras.units import make_units

BEGIN_UNIX = 1_795_000_000.0


@pytest.fixture(scope="package")
def film(tmp_path_factory: pytest.TempPathFactory) -> list[Unit]:
    """Four seconds at 25 fps, with every tenth picture a key frame."""
    made = make_units(tmp_path_factory.mktemp("film"), 4, source="testsrc2=size=128x72:rate=25")
    return [replace(one, at_unix=one.at_unix - 1e6 + BEGIN_UNIX) for one in made]


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """The folder of recordings, not created yet."""
    return tmp_path / "state" / "media"


@pytest.fixture
def storage(media: Path) -> Iterator[Storage]:
    """The storage in that folder."""
    storage = Storage(media)
    yield storage
    storage.index.close()


@pytest.fixture
def writer(storage: Storage) -> Iterator[Writer]:
    """A writer with a running thread."""
    writer = Writer(storage)
    writer.start()
    yield writer
    assert writer.stop(5.0)
