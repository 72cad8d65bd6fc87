"""Cameras over HTTP, with a real server that does what cameras in the field do."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from server.capture.frames.frame import Jpeg, size_of
from server.capture.sources.http import open_http
from server.capture.sources.http_client import Client
from server.capture.sources.mjpeg import MjpegStream
from server.capture.sources.still import StillCamera
from server.config import reserved
from server.config.address import Address, parse_address
from server.errors import LoginRefused, PictureError, SourceError
from tests.support.cameras.field_camera import (
    LOGIN,
    PICTURES,
    STREAMS,
    FieldCamera,
    make_certificate,
)

PASSWORD = quote(LOGIN[1], safe="")
GOOD, WRONG = f"{LOGIN[0]}:{PASSWORD}", f"{LOGIN[0]}:guess"

Open = Callable[..., MjpegStream | StillCamera]


@pytest.fixture(scope="module")
def camera() -> Iterator[FieldCamera]:
    """A camera that asks for no login."""
    field = FieldCamera()
    yield field
    field.close()


@pytest.fixture
def make_camera() -> Iterator[Callable[..., FieldCamera]]:
    """Make cameras of one's own, which are closed at the end."""
    cameras: list[FieldCamera] = []

    def make(*args: object, **more: object) -> FieldCamera:
        cameras.append(FieldCamera(*args, **more))  # type: ignore[arg-type]
        return cameras[-1]

    yield make
    for one in cameras:
        one.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate, as cameras have it."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def hand_over(address: Address, timeout_s: float) -> StillCamera:
    """Stand for the reader of everything else."""
    raise SourceError(f"handed over to FFmpeg with {timeout_s:g} s")


@pytest.fixture
def open_url() -> Iterator[Open]:
    """Open URLs; what opened is closed at the end."""
    opened: list[MjpegStream | StillCamera] = []

    def open_url(
        url: str, timeout_s: float = 3.0, verify: bool | None = None
    ) -> MjpegStream | StillCamera:
        address = replace(parse_address(url, Path()), verify=verify)
        source = open_http(address, timeout_s, hand_over)
        assert isinstance(source, MjpegStream | StillCamera)
        opened.append(source)
        return source

    yield open_url
    for source in opened:
        source.close()


def grab(source: MjpegStream | StillCamera) -> bytes:
    """Return the next picture as it was sent."""
    assert source.grab()
    picture = source.retrieve(100)
    assert isinstance(picture, Jpeg)
    return picture.data


def grab_on(source: MjpegStream | StillCamera) -> None:
    """Grab pictures until that fails."""
    while source.grab():
        pass


def refusal(open_url: Open, url: str, timeout_s: float = 3.0, **more: bool) -> str:
    """Return why a URL cannot be opened, which never contains a password."""
    with pytest.raises(SourceError) as caught:
        open_url(url, timeout_s, **more)
    text = str(caught.value)
    assert not {LOGIN[1], PASSWORD, "guess", "s3cret"} & set(text.split())
    assert "s3cret" not in text
    assert "guess" not in text
    return text


@pytest.mark.parametrize("name", [*STREAMS, "chunked"])
def test_every_stream_gives_its_pictures(name: str, camera: FieldCamera, open_url: Open) -> None:
    """Whatever a camera does wrong around its pictures, they come, at once and untouched.

    Tasmota sends no first boundary, others sound between pictures, lengths that are two bytes
    short, padding, or no parts at all: each used to end, or to begin after five seconds.
    """
    source = open_url(camera.url(name))
    seen = [grab(source) for _ in range(6)]

    assert isinstance(source, MjpegStream)
    assert set(seen) <= set(PICTURES)
    assert len(set(seen)) > 1
    info = source.info
    assert (info.width, info.height, info.codec) == (320, 180, "mjpeg")
    assert (info.live, info.polled, info.fps) == (True, False, 0)


def test_picture_can_be_had_as_pixels(camera: FieldCamera, open_url: Open) -> None:
    """Pixels come where they are wanted, alone or beside the camera's JPEG."""
    source = open_url(camera.url("usual"))
    assert source.grab()

    alone, beside = source.retrieve(), source.retrieve(100, 80)

    assert isinstance(alone, np.ndarray)
    assert alone.shape == (180, 320, 3)
    assert isinstance(beside, Jpeg)
    assert beside.pixels is not None
    assert beside.pixels.shape == (45, 80, 3)


