"""Cameras changed by admins over HTTP, on real servers."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.users.users import UsersFile
from tests.support.browser.visitor import PASSWORD, Visitor, bearer
from tests.support.clients.admin_api import ask_api, revision_of
from tests.support.clients.client import Crowd, Viewer
from tests.support.servers.server import PortholeServer, last_event, wait_until

Connect = Callable[..., Viewer]

YARD = {"name": "yard", "source": "test:?size=320x180&fps=10", "title": "Yard"}


class Site:
    """A server, and tokens of an admin, an operator, a viewer, and users with a list of cameras."""

    def __init__(self, folder: Path) -> None:
        people = UsersFile(folder / "state")
        people.add_user("ann", "admin", None, PASSWORD)
        roles = {"admin": None, "operator": None, "viewer": None}
        self.tokens = {role: people.add_token(role, role, None) for role in roles}
        self.tokens["some"] = people.add_token("some", "admin", ["door"])
        self.tokens["yard"] = people.add_token("yard", "viewer", ["yard"])
        self.server = PortholeServer(
            *("--port", "0", "door=test:?size=320x180&fps=5"),
            state=folder / "state",
            environment={},
        )
        self.admin = bearer(self.tokens["admin"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all tests here; each removes what it adds."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.server.end()


@pytest.fixture
def yard(site: Site) -> Iterator[str]:
    """A camera that an admin has added."""
    assert ask_api(site.server, "POST", "", YARD, site.admin).status == 201
    yield "yard"
    ask_api(site.server, "DELETE", "/yard", {}, site.admin)


def test_cookie_requires_the_csrf_token(site: Site) -> None:
    """Another site's page can make a browser send the cookie, but cannot read the token."""
    browser = Visitor(site.server)
    assert browser.log_in("ann")[0] == 303
    page = browser.ask("GET", "/")[2]
    token = page.partition('data-csrf="')[2].partition('"')[0]
    own = {"Cookie": browser.cookie, "Origin": browser.origin}

    assert ask_api(site.server, "GET", "", headers=own).status == 200
    for wrong in ({}, {"X-CSRF-Token": "guess"}):
        refused = ask_api(site.server, "POST", "/order", {"names": ["door"]}, own | wrong)
        assert (refused.status, refused.data["error"]) == (403, "expired")
    sent = {"names": ["door"]}
    good = own | {"X-CSRF-Token": token}
    assert ask_api(site.server, "POST", "/order", sent, good).status == 200
    elsewhere = good | {"Origin": "http://evil.example"}
    assert ask_api(site.server, "POST", "/order", sent, elsewhere).status == 403
    as_form = good | {"Content-Type": "text/plain"}
    assert ask_api(site.server, "POST", "/order", sent, as_form).status == 415


def test_camera_is_added_changed_and_removed(site: Site, connect: Connect) -> None:
    """A viewer sees it appear, follows its new source without a new request, and sees it go."""
    viewer = connect(site.server, auth={"token": site.tokens["viewer"]}, keep_events=True)
    viewer.pump(lambda: bool(last_event(viewer, "hello")), 5)

    added = ask_api(site.server, "POST", "", YARD, site.admin)
    assert added.status == 201
    viewer.pump(lambda: camera_names(viewer) == ["door", "yard"], 5)
    widths: list[int] = []
    viewer.on_frame = lambda header, _: widths.append(header["width"])
    assert viewer.call("watch", {"camera": "yard"})["ok"]
    viewer.pump(lambda: len(widths) >= 3, 10)

    fitting = connect(site.server, auth={"token": site.tokens["viewer"]})
    fitted: list[str] = []
    fitting.on_frame = lambda header, _: fitted.append(header["rendition"])
    assert fitting.call("watch", {"camera": "yard", "rendition": "auto", "width": 100})["ok"]

    changed = YARD | {"source": "test:?size=640x360&fps=10", "renditions": [160]}
    seen = site.admin | {"If-Match": f'"{added.data["revision"]}"'}
    assert ask_api(site.server, "PUT", "/yard", changed, seen).status == 200
    assert ask_api(site.server, "PUT", "/yard", changed, seen).status == 412
    assert ask_api(site.server, "PUT", "/yard", changed, site.admin).status == 428
    viewer.pump(lambda: 640 in widths, 10)
    seqs = [arrival.seq for arrival in viewer.arrivals]
    assert seqs == sorted(set(seqs))
    fitting.pump(lambda: "160" in fitted, 10)

    gone = ask_api(site.server, "DELETE", "/yard", headers=site.admin)
    viewer.pump(lambda: camera_names(viewer) == ["door"], 5)
    reply = viewer.call("unwatch", {"camera": "yard"})
    assert reply["error"] == "unknown_camera"
    back = ask_api(site.server, "POST", "/undo", {"undo": gone.data["undo"]}, site.admin)
    assert back.data["settings"] == changed
    ask_api(site.server, "DELETE", "/yard", {}, site.admin)


