"""The views: every state of the page, each set up by a function that returns the page."""

from tests.screens import dashboard, forms, saved
from tests.screens.registry import VIEWS

# The modules are imported for the views that they name.
__all__ = ["VIEWS", "dashboard", "forms", "saved"]
