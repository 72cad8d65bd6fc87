"""Embedding in other pages: embed tokens, frames and CORS; without a server."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.cli.accounts import token as token_command
from server.config.load import load_settings
from server.errors import ConfigError
from server.users.users import Person, UsersFile
from server.web.auth.permissions import EMBEDDED, NEEDS, Need, may
from tests.support.fakes import until
from tests.unit.web.auth.site import Site

PANEL = "https://panel.example"

EMBED = Person("panel", "viewer", frozenset({"door"}), "embed")


# Uses of an embed token.


def test_embed_token_allows_only_what_a_kiosk_needs() -> None:
    """It may watch its one camera, and nothing else."""
    needs_somebody = {what for what, need in NEEDS.items() if need is not Need.NOTHING}
    allowed = {what for what in needs_somebody if may(EMBED, what)}

    assert allowed == EMBEDDED - {"/api/cameras"}
    assert may(EMBED, "/api/cameras")
    assert not may(EMBED, "/api/events")
    assert not may(EMBED, "watch", "yard")
    assert {"start", "stop", "notices", "quit", "/metrics", "/readyz"}.isdisjoint(allowed)


def test_embed_token_with_clips_adds_only_clips() -> None:
    """Clips and pictures of one camera's past, but no recordings, events, jobs or other lists."""
    clips = replace(EMBED, clips=True)

    for path in ("/clip", "/api/cameras/door/picture", "/api/cameras/door/past"):
        assert may(clips, path)
        assert not may(EMBED, path)
    for path in ("/recording", "/event", "/api/events", "/api/clips", "/api/views", "/api/days"):
        assert not may(clips, path)
    assert not may(clips, "/api/cameras/door/picture/x")
    assert {what for what in NEEDS if may(clips, what)} - {"/clip"} == {
        what for what in NEEDS if may(EMBED, what)
    }


def test_embed_token_is_accepted_in_the_url(site: Site) -> None:
    """``?token=`` opens pictures and the kiosk for it, and nothing for other tokens."""
    embed = site.file.add_token("panel", "viewer", ["door"], embed=True)
    whole = site.file.add_token("octo", "viewer", None)
    until(lambda: len(site.auth.people.tokens) == 2)
    client = site.client()

    assert client.get(f"/?token={embed}").json == {"name": "panel", "by": "bearer"}
    assert client.get(f"/api/cameras?token={embed}").status_code == 200
    assert client.get(f"/readyz?token={embed}").status_code == 403
    for wrong in (whole, embed + "x", ""):
        for path in ("/", "/api/cameras"):
            answer = client.get(f"{path}?token={wrong}")
            # Neither a login, which would not work in a frame, nor a password dialog.
            assert answer.status_code == 401, (path, wrong)
            assert "WWW-Authenticate" not in answer.headers
    bearer = {"Authorization": f"Bearer {whole}"}
    assert client.get(f"/api/cameras?token={embed}", headers=bearer).json["name"] == "octo"


def test_embed_token_is_not_leaked(site: Site) -> None:
    """No referrer, cache, redirect or audit entry reveals it."""
    embed = site.file.add_token("panel", "viewer", ["door"], embed=True)
    until(lambda: site.auth.people.tokens)
    client = site.client()

    for path in ("/", "/api/cameras", "/readyz", "/nowhere"):
        assert client.get(f"{path}?token={embed}").headers["Referrer-Policy"] == "no-referrer"
    login = client.get(f"/login?token={embed}")
    assert (login.status_code, login.headers["Location"]) == (303, "./")
    assert embed not in client.get(f"/login?token={embed}x").text
    site.auth.audit.close()
    assert not (site.folder / "audit.log").exists()
    assert embed not in (site.folder / "refused.log").read_text()


def test_an_embed_token_ends_when_it_is_removed(site: Site) -> None:
    """It identifies the same person until then, and nobody afterwards."""
    embed = site.file.add_token("panel", "viewer", ["door"], embed=True)
    person = site.file.load().bearer(embed)
    assert person is not None
    assert (person.kind, person.cameras, person.role) == ("embed", {"door"}, "viewer")
    assert site.file.load().has(person)

    site.file.remove_token("panel")

    assert not site.file.load().has(person)


def test_list_without_embed_tokens_keeps_the_old_format(tmp_path: Path) -> None:
    """Nodes of an older version share the list, and reject unknown keys."""
    file = UsersFile(tmp_path)
    file.add_token("octo", "viewer", None)
    text = (tmp_path / "people.json").read_text()

    assert "embed" not in text
    assert '"version": 1' in text


@pytest.mark.parametrize("cameras", [[], ["door", "yard"]])
def test_embed_token_needs_exactly_one_camera(tmp_path: Path, cameras: list[str]) -> None:
    """All cameras in somebody's page would be a mistake."""
    with pytest.raises(ConfigError, match="accepted: --embed with one --camera"):
        UsersFile(tmp_path).add_token("panel", "viewer", cameras, embed=True)
    with pytest.raises(ConfigError, match="no --role but viewer"):
        UsersFile(tmp_path).add_token("panel", "operator", ["door"], embed=True)