def test_arrivals_are_counted(camera: FieldCamera, open_url: Open) -> None:
    """The rate is measured from what arrives, also what is skipped, and nothing is invented.

    FFmpeg gave every such camera 25 pictures a second.
    """
    source = open_url(camera.url("usual"))
    assert source.arrivals.figures.fps == 0
    started, pictures = time.monotonic(), 0
    while time.monotonic() < started + 1.3:
        pictures += source.grab()

    figures = source.arrivals.figures
    assert figures.fps == pytest.approx(pictures / 1.3, rel=0.3)
    size = sum(map(len, PICTURES)) / len(PICTURES)
    assert figures.kbps == pytest.approx(figures.fps * size / 125, rel=0.2)
    assert figures.group == 1


def test_newest_of_several_counts(camera: FieldCamera, open_url: Open) -> None:
    """Pictures that waited are counted, but not shown one by one: a live camera shows now."""
    source = open_url(camera.url("burst"))
    grabs = [grab(source)]
    while grabs[-1] != PICTURES[-1]:
        grabs.append(grab(source))

    assert len(grabs) < len(PICTURES)
    assert len(source.arrivals._recent) == len(PICTURES)


def test_end_of_a_stream_is_told(camera: FieldCamera, open_url: Open) -> None:
    """A camera that closes after some pictures is lost at once, and the reason says so."""
    source = open_url(camera.url("closes"))
    started = time.monotonic()

    with pytest.raises(SourceError, match="the stream ended: the camera closed the connection"):
        grab_on(source)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("path", "said"),
    [("silent", "sent nothing for 0.5 s"), ("drips", "no picture in what it sent for 0.5 s")],
)
def test_camera_without_pictures_is_given_up(
    path: str, said: str, camera: FieldCamera, open_url: Open
) -> None:
    """A camera that goes silent, or keeps on sending something else, is lost after the time-out."""
    source = open_url(camera.url(path), timeout_s=0.5)

    with pytest.raises(SourceError, match=said):
        grab_on(source)


@pytest.mark.parametrize("path", ["still", "still-in-chunks"])
@pytest.mark.parametrize("login", ["", "Basic", "Digest"])
def test_still_is_fetched_when_wanted(
    path: str, login: str, make_camera: Callable[..., FieldCamera], open_url: Open
) -> None:
    """A URL that answers one JPEG is asked again for each picture, over one connection.

    It used to give one picture, and then to be retried for ever.
    """
    camera = make_camera(login, single=True)
    source = open_url(camera.url(path, GOOD if login else ""))
    before = len(camera.asked)
    seen = [grab(source) for _ in range(4)]

    assert isinstance(source, StillCamera)
    assert (source.info.polled, source.info.live) == (True, False)
    # The first picture is the one that came at opening.
    assert len(camera.asked) - before == 3
    assert len(set(seen)) == 4
    assert camera.most_at_once == 1
    # The refusal before the login may have closed one.
    assert camera.connections <= (2 if login else 1)


def test_still_without_type_or_length_is_one(camera: FieldCamera, open_url: Open) -> None:
    """A picture that ends with its connection is a still, too, whatever is appended to it."""
    source = open_url(camera.url("still-until-closed"))

    assert isinstance(source, StillCamera)
    assert {grab(source) for _ in range(3)} <= set(PICTURES)


def test_still_is_asked_for_what_is_new(camera: FieldCamera, open_url: Open) -> None:
    """A camera that names its pictures is asked only for another one, and it may say no."""
    source = open_url(camera.url("still-with-tag"))

    assert [grab(source) for _ in range(3)] == [PICTURES[0]] * 3
    assert camera.not_modified == 2


def test_still_survives_a_closed_connection(camera: FieldCamera, open_url: Open) -> None:
    """A camera that closes a connection it had kept is asked over another one."""
    source = open_url(camera.url("still-that-hangs-up"))

    assert len({grab(source) for _ in range(4)}) == 4


