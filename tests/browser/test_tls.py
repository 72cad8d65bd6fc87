"""The dashboard over TLS with a certificate that the server has made, in a real browser."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.browser import expect_state, wait_for_paint
from tests.support.server import PortholeServer


@pytest.fixture
def context_options() -> dict[str, Any]:
    """Somebody who clicked through the warning."""
    return {"bypass_csp": True, "ignore_https_errors": True}


def test_the_page_is_a_secure_context(
    share_server: Callable[..., PortholeServer], page: Page
) -> None:
    """Pictures are painted; clipboard, wake lock and installing are there on the way via http."""
    server = share_server("test:?size=320x180", "--tls", "auto")

    page.goto(server.url.replace("https://127.0.0.1", "http://localhost"))

    assert page.url.startswith("https://localhost")
    expect_state(page, "test", "live")
    wait_for_paint(page, "test", 10)
    assert page.evaluate("window.isSecureContext && 'clipboard' in navigator")
