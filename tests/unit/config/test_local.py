"""Files, devices and programs on this machine."""

import os
import socket
from pathlib import Path

import pytest

from server.config.local import (
    Device,
    find_devices,
    why_no_device,
    why_no_file,
    why_no_program,
)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("folder", "is a directory, not a file; name one of the files in it"),
        ("pipe", "is a named pipe, not a file; exec:cat {path} reads it"),
        ("socket", "is a socket, not a file; exec:socat -u UNIX-CONNECT:{path} - reads it"),
        ("nothing", "there is no file"),
        ("file", ""),
    ],
)
def test_non_files_are_reported_by_kind(tmp_path: Path, kind: str, said: str) -> None:
    """The error says what the path is instead of a file.

    A folder used to be "no video that FFmpeg can read", and opening a pipe hung.
    """
    path = tmp_path / "it"
    listener = socket.socket(socket.AF_UNIX)
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        listener.bind(str(path))
    elif kind == "file":
        path.touch()

    found = why_no_file(str(path))
    listener.close()

    assert said.format(path=path) in found
    assert bool(found) == bool(said)


def test_a_device_is_not_played_as_a_file() -> None:
    """The error for ``file:/dev/video0`` suggests ``device:/dev/video0``."""
    assert "device:/dev/null reads it" in why_no_file("/dev/null")


def test_trailing_white_space_is_visible(tmp_path: Path) -> None:
    """A path that ends in invisible white space is quoted."""
    assert why_no_file(f"{tmp_path}/a.mp4 ") == f"there is no file '{tmp_path}/a.mp4 '"


def test_impossible_path_is_reported() -> None:
    """The system's error for a path that is too long is passed on."""
    assert "cannot be accessed (File name too long)" in why_no_file("/" + "x" * 5000)


def plug_in(folder: Path, number: int, name: str) -> None:
    """Make a device and its links, as udev does."""
    (folder / f"video{number}").touch()
    for kind, link in (("by-id", f"usb-{name}-video-index0"), ("by-path", f"pci-usb-0:{number}")):
        (folder / "v4l" / kind).mkdir(parents=True, exist_ok=True)
        (folder / "v4l" / kind / link).symlink_to(folder / f"video{number}")


def test_devices_are_found_with_their_stable_paths(tmp_path: Path) -> None:
    """Devices are sorted by number, and other files are ignored."""
    for name in ("video10", "video-codec", "null"):
        (tmp_path / name).touch()
    plug_in(tmp_path, 2, "C920")

    assert find_devices(tmp_path) == [
        Device(
            f"{tmp_path}/video2",
            f"{tmp_path}/v4l/by-id/usb-C920-video-index0",
            f"{tmp_path}/v4l/by-path/pci-usb-0:2",
        ),
        Device(f"{tmp_path}/video10"),
    ]


def test_missing_device_error_lists_the_available_ones(tmp_path: Path) -> None:
    """The error lists each device by its stable path if it has one."""
    plug_in(tmp_path, 2, "C920")
    (tmp_path / "video4").touch()

    said = why_no_device("61", tmp_path)

    assert said == (
        "/dev/video61 does not exist; devices here: "
        f"device:{tmp_path}/v4l/by-id/usb-C920-video-index0, device:{tmp_path}/video4"
    )


def test_a_file_is_not_a_device(tmp_path: Path) -> None:
    """``device:`` with a file's path is rejected before it is opened."""
    (tmp_path / "clip.mp4").touch()

    assert why_no_device(f"{tmp_path}/clip.mp4") == f"{tmp_path}/clip.mp4 is not a device"
    assert why_no_device("/dev/null") == ""


def test_a_program_must_exist_and_be_executable(tmp_path: Path) -> None:
    """Programs are found as in a shell; relative paths start at the settings file's folder."""
    (tmp_path / "camera.sh").write_text("#!/bin/sh\n")

    assert why_no_program("sh", "/") == ""
    assert why_no_program("no-such-program", "/").startswith("there is no program no-such-program")
    assert "chmod +x" in why_no_program("./camera.sh", str(tmp_path))
    (tmp_path / "camera.sh").chmod(0o755)
    assert why_no_program("./camera.sh", str(tmp_path)) == ""
    assert why_no_program("./camera.sh", "/") == "there is no program /./camera.sh"
