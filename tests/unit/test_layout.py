"""The layout: imports point one way, rooms are small, and some libraries have a single home."""

import ast
import graphlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.order import LONG
from tests.support.syntax import statements

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sorted((ROOT / "server").rglob("*.py"))
SCRIPTS = sorted((ROOT / "static" / "js").rglob("*.js"))

MAX_FILES = 15
MAX_LINES = 450

# Each room of the server, and the rooms that it may import.
SERVER = {
    "loop": set(),
    "config": {"errors", "protocol", "ranges"},
    "users": {"config", "errors"},
    "capture": {"commands", "config", "errors", "loop", "metrics", "protocol"},
    "control": {
        *("addresses", "capture", "commands", "config", "errors", "loop", "protocol", "state"),
        "users",
    },
    "manage": {
        *("capture", "config", "control", "delivery", "errors", "loop", "protocol", "state"),
        "users",
    },
    "views": {"errors", "loop", "state"},
    "delivery": {"capture", "errors", "loop", "metrics", "protocol"},
    "recording": {
        *("capture", "config", "delivery", "errors", "loop", "protocol", "users"),
    },
    "cluster": {
        *("capture", "commands", "config", "delivery", "errors", "loop", "metrics"),
        *("protocol", "recording", "users"),
    },
    "web": {
        *("addresses", "capture", "commands", "control", "delivery", "errors", "loop", "manage"),
        *("metrics", "protocol", "recording", "users", "views"),
    },
}

# The rooms within a room, most basic first; the files that wire them are beside them.
INNER = {
    "capture": (
        *("frames", "motion", "devices", "streams", "rtsp", "sources", "isolation", "pacing"),
        "processing",
    ),
    "cluster": ("bus", "incoming", "outgoing", "shared"),
    "delivery": ("mp4",),
    "recording": ("disk", "media"),
    "web": ("edge", "auth", "http", "past", "socket"),
}

# Each room of the page, and the rooms that it may import; main.js may import all.
PAGE = {
    "painting": set(),
    "stream": {"painting"},
    "ui": set(),
    "bridge": {"painting", "stream", "ui"},
    "camera": {"bridge", "painting", "stream", "ui"},
    "grid": {"bridge", "camera", "stream", "ui"},
    "insight": {"bridge", "camera", "grid", "stream", "ui"},
    "library": {"bridge", "grid", "ui"},
    "timebar": {"bridge", "camera", "grid", "stream", "ui"},
    "manage": {"bridge", "ui"},
    "views": {"bridge", "grid", "ui"},
    "page": {
        *("bridge", "camera", "grid", "insight", "library", "stream", "timebar", "ui", "views"),
    },
}

# Library: where it may be imported.
HOMES = {
    "eventlet": ("server/loop/",),
    "greenlet": ("server/loop/",),
    "cv2": ("server/capture/", "server/delivery/encoder.py"),
    "flask": ("server/web/", "server/app.py"),
    "flask_socketio": ("server/web/", "server/app.py"),
    "socketio": ("server/web/", "server/app.py"),
    "engineio": ("server/web/", "server/app.py"),
    "werkzeug": ("server/web/", "server/app.py"),
    # Like any decoder it can crash and hang: in child processes only.
    "av": (
        "server/capture/streams/",
        "server/recording/media/child.py",
        "server/recording/media/encoder.py",
    ),
    "requests": ("server/capture/sources/",),
    "threading": ("server/capture/isolation/child.py",),
    "click": ("server/cli/accounts.py", "server/cli/media.py"),
    "redis": ("server/cluster/",),
    "sqlite3": ("server/recording/disk/", "server/cli/media.py"),
    "cryptography": ("server/web/edge/certificate.py",),
}

# A script's import: static, for side effects, or at run time.
IMPORT = re.compile(
    r"^(?:import|export)\b[^;'(]*'([^']+\.js)'|^(?!\s*/?\*).*\bimport\('([^']+)'\)(?!\.[A-Z])", re.M
)


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


class Declared(NamedTuple):
    """A file's imports by full name, including those inside functions, and its classes' bases."""

    imports: set[str]
    classes: dict[str, set[str]]


