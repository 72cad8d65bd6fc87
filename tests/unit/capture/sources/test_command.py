"""``exec:`` sources: ffmpeg and gst-launch-1.0 as documented, and commands that fail."""

import os
import re
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from server.capture.frames.frame import Jpeg, Picture, size_of
from server.capture.sources.command import CommandSource
from server.config.address import parse_address
from server.errors import SourceError
from tests.support.servers.server import wait_until

ROOT = Path(__file__).resolve().parents[4]

Open = Callable[..., CommandSource]

NUMBERED = "jpeg[:2] + b'\\xff\\xfe\\x00\\x03' + bytes([n]) + jpeg[2:]"
"""An expression for :func:`write`: the picture with its number in a comment segment."""

FFMPEG = "ffmpeg -v error -re -f lavfi -i testsrc=size=320x180:rate=25"
GST = (
    "gst-launch-1.0 {} videotestsrc is-live=true ! video/x-raw,width=320,height=180,framerate=25/1"
)


@pytest.fixture
def open_command(tmp_path: Path) -> Iterator[Open]:
    """A function that opens a command; it is closed after the test."""
    opened = []

    def open_one(command: str, timeout_s: float = 10.0) -> CommandSource:
        opened.append(CommandSource(parse_address(f"exec:{command}", tmp_path), timeout_s))
        return opened[-1]

    yield open_one
    for source in opened:
        source.close()


def write(*parts: str) -> str:
    """Return a command: Python that writes these expressions' values to standard output."""
    code = (
        "import sys, time\n"
        "def out(data):\n"
        "    sys.stdout.buffer.write(data); sys.stdout.flush()\n"
        "jpeg = open('picture.jpg', 'rb').read()\n"
    )
    return shlex.join([sys.executable, "-c", code + "\n".join(parts)])


def first_picture(source: CommandSource) -> Picture:
    """Return the first picture, as it arrived if possible."""
    while True:
        if source.grab() and (taken := source.retrieve(jpeg_up_to=100)) is not None:
            return taken


@pytest.fixture
def picture(tmp_path: Path) -> bytes:
    """A JPEG in the folder where commands run."""
    data = cv2.imencode(".jpg", np.full((90, 160, 3), 90, np.uint8))[1].tobytes()
    (tmp_path / "picture.jpg").write_bytes(data)
    return data


@pytest.mark.parametrize(
    "command",
    [
        f"{FFMPEG} -c:v mjpeg -f mpjpeg -",
        f"{GST.format('-q')} ! jpegenc ! multipartmux ! fdsink",
        f"{GST.format('')} ! jpegenc ! fdsink",  # It prints a greeting before the first picture.
    ],
)
def test_jpeg_output_is_passed_through(open_command: Open, command: str) -> None:
    """Each picture is passed on unchanged, whether it is written in parts or whole."""
    source = open_command(command)
    taken = []
    while len(taken) < 5:
        assert source.grab()
        taken.append(source.retrieve(jpeg_up_to=100))

    assert {(type(one), size_of(one)) for one in taken if one is not None} == {(Jpeg, (320, 180))}
    assert (source.info.live, source.info.codec) == (True, "mjpeg")
    assert source.arrivals.figures.group == 1


def test_mpeg_ts_output_is_decoded(open_command: Open) -> None:
    """FFmpeg reads MPEG-TS, which many programs write."""
    source = open_command(f"{FFMPEG} -c:v libx264 -tune zerolatency -g 10 -f mpegts -")

    taken = first_picture(source)

    assert isinstance(taken, np.ndarray)
    assert taken.shape == (180, 320, 3)
    assert (source.info.live, source.info.codec) == (True, "h264")


def documented() -> list[str]:
    """Return the documented commands that need neither camera nor screen."""
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    return [one for one in re.findall(r"`exec:([^`]+)`", text) if "test" in one]


@pytest.mark.parametrize("command", documented())
def test_documented_commands_work(open_command: Open, command: str) -> None:
    """The documented command lines work: JPEG is passed on, H.264 is decoded."""
    source = open_command(command)

    taken = first_picture(source)

    assert size_of(taken) == (320, 240)
    assert source.info.codec == ("mjpeg" if isinstance(taken, Jpeg) else "h264")
    assert isinstance(taken, Jpeg) == ("jpeg" in command)


def test_four_commands_are_documented() -> None:
    """The test above would pass if none were found."""
    assert len(documented()) == 4


