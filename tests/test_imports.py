"""Imports point one way, and some libraries are imported in one place only."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "server").rglob("*.py"))

# Everything beside the layers, but for what wires them and the command line.
BASE = {path.stem for path in (ROOT / "server").glob("*.py")} - {
    "__init__",
    "app",
    "commands",
    "headless",
}
LAYERS = {
    "web": {"web", "delivery", "capture"} | BASE,
    "cluster": {"cluster", "delivery", "capture"} | BASE,
    "delivery": {"delivery", "capture"} | BASE,
    "capture": {"capture"} | BASE,
}

# Library: where it may be imported.
HOMES = {
    "eventlet": ("server/hub.py",),
    "greenlet": ("server/hub.py",),
    "cv2": ("server/capture/", "server/delivery/encoder.py"),
    "flask": ("server/web/", "server/app.py"),
    "flask_socketio": ("server/web/", "server/app.py"),
    "socketio": ("server/web/", "server/app.py"),
    "engineio": ("server/web/", "server/app.py"),
    "werkzeug": ("server/web/", "server/app.py"),
    "threading": ("server/capture/child.py",),
    "click": ("server/commands.py",),
    "redis": ("server/cluster/",),
}


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_imports_point_down(path: Path) -> None:
    """web -> delivery -> capture -> the base, and never up; only app.py knows them all."""
    part = shown(path).removeprefix("server/").split("/")[0].removesuffix(".py")
    allowed = LAYERS.get(part, BASE)
    if part in ("app", "commands", "headless"):
        allowed = set(LAYERS) | BASE | {"app"}

    used = {name.split(".")[1] for name in imports(path) if name.startswith("server.")}

    assert used - {"__version__"} <= allowed


@pytest.mark.parametrize("library", HOMES)
def test_library_is_imported_at_home_only(library: str) -> None:
    """What would have to be replaced, or is dangerous, is in one place."""
    users = {shown(path) for path in FILES if library in {n.split(".")[0] for n in imports(path)}}

    assert {user for user in users if not user.startswith(HOMES[library])} == set()


def test_the_walk_sees_imports() -> None:
    """The two rules above are held against something."""
    assert "eventlet" in set(imports(ROOT / "server" / "hub.py"))
    assert len(FILES) > 20


def test_importing_the_app_starts_nothing() -> None:
    """Importing makes no threads, opens no sockets, and patches nothing."""
    code = (
        "import os, threading, socket, sys\n"
        "real = socket.socket, threading.Thread.start\n"
        "import numpy, cv2\n"
        "before = len(os.listdir('/proc/self/task')), len(os.listdir('/proc/self/fd'))\n"
        "import server.app\n"
        "assert 'server.cluster' not in sys.modules, 'what only a bus needs'\n"
        "assert len(os.listdir('/proc/self/task')) == before[0], 'a thread'\n"
        "assert len(os.listdir('/proc/self/fd')) == before[1], 'a descriptor'\n"
        "assert (socket.socket, threading.Thread.start) == real, 'patched'\n"
    )

    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=20,
    )

    assert ended.returncode == 0, ended.stderr