def test_half_a_still_is_a_fault(camera: FieldCamera, open_url: Open) -> None:
    """A still that breaks off is told as such; while running, it costs one picture."""
    assert "not complete" in refusal(open_url, camera.url("half"))

    source = open_url(camera.url("still"))
    grab(source)
    source._client._url = camera.url("half")
    assert source.grab()
    with pytest.raises(PictureError, match="not complete"):
        source.retrieve()
    source._client._url = camera.url("still")
    assert grab(source) in PICTURES


@pytest.mark.parametrize("login", ["Basic", "Digest"])
@pytest.mark.parametrize("path", ["usual", "still"])
def test_login_is_what_the_camera_asks_for(
    login: str, path: str, make_camera: Callable[..., FieldCamera], open_url: Open
) -> None:
    """Basic or Digest, with a password of any characters; nothing is sent unasked."""
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
def test_wrong_login_is_told(
    login: str, given: str, said: str, make_camera: Callable[..., FieldCamera], open_url: Open
) -> None:
    """A refused login is an error of its own, so that it is tried rarely."""
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
def test_refusal_is_told_in_words(
    path: str, said: str, camera: FieldCamera, open_url: Open
) -> None:
    """What a camera answers instead of pictures is named, and its secrets are not."""
    assert said in refusal(open_url, camera.url(path, WRONG), timeout_s=0.5)


