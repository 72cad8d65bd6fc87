"""Everything that the docs cite exists: tests, files, functions, settings, metrics, paths."""

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from server.app import App, create_app
from server.config.load import load_settings
from server.config.models import server_options
from tests.support.syntax import statements

ROOT = Path(__file__).resolve().parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

# Names from elsewhere: Python, its libraries, Linux, browsers, programs.
FOREIGN = frozenset(
    (
        *("VIDIOC_ENUM_FRAMESIZES", "VIDIOC_G_CTRL", "VIDIOC_QUERYCTRL", "VIDIOC_QUERYMENU"),
        *("SocketIO.stop()", "cv2.CascadeClassifier", "cv2.imencode", "time.sleep"),
        *("data.code", "perf", "simplejpeg", "MSG_TRUNC", "ps", "AsyncClient", "HOSTNAME.local"),
        *("config.yaml", "moonraker.conf", "mjpegstreamer", "framerate", "ca_file"),
        "ssl.OP_ENABLE_KTLS",
    )
)

# Names that readers create, or that differ on their machines.
EXAMPLES = frozenset(
    {"mymodule.py", "/porthole/", "snapshot_1", "stream_1", "newest.jpg", "ada", "octo"}
)

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
SPAN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
WORD = re.compile(r"[A-Za-z_]\w*")


@pytest.fixture(params=DOCS, ids=lambda path: path.name)
def page(request: pytest.FixtureRequest) -> str:
    """A page's text."""
    text: str = request.param.read_text(encoding="utf-8")
    return text


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """A server to look up names in."""
    return create_app(load_settings(["test:"], None, tmp_path_factory.mktemp("state"), {}, {}))


def spans(text: str) -> Iterator[str]:
    """Yield the code spans in a page's sentences."""
    for span in SPAN.findall(FENCE.sub("", text)):
        yield " ".join(span.split())


def test_cited_tests_exist(page: str) -> None:
    """A promise names the test that covers it; renaming the test would break the reference.

    Files are named from ``tests/`` on; ``::test_...`` is in the file named last.
    """
    defined, file = defined_tests(), ""
    for span in spans(page):
        match = re.fullmatch(r"(?:tests/)?([\w/]*\btest_\w+\.py)?(?:::)?(test_\w+)?", span)
        if match is None or not (match[1] or match[2]):
            continue
        file = match[1] or file
        assert file in defined or "::" not in span, span
        where = [file] if match[1] or "::" in span else defined
        assert match[2] is None or any(match[2] in defined[one] for one in where), (file, span)


def test_cited_files_exist(page: str) -> None:
    """Files are named by the end of their path, folders with a trailing slash."""
    there = [f"/{path.relative_to(ROOT)}" for path in tracked()]
    for span in spans(page):
        path = span.partition("::")[0]
        if re.fullmatch(r"[\w.@-][\w./@-]*\.(py|js|css|html|sh|conf|service|ya?ml)", path):
            known = path in EXAMPLES | FOREIGN or any(one.endswith("/" + path) for one in there)
            assert known, path
        elif re.fullmatch(r"(\w+/)+", path):
            assert any(f"/{path}" in one for one in there), path


def test_links_resolve(page: str, request: pytest.FixtureRequest) -> None:
    """Links lead to existing pages, headings and pictures."""
    page_path = request.node.callspec.params["page"]
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page)):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        linked = page_path.parent / path if path else page_path
        assert linked.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.M)
            anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in titles}
            assert heading in anchors, target


def test_every_row_belongs_to_a_table(page: str) -> None:
    """Rows without a header, as after a blank line, are shown as text with bars in it."""
    for table in re.findall(r"(?:^\|.*\n)+", FENCE.sub("", page), re.M):
        head, rule = [*table.splitlines(), ""][:2]
        assert re.fullmatch(r"\|(-+\|)+", rule), head
        assert head.count("|") == rule.count("|"), head


def test_cited_names_exist(page: str) -> None:
    """Functions, classes, fields and settings occur in the code, dotted ones together."""
    unknown = []
    for span in spans(page):
        name = re.sub(r"\(\w*(, \w+)*\)$", "", span)
        if {name, span} & (FOREIGN | EXAMPLES) or re.match("test_|porthole_", name):
            continue
        if re.fullmatch(r"[A-Za-z_]\w*\.[A-Za-z_]\w*", name):
            owner, _, member = name.partition(".")
            stored = owner == "porthole" and member in words()  # In the browser's storage.
            if member not in members().get(owner, set()) and name not in code() and not stored:
                unknown.append(span)
        elif WORD.fullmatch(name) and name not in words():
            unknown.append(span)
    # A name that follows a file is in that file.
    for path, name in re.findall(r"`([\w/]+\.py)` `([A-Za-z_]\w*)`", page):
        (file,) = [one for one in (ROOT / path, ROOT / "server" / path) if one.exists()]
        if name not in WORD.findall(file.read_text(encoding="utf-8")):
            unknown.append(f"{path} {name}")
    assert not unknown


def test_cited_metrics_are_exported(page: str, app: App) -> None:
    """A metric that an alert may use is exported under that name."""
    cited = set(re.findall(r"\bporthole_[a-z_]+[a-z]\b", page))
    text = app.flask.test_client().get("/metrics").text
    assert cited <= set(re.findall(r"^\w+", text, re.M))


def test_cited_variables_are_read(page: str) -> None:
    """Every ``PORTHOLE_`` variable, in sentences and commands, is read somewhere."""
    known = {option.variable for option in server_options()}

    assert set(re.findall(r"\bPORTHOLE_[A-Z_]+[A-Z]\b", page)) <= known


