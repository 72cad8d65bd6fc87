"""Many modules and style sheets joined into one, in the same order."""

import re

from server.app import STATIC
from server.web.http.bundle import EXPORT, IMPORT, LATE_IMPORT, join_modules, join_sheets

SCRIPTS = sorted((STATIC / "js").rglob("*.js"))


def read(path: str) -> str:
    return (STATIC / path).read_text()


def test_modules_run_once_and_before_their_importers() -> None:
    """Imports become constants, exports a function's result; the entry keeps its own."""
    files = {
        "js/main.js": "import { two } from './a/two.js';\nimport { ONE } from './a/one.js';\n"
        "export const three = two() + ONE;\n",
        "js/a/two.js": "import {\n  ONE as first,\n} from './one.js';\n"
        "export async function two() {}\nexport class Two {}\n",
        "js/a/one.js": "export const ONE = 1;\n",
    }

    assert join_modules("js/main.js", files.__getitem__) == (
        "// js/a/one.js\nconst $js_a_one_js = (() => {\nconst ONE = 1;\nreturn { ONE };\n})();\n"
        "// js/a/two.js\nconst $js_a_two_js = (() => {\n"
        "const {\n  ONE: first,\n} = $js_a_one_js;\n"
        "async function two() {}\nclass Two {}\nreturn { two, Two };\n})();\n"
        "// js/main.js\nconst { two } = $js_a_two_js;\nconst { ONE } = $js_a_one_js;\n"
        "export const three = two() + ONE;\n"
    )


def test_late_imports_are_relative_to_the_joined_module() -> None:
    """A worker, a module that few need, and vendored files are loaded late."""
    files = {
        "js/main.js": "import { go } from './a/b/go.js';\ngo();\n",
        "js/a/b/go.js": "import { io } from '../../../vendor/io.js';\n"
        "new Worker(new URL('../worker.js', import.meta.url));\n"
        "await import('../late.js');\nawait import(`../../../vendor/plot.js${again}`);\n"
        "export function go() {}\n",
    }

    joined = join_modules("js/main.js", files.__getitem__)

    assert joined.startswith("import * as $vendor_io_js from '../vendor/io.js';\n")
    assert "const { io } = $vendor_io_js;" in joined
    assert "new URL('../worker.js', new URL('./a/b/go.js', import.meta.url))" in joined
    assert "import('./a/late.js')" in joined
    assert "import(`../vendor/plot.js${again}`)" in joined


def test_modules_use_only_joinable_syntax() -> None:
    """Named imports and exports at the top level; only the entry may await there."""
    for path in SCRIPTS:
        text = path.read_text()
        assert len(re.findall(r"^import\b", text, re.M)) == len(IMPORT.findall(text)), path
        assert len(re.findall(r"^export\b", text, re.M)) == len(EXPORT.findall(text)), path
        loads = [line for line in text.splitlines() if re.search(r"\bimport\(", line)]
        written = [line for line in loads if not re.match(r"\s*/?\*", line)]
        assert all(LATE_IMPORT.search(line) for line in written), path
        waits = re.findall(r"^(?!async|export async)\w.*\bawait\b", text, re.M)
        assert waits == [] or path.name == "main.js", path


def test_whole_page_is_in_one_file() -> None:
    """Only vendored files and those that are loaded late are separate."""
    joined = join_modules("js/main.js", read)

    missing = [
        path
        for path in SCRIPTS
        if f"// {path.relative_to(STATIC).as_posix()}\n" not in joined
        and path.parent.name not in ("stream", "painting", "js")
    ]
    assert missing == []
    assert "from './" not in joined


def test_style_sheets_keep_their_order() -> None:
    """They follow each other in the order in which the main sheet imports them."""
    files = {
        "css/all.css": '/* All. */\n@import url("base/a.css");\n@import url("b.css");\n.c {}\n',
        "css/base/a.css": '@import url("../../vendor/d.css");\n.a {}\n',
        "css/b.css": ".b {}\n",
        "vendor/d.css": ".d {}\n",
    }

    assert (
        join_sheets("css/all.css", files.__getitem__) == "/* All. */\n.d {}\n.a {}\n.b {}\n.c {}\n"
    )


def test_every_style_sheet_belongs_to_a_page() -> None:
    """To the dashboard, the login, errors or the small window; no import is left."""
    asked: set[str] = set()

    def note(path: str) -> str:
        asked.add(path)
        return read(path)

    for page in ("dashboard", "login", "error", "popout"):
        assert "@import" not in join_sheets(f"css/{page}.css", note)

    sheets = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.css")}
    assert asked == sheets
