"""Tours of an admin, an operator and a viewer in Firefox; one of them also in Chromium."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext

from server.users.users import UsersFile
from tests.browser.tours import steps
from tests.support.browser.firefox import Firefox
from tests.support.browser.tab import ChromiumTab, Tab
from tests.support.browser.visitor import PASSWORD
from tests.support.cameras.films import make_film
from tests.support.cameras.rtsp_server import RtspServer
from tests.support.servers.server import PortholeServer

OpenTab = Callable[[], Tab]
StartServer = Callable[..., PortholeServer]

BROWSERS = ("chromium", "firefox")
ROLES = {"ann": "admin", "otto": "operator", "vera": "viewer"}
SIZE = (1280, 800)
# Firefox draws the whole window for each screenshot.
SMALL = "test:?size=160x90&fps=3"


# In Chromium, other tests cover the single steps; a tour takes up to 14 s of CPU time.
IN_FIREFOX = pytest.mark.parametrize("open_tab", ["firefox"], indirect=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """Two cameras, a video file that can be added, and users of each role for each browser."""
    folder = tmp_path_factory.mktemp("tours")
    (folder / "media").mkdir()
    make_film(folder / "media" / "film.mp4", "-t", "2", source="testsrc2=size=160x90:rate=5")
    settings = folder / "porthole.toml"
    settings.write_text(
        '[server]\nmedia_folder = "media"\n'
        + "".join(f'[[camera]]\nname = "{name}"\nsource = "{SMALL}"\n' for name in ("one", "two"))
    )
    people = UsersFile(folder / "state")
    for browser in BROWSERS:
        for name, role in ROLES.items():
            people.add_user(f"{name}-{browser}", role, None, PASSWORD)  # type: ignore[arg-type]
    server = PortholeServer(
        *("--port", "0", "--config", str(settings)), state=folder / "state", environment={}
    )
    yield server
    assert server.stop() == 0
    assert not [line for line in server.log if "Traceback" in line], "\n".join(server.log)


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """One Firefox for all tours: starting it takes seconds."""
    firefox = Firefox(tmp_path_factory.mktemp("firefox"))
    yield firefox
    firefox.stop()


@pytest.fixture(params=BROWSERS)
def open_tab(request: pytest.FixtureRequest) -> Iterator[OpenTab]:
    """Open isolated windows; any error that their pages log fails the test."""
    tabs: list[Tab] = []
    width, height = SIZE

    def open_chromium() -> Tab:
        new_context: Callable[..., BrowserContext] = request.getfixturevalue("new_context")
        size = {"width": width, "height": height}
        context = new_context(viewport=size, bypass_csp=True, ignore_https_errors=True)
        return ChromiumTab(context)

    def open_firefox() -> Tab:
        return request.getfixturevalue("firefox").open_tab(width, height)

    def open_one() -> Tab:
        tabs.append(open_chromium() if request.param == "chromium" else open_firefox())
        return tabs[-1]

    yield open_one
    for tab in tabs:
        tab.close()
    assert [text for tab in tabs for text in tab.complaints] == []


def test_viewer_completes_the_tour(server: PortholeServer, open_tab: OpenTab) -> None:
    """A viewer watches, saves a picture, focuses a camera, and finds no other role's controls."""
    tab = open_tab()
    steps.log_in(tab, server, "vera")
    steps.watch_live(tab)
    steps.see_nothing_for_admins(tab)
    steps.open_camera(tab, "one")
    assert steps.tabs_of_panel(tab) == ["View", "Activity", "Statistics"]
    steps.see_nothing_for_operators(tab)
    steps.save_picture(tab, "one")
    steps.fill_screen(tab)
    tab.press("Escape")
    steps.change_own_password(tab)
    steps.log_out(tab)


@IN_FIREFOX
def test_operator_completes_the_tour(server: PortholeServer, open_tab: OpenTab) -> None:
    """An operator logs in and out by keyboard, adjusts a camera, stops it and undoes that."""
    tab = open_tab()
    steps.log_in(tab, server, "otto", by_keys=True)
    steps.watch_live(tab)
    steps.go_round_by_keys(tab)
    steps.open_camera(tab, "two")
    assert steps.tabs_of_panel(tab) == ["View", "Image", "Motion", "Activity", "Statistics"]
    steps.set_camera(tab, "two")
    steps.stop_and_take_back(tab, "two")
    tab.press("Escape")
    steps.log_out(tab, by_keys=True)


@IN_FIREFOX
def test_admin_completes_the_tour(server: PortholeServer, open_tab: OpenTab) -> None:
    """An admin adds, renames and removes cameras, undoes that, adds users, and logs them out."""
    tab = open_tab()
    steps.log_in(tab, server, "ann")
    steps.watch_live(tab)
    steps.open_manage(tab)
    steps.add_camera_by_address(tab, SMALL, "yard")
    steps.add_camera_of_folder(tab, "film")
    steps.rename_camera(tab, "yard", "lawn")
    steps.remove_camera(tab, "lawn", "The lawn")
    steps.remove_camera(tab, "film", "film", undo=False)
    tab.click("tab", "People", steps.MANAGE)
    name, password = steps.add_user(tab)
    other = open_tab()
    steps.log_in(other, server, name, password)
    steps.watch_live(other)
    steps.sign_out(tab, name, other)
    link = steps.add_embed_link(tab, "one")
    steps.show_embedded(other, link, "one")
    tab.press("Escape")
    steps.log_out(tab)


def test_firefox_shows_a_cameras_video(share_server: StartServer, firefox: Firefox) -> None:
    """Firefox gets H.264 where it decodes it, otherwise JPEG; either way the picture is fresh."""
    rtsp = RtspServer()
    tab = firefox.open_tab(*SIZE)
    try:
        tab.open(share_server(f"door={rtsp.url('h264')}").url)
        able = tab.evaluate(
            """async () => typeof VideoDecoder === 'function'
              && (await VideoDecoder.isConfigSupported({ codec: 'avc1.42e01f' })).supported"""
        )
        tab.wait("(able) => (window.porthole.tiles.get('door')?.codec != null) === able", able)
        tab.wait_for_paint("door", 10)
        told = tab.evaluate(
            """() => {
              const { latencyMs, videoFault } = window.porthole.tiles.get('door');
              return [latencyMs, videoFault];
            }"""
        )
    finally:
        tab.close()
        rtsp.stop()

    assert told[0] < 500
    assert told[1] == ""


def test_pictures_arrive_over_tls(start_server: StartServer, open_tab: OpenTab) -> None:
    """With the server's own certificate, reached by way of http, the page is a secure context.

    Clipboard, wake lock and installation need one.
    """
    server = start_server(f"one={SMALL}", "--tls", "auto")
    tab = open_tab()

    tab.open(server.url.replace("https://127.0.0.1", "http://localhost"))

    tab.wait_for_state("one", "live")
    tab.wait_for_new_pixels("one")
    assert tab.evaluate("() => location.protocol") == "https:"
    assert tab.evaluate("() => isSecureContext && 'clipboard' in navigator")
