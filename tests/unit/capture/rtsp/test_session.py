"""A camera's answers to SETUP, without a camera."""

from typing import Any

import pytest

from server.capture.rtsp.description import Media
from server.capture.rtsp.message import Request, Response, RtspError
from server.capture.rtsp.session import Session, describe, set_up

URL = "rtsp://cam/live?x=1"
VIDEO = "v=0\r\n{}m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n"


def set_up_with(*headers: tuple[str, str]) -> tuple[Session, Request]:
    """Set up a video; the camera answers with these headers."""
    requests: list[Request] = []

    def ask(request: Request) -> Response:
        requests.append(request)
        return Response(headers, status=200)

    video = Media("video", "RTP/AVP", 96, "H264", 90_000, control="v")
    return set_up(ask, URL, video), requests[0]


@pytest.mark.parametrize(
    ("session", "alive_s"),
    [("12;timeout=30", 15), ("12; Timeout = 8", 4), ("12", 30), ("12;timeout=0", 30), ("", 30)],
)
def test_keepalive_interval_is_half_the_timeout(session: str, alive_s: float) -> None:
    """If the camera gives no time-out, the interval is half of the standard's minute."""
    found, request = set_up_with(("transport", "RTP/AVP/TCP;interleaved=2-3"), ("session", session))

    assert found.alive_s == alive_s
    assert (found.channel, found.reports) == (2, 3)
    assert request.url == f"{URL}/v"
    named = dict(found.request("PLAY").headers)
    assert named == ({"Session": "12"} if session else {})


@pytest.mark.parametrize("transport", ["RTP/AVP;unicast;client_port=5000-5001", "RTP/AVP/UDP", ""])
def test_other_transports_are_left_to_ffmpeg(transport: str) -> None:
    """Some cameras agree to TCP and then answer with UDP ports."""
    with pytest.raises(RtspError):
        set_up_with(("transport", transport), ("session", "1"))


@pytest.mark.parametrize(
    ("headers", "control", "base"),
    [
        ((), "", URL),
        ((("content-location", "rtsp://cam/l/"),), "", "rtsp://cam/l/"),
        ((("content-location", "rtsp://l/"), ("content-base", "rtsp://b/")), "", "rtsp://b/"),
        ((("content-base", "rtsp://b/"),), "a=control:rtsp://s/\r\n", "rtsp://s/"),
        ((("content-base", "/live/"),), "a=control:*\r\n", URL),
    ],
)
def test_session_url_is_the_one_the_camera_gives(headers: Any, control: str, base: str) -> None:
    """It comes from the description, or else from the answer's headers, if it is absolute."""

    def ask(request: Request) -> Response:
        body = VIDEO.format(control).encode() if request.method == "DESCRIBE" else b""
        return Response(headers, body, status=200)

    assert describe(ask, URL).base == base
