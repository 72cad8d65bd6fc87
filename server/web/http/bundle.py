"""Joins the page's modules, and its style sheets, into one file each.

The page has over a hundred modules. Requesting them one by one would take a browser longer than the
rest of opening the page, and each level of imports would add a round trip.
"""

import re
from collections.abc import Callable
from posixpath import dirname, join, normpath, relpath

__all__ = ["join_modules", "join_sheets"]

Read = Callable[[str], str]

# The only forms our modules use; a test checks that.
IMPORT = re.compile(r"^import (\{[^}]*\}) from '(\.[^']+)';", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)
LATE_IMPORT = re.compile(r"(?<=\bimport\([`'])\.[^`'$]+")
OWN_URL = "import.meta.url"

SHEET = re.compile(r'^@import url\("([^"]+)"\);\n', re.MULTILINE)

# Third-party modules use other forms; they are not bundled, but imported unchanged.
VENDOR = "vendor/"


def join_modules(entry: str, read: Read) -> str:
    """Return a module equivalent to ``entry`` that contains all our modules it imports.

    Every other module becomes a function that returns its exports, called once, in the order in
    which a browser would run the modules. This is equivalent as long as no export is reassigned,
    imports form no cycle, and only the entry uses top-level await.

    Args:
        entry: Path of the module.
        read: Returns the text of the file at a path.
    """
    names: dict[str, str] = {}
    imports: list[str] = []
    parts: list[str] = []

    def emit(path: str) -> str:
        """Emit a module before those that import it; return the name of its exports."""
        if path not in names:
            name = names[path] = "$" + re.sub(r"\W", "_", path)
            if path.startswith(VENDOR):
                imports.append(f"import * as {name} from '{relative(path)}';")
            else:
                text = rewrite(path)
                exported = ", ".join(match[1] for match in EXPORT.finditer(text))
                body = EXPORT.sub("", text)
                parts.append(
                    f"// {path}\nconst {name} = (() => {{\n{body}return {{ {exported} }};\n}})();"
                )
        return names[path]

    def rewrite(path: str) -> str:
        """Return a module's text with its imports replaced by the emitted names."""

        def bind(match: re.Match[str]) -> str:
            name = emit(normpath(join(dirname(path), match[2])))
            return f"const {match[1].replace(' as ', ': ')} = {name};"

        def lead(match: re.Match[str]) -> str:
            return relative(normpath(join(dirname(path), match[0])))

        text = LATE_IMPORT.sub(lead, IMPORT.sub(bind, read(path)))
        return text.replace(OWN_URL, f"new URL('{relative(path)}', {OWN_URL})")

    def relative(path: str) -> str:
        """Return a path relative to the joined module."""
        way = relpath(path, dirname(entry))
        return way if way.startswith(".") else f"./{way}"

    last = rewrite(entry)
    return "\n".join([*imports, *parts, f"// {entry}", last])


def join_sheets(entry: str, read: Read) -> str:
    """Return a style sheet with its imports inlined."""
    folder = dirname(entry)
    return SHEET.sub(lambda match: join_sheets(normpath(join(folder, match[1])), read), read(entry))
