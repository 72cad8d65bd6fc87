"""Addresses: which are accepted, what they mean, and that passwords are never shown."""

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
        (" device:1 ", "device", "1"),
        ("device:/dev/video2", "device", "/dev/video2"),
        ("device:/dev/v4l/by-id/usb-C920", "device", "/dev/v4l/by-id/usb-C920"),
        ("Device:/dev/v4l/by-path/usb-0:1", "device", "/dev/v4l/by-path/usb-0:1"),
        ("/dev/v4l/by-id/usb-C920", "device", "/dev/v4l/by-id/usb-C920"),
        ("/dev/null", "device", "/dev/null"),
        ("/dev/shm/nowhere.mp4", "file", "/dev/shm/nowhere.mp4"),
        ("exec:rpicam-vid -t 0 -o -", "exec", "rpicam-vid -t 0 -o -"),
        ("EXEC: my-camera ", "exec", "my-camera"),
        ("file:clip.mp4", "file", "/etc/porthole/clip.mp4"),
        ("file:100%25.mp4", "file", "/etc/porthole/100%25.mp4"),
        ("file:///media/my%20clip.mp4", "file", "/media/my clip.mp4"),
        ("file://localhost/clip.mp4", "file", "/clip.mp4"),
        ("what?x=1.mp4", "file", "/etc/porthole/what?x=1.mp4"),
        ("what?loop=1.mp4?loop=1", "file", "/etc/porthole/what?loop=1.mp4"),
        ("file:/media/clip.mp4", "file", "/media/clip.mp4"),
        ("clip.mp4", "file", "/etc/porthole/clip.mp4"),
        ("./odd:name.mp4", "file", "/etc/porthole/odd:name.mp4"),
        ("file:~nobody-here/a.mp4", "file", "/etc/porthole/~nobody-here/a.mp4"),
        ("file:why?.mp4", "file", "/etc/porthole/why?.mp4"),
        ("rtsp://cam/stream", "rtsp", "rtsp://cam/stream"),
        ("RTSP://cam/stream", "rtsp", "rtsp://cam/stream"),
        (" rtsp://cam/stream ", "rtsp", "rtsp://cam/stream"),
        ("https://[::1]:8443/x?y=z", "https", "https://[::1]:8443/x?y=z"),
    ],
)
def test_address_is_parsed(text: str, scheme: str, target: str) -> None:
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
        ("device:video0", "device:/dev/..."),
        ("exec:", "exec:PROGRAM ARGUMENT..."),
        ("exec:  ", "exec:PROGRAM ARGUMENT..."),
        ("exec:''", "exec:PROGRAM ARGUMENT..."),
        ("exec:ffmpeg 'a", "'exec:ffmpeg ···' has an opening quote without a closing one"),
        ("exec:a | b", "or exec:sh -c 'COMMAND'"),
        ("exec:a 2>/dev/null", "or exec:sh -c 'COMMAND'"),
        ("exec:A=b c", "or exec:env NAME=VALUE"),
        ("exce:ffmpeg", "did you mean 'exec'?"),
        ("a:b.mp4", "./NAME for a file with a colon in its name"),
        ("file://nas/clip.mp4", "names the host 'nas'"),
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
def test_invalid_address_is_rejected(text: str, said: str) -> None:
    """An invalid source is rejected, and the error says what is accepted."""
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
def test_options_are_parsed(text: str, options: dict[str, str]) -> None:
    """Options of a pattern or file are removed from its path; a URL keeps its own."""
    assert parse_address(text, FOLDER).options == options


def test_tilde_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde means the home folder, wherever the settings file is."""
    monkeypatch.setenv("HOME", "/home/ann")

    assert parse_address("file:~/clip.mp4", FOLDER).target == "/home/ann/clip.mp4"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("test:", "test"),
        ("device:2", "device-2"),
        ("device:/dev/video2", "video2"),
        ("device:/dev/printer-cam", "printer-cam"),
        (
            "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_1A2B3C4D-video-index0",
            "hd-pro-webcam-c920",
        ),
        (
            "/dev/v4l/by-id/usb-Sonix_USB_2.0_Camera_SN0001-video-index1",
            "sonix-usb-2-0-camera-sn0001-video-index1",
        ),
        ("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1.2:1.0-video-index0", "usb-0-1-2-1-0"),
        ("exec:/usr/bin/rpicam-vid --codec mjpeg", "rpicam-vid"),
        ("file:/media/My Holiday (1).mp4", "my-holiday-1"),
        ("file:???", "file"),
        ("rtsp://ann:secret@10.0.0.7/live", "10-0-0-7"),
        ("file:" + "x" * 90 + ".mp4", "x" * 40),
    ],
)
def test_name_is_derived_from_the_address(text: str, name: str) -> None:
    """A camera without a name gets one from its address that is safe in URLs and room names."""
    assert parse_address(text, FOLDER).name == name


@given(
    st.sampled_from(["", *(f"{scheme}:" for scheme in ("test", "file", *NETWORK_SCHEMES))]),
    st.text(),
)
def test_any_text_is_parsed_or_rejected(prefix: str, text: str) -> None:
    """Any text is parsed or raises ConfigError, never another exception."""
    try:
        address = parse_address(prefix + text, FOLDER)
    except ConfigError:
        return

    assert 1 <= len(address.name) <= 40


def test_existing_file_wins_over_options(tmp_path: Path) -> None:
    """If a file of the whole name exists, the question mark does not start options."""
    (tmp_path / "clip.mp4?loop=0").touch()

    address = parse_address("clip.mp4?loop=0", tmp_path)

    assert (address.target, address.options) == (f"{tmp_path}/clip.mp4?loop=0", {})
    assert address.missing == ""


def test_file_name_with_a_colon_is_not_a_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg took ``a:b.mp4`` for a URL, so it gets an absolute path."""
    monkeypatch.chdir(tmp_path)

    assert parse_address("./a:b.mp4", Path()).target == f"{tmp_path}/a:b.mp4"


def test_missing_sources_are_reported_by_kind(tmp_path: Path) -> None:
    """Files, devices and programs are checked for; network sources and the pattern are not."""
    texts = (
        "no.mp4",
        "device:61",
        "exec:no-such-program x",
        "exec:./no.sh",
        "rtsp://cam/",
        "test:",
    )

    missing = [parse_address(text, tmp_path).missing for text in texts]

    assert missing == [
        f"there is no file {tmp_path}/no.mp4",
        "/dev/video61 does not exist; devices here: none",
        "there is no program no-such-program; install it, or give its path",
        f"there is no program {tmp_path}/./no.sh",
        "",
        "",
    ]