def test_token_command_prints_embed_addresses(tmp_path: Path) -> None:
    """There are three addresses to paste; the list describes the token without showing it."""
    state = ["--state", str(tmp_path)]
    run = CliRunner().invoke
    arguments = ["add", "panel", "--camera", "door", "--embed"]

    shown = run(token_command, [*arguments, "--url", "https://cameras.example/p", *state])
    value = shown.stdout.split("?token=")[1].split()[0]

    assert shown.stdout.splitlines() == [
        f"https://cameras.example/p/?token={value}",
        f"https://cameras.example/p/video_feed/door?token={value}",
        f"https://cameras.example/p/snapshot/door.jpg?token={value}",
    ]
    assert run(token_command, ["list", *state]).output == "panel  embed     door\n"
    past = run(token_command, ["add", "past", *arguments[2:], "--clips", *state])
    assert "/clip/door.mp4?token=" in past.stdout.splitlines()[-1]
    assert "past   embed     door, with clips\n" in run(token_command, ["list", *state]).output
    bare = run(token_command, ["add", "octo", "--role", "viewer", "--clips", *state])
    assert "accepted: only together with --embed" in str(bare.exception)
    wrong = run(token_command, [*arguments, "--url", "cameras.example", *state])
    assert "accepted: http://" in str(wrong.exception)
    missing = run(token_command, ["add", "octo", *state])
    assert "--role is missing" in str(missing.exception)


# Pages that may frame the dashboard.


def test_only_named_pages_may_frame_the_dashboard(make_site: Callable[..., Site]) -> None:
    """Those of ``frame_ancestors`` may frame only the dashboard, not the login form."""
    client = make_site("ada", ancestors=(PANEL, "http://10.0.0.7:8123")).client()

    def framed_by(path: str) -> str:
        policy = client.get(path).headers["Content-Security-Policy"]
        return policy.partition("frame-ancestors ")[2].partition(";")[0]

    assert framed_by("/?view=kiosk") == f"{PANEL} http://10.0.0.7:8123"
    assert framed_by("/login") == framed_by("/healthz") == "'none'"


@pytest.mark.parametrize(
    "origin",
    [
        "panel.example",
        "https://panel.example/",
        "*",
        "'self'",
        "https://a; script-src *",
        "ftp://a",
    ],
)
def test_invalid_frame_ancestor_is_rejected(origin: str, tmp_path: Path) -> None:
    """A mistake is named, stops the start, and never enters the policy."""
    flags = {"frame_ancestors": origin}
    with pytest.raises(ConfigError, match="accepted: a list of origins") as refused:
        load_settings((), None, None, flags, {})
    assert origin in str(refused.value).replace('"', "'")
    file = tmp_path / "porthole.toml"
    file.write_text(f'[server]\nframe_ancestors = ["{origin}"]\n')
    with pytest.raises(ConfigError, match=r"server\.frame_ancestors = ") as refused:
        load_settings((), file, None, {}, {})
    assert origin in str(refused.value)


# What other pages' scripts may read.


@pytest.fixture
def shared_site(make_site: Callable[..., Site]) -> Site:
    """A site with the user ada, readable by pages of the panel."""
    return make_site("ada", origins=[PANEL + "/"])


def test_scripts_of_allowed_pages_may_read(shared_site: Site) -> None:
    """They may read pictures, states and refusals; never with a cookie, and cached per page."""
    client = shared_site.client()

    answer = client.get("/api/cameras", headers={"Origin": "https://PANEL.example"})
    preflight = client.options(
        "/api/cameras",
        headers={"Origin": PANEL, "Access-Control-Request-Headers": "authorization"},
    )

    assert answer.status_code == 401, "the client must still log in"
    assert answer.headers["Access-Control-Allow-Origin"] == "https://PANEL.example"
    assert "Origin" in answer.headers["Vary"]
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == PANEL
    assert preflight.headers["Access-Control-Allow-Headers"] == "Authorization"
    for one in (answer, preflight):
        assert "Access-Control-Allow-Credentials" not in one.headers


def test_scripts_of_other_pages_may_not_read(shared_site: Site) -> None:
    """Nor may any script read the dashboard, whose forms contain a secret."""
    client = shared_site.client()

    for origin in ("https://evil.example", "https://panel.example.evil", "null", ""):
        answer = client.get("/api/cameras", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in answer.headers, origin
        assert "Origin" in answer.headers["Vary"]
    for path in ("/", "/login", "/readyz"):
        answer = client.get(path, headers={"Origin": PANEL})
        assert "Access-Control-Allow-Origin" not in answer.headers, path
    assert client.options("/login", headers={"Origin": PANEL}).status_code != 204
