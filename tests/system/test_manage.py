"""The command line."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from server import __version__
from server.config.local import find_devices
from server.config.models import server_options
from server.users.password import check_password
from server.users.users import UsersFile
from tests.support.cameras.rtsp_server import PASSWORD, RtspServer
from tests.support.servers.server import FORK_SERVER

ROOT = Path(__file__).resolve().parents[2]


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py`` to its end, forked from a process that has imported everything."""
    return FORK_SERVER.run(arguments, environment)


def manage_fresh(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py`` to its end as people run it; used once for each kind of exit."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PORTHOLE_")}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_help_names_every_setting() -> None:
    """Each row of the settings table is a flag, with its range and default."""
    ended = manage_fresh("run", "--help")
    text = re.sub(r"\s+", " ", ended.stdout)

    assert ended.returncode == 0
    for option in server_options():
        assert option.flag in text
        assert re.sub(r"\s+", " ", f"Accepts {option.accepts}. Default:") in text
    for flag in ("--config", "--state", "--log-level"):
        assert flag in text


def test_version_is_printed() -> None:
    """``--version`` prints one line."""
    assert manage_fresh("--version").stdout == f"porthole, version {__version__}\n"


def test_python_outside_the_environment_is_explained() -> None:
    """``python3 manage.py`` outside the environment says how to enter it, in one line."""
    bare = [sys.executable, "-I", "-S", str(ROOT / "manage.py"), "run"]
    ended = subprocess.run(bare, capture_output=True, text=True, timeout=20)

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert "`make run`" in ended.stderr
    assert ".venv/bin/activate" in ended.stderr


def assert_refused(ended: subprocess.CompletedProcess[str], *said: str) -> None:
    """Check for exit code 2 and one line that contains all of ``said``."""
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    for text in said:
        assert text in lines[0]
    assert "accepted" in lines[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[server]\nport = "x"\n', ("server.port", "'x'", "0 to 65535")),
        ("[server]\nprot = 1\n", ("prot", "port")),
        ('[[camera]]\nname = "a\\nb"\nsource = "test:"\n', ("name", "a\\nb", "letters")),
        ("][", ("is not TOML",)),
    ],
)
def test_invalid_settings_file_stops_startup(
    tmp_path: Path, text: str, said: tuple[str, ...]
) -> None:
    """An invalid settings file ends in one line and exit code 2, without a traceback."""
    file = tmp_path / "porthole.toml"
    file.write_text(text)

    assert_refused(manage("run", "--config", str(file)), str(file), *said)


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--quality", "0"], {}, ("--quality", "'0'", "1 to 100")),
        ([], {"PORTHOLE_PORT": "-1"}, ("PORTHOLE_PORT", "'-1'", "0 to 65535")),
        ([], {"PORTHOLE_PRT": "1"}, ("PORTHOLE_PRT is unknown (did you mean 'PORT'?)",)),
        (["webcam:0"], {}, ("webcam:0", "device:N")),
        (["a=test:", "a=test:"], {}, ("'a'",)),
        (["--config", "/nowhere/p.toml"], {}, ("/nowhere/p.toml", "cannot be read")),
        (["--state", "/dev/null/x"], {}, ("--state", "/dev/null/x")),
    ],
)
def test_invalid_settings_stop_startup(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], said: tuple[str, ...]
) -> None:
    """Invalid flags, variables and sources are rejected the same way."""
    state = [] if "--state" in arguments else ["--state", str(tmp_path)]

    assert_refused(manage("run", *state, *arguments, **environment), *said)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [(["rum"], "'run'"), (["run", "--prt", "1"], "'--port'"), (["user", "ad"], "'add'")],
)
def test_mistyped_command_suggests_the_nearest(arguments: list[str], meant: str) -> None:
    """The nearest command or option is suggested."""
    ended = manage(*arguments)

    assert ended.returncode == 2
    assert re.search(f"Did you mean .*{meant}", ended.stderr, re.IGNORECASE)


@pytest.mark.parametrize(
    ("process", "said"),
    [
        ("mine:nothing", "'mine:nothing' cannot be used: there is no function 'nothing' in "),
        ("broken:f", "importing it raised ZeroDivisionError: division by zero"),
        ("blur-faces", "no cascade classifier"),
        ('timestamp", "motion', "'motion' after 'timestamp' would mark"),
        ("caption?text=שלום", "'שלום' in the caption 'שלום' cannot be drawn as it is read"),
    ],
)
def test_invalid_processors_stop_startup(tmp_path: Path, process: str, said: str) -> None:
    """Processors are checked before the server starts to serve."""
    (tmp_path / "mine.py").write_text("def annotate(image, info): ...\n")
    (tmp_path / "broken.py").write_text("1 / 0\n")
    file = tmp_path / "porthole.toml"
    file.write_text(
        f'[[camera]]\nname = "door"\nsource = "test:"\nprocess = ["mine:annotate", "{process}"]\n'
    )

    assert_refused(manage("run", "--config", str(file), "--port", "0"), "'door'", "process", said)


