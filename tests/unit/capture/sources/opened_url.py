"""HTTP cameras, opened as the program opens them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from server.capture.frames.frame import Jpeg
from server.capture.sources.http import open_http
from server.capture.sources.mjpeg import MjpegStream
from server.capture.sources.still import StillCamera
from server.config.address import Address, parse_address
from server.errors import SourceError
from tests.support.cameras.field_camera import LOGIN, FieldCamera, make_certificate

PASSWORD = quote(LOGIN[1], safe="")

GOOD, WRONG = f"{LOGIN[0]}:{PASSWORD}", f"{LOGIN[0]}:guess"

Open = Callable[..., MjpegStream | StillCamera]


@pytest.fixture(scope="module")
def camera() -> Iterator[FieldCamera]:
    """A camera without a login."""
    field = FieldCamera()
    yield field
    field.close()


@pytest.fixture
def make_camera() -> Iterator[Callable[..., FieldCamera]]:
    """Make cameras, closed at the end."""
    cameras: list[FieldCamera] = []

    def make(*args: object, **more: object) -> FieldCamera:
        cameras.append(FieldCamera(*args, **more))  # type: ignore[arg-type]
        return cameras[-1]

    yield make
    for one in cameras:
        one.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate, like a camera's."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def hand_over(address: Address, timeout_s: float) -> StillCamera:
    """Stand in for the reader of all other formats."""
    raise SourceError(f"handed over to FFmpeg with {timeout_s:g} s")


@pytest.fixture
def open_url() -> Iterator[Open]:
    """Open URLs; their sources are closed at the end."""
    opened: list[MjpegStream | StillCamera] = []

    def open_url(
        url: str, timeout_s: float = 3.0, verify: bool | None = None
    ) -> MjpegStream | StillCamera:
        address = replace(parse_address(url, Path()), verify=verify)
        source = open_http(address, timeout_s, hand_over)
        assert isinstance(source, MjpegStream | StillCamera)
        opened.append(source)
        return source

    yield open_url
    for source in opened:
        source.close()


def grab(source: MjpegStream | StillCamera) -> bytes:
    """Return the next picture as it was sent."""
    assert source.grab()
    picture = source.retrieve(100)
    assert isinstance(picture, Jpeg)
    return picture.data


def grab_on(source: MjpegStream | StillCamera) -> None:
    """Grab pictures until that fails."""
    while source.grab():
        pass


def refusal(open_url: Open, url: str, timeout_s: float = 3.0, **more: bool) -> str:
    """Return why a URL cannot be opened; the reason must not contain a password."""
    with pytest.raises(SourceError) as caught:
        open_url(url, timeout_s, **more)
    text = str(caught.value)
    assert not {LOGIN[1], PASSWORD, "guess", "s3cret"} & set(text.split())
    assert "s3cret" not in text
    assert "guess" not in text
    return text
