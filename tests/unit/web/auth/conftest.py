"""Fixtures of the tests of who may do what."""

from tests.unit.web.auth.site import make_site, site

__all__ = ["make_site", "site"]
