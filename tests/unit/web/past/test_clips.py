"""Clips and pictures over HTTP: who may have them; without a server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import flask
import numpy as np
import pytest
from werkzeug.test import TestResponse

from server.capture.frames.unit import JPEG, Unit
from server.control.audit import Audit
from server.recording.media.jobs import ClipJobs
from server.recording.media.pictures import PictureMaker
from server.recording.media.process import MediaProcess
from server.recording.past import Past
from server.recording.rewind import Rewind
from server.users.users import UsersFile
from server.web.auth.auth import Auth
from server.web.auth.guard import guard_requests
from server.web.past.clips import create_clips

BEGIN = 1e9
SPAN = {"from": BEGIN, "to": BEGIN + 2}


class Site:
    """The routes behind the real guard, some pictures of two cameras, and tokens."""

    def __init__(self, folder: Path) -> None:
        people = UsersFile(folder)
        self.tokens = {name: people.add_token(name, "viewer", None) for name in ("ada", "bob")}
        self.tokens["some"] = people.add_token("some", "viewer", ["door"])
        for name, clips in (("embed", False), ("clips", True)):
            self.tokens[name] = people.add_token(name, "viewer", ["door"], True, clips)
        self.flask = flask.Flask("site")
        auth = Auth(self.flask, folder, Audit(folder))
        guard_requests(self.flask, auth)
        data = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
        rewinds = {name: Rewind(60.0) for name in ("door", "safe")}
        for rewind in rewinds.values():
            for seq in range(20):
                rewind.put(Unit(data, True, seq, BEGIN + 0.1 * seq, JPEG, 64, 48))
        past = Past(rewinds)
        self.media = MediaProcess()
        self.jobs = ClipJobs(folder / "clips", self.media)
        cameras: Any = dict.fromkeys(rewinds)
        pictures = PictureMaker(self.media)
        self.flask.register_blueprint(create_clips(cameras, past, self.jobs, pictures, auth))

    def ask(self, method: str, path: str, body: object = None, by: str = "ada") -> TestResponse:
        headers = {"Authorization": f"Bearer {self.tokens[by]}"}
        return self.flask.test_client().open(path, method=method, json=body or {}, headers=headers)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site without any clips."""
    site = Site(tmp_path)
    yield site
    site.jobs.close()


def test_pictures_need_permission_for_the_camera(site: Site) -> None:
    """A user of one camera gets no pictures of another, nor learns that it exists."""
    path = f"/api/cameras/{{}}/picture?at={BEGIN + 1}"

    assert site.ask("GET", path.format("door"), by="some").mimetype == "image/jpeg"
    hidden, missing = (site.ask("GET", path.format(name), by="some") for name in ("safe", "none"))
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace("safe", "none") == missing.text
    assert site.ask("GET", path.format("door"), by="embed").status_code == 403
    for path in ("/clip/safe.mp4?from=1&to=2", "/clip/none.mp4?from=1&to=2"):
        assert "there is no camera" in site.ask("GET", path, by="some").text
    assert site.ask("GET", "/clip/door.mp4?from=1&to=2", by="embed").status_code == 403


def test_embed_tokens_with_clips_may_fetch_clips(site: Site) -> None:
    """They get clips of their one camera, by a link that needs no script, but start no jobs."""
    token = site.tokens["clips"]
    times = f"from={BEGIN}&to={BEGIN + 1}&token={token}"
    client = site.flask.test_client()

    assert client.head(f"/clip/door.mp4?{times}").mimetype == "video/mp4"
    picture = client.get(f"/api/cameras/door/picture?at={BEGIN + 1}&token={token}")
    assert picture.mimetype == "image/jpeg"
    assert client.get(f"/clip/safe.mp4?{times}").status_code == 404
    assert site.ask("POST", "/api/clips", {"camera": "door", **SPAN}, by="clips").status_code == 403


def test_clip_jobs_are_private_to_their_users(site: Site) -> None:
    """Nobody else can see, cancel or download a clip; to them it does not exist."""
    made = site.ask("POST", "/api/clips", {"camera": "door", **SPAN})
    assert made.status_code == 201
    key = made.json["id"]  # type: ignore[index]
    job = site.jobs.find(key, ("token", "ada"))
    assert job is not None
    assert job.wait(30)

    for method, path in (
        ("GET", f"/api/clips/{key}"),
        ("DELETE", f"/api/clips/{key}"),
        ("GET", f"/clip/{key}.mp4"),
    ):
        assert site.ask(method, path, by="bob").status_code == 404
    with site.ask("GET", f"/clip/{key}.mp4") as answer:
        assert answer.data[4:8] == b"ftyp"
    assert site.ask("DELETE", f"/api/clips/{key}").status_code == 200
    assert site.ask("GET", f"/clip/{key}.mp4").status_code == 404


def test_job_for_a_hidden_camera_is_rejected(site: Site) -> None:
    """The answer is the same as for a camera that does not exist."""
    answers = [
        site.ask("POST", "/api/clips", {"camera": name, **SPAN}, by="some")
        for name in ("safe", "none")
    ]

    assert [one.status_code for one in answers] == [404, 404]
    assert {one.json["error"] for one in answers} == {"unknown_camera"}  # type: ignore[index]


def test_form_of_another_page_cannot_start_a_job(site: Site) -> None:
    """Only JSON is accepted, which no form can send."""
    headers = {"Authorization": f"Bearer {site.tokens['ada']}"}

    answer = site.flask.test_client().post("/api/clips", data={"camera": "door"}, headers=headers)

    assert answer.status_code == 415
