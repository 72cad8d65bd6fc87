"""Parse Python files."""

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["statements"]


def statements(path: Path) -> Iterator[ast.AST]:
    """Yield every statement of a file, including those inside functions and classes.

    Statements are a tenth of the nodes that ``ast.walk`` visits.
    """
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):  # A lambda's or conditional expression's body is one node.
                waiting += inner
