"""Programs that a source runs: what they inherit, how they end, and that none is left behind."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.capture.sources.program import Program
from server.errors import SourceError

ROOT = Path(__file__).resolve().parents[4]

Start = Callable[..., Program]


@pytest.fixture
def start() -> Iterator[Start]:
    """A function that starts a program; it is ended after the test."""
    programs = []

    def start_one(*words: str, folder: str = "/", timeout_s: float = 5.0) -> Program:
        programs.append(Program(words, folder, timeout_s))
        return programs[-1]

    yield start_one
    for program in programs:
        program.kill()
        program.close()


def read_all(program: Program) -> bytes:
    """Return a program's output to the end."""
    return b"".join(iter(program.read, b""))


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that has exited but is not reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int]) -> list[int]:
    """Return the processes that still run after two seconds."""
    deadline = time.monotonic() + 2
    while (left := [pid for pid in pids if is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def test_output_is_read_to_the_end(start: Start) -> None:
    """Everything a program writes arrives, then the end."""
    program = start("sh", "-c", "printf abc; sleep 0.05; printf def")

    assert read_all(program) == b"abcdef"
    assert program.read() == b""


def test_output_can_be_put_back(start: Start) -> None:
    """The beginning is read once to detect the format, and again by the reader of that format."""
    program = start("printf", "abcdef")
    program.put_back(program.read(4))

    assert [program.read(3), read_all(program)] == [b"abc", b"def"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "the command ended with exit code 0"),
        ("exit 7", "the command ended with exit code 7"),
        ("echo one >&2; echo two >&2; exit 1", "the command ended with exit code 1: two"),
        ("printf 'no end' >&2; exit 1", "the command ended with exit code 1: no end"),
        ("printf 'a\\n\\n  \\n' >&2; exit 1", "the command ended with exit code 1: a"),
        (r"printf 'frame=1\rframe=2\r' >&2", "the command ended with exit code 0: frame=2"),
        (r"printf '\033[31mred\033[0m\007\n' >&2", "the command ended with exit code 0: red"),
        ("kill -SEGV $$", "the command was killed by SIGSEGV"),
        ("exec >&-; sleep 100", "the command has closed its output"),
        ("head -c 9000 /dev/zero | tr '\\0' x >&2; echo ' end' >&2", "exit code 0: end"),
        ("printf 'x%.0s' $(seq 300) >&2", "exit code 0: " + "x" * 199 + "…"),
    ],
)
def test_exit_is_explained_with_the_last_error_line(start: Start, script: str, said: str) -> None:
    """The last line of standard error is the reason, shortened and printable."""
    program = start("sh", "-c", script)
    read_all(program)

    assert program.explain("").endswith(said)


def test_passwords_in_error_output_are_hidden(start: Start) -> None:
    """Programs repeat the URL that they cannot open, which may contain a password."""
    program = start("sh", "-c", "echo cannot open $1 >&2", "sh", "rtsp://ann:s3cret@cam/live")
    read_all(program)

    assert program.explain("").endswith(": cannot open rtsp://···@cam/live")


def test_passwords_in_standard_output_are_hidden(start: Start) -> None:
    """Text on standard output, where pictures should be, may repeat the URL too."""
    program = start("echo", "rtsp://ann:s3cret@cam/live")
    wrote = read_all(program).decode().strip()

    assert program.explain("", wrote).endswith(": rtsp://···@cam/live")


def test_half_a_password_is_not_shown(start: Start) -> None:
    """A line too long to keep whole is not shown without its beginning."""
    script = "head -c 5000 /dev/zero | tr '\\0' s >&2; echo '3cret@cam/ refused' >&2"
    program = start("sh", "-c", script)
    read_all(program)

    assert program.explain("").endswith(": refused")


def test_silent_program_is_reported(start: Start) -> None:
    """If a program runs but writes no pictures, the error repeats what it says it waits for."""
    program = start("sh", "-c", "echo waiting for the camera >&2; sleep 100", timeout_s=0.3)

    with pytest.raises(TimeoutError):
        program.read()
    assert program.explain("") == (
        "the command has written nothing for 0.3 s: waiting for the camera"
    )


def test_error_output_never_blocks_a_program(start: Start) -> None:
    """Standard error is drained, however much is written."""
    program = start("sh", "-c", "head -c 1000000 /dev/zero >&2; printf done")

    assert read_all(program) == b"done"


def test_program_inherits_neither_secrets_nor_limits(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bus's password, our libraries' settings and the decoder's memory limit stay with us."""
    monkeypatch.setenv("PORTHOLE_BUS", "redis://:s3cret@bus")
    monkeypatch.setenv("PYTHONPATH", "/porthole")
    monkeypatch.setenv("MINE", "kept")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, before[1]))
    try:
        program = start("sh", "-c", "env; ulimit -v; cat", folder="/tmp")
        limit_kept = resource.getrlimit(resource.RLIMIT_AS)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    written = read_all(program).decode()

    assert "MINE=kept" in written
    assert "PWD=/tmp" in written
    assert "PORTHOLE" not in written
    assert "PYTHONPATH" not in written
    assert written.rstrip().endswith("unlimited")  # And no standard input: cat has exited.
    assert limit_kept == 1 << 40


@pytest.mark.parametrize("words", [("/dev/null",), ("/etc/passwd",), ("/nowhere/program",)])
def test_failed_start_is_reported(words: tuple[str, ...]) -> None:
    """The error gives the system's reason, and nothing is left open."""
    open_before = len(os.listdir("/proc/self/fd"))

    with pytest.raises(SourceError, match="the command cannot be started"):
        Program(words, "/", 1.0)
    assert len(os.listdir("/proc/self/fd")) == open_before


FAMILY = "sleep 100 & sleep 100 & echo $$ $!; wait"


@pytest.mark.parametrize("first", ["", "trap '' TERM; "])
def test_closing_ends_the_whole_process_group(start: Start, first: str) -> None:
    """This includes programs that ignore SIGTERM and their background processes."""
    program = Program(["sh", "-c", first + FAMILY], "/", 5.0)
    pids = [int(word) for word in program.read().split()]

    program.kill()
    program.close()

    assert len(pids) == 2
    assert wait_until_gone(pids) == []


def test_program_may_clean_up(start: Start, tmp_path: Path) -> None:
    """SIGTERM comes first, so that a program can switch its camera off."""
    script = f"trap 'echo off > {tmp_path}/camera; exit' TERM; echo ready; sleep 100 & wait"
    program = Program(["sh", "-c", script], "/", 5.0)
    program.read()

    program.kill()
    program.close()

    assert (tmp_path / "camera").read_text() == "off\n"


def test_program_blocked_on_writing_is_ended(start: Start) -> None:
    """A program blocked on a full pipe that is no longer read does not delay the end."""
    program = Program(["cat", "/dev/zero"], "/", 5.0)
    program.read()

    started = time.monotonic()
    program.kill()
    program.close()

    assert time.monotonic() - started < 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_programs_do_not_outlive_their_parent(how: signal.Signals) -> None:
    """However the parent process ends, the kernel kills the whole group."""
    code = (
        "import sys, time\n"
        "from server.capture.sources.program import Program\n"
        "program = Program(['sh', '-c', sys.argv[1]], '/', 5.0)\n"
        "sys.stdout.buffer.write(program.read()); sys.stdout.flush()\n"
        "time.sleep(100)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, FAMILY], cwd=ROOT, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        alive = [is_running(pid) for pid in pids]
        owner.send_signal(how)

    assert alive == [True, True]
    assert wait_until_gone(pids) == []
