"""A bare machine: its addresses in a browser, and a state folder with wrong permissions."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from server.users.users import UsersFile
from server.web.edge.host_names import own_addresses, own_names
from tests.support.browser.chromium import log_in_by_hand
from tests.support.browser.visitor import PASSWORD
from tests.support.servers.server import PortholeServer, wait_until

NOBODY = 65534

# Runs manage.py without the right to bypass file permissions (CAP_DAC_*), as ordinary users do.
AS_ORDINARY_USER = (
    "-c",
    "import ctypes, os, sys\n"
    "for right in (1, 2): assert ctypes.CDLL(None).prctl(24, right, 0, 0, 0) == 0\n"
    "os.execv(sys.executable, [sys.executable, 'manage.py', *sys.argv[1:]])",
)


@pytest.fixture(scope="module")
def server() -> Iterator[PortholeServer]:
    """One user, open to the network; another account's settings, in a world-writable folder."""
    state = Path(tempfile.mkdtemp(prefix="porthole-test-"))
    state.chmod(0o777)
    UsersFile(state).add_user("ada", "operator", None, PASSWORD)
    (state / "state.json").write_text('{"cameras": {"test": {"fps": 7}}}')
    (state / "state.json").chmod(0o600)
    os.chown(state / "state.json", NOBODY, NOBODY)
    started = PortholeServer(
        *("--host", "0.0.0.0", "--port", "0", "test:?size=320x180"),
        state=state,
        environment={},
        program=AS_ORDINARY_USER,
    )
    wait_until(lambda: any("Ctrl-C" in line for line in started.log))
    yield started
    assert started.stop() == 0
    kept = (state / "state.json").read_text()
    shutil.rmtree(state)
    assert "7" in kept
    assert "Traceback" not in "\n".join(started.log)


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A browser that resolves names as this machine does."""
    page = browser.new_page()
    yield page
    page.close()


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two accounts")


def test_every_printed_address_opens_in_a_browser(server: PortholeServer, page: Page) -> None:
    """Addresses work by number and by name; a request to the machine's own name once got 421."""
    places = re.findall(r"at (http://\S+)$", "\n".join(server.log), re.MULTILINE)

    hosts = [re.sub(r"^http://|:\d+/$", "", place) for place in places]
    resolvable = {name for name, found in own_names().items() if found}
    expected = {"localhost", *(one for one in own_addresses() if "." in one), *resolvable}
    assert set(hosts) == expected
    for place in places:
        page.goto(place)
        log_in_by_hand(page, "ada")
        tile = page.locator('.tile[data-camera="test"]')
        expect(tile).to_have_attribute("data-state", "live")


def test_state_folder_faults_are_shown_on_the_page(server: PortholeServer, page: Page) -> None:
    """Unreadable settings are neither used nor lost, and the page reports both faults."""
    page.goto(server.url)
    log_in_by_hand(page, "ada")
    page.wait_for_selector('.tile[data-state="live"]')
    page.locator("[data-open-timeline]").click()

    timeline = page.get_by_role("dialog", name="Activity")
    expect(timeline).to_contain_text(
        "state.json cannot be used: changes at run time will not survive a restart"
    )
    expect(timeline).to_contain_text("open to other accounts of this machine")
    log = "\n".join(server.log)
    assert "sudo chown root" in log
    assert "run `chmod 700" in log
