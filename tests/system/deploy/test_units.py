"""The systemd units: systemd accepts them, and the server works within their limits."""

import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.cameras.bad_camera import BadCamera
from tests.support.servers.server import FORK_SERVER, ROOT, PortholeServer

UNITS = ("porthole.service", "porthole-camera.service", "porthole-web@.service")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_units(name: str, tmp_path: Path) -> None:
    """systemd-analyze reports nothing for a unit, once its paths exist."""
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    text = text.replace("/opt/porthole/.venv/bin/python", sys.executable)
    text = text.replace("/opt/porthole", str(ROOT))
    unit = tmp_path / name.replace("@", "@8001")
    unit.write_text(text, encoding="utf-8")

    command = ["systemd-analyze", "verify", "--man=no", str(unit)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert checked.returncode == 0, checked.stderr
    assert name.partition(".")[0].strip("@") not in checked.stderr, checked.stderr


@pytest.mark.parametrize("name", UNITS)
def test_unit_commands_exist(name: str) -> None:
    """A unit starts an existing command of manage.py, with valid options."""
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    started = re.search(r"^ExecStart=\S+ manage.py (\w+) (.*)$", text, re.MULTILINE)
    assert started

    told = FORK_SERVER.run([started[1], "--help"], {})

    for option in re.findall(r"--[a-z-]+", started[2]):
        assert f" {option} " in told.stdout, option


def test_units_restart_only_after_temporary_failures(tmp_path: Path) -> None:
    """A node restarts when its Redis comes up late, but not every second after a typo.

    The units once restarted after both, because both exited with code 2.
    """
    (tmp_path / "typo.toml").write_text("[server]\nprot = 8000\n")
    late = ("web", "--state", str(tmp_path / "state"), "--bus", "redis://127.0.0.1:1")
    typo = ("run", "--config", str(tmp_path / "typo.toml"))
    late_code, typo_code = (FORK_SERVER.run(command, {}).returncode for command in (late, typo))

    for name in UNITS:
        text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
        final = re.findall(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
        assert final == [str(typo_code)], name
    assert late_code not in (0, typo_code)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
@pytest.mark.parametrize("name", ["porthole.service", "porthole-camera.service"])
def test_camera_works_within_a_units_limits(
    name: str, start_server: Callable[..., PortholeServer]
) -> None:
    """With a unit's system call filter, a camera in its own process delivers frames.

    Memory is shared, limits are set, and kill -9 of the server ends that process too.
    """
    unit = str(ROOT / "deploy" / name)
    camera = BadCamera()
    try:
        server = start_server(
            f"yard={camera.url()}",
            "test:?size=320x180",
            program=("-m", "tests.support.servers.confined", unit, sys.executable, "manage.py"),
        )
        for path in ("snapshot/yard.jpg", "snapshot/test.jpg"):
            with urllib.request.urlopen(server.url + path, timeout=15) as answer:
                assert answer.read(2) == b"\xff\xd8"
        status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
        children = psutil.Process(server.process.pid).children(recursive=True)

        server.kill()

        assert re.search(r"^Seccomp:\s*2$", status, re.MULTILINE)
        assert children
        assert not psutil.wait_procs(children, timeout=5)[1]
    finally:
        camera.disappear()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_unit_limits_are_enforced() -> None:
    """Anything a unit does not allow fails, so that the test above proves something."""
    unit = str(ROOT / "deploy" / "porthole.service")
    tries = (
        "import socket, os, mmap\n"
        "for what in (lambda: socket.socket(socket.AF_NETLINK), lambda: os.chroot('/'),\n"
        "             lambda: mmap.mmap(-1, 4096, prot=7)):\n"
        "    try:\n"
        "        what()\n"
        "    except OSError:\n"
        "        print('refused')\n"
    )

    command = [
        sys.executable,
        "-m",
        "tests.support.servers.confined",
        unit,
        sys.executable,
        "-c",
        tries,
    ]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert told.stdout == 3 * "refused\n", told.stderr
