"""Sessions with quirky cameras, from the first request to pictures."""

import base64
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from server.capture.rtsp.demuxer import RtspDemuxer
from server.capture.rtsp.message import RtspError
from server.capture.streams.packet import Packet
from server.capture.streams.units import annex_b
from server.config import reserved
from server.config.address import Address, parse_address
from server.errors import LoginRefused, SourceError
from tests.support.cameras.field_camera import make_certificate
from tests.support.cameras.rtp import packetize
from tests.support.cameras.rtsp_camera import Habits, RtspCamera
from tests.support.cameras.video_clip import Clip, encode_clip

LOGIN = "ann:pass%20word@"

Camera = Callable[..., RtspCamera]


@pytest.fixture(scope="module")
def clip() -> Clip:
    return encode_clip(16, "320x180", 8)


@pytest.fixture
def camera(clip: Clip) -> Iterator[Camera]:
    """Start a camera with these quirks."""
    pictures = pictures_of(clip)
    started: list[RtspCamera] = []

    def start(**habits: Any) -> RtspCamera:
        started.append(RtspCamera(pictures, Habits(**habits)))
        return started[-1]

    yield start
    for one in started:
        one.close()


def pictures_of(clip: Clip) -> list[list[bytes]]:
    """Return the NAL units of each picture."""
    return [[one[begin:end] for begin, end in annex_b.split(one)] for one in clip.units]


def address_of(url: str, **settings: Any) -> Address:
    return replace(parse_address(url, Path()), **settings)


def read(url: str, count: int = 12, timeout_s: float = 5.0) -> list[Packet]:
    """Read a camera's first pictures."""
    with closing(RtspDemuxer(address_of(url), timeout_s)) as demuxer:
        packets = [demuxer.read() for _ in range(count)]
        assert (demuxer.context.width, demuxer.context.height) == (320, 180)
    assert None not in packets
    return [one for one in packets if one is not None]


@pytest.mark.parametrize(
    "habits",
    [
        {},
        {"early": True},
        {"asks": True},
        {"channel": 4, "told_channel": 4},
        {"channel": 0, "told_channel": 6},
        {"base": "rtsp://10.0.0.1/elsewhere/"},
        {"methods": "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"},
    ],
    ids=str,
)
def test_quirky_cameras_deliver_every_picture(
    camera: Camera, clip: Clip, habits: dict[str, Any]
) -> None:
    """Pictures arrive as encoded, with none missing, and only the video is requested."""
    found = camera(**habits)

    packets = read(found.url())

    assert [one.data for one in packets] == [annex_b.join(one) for one in pictures_of(clip)[:12]]
    assert [one.key for one in packets] == [at % 8 == 0 for at in range(12)]
    assert not any(one.incomplete for one in packets)
    base = habits.get("base") or f"{found.url()}/"
    assert found.requests[:4] == [
        ("OPTIONS", found.url()),
        ("DESCRIBE", found.url()),
        ("SETUP", f"{base}video"),
        ("PLAY", habits.get("base") or found.url()),
    ]


