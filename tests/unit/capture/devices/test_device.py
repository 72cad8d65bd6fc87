"""Devices by number and by path: opened, missing, unplugged. No camera is needed here."""

from pathlib import Path

import cv2
import pytest

from server.capture.devices import opencv as video
from server.capture.devices.opencv import DeviceVideo
from server.errors import SourceError


def test_missing_device_is_reported() -> None:
    """The error names a missing device by its number or its stable path."""
    with pytest.raises(SourceError, match=r"/dev/video61 does not exist; devices here: "):
        DeviceVideo("61")
    with pytest.raises(SourceError, match=r"/dev/v4l/by-id/none does not exist; "):
        DeviceVideo("/dev/v4l/by-id/none")


def test_device_link_is_resolved_at_each_opening(tmp_path: Path) -> None:
    """The link is resolved each time: after replugging it may point to another number.

    The error shows which device was opened, so no camera is needed.
    """
    link = tmp_path / "usb-C920-video-index0"
    said = []
    for leads_to in ("/dev/null", "/dev/zero"):
        link.unlink(missing_ok=True)
        link.symlink_to(leads_to)
        with pytest.raises(SourceError) as caught:
            DeviceVideo(str(link))
        said.append(str(caught.value))
    link.unlink()
    with pytest.raises(SourceError, match="does not exist"):
        DeviceVideo(str(link))

    assert [text.split()[0] for text in said] == ["/dev/null", "/dev/zero"]
    assert all("not a camera" in text for text in said)


def test_unplugged_device_is_reported(tmp_path: Path) -> None:
    """When a device's pictures end, the error says whether it is still plugged in."""
    link = tmp_path / "usb-C920-video-index0"
    link.symlink_to("/dev/null")
    device = object.__new__(DeviceVideo)
    device._target = str(link)
    device._capture = cv2.VideoCapture()  # It has nothing to grab.

    with pytest.raises(SourceError, match="is it still connected"):
        device.grab()
    link.unlink()
    with pytest.raises(SourceError, match=f"it was unplugged: {link} does not exist"):
        device.grab()


def test_non_camera_device_is_reported(tmp_path: Path) -> None:
    """The error distinguishes a device that is not a camera from one that cannot be opened."""
    other = tmp_path / "video0"
    other.write_text("")

    assert "not a camera" in video._why_not_device(str(other))
    assert "cannot be opened" in video._why_not_device(str(tmp_path / "none"))
