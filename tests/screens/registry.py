"""The views by name: each is set up by a function that returns the page.

To add one, write a function in the module it belongs to and decorate it with :func:`view`. If
setting up is slow, the function yields one page after another, each with its name.
"""

from collections.abc import Callable, Iterator

from playwright.sync_api import Page

from tests.screens.stage import Stage

__all__ = ["VIEWS", "View", "view"]

View = Callable[[Stage], Page | Iterator[tuple[str, Page]] | None]

VIEWS: dict[str, View] = {}
"""Every view by name; one that returns None is not available on this machine."""


def view(name: str) -> Callable[[View], View]:
    """Register a view under a name, which its pictures take."""

    def take(set_up: View) -> View:
        VIEWS[name] = set_up
        return set_up

    return take
