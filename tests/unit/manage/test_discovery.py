"""What can be added: devices, and files in the media folder."""

from pathlib import Path

import pytest

from server.config.models import ServerSettings
from server.manage.discovery import find_files, find_video_devices
from server.manage.form import FormError, read_camera


def test_devices_have_a_stable_path_and_a_title(tmp_path: Path) -> None:
    """A camera's second node has no pictures and is left out; the first one's number may change."""
    dev, sys = tmp_path / "dev", tmp_path / "sys"
    for number, index in ((0, 0), (1, 1), (10, 0)):
        (dev / "v4l/by-id").mkdir(parents=True, exist_ok=True)
        (dev / f"video{number}").touch()
        about = sys / f"class/video4linux/video{number}"
        about.mkdir(parents=True)
        (about / "index").write_text(f"{index}\n")
        (about / "name").write_text(f"Webcam {number}: Webcam\n")
    (dev / "v4l/by-id/usb-Webcam-index0").symlink_to("../../video10")

    found = find_video_devices(dev, sys)

    assert [one["title"] for one in found] == ["Webcam 0", "Webcam 10"]
    assert [one["path"] for one in found] == [
        str(dev / "video0"),
        str(dev / "v4l/by-id/usb-Webcam-index0"),
    ]


def test_videos_in_the_media_folder_are_listed(tmp_path: Path) -> None:
    """Subfolders are included; hidden files and symbolic links are not."""
    media = tmp_path / "media"
    for name in ("street.mp4", "a/yard.MKV", ".hidden/x.mp4", "notes.txt"):
        path = media / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    (tmp_path / "private.mp4").write_bytes(b"secret")
    (media / "link.mp4").symlink_to(tmp_path / "private.mp4")
    (media / "folder").symlink_to(tmp_path)

    files, more = find_files(media)

    assert files == [
        {"source": "file:street.mp4", "title": "street.mp4", "bytes": 5},
        {"source": "file:a/yard.MKV", "title": "a/yard.MKV", "bytes": 5},
    ]
    assert not more


@pytest.mark.parametrize(
    "source",
    ["file:../private.mp4", "file:/etc/passwd", "file:link.mp4", "file:~/x.mp4", "/etc/passwd"],
)
def test_files_outside_the_media_folder_are_rejected(tmp_path: Path, source: str) -> None:
    """Neither an absolute path nor one that climbs or follows a link is accepted."""
    media = tmp_path / "media"
    media.mkdir()
    (tmp_path / "private.mp4").write_bytes(b"secret")
    (media / "link.mp4").symlink_to(tmp_path / "private.mp4")

    with pytest.raises(FormError, match="not in the media folder"):
        read_camera({"name": "x", "source": source}, ServerSettings(), media)
    with pytest.raises(FormError, match="media_folder"):
        read_camera({"name": "x", "source": source}, ServerSettings(), None)


def test_file_in_the_media_folder_can_be_added(tmp_path: Path) -> None:
    """Its path is relative to the folder, so that the folder can be moved."""
    entry, camera = read_camera(
        {"name": "street", "source": "file:street.mp4"}, ServerSettings(), tmp_path
    )

    assert entry == {"name": "street", "source": "file:street.mp4"}
    assert camera.address.target == str(tmp_path / "street.mp4")
