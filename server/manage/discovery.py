"""Finds what can be added as a camera: this machine's devices and files in the media folder."""

import os
import stat
from pathlib import Path
from typing import Any

from server.config.address import parse_address
from server.errors import ConfigError

__all__ = ["find_files", "find_video_devices"]

VIDEO = frozenset(
    {".mp4", ".mkv", ".mov", ".avi", ".webm", ".ts", ".m4v", ".mpg", ".mpeg", ".mjpeg", ".mjpg"}
)

MAX_FILES = 500
MAX_DEPTH = 4
MAX_LOOKED_AT = 20_000


def find_video_devices(dev: Path = Path("/dev"), sys: Path = Path("/sys")) -> list[dict[str, str]]:
    """Return each video device, by a path that stays the same when others come and go.

    Blocks on the disk: call it through ``hub.run_native``. Opens no device.

    Returns:
        For each device ``path``, ``source`` and ``title``.
    """
    lasting: dict[str, str] = {}
    for folder in ("by-path", "by-id"):  # Prefer by-id, which is easier to read.
        links = (dev / "v4l" / folder).glob("*")
        lasting |= {os.path.realpath(link): str(link) for link in sorted(links)}
    found = []
    for node in sorted(dev.glob("video*"), key=lambda path: (len(path.name), path.name)):
        about = sys / "class/video4linux" / node.name
        # A USB camera's second node delivers metadata, not pictures.
        if not node.name[5:].isdigit() or _read(about / "index") not in ("", "0"):
            continue
        path = lasting.get(os.path.realpath(node), str(node))
        title = _read(about / "name").partition(":")[0] or node.name
        found.append({"path": path, "source": _source_of(path, node), "title": title})
    return found


def _source_of(path: str, node: Path) -> str:
    try:
        parse_address(f"device:{path}", Path())
    except ConfigError:
        return f"device:{node.name[5:]}"
    return f"device:{path}"


def find_files(folder: Path) -> tuple[list[dict[str, Any]], bool]:
    """Return the video files below a folder, and whether the list is incomplete.

    Blocks on the disk: call it through ``hub.run_native``. Links are not followed, so nothing
    outside the folder is listed.

    Returns:
        For each file ``source``, ``title`` (its path in the folder), and ``bytes`` (its size).
    """
    found: list[dict[str, Any]] = []
    looked_at = 0
    for base, folders, names in os.walk(folder):
        depth = len(Path(base).relative_to(folder).parts)
        folders[:] = sorted(one for one in folders if not one.startswith(".") and depth < MAX_DEPTH)
        for name in sorted(names):
            looked_at += 1
            path = Path(base, name)
            if path.suffix.lower() not in VIDEO or name.startswith("."):
                continue
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                inside = str(path.relative_to(folder))
                found.append({"source": f"file:{inside}", "title": inside, "bytes": status.st_size})
            if len(found) >= MAX_FILES:
                return found, True
        if looked_at > MAX_LOOKED_AT:
            return found, True
    return found, False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()[:80]
    except OSError:
        return ""