def test_named_pipe_is_read_through_cat(open_command: Open, picture: bytes, tmp_path: Path) -> None:
    """This is the solution offered when a pipe is given as a file."""
    os.mkfifo(tmp_path / "pipe")
    writer = subprocess.Popen(["sh", "-c", "cat picture.jpg > pipe; sleep 100"], cwd=tmp_path)
    try:
        taken = first_picture(open_command("cat pipe"))
    finally:
        writer.kill()
        writer.wait()

    assert isinstance(taken, Jpeg)
    assert taken.data == picture


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-program", "there is no program no-such-program; install it, or give its path"),
        ("true", "the command ended with exit code 0"),
        ("sh -c 'echo no camera >&2; exit 3'", "the command ended with exit code 3: no camera"),
        ("sh -c 'kill -KILL $$'", "the command was killed by SIGKILL"),
        ("echo hello", "the command ended with exit code 0: hello"),
        ("yes", "the command writes text, not pictures: y"),
        ("sleep 100", "the command has written nothing for 1 s"),
        ("sh -c 'echo hello; sleep 100'", "the command has written nothing for 1 s: hello"),
        ("sh -c 'while echo hi; do sleep 0.3; done'", "the command writes text, not pictures: hi"),
        ("cat /dev/zero", "sends no video that FFmpeg can read"),
        (
            "ffmpeg -v error -i rtsp://ann:s3cret@127.0.0.1:9/ -f mjpeg -",
            "the command ended with exit code",
        ),
        ("gst-launch-1.0 -q nosuchsource ! fdsink", 'no element "nosuchsource"'),
    ],
)
def test_reason_for_no_pictures_is_reported(open_command: Open, command: str, said: str) -> None:
    """The error gives the command's exit, silence or last words, without passwords."""
    with pytest.raises(SourceError) as caught:
        open_command(command, timeout_s=1.0 if "sleep" in command else 10.0)

    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_truncated_picture_is_reported(open_command: Open, picture: bytes) -> None:
    """A command that exits after half a picture has not delivered one."""
    with pytest.raises(SourceError, match="the command ended with exit code 0"):
        open_command(write("out(jpeg[:-20])"))


def test_command_exit_is_reported(open_command: Open, picture: bytes) -> None:
    """A command that exits after it worked is lost, with its last output as the reason."""
    source = open_command(
        write("out(jpeg)", "time.sleep(0.2)", "sys.exit('lost the camera')"),
    )
    source.grab()

    with pytest.raises(SourceError, match="ended with exit code 1: lost the camera"):
        source.grab()


def test_hanging_command_is_reported(open_command: Open, picture: bytes) -> None:
    """A command that hangs is lost after the time-out."""
    source = open_command(write("out(jpeg)", "time.sleep(100)"), timeout_s=1.0)
    source.grab()

    with pytest.raises(SourceError, match="the command has written nothing for 1 s"):
        source.grab()


def test_newest_of_the_first_pictures_is_shown(open_command: Open, picture: bytes) -> None:
    """A command may write several pictures before it is read; the first one used to be shown."""
    burst = f"b''.join({NUMBERED} for n in (1, 2))"
    source = open_command(write(f"out({burst})", "time.sleep(100)"))

    source.grab()
    frame = source.retrieve(jpeg_up_to=100)

    assert 2 * len(picture) < select.PIPE_BUF - 10  # So they are written at once.
    assert isinstance(frame, Jpeg)
    assert frame.data[6] == 2


def test_newest_picture_is_next_after_a_burst(
    open_command: Open, picture: bytes, tmp_path: Path
) -> None:
    """After a burst, the newest picture is next: nothing ages in the pipe."""
    burst = f"b''.join({NUMBERED} for n in range(40))"
    source = open_command(
        write("out(jpeg)", f"out({burst})", "open('written', 'w')", "time.sleep(100)")
    )
    wait_until((tmp_path / "written").exists)

    numbers: list[int] = []
    while 39 not in numbers:
        assert source.grab()
        frame = source.retrieve(jpeg_up_to=100)
        assert isinstance(frame, Jpeg)
        numbers.append(frame.data[6])

    # The source was opened with the first picture, or with all of them.
    assert len(numbers) <= 2


def test_burst_larger_than_the_pipe_is_read_to_its_end(open_command: Open, picture: bytes) -> None:
    """No picture comes after a newer one, and the newest one comes."""
    source = open_command(
        write(f"for n in range(200): out({NUMBERED})", "out(b'\\n')", "time.sleep(100)")
    )
    deadline = time.monotonic() + 5
    newest = -1
    while newest < 199:
        assert time.monotonic() < deadline
        source.grab()
        taken = source.retrieve(jpeg_up_to=100)
        assert isinstance(taken, Jpeg)
        assert taken.data[6] >= newest
        newest = taken.data[6]


def test_backlog_from_opening_does_not_raise_the_rate(open_command: Open, picture: bytes) -> None:
    """FFmpeg takes a second to probe a stream; the backlog made 25 fps count as 38."""
    source = open_command(write("while True: out(jpeg); time.sleep(0.1)"))
    time.sleep(1.5)  # As if opening had taken this long.

    while not source.arrivals.figures.fps:
        source.grab()

    assert source.arrivals.figures.fps == pytest.approx(10, rel=0.3)


def test_command_runs_in_the_settings_files_folder(open_command: Open, picture: bytes) -> None:
    """A command's relative paths start at the settings file's folder, like all others."""
    source = open_command("sh -c 'while cat ./picture.jpg; do sleep 0.05; done'")
    source.grab()

    taken = source.retrieve(jpeg_up_to=100)

    assert isinstance(taken, Jpeg)
    assert taken.data == picture
