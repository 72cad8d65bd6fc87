"""Opening the source at an address."""

from pathlib import Path

import pytest

from server.capture.sources.source import _open_stream, open_source
from server.capture.sources.testpattern import TestPattern
from server.config.address import Address, parse_address
from server.errors import SourceError


def test_test_address_opens_the_pattern() -> None:
    """``test:`` opens the pattern with its options."""
    source = open_source(parse_address("test:?size=320x240&fps=5", Path()), "door", 1)

    assert isinstance(source, TestPattern)
    assert (source.info.width, source.info.height, source.info.fps) == (320, 240, 5)
    assert source.info.live


@pytest.mark.parametrize(
    ("text", "kind", "arguments"),
    [
        ("device:3", "devices.opencv.DeviceVideo", ("3",)),
        ("device:/dev/v4l/by-id/x", "devices.opencv.DeviceVideo", ("/dev/v4l/by-id/x",)),
        ("file:/a.mp4", "streams.file.FileVideo", ("/a.mp4", {"loop": True})),
        ("file:/a.mp4?loop=0", "streams.file.FileVideo", ("/a.mp4", {"loop": False})),
        ("rtsp://cam/", "rtsp.opening.open_rtsp", ("rtsp://cam/", 2.5)),
        ("exec:a b", "sources.command.CommandSource", ("a b", 2.5)),
        ("https://cam/", "sources.http.open_http", ("https://cam/", 2.5, _open_stream)),
    ],
)
def test_each_scheme_opens_its_source(
    text: str, kind: str, arguments: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each scheme opens its kind of source with the address's options."""
    opened: list[object] = []

    def record(*args: object, **named: object) -> None:
        opened.extend(arg.target if isinstance(arg, Address) else arg for arg in args)
        opened.extend([named] if named else [])

    monkeypatch.setattr(f"server.capture.{kind}", record)
    open_source(parse_address(text, Path()), "door", 2.5)

    assert tuple(opened) == arguments


def test_missing_file_is_reported() -> None:
    """The error says which source cannot be opened and why."""
    with pytest.raises(SourceError, match=r"no file /nowhere/a\.mp4"):
        open_source(parse_address("file:/nowhere/a.mp4", Path()), "door", 1)
