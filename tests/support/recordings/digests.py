"""Check a film with the ``ffmpeg`` program."""

import subprocess
from pathlib import Path

__all__ = ["digests"]


def digests(
    source: str | Path, *options: str, before: tuple[str, ...] = ()
) -> list[tuple[float, str]]:
    """Return time in seconds and digest of each picture; fail if FFmpeg reports any error.

    Args:
        source: A file or a URL.
        options: For the output; ``-c copy`` gives digests of the encoded pictures.
        before: For the input.
    """
    command = ["ffmpeg", "-v", "error", *before, "-i", str(source), *options]
    command += ["-fps_mode", "passthrough", "-enc_time_base", "1/90000", "-f", "framemd5", "-"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [line.split(",") for line in ended.stdout.splitlines() if line[0] != "#"]
    return [(int(fields[2]) / 90_000, fields[-1].strip()) for fields in lines]