def test_port_in_use_stops_startup(tmp_path: Path) -> None:
    """The error names the port that another program uses, and says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        ended = manage_fresh("run", "--state", str(tmp_path), "--port", port)

    assert_refused(ended, f"--port {port}", "in use")


def test_probe_prints_what_a_source_delivers() -> None:
    """A working source gets one line with the measurements."""
    ended = manage_fresh("probe", "test:?size=320x240&fps=25")

    assert ended.returncode == 0
    assert re.search(r": 320 x 240, 2\d(\.\d)? fps, raw, first frame after \d+ ms\n$", ended.stdout)
    assert ended.stderr == ""


def test_probe_prints_json_for_programs(tmp_path: Path) -> None:
    """Each source is one object, with all keys whether or not it works, and no password."""
    missing = "rtsp://ann:s3cret@127.0.0.1:9/live?key=s3cret"

    ended = manage("probe", "--json", "test:?size=320x240&fps=25", missing)
    test, failed = (json.loads(line) for line in ended.stdout.splitlines())

    assert ended.returncode == 1
    assert test.keys() == failed.keys()
    assert 20 < test.pop("fps") < 30
    assert test.pop("first_picture_ms") > 0
    assert test == {
        "source": "test:?size=320x240&fps=25",
        "ok": True,
        "reason": "",
        "width": 320,
        "height": 240,
        "codec": "raw",
        "group": 1,
        "kbps": None,
        "passed_through": False,
        "polled": False,
        "verified": None,
    }
    assert not failed["ok"]
    assert failed["source"] == "rtsp://···@127.0.0.1:9/live?key=···"
    assert "Connection refused" in failed["reason"]
    assert "s3cret" not in ended.stdout + ended.stderr


def test_probe_accepts_a_password_that_is_not_encoded() -> None:
    """A password with / @ : reaches the camera, and is not shown; it used to be "no URL"."""
    server = RtspServer()
    try:
        encoded = server.url("h264", login="digest")
        ended = manage("probe", "--json", encoded.replace(quote(PASSWORD, ""), PASSWORD))
    finally:
        server.stop()
    found = json.loads(ended.stdout)

    assert ended.returncode == 0, ended.stdout
    assert (found["width"], found["height"], found["codec"]) == (640, 360, "h264")
    assert found["group"] == 25
    assert found["kbps"] > 0
    assert 15 < found["fps"] < 35
    assert found["source"].startswith("rtsp://···@127.0.0.1:")
    assert PASSWORD not in ended.stdout + ended.stderr


def test_probe_explains_a_failing_source(tmp_path: Path) -> None:
    """A source that does not work gets one line with the reason, and exit code 1."""
    ended = manage("probe", str(tmp_path / "none.mp4"), str(tmp_path))

    assert ended.returncode == 1
    assert "no picture: there is no file" in ended.stdout
    assert f"no picture: {tmp_path} is a directory" in ended.stdout
    assert ended.stderr == ""


def test_probe_lists_devices() -> None:
    """Without a source, it lists the devices of this machine; most test machines have none."""
    listed = json.loads(manage("probe", "--json").stdout)

    assert [one["path"] for one in listed] == [one.path for one in find_devices()]


def test_probe_rejects_an_invalid_source() -> None:
    """An impossible source is a usage error, exit code 2."""
    assert_refused(manage("probe", "webcam:0"), "webcam:0")


def test_user_names_ignore_case(tmp_path: Path) -> None:
    """User names ignore case, and a byte order mark is not part of a password.

    ``user change ada`` for Ada used to end in a traceback, and ``user passwd`` used to report an
    empty password. A pipe may put the byte order mark in front of the password.
    """

    def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return FORK_SERVER.run(["user", *arguments, "--state", str(tmp_path)], {}, given)

    password = "\ufeffcorrect horse\r\n"
    added = run("add", "Ada", "--role", "viewer", "--password-stdin", given=password)
    changed = run("change", "ada", "--role", "operator")
    new_password = run("passwd", "ADA", "--password-stdin", given=password)

    assert added.returncode == changed.returncode == new_password.returncode == 0
    assert changed.stdout == "User Ada may see and control all cameras.\n"
    assert new_password.stdout == "User Ada has a new password.\n"
    hashed = UsersFile(tmp_path).load().hash_of("ada")
    assert check_password(hashed, "correct horse")