@cache
def declared_in(path: Path) -> Declared:
    """Parse a file; cached, since that takes a while for the whole server."""
    found = Declared(set(), {})
    for node in statements(path):
        if isinstance(node, ast.Import):
            found.imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            found.imports.update(
                (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
            )
        elif isinstance(node, ast.ClassDef):
            found.classes[node.name] = {ast.unparse(base).split(".")[-1] for base in node.bases}
    return found


def modules_imported(path: Path) -> set[Path]:
    """Return the server's files that a file imports."""
    files = (ROOT / name.replace(".", "/") for name in declared_in(path).imports)
    return {one.with_suffix(".py") for one in files} & set(PYTHON)


def scripts_imported(path: Path) -> set[Path]:
    """Return our scripts that a script imports."""
    found = IMPORT.findall(path.read_text(encoding="utf-8"))
    return {(path.parent / (one or other)).resolve() for one, other in found} & set(SCRIPTS)


def room_of(path: Path, base: str) -> str:
    """Return the first part of a path below a folder; for a file right there, its name."""
    return path.relative_to(ROOT / base).parts[0].removesuffix(".py")


def in_order(graph: Mapping[Path, set[Path]]) -> list[Path]:
    """Return files in order of import; raise CycleError on a cycle."""
    return list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("room", SERVER)
def test_server_rooms_import_only_allowed_rooms(room: str) -> None:
    """Only ``app``, ``runtime`` and the commands may import unlisted rooms."""
    for path in (ROOT / "server" / room).rglob("*.py"):
        used = {room_of(one, "server") for one in modules_imported(path)} - {room, "__init__"}
        assert used <= SERVER[room], shown(path)


@pytest.mark.parametrize("room", INNER)
def test_inner_rooms_import_only_earlier_ones(room: str) -> None:
    """Within a room, too, imports point one way, and none imports the files that wire it."""
    order = INNER[room]
    for at, inner in enumerate(order):
        for path in (ROOT / "server" / room / inner).rglob("*.py"):
            within = [one for one in modules_imported(path) if room_of(one, "server") == room]
            used = {room_of(one, f"server/{room}") for one in within}
            assert used <= {*order[: at + 1], "statistics"}, shown(path)


@pytest.mark.parametrize("room", PAGE)
def test_page_rooms_import_only_allowed_rooms(room: str) -> None:
    """``stream`` and ``painting`` run in a worker and do not know the page."""
    for path in (ROOT / "static" / "js" / room).rglob("*.js"):
        used = {room_of(one, "static/js") for one in scripts_imported(path)} - {room}
        assert used <= PAGE[room], shown(path)


def test_imports_have_no_cycles() -> None:
    """In the server and the page, every file can be loaded after those that it imports."""
    assert len(in_order({path: modules_imported(path) for path in PYTHON})) == len(PYTHON)
    assert len(in_order({path: scripts_imported(path) for path in SCRIPTS})) == len(SCRIPTS)


def test_import_cycle_would_be_detected() -> None:
    """The functions above find known imports, and detect a cycle."""
    app, hub = ROOT / "server" / "app.py", ROOT / "server" / "loop" / "hub.py"

    assert hub in modules_imported(app)
    assert ROOT / "static/js/page/view.js" in scripts_imported(ROOT / "static/js/main.js")
    assert ROOT / "static/js/stream/backend.js" in scripts_imported(
        ROOT / "static/js/bridge/start.js"
    )
    with pytest.raises(graphlib.CycleError):
        in_order({app: {hub}, hub: {app}})


@pytest.mark.parametrize(
    "base", ["bench", "server", "static/css", "static/js", "templates", "tests"]
)
def test_rooms_are_small(base: str) -> None:
    """A room has at most fifteen files, and a file 450 lines."""
    for folder in (ROOT / base, *sorted((ROOT / base).rglob("*"))):
        if not folder.is_dir() or "vendor" in folder.parts:
            continue
        files = [one for one in folder.iterdir() if one.suffix in (".py", ".js", ".css", ".html")]
        assert len(files) <= MAX_FILES, shown(folder)
        for file in files:
            lines = file.read_text(encoding="utf-8").count("\n")
            assert lines <= MAX_LINES, f"{shown(file)}: {lines} lines"


def test_long_test_files_exist() -> None:
    """A renamed file would start last, and the run would wait for it alone."""
    assert [path for path in LONG if not (ROOT / path).is_file()] == []
    assert len(set(LONG)) == len(LONG)


@pytest.mark.parametrize("library", HOMES)
def test_library_is_imported_only_at_home(library: str) -> None:
    """A library that may be replaced, or is dangerous, is used in one place."""
    users = {
        shown(path)
        for path in PYTHON
        if library in {name.split(".")[0] for name in declared_in(path).imports}
    }

    assert {user for user in users if not user.startswith(HOMES[library])} == set()


def test_every_error_is_listed() -> None:
    """The docstring of ``errors.py`` lists every error, and the file of those defined elsewhere."""
    errors = {"Exception", "BaseException", "OSError", "ValueError", "RuntimeError", "LookupError"}
    tree = ast.parse((ROOT / "server" / "errors.py").read_text(encoding="utf-8"))
    listed = ast.get_docstring(tree) or ""
    classes = {
        name: (path, bases) for path in PYTHON for name, bases in declared_in(path).classes.items()
    }
    while found := {n for n, (_, bases) in classes.items() if bases & errors and n not in errors}:
        errors |= found
    ours = {name: path for name, (path, _) in classes.items() if name in errors}

    assert {"ConfigError", "SandboxError", "TooManyAttempts"} <= ours.keys()
    for name, path in ours.items():
        assert f" {name} " in listed or name == "PortholeError", name
        file = path.relative_to(ROOT / "server").as_posix()
        assert file == "errors.py" or file in listed, file


def test_importing_the_app_starts_nothing() -> None:
    """Importing creates no threads, opens no sockets, and patches nothing."""
    run(
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


def test_idle_server_loads_no_pixel_libraries() -> None:
    """Starting an idle server took 116 MB and 1.1 s, half of it for unused libraries. They draw,
    decode and encode, or serve only Socket.IO clients."""
    run(
        "import sys, tempfile, manage\n"
        "from pathlib import Path\n"
        "manage.leave_out_clients()\n"
        "from server.app import create_app\n"
        "from server.config.load import load_settings\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    sources = ['drawn=test:', 'rtsp://camera.local/', 'http://camera.local/']\n"
        "    app = create_app(load_settings(sources, None, Path(folder), {}, {}))\n"
        "needless = {'numpy', 'cv2', 'av', 'cryptography', *manage.CLIENT_LIBRARIES}\n"
        "assert not needless & sys.modules.keys(), needless & sys.modules.keys()\n"
        # A user who opens the page wants pictures soon.
        "app.flask.test_client().get('/')\n"
        "while 'cv2' not in sys.modules:\n"
        "    manage.hub.sleep(0.01)\n"
    )


def test_camera_node_imports_no_web_code() -> None:
    """``manage.py camera`` imports neither Flask nor Socket.IO, nor what serves users."""
    imports = [
        "import sys, manage\n",
        *(f"import {name}\n" for name in sorted(names_of_command("camera"))),
        "import server.cluster.node\n",
    ]
    run(
        "".join(imports) + "assert 'server.runtime' in sys.modules\n"
        "libraries = {'flask', 'flask_login', 'flask_socketio', 'socketio', 'engineio'}\n"
        "assert not libraries & sys.modules.keys(), libraries & sys.modules.keys()\n"
        "ours = {name for name in sys.modules if name.startswith(('server.app', 'server.web.'))}\n"
        "assert ours <= {'server.web.edge', 'server.web.edge.host_names'}, ours\n"
    )


def names_of_command(command: str) -> set[str]:
    """Return the modules that a ``manage.py`` command imports when it runs."""
    tree = ast.parse((ROOT / "manage.py").read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef))
    body = next(node for node in functions if node.name == command)
    return {node.module for node in ast.walk(body) if isinstance(node, ast.ImportFrom)} - {None}


def run(code: str) -> None:
    """Run code in a separate Python; on failure, fail with its output."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
