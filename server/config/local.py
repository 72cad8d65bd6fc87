"""Check the file, device or program that a local source needs.

Each ``why_no_...`` returns the current problem in words, or "" without one, and opens nothing.
"""

import os
import re
import shlex
import shutil
import stat
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "Device",
    "device_path",
    "find_devices",
    "short_name",
    "why_no_device",
    "why_no_file",
    "why_no_program",
]

DEV = Path("/dev")

KINDS = (
    (stat.S_ISDIR, "a directory", "name one of the files in it"),
    (stat.S_ISFIFO, "a named pipe", "exec:cat {path} reads it"),
    (stat.S_ISSOCK, "a socket", "exec:socat -u UNIX-CONNECT:{path} - reads it"),
    (stat.S_ISCHR, "a device", "device:{path} reads it"),
)


class Device(NamedTuple):
    """A video device.

    Attributes:
        path: ``/dev/videoN``, which may belong to another device after unplugging.
        by_id: Its path by manufacturer, model and serial number; empty if it has none.
        by_path: Its path by the port it is plugged into; empty if it has none.
    """

    path: str
    by_id: str = ""
    by_path: str = ""


def why_no_file(path: str) -> str:
    """Return why a path cannot be played as a file."""
    # Quoted only if there is white space at an end, which would be invisible.
    shown = path if path == path.strip() else repr(path)
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no file {shown}"
    except OSError as error:
        return f"the file {shown} cannot be accessed ({error.strerror})"
    if stat.S_ISREG(mode):
        return "" if os.access(path, os.R_OK) else f"the file {shown} may not be read"
    for test, kind, instead in KINDS:
        if test(mode):
            return f"{shown} is {kind}, not a file; {instead.format(path=shlex.quote(path))}"
    return f"{shown} is not a file"


def device_path(target: str) -> str:
    """Return the path of a device given by number or path."""
    return target if target.startswith("/") else f"/dev/video{target}"


def find_devices(folder: Path = DEV) -> list[Device]:
    """Return the video devices, sorted by number.

    Args:
        folder: The folder of devices; another one in tests.
    """
    names = (path.name for path in folder.glob("video*"))
    numbers = sorted(int(name[5:]) for name in names if name[5:].isdigit())
    by_id, by_path = (_links(folder / "v4l" / kind) for kind in ("by-id", "by-path"))
    return [
        Device(path, by_id.get(os.path.realpath(path), ""), by_path.get(os.path.realpath(path), ""))
        for path in (f"{folder}/video{number}" for number in numbers)
    ]


def why_no_device(target: str, folder: Path = DEV) -> str:
    """Return why a device cannot be used, and the devices that exist."""
    path = device_path(target)
    if os.path.exists(path):
        return "" if stat.S_ISCHR(os.stat(path).st_mode) else f"{path} is not a device"
    found = ", ".join(f"device:{one.by_id or one.path}" for one in find_devices(folder)) or "none"
    return f"{path} does not exist; devices here: {found}"


def why_no_program(program: str, folder: str) -> str:
    """Return why a program cannot be run.

    Args:
        program: Its name, or its path if it has a slash.
        folder: The base of a relative path.
    """
    if "/" not in program:
        found = shutil.which(program)
        return "" if found else f"there is no program {program}; install it, or give its path"
    path = os.path.join(folder, program)
    if not os.path.isfile(path):
        return f"there is no program {path}"
    return "" if os.access(path, os.X_OK) else f"{path} is not executable; chmod +x makes it so"


def short_name(path: str) -> str:
    """Return the distinctive words of a device's path, for a camera's name."""
    name = re.sub(r"-video-index0$", "", os.path.basename(path))
    # Remove the bus and vendor id at the beginning, and the serial number at the end.
    name = re.sub(r"^usb-(?:[0-9a-f]{4}_)?|^pci-[0-9a-f:.]+-", "", name, flags=re.I)
    return re.sub(r"_(?=[0-9A-F]*[0-9])[0-9A-F]{6,}(?=-|$)", "", name)


def _links(folder: Path) -> dict[str, str]:
    """Return the links in a folder by their targets; of several, the first by name."""
    links = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    return {os.path.realpath(link): str(link) for link in links}
