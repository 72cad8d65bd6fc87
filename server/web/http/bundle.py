"""Joins the page's modules, and its style sheets, into one file each.

The page has over a hundred modules. Asked for one by one, they cost a browser more than all else
about opening the page, and each layer of imports is a round trip on a long link.
"""

import re
from collections.abc import Callable
from posixpath import dirname, join, normpath, relpath

__all__ = ["join_modules", "join_sheets"]

Read = Callable[[str], str]

# The forms that our modules use, which a test holds.
IMPORT = re.compile(r"^import (\{[^}]*\}) from '(\.[^']+)';", re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)
LATE_IMPORT = re.compile(r"(?<=\bimport\([`'])\.[^`'$]+")
OWN_URL = "import.meta.url"

SHEET = re.compile(r'^@import url\("([^"]+)"\);\n', re.MULTILINE)

# Written for browsers by others, in forms of their own: imported as they are.
VENDOR = "vendor/"


def join_modules(entry: str, read: Read) -> str:
    """Return a module that does and exports what ``entry`` does, and imports none of ours.

    Every other module becomes a function that is called once, in the order in which a browser runs
    modules, and returns the exports. That is the same as long as no export is assigned anew, no
    imports form a circle, and only the entry awaits at its top level.

    Args:
        entry: A module's path.
        read: Returns the text of the file with a path.
    """
    names: dict[str, str] = {}
    imports: list[str] = []
    parts: list[str] = []

    def take(path: str) -> str:
        """Have a module run before those that import it; return the name of its exports."""
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
        """Return a module's text with its imports taken from what was run before."""

        def bind(match: re.Match[str]) -> str:
            name = take(normpath(join(dirname(path), match[2])))
            return f"const {match[1].replace(' as ', ': ')} = {name};"

        def lead(match: re.Match[str]) -> str:
            return relative(normpath(join(dirname(path), match[0])))

        text = LATE_IMPORT.sub(lead, IMPORT.sub(bind, read(path)))
        return text.replace(OWN_URL, f"new URL('{relative(path)}', {OWN_URL})")

    def relative(path: str) -> str:
        """Return a path as the joined module has to write it."""
        way = relpath(path, dirname(entry))
        return way if way.startswith(".") else f"./{way}"

    last = rewrite(entry)
    return "\n".join([*imports, *parts, f"// {entry}", last])


def join_sheets(entry: str, read: Read) -> str:
    """Return a style sheet with those that it imports in it, one after the other."""
    folder = dirname(entry)
    return SHEET.sub(lambda match: join_sheets(normpath(join(folder, match[1])), read), read(entry))
