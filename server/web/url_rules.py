"""Matches the paths of requests."""

from collections.abc import Callable

from werkzeug.routing import Rule

__all__ = ["UrlRule"]


class UrlRule(Rule):
    """Matches paths as its base does, and compiles what writes a URL when one is asked for.

    Werkzeug compiles two functions for each rule, for ``url_for``, which nothing here calls. That
    took 40 ms of each start, and several times as much on a small computer. Should Werkzeug rename
    what is overridden, a start takes that long again, and nothing else changes.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile_now = super()._compile_builder

        def build(rule: Rule, **values: object) -> tuple[str, str]:
            return compile_now(append_unknown)(rule, **values)

        return build