def test_nobody_there_is_told(open_url: Open) -> None:
    """A port where nothing listens, and a host that is unknown."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    closed = refusal(open_url, f"http://{WRONG}@127.0.0.1:{port}/")
    unknown = refusal(open_url, f"http://{WRONG}@cam.invalid/")

    assert closed == f"127.0.0.1:{port} cannot be reached (Connection refused)"
    assert unknown == "the host cam.invalid is unknown; check the spelling"


def test_other_protocol_is_told(open_url: Open) -> None:
    """A host that does not speak HTTP is told as such."""
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

    assert "answers, but not as HTTP demands" in said


def test_redirect_is_followed(
    make_camera: Callable[..., FieldCamera], certificate: Path, open_url: Open
) -> None:
    """A camera that redirects from http to https is followed, with its login and one connection."""
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
    """A redirect elsewhere gets no password, and the error says why the login fails."""
    camera, other = make_camera("Basic"), make_camera("Basic")
    camera.elsewhere = other.url("usual", host="localhost")

    said = refusal(open_url, camera.url("moved", GOOD))

    assert "the password is not sent there" in said
    assert {given for _, given in other.asked} == {""}


def test_login_is_not_sent_in_clear_after_tls(
    make_camera: Callable[..., FieldCamera], certificate: Path, open_url: Open
) -> None:
    """A redirect from https to http gets no password."""
    secure, plain = make_camera("", certificate), make_camera("Basic")
    secure.elsewhere = plain.url("usual")

    assert "the password is not sent there" in refusal(open_url, secure.url("moved", GOOD))
    assert {given for _, given in plain.asked} == {""}


@pytest.mark.parametrize("target", ["file:///etc/passwd", "rtsp://127.0.0.1/", "http://:0/"])
def test_redirect_leads_to_http_only(target: str, camera: FieldCamera, open_url: Open) -> None:
    """A camera cannot make the server read anything else."""
    camera.elsewhere = target

    assert "redirects to something that is not http or https" in refusal(
        open_url, camera.url("moved")
    )


def test_circle_of_redirects_ends(camera: FieldCamera, open_url: Open) -> None:
    """A camera that redirects to itself is given up."""
    camera.elsewhere = camera.url("moved")

    assert "redirects more than 5 times" in refusal(open_url, camera.url("moved"))


def test_self_signed_certificate_is_a_choice(
    make_camera: Callable[..., FieldCamera], certificate: Path, open_url: Open
) -> None:
    """At a private address it is accepted, unless ``verify`` says otherwise, with the way out."""
    camera = make_camera("", certificate)

    assert grab(open_url(camera.url("usual"))) in PICTURES
    assert grab(open_url(camera.url("usual"), verify=False)) in PICTURES
    said = refusal(open_url, camera.url("usual"), verify=True)
    assert "certificate that is not valid (self-signed certificate)" in said
    assert "verify = false" in said


def test_plain_camera_behind_https_is_told(camera: FieldCamera, open_url: Open) -> None:
    """A URL with https for a camera that speaks http only says so."""
    url = camera.url("usual").replace("http:", "https:")

    assert "cannot be reached over TLS" in refusal(open_url, url)


@pytest.mark.parametrize("path", ["usual", "still"])
def test_reopened_camera_sees_one_connection(
    path: str, make_camera: Callable[..., FieldCamera], open_url: Open
) -> None:
    """A camera that serves one client at a time can be opened again at once after a close."""
    camera = make_camera(single=True)
    for _ in range(3):
        source = open_url(camera.url(path))
        grab(source)
        source.close()

    assert camera.most_at_once == 1
    assert camera.connections == 3


# Relatives of what cameras should answer.


def test_still_that_is_no_jpeg_is_polled_too(camera: FieldCamera, open_url: Open) -> None:
    """A PNG was shown once, and then its "stream" had ended, again and again."""
    source = open_url(camera.url("still-as-png"))

    pictures = [source.retrieve() for _ in range(3) if source.grab()]

    assert isinstance(source, StillCamera)
    assert (source.info.polled, source.info.codec) == (True, "png")
    assert [size_of(one) for one in pictures] == 3 * [(64, 48)]


def test_text_is_told_by_its_type(camera: FieldCamera, open_url: Open) -> None:
    """It was called a video that FFmpeg cannot read; what it says may hold a secret."""
    said = refusal(open_url, camera.url("words"))

    assert said.endswith(" answers with application/json, not pictures")


def test_compressed_picture_is_understood(camera: FieldCamera, open_url: Open) -> None:
    """Some servers compress everything, whatever was asked for."""
    source = open_url(camera.url("still-squeezed"))

    assert source.grab()
    assert isinstance(source.retrieve(100), Jpeg)


def test_stream_that_calls_itself_empty_is_read(camera: FieldCamera, open_url: Open) -> None:
    """Its "Content-Length: 0" cannot be meant."""
    source = open_url(camera.url("empty-stream"))

    assert isinstance(source, MjpegStream)
    assert all(source.grab() for _ in range(3))


def test_what_is_not_quite_http_is_left_to_ffmpeg(camera: FieldCamera) -> None:
    """It knows ICY, and heads of any length; if it fails too, the first reason is told."""
    address = parse_address(camera.url("icy"), Path())

    assert open_http(address, 5.0, lambda *_: camera) is camera  # type: ignore[comparison-overlap]
    with pytest.raises(SourceError, match="not as HTTP demands"):
        open_http(address, 5.0, hand_over)


def test_host_that_is_switched_on_is_reached_soon() -> None:
    """The kernel would ask again 3 s after the first time, and then only after 7."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        # A full queue: what comes now is dropped without a word.
        place = deaf.getsockname()
        first = [socket.socket() for _ in range(3)]
        for one in first:
            one.setblocking(False)
            one.connect_ex(place)

        def answer() -> None:
            time.sleep(1.2)
            began = time.monotonic()
            while True:
                accepted, _ = deaf.accept()
                with accepted:
                    accepted.settimeout(0.1)
                    try:
                        if accepted.recv(1000):
                            answered_after.append(time.monotonic() - began)
                            return
                    except OSError:
                        continue

        answered_after: list[float] = []
        host = threading.Thread(target=answer)
        host.start()
        with pytest.raises(SourceError, match="closed the connection"):
            open_http(parse_address(f"http://127.0.0.1:{place[1]}/", Path()), 9.0, hand_over)
        host.join()
        for one in first:
            one.close()

    assert answered_after[0] < 1.5


@pytest.mark.parametrize("secured", [False, True])
def test_a_guarded_address_is_checked_where_it_leads(
    make_camera: Callable[..., FieldCamera],
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    secured: bool,
) -> None:
    """A name that leads to a forbidden address at this moment gets no request, whatever it led to
    when it was checked; neither does a redirect. Without the guard, as of a settings file, it may.
    """
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