def test_pictures_arrive_over_tls(clip: Clip, tmp_path: Path) -> None:
    """A camera with a self-signed certificate is read over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(tmp_path))
    pictures = pictures_of(clip)
    found = RtspCamera(pictures, Habits(digest=("SHA-256",)), tls=context)
    try:
        assert not any(one.incomplete for one in read(found.url(LOGIN), 20))
    finally:
        found.close()


@pytest.mark.parametrize("digest", [("MD5",), ("SHA-256",), ("MD5", "SHA-256")])
def test_digest_login_renews_stale_nonces(camera: Camera, digest: Any) -> None:
    """Here a nonce is good for two requests, so opening alone takes several."""
    found = camera(digest=digest, nonce_requests=2)

    assert read(found.url(LOGIN), 3)


def test_wrong_password_is_tried_once(camera: Camera) -> None:
    """Cameras lock out clients that try several."""
    found = camera(digest=("MD5",))

    with pytest.raises(LoginRefused, match="refuses the user name or password"):
        read(found.url("ann:wrong@"))

    assert [method for method, _ in found.requests] == ["OPTIONS", "OPTIONS"]


def test_sessions_are_kept_alive(camera: Camera) -> None:
    """The cameras hang up after two seconds without a request, and their nonces expire too. One of
    them does not know GET_PARAMETER."""
    methods = "OPTIONS, DESCRIBE, SETUP, PLAY"
    habits = {"timeout_s": 2.0, "digest": ("MD5",), "nonce_requests": 5}
    found = [camera(**habits), camera(methods=methods, **habits)]

    with ExitStack() as stack:
        demuxers = [
            stack.enter_context(closing(RtspDemuxer(address_of(one.url(LOGIN)), 5.0)))
            for one in found
        ]
        for _ in range(75):
            assert all(one.read() is not None for one in demuxers)

    asked = [[method for method, _ in one.requests[5:]] for one in found]
    assert asked[0].count("GET_PARAMETER") >= 3
    assert asked[1].count("OPTIONS") >= 3


def test_redirects_are_followed_with_the_login(camera: Camera) -> None:
    """The login is not sent to another host, and a redirect loop ends with an error."""
    found = camera(digest=("MD5",))
    first = camera(redirects_to=found.url())
    circle = camera()
    circle.habits.redirects_to = circle.url()

    assert read(first.url(LOGIN), 2)
    elsewhere = camera(redirects_to=found.url().replace("127.0.0.1", "localhost"))
    with pytest.raises(LoginRefused):
        read(elsewhere.url(LOGIN))
    with pytest.raises(SourceError, match="redirects more than"):
        read(circle.url())
    with pytest.raises(SourceError, match="protocol that is not allowed"):
        read(camera(redirects_to="file:///etc/passwd").url())


def test_guarded_address_is_checked_when_connecting(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address typed on the page gets no request if it now resolves to a link-local address.
    What it resolved to when it was checked does not matter; an address from the settings file may
    go there."""
    found = camera()
    url = found.url().replace("127.0.0.1", "localhost")
    monkeypatch.setattr(reserved, "REFUSED", (ip_network("127.0.0.0/8"), ip_network("::1/128")))

    with pytest.raises(SourceError, match="localhost is a link-local address"):
        RtspDemuxer(address_of(url, guarded=True), 5.0)
    assert found.requests == []
    assert read(url, 1)


def test_parameter_sets_may_be_in_the_description_only(clip: Clip) -> None:
    """The codec is then known before the first picture, and units contain the parameter sets."""
    pictures = pictures_of(clip)
    sets = [unit for unit in pictures[0] if unit[0] & 31 in (7, 8)]
    bare = [[unit for unit in units if unit[0] & 31 not in (7, 8)] for units in pictures]
    text = ",".join(base64.b64encode(one).decode().rstrip("=") for one in sets)
    found = RtspCamera(bare, Habits(sets=f"; sprop-parameter-sets={text}"))
    try:
        with closing(RtspDemuxer(address_of(found.url()), 5.0)) as demuxer:
            maker = demuxer.unit_maker()
            packet = demuxer.read()

            assert packet is not None
            assert maker is not None
            assert maker.codec == clip.codec
            encoded = maker.make(packet.data)
            assert encoded is not None
            assert all(one in encoded.data for one in sets)
    finally:
        found.close()


def test_lost_packet_marks_a_picture_incomplete(camera: Camera, clip: Clip) -> None:
    """If the fourth picture loses a packet, the fourth one that is read is marked as incomplete."""
    counts = [len(list(packetize(one, "h264"))) for one in pictures_of(clip)]
    found = camera(lost=(sum(counts[:3]),))

    assert [one.incomplete for one in read(found.url())] == [at == 3 for at in range(12)]


def test_lost_connection_is_reported(camera: Camera) -> None:
    """If the camera hangs up in mid-stream, the error says so."""
    found = camera()
    with closing(RtspDemuxer(address_of(found.url()), 5.0)) as demuxer:
        demuxer.read()
        threading.Thread(target=found.close).start()

        with pytest.raises(SourceError, match="the stream ended: the connection was lost"):
            all(demuxer.read() for _ in range(1000))


def test_unsupported_streams_are_left_to_ffmpeg(camera: Camera) -> None:
    """An unsupported packet order, for example, is left to FFmpeg."""
    found = camera(sets="; packetization-mode=2")

    with pytest.raises(RtspError):
        RtspDemuxer(address_of(found.url()), 5.0)