def test_cited_settings_are_accepted(page: str, tmp_path: Path) -> None:
    """Every settings file shown is valid, apart from where its cameras are."""
    for kind, text in FENCE.findall(page):
        if kind == "toml":
            file = tmp_path / "porthole.toml"
            file.write_text(text, encoding="utf-8")
            load_settings((), file, None, {}, {})


def test_cited_commands_exist(page: str) -> None:
    """Commands, their options and make targets exist, in sentences and in examples."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    code = [*spans(page), *(text for _, text in FENCE.findall(page))]
    for line in "\n".join(code).replace("\\\n", " ").splitlines():
        for target in re.findall(r"\bmake ([a-z]+)\b", line):
            assert f"\n{target}:" in makefile, line
        called = re.search(r"\bmanage\.py\s+([a-z].*)", line)
        if called:
            check_command(commands(), called[1].split("#")[0].split())
    known = options_of_bench().union(*commands().values())
    for span in spans(page):
        for option in re.findall(r"^--[a-z-]+", span):
            assert option in known, span


def check_command(commands: Mapping[str, list[str]], arguments: list[str]) -> None:
    """Check that the command and options of a command line exist."""
    name = " ".join(arguments[:2]) if " ".join(arguments[:2]) in commands else arguments[0]
    assert name in commands, arguments
    known = [*commands[name], "--help"]
    for argument in arguments:
        if argument.startswith("--"):
            assert argument.partition("=")[0] in known, arguments


@cache
def commands() -> dict[str, list[str]]:
    """Return each command's options, by names such as ``user add``.

    This runs in another process: importing ``manage`` lets eventlet patch it.
    """
    told = subprocess.run(
        [sys.executable, "-c", PRINT_COMMANDS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = json.loads(told.stdout)
    return found


PRINT_COMMANDS = """
import json, manage
def tell(group, name=""):
    for command in group.commands.values():
        options = [opt for one in command.params for opt in (*one.opts, *one.secondary_opts)]
        yield f"{name}{command.name}", options
        yield from tell(command, f"{command.name} ") if hasattr(command, "commands") else ()
print(json.dumps(dict(tell(manage.cli))))
"""


def options_of_bench() -> set[str]:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "bench").rglob("*.py")]
    return set(re.findall(r'"(--[a-z-]+)"', "".join(texts)))


def test_cited_paths_are_served(page: str, app: App) -> None:
    """HTTP paths are routes with the same placeholders, or a prefix of several."""
    rules = {rule.rule for rule in app.flask.url_map.iter_rules()}
    for span in spans(page):
        path = span.partition("?")[0]
        of_the_machine = path.startswith(("/dev/", "/etc/", "/opt/", "/var/", "/home", "/proc"))
        if re.fullmatch(r"/[\w./<>-]*", path) and not of_the_machine and path not in EXAMPLES:
            assert any(f"{rule}/".startswith(f"{path}/") for rule in rules), span


def test_octoprint_can_format_its_commands() -> None:
    """OctoPrint uses Python's format() with quoted values, where single braces would fail."""
    text = (ROOT / "docs/recording.md").read_text(encoding="utf-8")
    lines = next(code for _, code in FENCE.findall(text) if "PrintStarted" in code)
    sent = []
    for command in re.findall(r"command: >-\n((?: {8}.*\n)+)", lines):
        filled = " ".join(command.split()).format(name=shlex.quote("a friend's cup.gcode"))
        sent.append(json.loads(shlex.split(filled)[-1]))

    assert sent == [{"job": "a friend's cup.gcode"}, {"job": None}]


def test_project_is_not_a_pip_package() -> None:
    """``pip install .`` failed. The docs no longer promise that it works."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert "\n[project]" not in text
    assert "[build-system]" not in text
    assert "not a package for `pip install`" in DOCS[0].read_text(encoding="utf-8")


@cache
def tracked() -> list[Path]:
    """Return the project's files, without those that tools and people leave in its folder."""
    folders = ("server", "static", "templates", "tests", "bench", "deploy", "docs")
    files = [path for one in folders for path in (ROOT / one).rglob("*") if path.is_file()]
    return [*files, *(path for path in ROOT.iterdir() if path.is_file())]


@cache
def defined_tests() -> dict[str, set[str]]:
    """Return the tests of each file by its path below ``tests/``."""
    return {
        str(path.relative_to(ROOT / "tests")): set(
            re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
        )
        for path in (ROOT / "tests").rglob("*.py")
    }


@cache
def code() -> str:
    """Return all code, settings and file names as one text, without docs and tests."""
    kinds = (".py", ".js", ".html", ".service", ".conf", ".sh", ".yaml", ".toml")
    texts = []
    for path in tracked():
        name = path.relative_to(ROOT)
        if not {"docs", "tests", "vendor"} & set(name.parts):
            texts += [str(name), path.read_text(encoding="utf-8") if path.suffix in kinds else ""]
    return "\n".join(texts)


@cache
def words() -> frozenset[str]:
    """Return every name and every word in the code."""
    return frozenset(WORD.findall(code()))


@cache
def members() -> dict[str, set[str]]:
    """Return the definitions in each module and class of the server, by name."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "server").rglob("*.py"):
        for node in statements(path):
            if not isinstance(node, ast.Module | ast.ClassDef):
                continue
            owner = node.name if isinstance(node, ast.ClassDef) else path.stem
            names = {
                one.name
                for one in node.body
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            }
            found.setdefault(owner, set()).update(names)
    return found
