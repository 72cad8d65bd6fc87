"""Addresses: what is accepted, what it means, and that a password is never shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.config.address import NETWORK_SCHEMES, parse_address
from server.errors import ConfigError

FOLDER = Path("/etc/porthole")


@pytest.mark.parametrize(
    ("text", "scheme", "target"),
    [
        ("test:", "test", ""),
        ("TEST:", "test", ""),
        ("device:0", "device", "0"),
        ("device:007", "device", "7"),
        ("device:63", "device", "63"),
        ("file:clip.mp4", "file", "/etc/porthole/clip.mp4"),
        ("file:/media/clip.mp4", "file", "/media/clip.mp4"),
        ("clip.mp4", "file", "/etc/porthole/clip.mp4"),
        ("./odd:name.mp4", "file", "/etc/porthole/odd:name.mp4"),
        ("file:~nobody-here/a.mp4", "file", "/etc/porthole/~nobody-here/a.mp4"),
        ("file:why?.mp4", "file", "/etc/porthole/why?.mp4"),
        ("rtsp://cam/stream", "rtsp", "rtsp://cam/stream"),
        ("RTSP://cam/stream", "rtsp", "RTSP://cam/stream"),
        ("https://[::1]:8443/x?y=z", "https", "https://[::1]:8443/x?y=z"),
    ],
)
def test_address_is_read(text: str, scheme: str, target: str) -> None:
    """Every accepted form becomes its scheme and target."""
    address = parse_address(text, FOLDER)

    assert (address.scheme, address.target) == (scheme, target)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "accepted: test:"),
        ("device:", "device:0 to device:63"),
        ("device:-1", "device:0 to device:63"),
        ("device:64", "device:0 to device:63"),
        ("device:1.5", "device:0 to device:63"),
        ("device:²", "device:0 to device:63"),
        ("device:/dev/video0", "device:0 to device:63"),
        ("file:", "accepted: file:PATH"),
        ("file:a\0b", "accepted: file:PATH"),
        ("file:clip.mp4?loop=2", "accepted: 0 or 1"),
        ("file:clip.mp4?speed=2", "accepted options: loop"),
        ("ftp://host/clip.mp4", "accepted: test:"),
        ("webcam:0", "accepted: test:"),
        ("rtsp://", "accepted: rtsp://HOST/..."),
        ("rtsp:///stream", "accepted: rtsp://HOST/..."),
        ("http://host:0/", "accepted: http://HOST/..."),
        ("http://host:99999/", "accepted: http://HOST/..."),
        ("http://[::1/", "accepted: http://HOST/..."),
        ("http://host/a b", "accepted: http://HOST/..."),
        ("http://host/a\nb", "accepted: http://HOST/..."),
        ("test:?size=10x10", "from 128x72 to 7680x4320"),
        ("test:?size=8000x4000", "from 128x72 to 7680x4320"),
        ("test:?size=large", "from 128x72 to 7680x4320"),
        ("test:?fps=0", "from 0.1 to 120"),
        ("test:?fps=121", "from 0.1 to 120"),
        ("test:?fps=nan", "from 0.1 to 120"),
        ("test:?noise=2", "from 0 to 1"),
        ("test:?colour=red", "accepted options: size, fps, noise"),
        ("test:nonsense", "accepted options: size, fps, noise"),
    ],
)
def test_wrong_address_is_refused(text: str, said: str) -> None:
    """What cannot be a source is refused with what would be accepted."""
    with pytest.raises(ConfigError) as caught:
        parse_address(text, FOLDER)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (
            "test:?size=640x360&fps=12.5&noise=0.1",
            {"size": "640x360", "fps": "12.5", "noise": "0.1"},
        ),
        ("file:clip.mp4?loop=0", {"loop": "0"}),
        ("clip.mp4?loop=1", {"loop": "1"}),
        ("file:clip.mp4", {}),
        ("rtsp://cam/x?loop=0", {}),
    ],
)
def test_options_are_read(text: str, options: dict[str, str]) -> None:
    """The options of a pattern and of a file are taken off; a URL keeps its own."""
    assert parse_address(text, FOLDER).options == options


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde means the home folder, whatever the settings file's folder is."""
    monkeypatch.setenv("HOME", "/home/ann")

    assert parse_address("file:~/clip.mp4", FOLDER).target == "/home/ann/clip.mp4"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("test:", "test"),
        ("device:2", "device-2"),
        ("file:/media/My Holiday (1).mp4", "my-holiday-1"),
        ("file:???", "file"),
        ("rtsp://ann:secret@10.0.0.7/live", "10-0-0-7"),
        ("file:" + "x" * 90 + ".mp4", "x" * 40),
    ],
)
def test_name_is_made_from_the_address(text: str, name: str) -> None:
    """An address without a name of its own gets one that suits URLs and rooms."""
    assert parse_address(text, FOLDER).name == name


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://ann:s3cret@cam/live",
        "rtsp://ann:s3cret@cam:554/live?a=b",
        "rtsp://s3cret@cam/",
        "http://cam/video?user=ann&pwd=s3cret",
        "http://cam/video?pwd=s3cret#t",
        "http://ann:p@s3cret@cam/video",
    ],
)
def test_password_is_not_public(text: str) -> None:
    """The public form of a URL shows neither user information nor query values."""
    address = parse_address(text, FOLDER)

    assert "s3cret" not in address.public
    assert "cam" in address.public
    assert address.target == text


@pytest.mark.parametrize(
    "text", ["ftp://ann:s3cret@cam/live", "rtsp://ann:s3cret@cam/a b", "rtsp://ann:s3cret@cam:0/"]
)
def test_password_is_not_in_the_refusal(text: str) -> None:
    """A refused URL is shown without its password."""
    with pytest.raises(ConfigError) as caught:
        parse_address(text, FOLDER)

    assert "s3cret" not in str(caught.value)


@given(
    st.sampled_from(["", *(f"{scheme}:" for scheme in ("test", "file", *NETWORK_SCHEMES))]),
    st.text(),
)
def test_any_text_is_an_address_or_refused(prefix: str, text: str) -> None:
    """No text makes parsing fail in any other way than by refusing it."""
    try:
        address = parse_address(prefix + text, FOLDER)
    except ConfigError:
        return

    assert 1 <= len(address.name) <= 40