def camera_names(viewer: Viewer) -> list[str]:
    told = last_event(viewer, "cameras")
    return [camera["name"] for camera in told["cameras"]] if told else []


def test_camera_rename_updates_access_lists(site: Site, yard: str) -> None:
    """A user's list of allowed cameras follows a rename; other lists do not change."""
    revision = revision_of(site.server, yard, site.admin)
    seen = site.admin | {"If-Match": f'"{revision}"'}

    assert ask_api(site.server, "PUT", "/yard", YARD | {"name": "court"}, seen).status == 200

    people = UsersFile(site.server.state).load()
    assert people.tokens["yard"].cameras == ["court"]
    assert people.tokens["some"].cameras == ["door"]
    back = site.admin | {"If-Match": f'"{revision_of(site.server, "court", site.admin)}"'}
    assert ask_api(site.server, "PUT", "/court", YARD, back).status == 200


def test_camera_changes_are_audited_without_passwords(site: Site) -> None:
    """Audit entries name who did what, including rejected changes, and contain no password."""
    camera = {"name": "gate", "source": "rtsp://joe:s3cret@127.0.0.1:9/live?token=s3cret"}
    added = ask_api(site.server, "POST", "", camera, site.admin)
    assert added.data["settings"]["source"] == "rtsp://···@127.0.0.1:9/live?token=···"
    tried = {"source": "rtsp://···@127.0.0.1:9/live?token=···", "camera": "gate"}
    assert ask_api(site.server, "POST", "/try", tried, site.admin).status == 503
    ask_api(site.server, "DELETE", "/gate", {}, site.admin)
    refused = ask_api(site.server, "POST", "", {"name": "x", "source": "test"}, site.admin)
    assert refused.status == 422

    def entries(file: str) -> list[str]:
        path = site.server.state / file
        lines = path.read_text().splitlines() if path.exists() else []
        return [f"{one['who']}: {one['what']}" for one in map(json.loads, lines)]

    wait_until(lambda: "admin: camera remove" in entries("audit.log"))
    assert {"admin: camera add", "admin: camera try"} <= set(entries("audit.log"))
    wait_until(lambda: "admin: POST /api/admin/cameras" in entries("refused.log"))
    for file, content in site.server.kept().items():
        assert b"s3cret" not in content, file
    assert "s3cret" not in "\n".join(site.server.log)


def test_adding_a_camera_costs_others_no_frame(site: Site, connect: Connect) -> None:
    """While one is added, changed and removed, each frame of another camera reaches all viewers."""
    viewers = [connect(site.server, auth={"token": site.tokens["viewer"]}) for _ in range(4)]
    crowd = Crowd()
    for viewer in viewers:
        viewer.emit("watch", {"camera": "door"})
        crowd.add(viewer)
    crowd.run(15, until=lambda: all(len(one.arrivals) > 5 for one in viewers))
    first = max(viewer.arrivals[-1].seq for viewer in viewers)

    admin = threading.Thread(target=change_cameras, args=(site,))
    admin.start()
    crowd.run(20, until=lambda: not admin.is_alive())
    crowd.run(5, until=lambda: all(one.arrivals[-1].seq > first + 10 for one in viewers))
    admin.join()

    for viewer in viewers:
        seqs = [arrival.seq for arrival in viewer.arrivals if arrival.seq > first]
        assert len(seqs) >= 10
        assert seqs == list(range(first + 1, first + 1 + len(seqs)))


def change_cameras(site: Site) -> None:
    """Add a camera, change its source, move it to the front and remove it."""
    added = ask_api(site.server, "POST", "", YARD, site.admin)
    seen = site.admin | {"If-Match": f'"{added.data["revision"]}"'}
    ask_api(site.server, "PUT", "/yard", YARD | {"source": "test:?size=640x360&fps=10"}, seen)
    ask_api(site.server, "POST", "/order", {"names": ["yard", "door"]}, site.admin)
    ask_api(site.server, "DELETE", "/yard", {}, site.admin)
