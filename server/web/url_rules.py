"""Werkzeug rules that start faster."""

from collections.abc import Callable

from werkzeug.routing import Rule

__all__ = ["UrlRule"]


class UrlRule(Rule):
    """A rule that compiles its URL builder on first use.

    Werkzeug compiles two functions per rule for ``url_for``, which this server never calls. That
    took 40 ms of each start, and several times as long on a small computer. If Werkzeug renames
    the overridden method, only that saving is lost.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile_now = super()._compile_builder

        def build(rule: Rule, **values: object) -> tuple[str, str]:
            return compile_now(append_unknown)(rule, **values)

        return build
