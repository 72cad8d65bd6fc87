"""Fixtures for the tests of permissions."""

from tests.unit.web.auth.site import make_site, site

__all__ = ["make_site", "site"]
