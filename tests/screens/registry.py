"""The views by name: each is set up by a function that returns the page.

To add one, write a function in the module it belongs to and put :func:`view` above it. Where
setting up takes long, the function yields one page after another, each with its name.
"""

from collections.abc import Callable, Iterator

from playwright.sync_api import Page

from tests.screens.stage import Stage

__all__ = ["VIEWS", "View", "view"]

View = Callable[[Stage], Page | Iterator[tuple[str, Page]] | None]

VIEWS: dict[str, View] = {}
"""Every view by its name; one that returns None cannot be had on this machine."""


def view(name: str) -> Callable[[View], View]:
    """Name a view; its pictures are called so."""

    def take(set_up: View) -> View:
        VIEWS[name] = set_up
        return set_up

    return take
