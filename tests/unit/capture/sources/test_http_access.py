"""Logins, redirects and certificates of HTTP cameras."""

import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from server.capture.sources.http_client import Client
from server.config import reserved
from server.config.address import parse_address
from server.errors import LoginRefused, SourceError
from tests.support.cameras.field_camera import PICTURES, FieldCamera
from tests.unit.capture.sources.opened_url import (
    GOOD,
    WRONG,
    Open,
    camera,
    certificate,
    grab,
    make_camera,
    open_url,
    refusal,
)

__all__ = ["camera", "certificate", "make_camera", "open_url"]


@pytest.mark.parametrize("login", ["Basic", "Digest"])
@pytest.mark.parametrize("path", ["usual", "still"])
def test_requested_login_scheme_is_used(
    login: str, path: str, make_camera: Callable[..., FieldCamera], open_url: Open
) -> None:
    """Basic or Digest, with a password of any characters; nothing is sent unless requested."""
    camera = make_camera(login, single=True)
    source = open_url(camera.url(path, GOOD))

    assert {grab(source) for _ in range(3)} <= set(PICTURES)
    assert camera.asked[0] == (path, "")
    assert camera.asked[1][1].startswith(login)
    assert camera.most_at_once == 1


@pytest.mark.parametrize("login", ["Basic", "Digest"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (WRONG, "answers 401 Unauthorized; check the user name and password"),
        ("", "answers 401 Unauthorized; give its user name and password"),
    ],
)
def test_rejected_login_is_reported(
    login: str, given: str, said: str, make_camera: Callable[..., FieldCamera], open_url: Open
) -> None:
    """A rejected login is an error of its own, so that it is tried rarely."""
    camera = make_camera(login)

    with pytest.raises(LoginRefused, match=said):
        open_url(camera.url("usual", given))
    assert len(camera.asked) <= 2


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("status?403", "answers 403 Forbidden"),
        ("status?404", "answers 404 Not Found"),
        ("status?503", "answers 503 Service Unavailable"),
        ("status?599", "answers 599"),
        ("page", "answers with a web page (text/html), not pictures: 'IP Camera Login'"),
        ("hang-up", "closed the connection without an answer"),
        ("nothing", "answers, but sends nothing"),
        ("mute", "accepts the connection, but sends nothing for 0.5 s"),
        ("playlist", "handed over to FFmpeg with 0.5 s"),
    ],
)
def test_unusable_answer_is_explained(
    path: str, said: str, camera: FieldCamera, open_url: Open
) -> None:
    """The error names what a camera answers instead of pictures, without its secrets."""
    assert said in refusal(open_url, camera.url(path, WRONG), timeout_s=0.5)


def test_unreachable_host_is_reported(open_url: Open) -> None:
    """The error names a port without a listener, and an unknown host."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    closed = refusal(open_url, f"http://{WRONG}@127.0.0.1:{port}/")
    unknown = refusal(open_url, f"http://{WRONG}@cam.invalid/")

    assert closed == f"127.0.0.1:{port} cannot be reached (Connection refused)"
    assert unknown == "the host cam.invalid is unknown; check the spelling"


def test_other_protocol_is_reported(open_url: Open) -> None:
    """The error says that a host does not speak HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"220 smtp ready\r\n")
                connection.recv(9999)

        thread = threading.Thread(target=greet)
        thread.start()
        said = refusal(open_url, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join(5)

    assert "answers, but not in valid HTTP" in said


def test_redirect_is_followed(
    make_camera: Callable[..., FieldCamera], certificate: Path, open_url: Open
) -> None:
    """A redirect from http to https is followed, with the login and over one connection."""
    camera = make_camera(single=True)
    secure = make_camera("Digest", certificate)
    camera.elsewhere = secure.url("usual")

    source = open_url(camera.url("moved", GOOD))

    assert grab(source) in PICTURES
    assert camera.most_at_once == 1
    assert secure.asked[-1][1].startswith("Digest")


def test_login_is_not_sent_to_another_host(
    make_camera: Callable[..., FieldCamera], open_url: Open
) -> None:
    """A redirect to another host gets no password, and the error says why the login fails."""
    camera, other = make_camera("Basic"), make_camera("Basic")
    camera.elsewhere = other.url("usual", host="localhost")

    said = refusal(open_url, camera.url("moved", GOOD))

    assert "the password is not sent there" in said
    assert {given for _, given in other.asked} == {""}


def test_login_is_not_sent_in_the_clear_after_tls(
    make_camera: Callable[..., FieldCamera], certificate: Path, open_url: Open
) -> None:
    """A redirect from https to http gets no password."""
    secure, plain = make_camera("", certificate), make_camera("Basic")
    secure.elsewhere = plain.url("usual")

    assert "the password is not sent there" in refusal(open_url, secure.url("moved", GOOD))
    assert {given for _, given in plain.asked} == {""}


@pytest.mark.parametrize("target", ["file:///etc/passwd", "rtsp://127.0.0.1/", "http://:0/"])
def test_redirect_may_lead_only_to_http(target: str, camera: FieldCamera, open_url: Open) -> None:
    """A camera cannot make the server read anything else."""
    camera.elsewhere = target

    assert "redirects to something that is not http or https" in refusal(
        open_url, camera.url("moved")
    )


def test_redirect_loop_ends(camera: FieldCamera, open_url: Open) -> None:
    """A camera that redirects to itself is given up after five redirects."""
    camera.elsewhere = camera.url("moved")

    assert "redirects more than 5 times" in refusal(open_url, camera.url("moved"))


def test_self_signed_certificate_is_accepted_unless_verified(
    make_camera: Callable[..., FieldCamera], certificate: Path, open_url: Open
) -> None:
    """It is accepted at a private address unless ``verify`` forbids it, as the error explains."""
    camera = make_camera("", certificate)

    assert grab(open_url(camera.url("usual"))) in PICTURES
    assert grab(open_url(camera.url("usual"), verify=False)) in PICTURES
    said = refusal(open_url, camera.url("usual"), verify=True)
    assert "certificate that is not valid (self-signed certificate)" in said
    assert "verify = false" in said


def test_https_url_of_a_plain_camera_is_reported(camera: FieldCamera, open_url: Open) -> None:
    """The error says that the https URL belongs to a camera that only speaks http."""
    url = camera.url("usual").replace("http:", "https:")

    assert "cannot be reached over TLS" in refusal(open_url, url)


@pytest.mark.parametrize("secured", [False, True])
def test_guarded_address_is_checked_when_connecting(
    make_camera: Callable[..., FieldCamera],
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    secured: bool,
) -> None:
    """A name that now resolves to a forbidden address gets no request. What it resolved to when it
    was checked does not matter. Without the guard, as for the settings file, it is followed."""
    camera = make_camera("", certificate if secured else None)
    url = camera.url("still", host="localhost")
    monkeypatch.setattr(reserved, "REFUSED", (ip_network("127.0.0.0/8"), ip_network("::1/128")))

    for guarded in (True, False):
        address = replace(parse_address(url, Path()), guarded=guarded)
        client = Client(address, 3.0)
        try:
            if guarded:
                with pytest.raises(SourceError, match="localhost is a link-local address"):
                    client.get()
                assert camera.asked == []
            else:
                assert client.get().status == 200
        finally:
            client.close()
