"""The views: every state of the page, each set up by a function that returns the page."""

from tests.screens import dashboard, forms, saved
from tests.screens.registry import VIEWS

# Imported so that the modules register their views.
__all__ = ["VIEWS", "dashboard", "forms", "saved"]
