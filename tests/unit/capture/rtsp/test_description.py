"""What cameras offer, and what is chosen from it."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.capture.rtsp.description import choose_video, control_url, parse_description
from server.capture.rtsp.message import RtspError

# The sequence parameter sets that x264 writes for 640x360 and for 320x180.
LARGE = base64.b64encode(
    bytes.fromhex("6742c01eda0280bfe5c0440000030004000003012a3c58ba80")
).decode()
SMALL = base64.b64encode(
    bytes.fromhex("6742c00cda05067e7c05a808080a000003000200000300641e2c5d40")
).decode()


def video(encoding: str = "H264", fmtp: str = "", protocol: str = "RTP/AVP") -> str:
    lines = (f"m=video 0 {protocol} 96", f"a=rtpmap:96 {encoding}/90000", f"a=fmtp:96 {fmtp}")
    return "\r\n".join(lines) + "\r\n"


def test_description_is_parsed() -> None:
    """A description with sound, other media and Unix line ends is parsed."""
    text = (
        "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=x\na=control:rtsp://10.0.0.1/live/\na=range:npt=now-\n"
        "m=video 0 RTP/AVP 98\nb=AS:5000\na=framerate:12.5\na=rtpmap:98 h265/90000\n"
        "a=fmtp:98 sprop-vps=QAEMAf//;sprop-sps=QgEB; sprop-pps=RAHAcvBTJA==;x\n"
        "a=control:trackID=0\na=recvonly\n"
        "m=audio 0 RTP/AVP 8\na=control:trackID=1\n"
        "m=application 0 RTP/AVP 107\na=rtpmap:107 vnd.onvif.metadata/90000\n"
    )

    described = parse_description(text.encode())
    found = choose_video(described)

    assert described.control == "rtsp://10.0.0.1/live/"
    assert [one.kind for one in described.media] == ["video", "audio", "application"]
    assert found is described.media[0]
    assert (found.codec, found.rate, found.payload_type) == ("hevc", 90_000, 98)
    assert (found.control, found.fps) == ("trackID=0", 12.5)
    assert [one[:2].hex() for one in found.parameter_sets] == ["4001", "4201", "4401"]


def test_widest_of_several_videos_is_chosen() -> None:
    """FFmpeg chooses the widest, too; if a size is missing, the choice is left to FFmpeg."""
    small = video(fmtp=f"sprop-parameter-sets={SMALL}")
    large = video(fmtp=f"packetization-mode=1; sprop-parameter-sets={LARGE},aM48gA==")

    found = choose_video(parse_description(f"v=0\r\n{small}{large}{small}".encode()))

    assert found is not None
    assert found.width == 640
    with pytest.raises(RtspError):
        choose_video(parse_description(f"v=0\r\n{small}{video()}".encode()))


@pytest.mark.parametrize(
    "media",
    [
        video("JPEG"),
        video("MP4V-ES"),
        video("H264", "packetization-mode=2"),
        video("H265", "sprop-max-don-diff=3"),
        video("H264", protocol="RTP/SAVP"),
        video("H264") + video("JPEG"),
        "m=video 0 RTP/AVP 26\r\n",
        "m=video\r\n",
    ],
)
def test_unsupported_videos_are_left_to_ffmpeg(media: str) -> None:
    """FFmpeg reads them, or says what they are."""
    with pytest.raises(RtspError):
        choose_video(parse_description(f"v=0\r\n{media}".encode()))


def test_sound_only_description_has_no_video() -> None:
    """A description of sound only has no video; an HTML page is not a description."""
    assert choose_video(parse_description(b"v=0\r\nm=audio 0 RTP/AVP 0\r\n")) is None
    with pytest.raises(RtspError):
        parse_description(b"<html>hello</html>")


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ("track1", "rtsp://cam/live?a=b/track1"),
        ("*", "rtsp://cam/live?a=b"),
        ("", "rtsp://cam/live?a=b"),
        ("rtsp://other/track1", "rtsp://other/track1"),
    ],
)
def test_control_urls_are_joined_as_cameras_expect(control: str, expected: str) -> None:
    """Joining them as the standard says would cut off a query."""
    assert control_url("rtsp://cam/live?a=b", control) == expected
    assert control_url("rtsp://cam/live/", "track1") == "rtsp://cam/live/track1"


LINES = [
    "m=video 0 RTP/AVP 96",
    "a=rtpmap:96 H264/90000",
    "a=fmtp:96 sprop-parameter-sets=Z0,a",
    "m=",
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=20))))
def test_malformed_descriptions_raise_only_rtsp_error(lines: list[str]) -> None:
    """Any text is parsed, or raises RtspError and nothing else."""
    with suppress(RtspError):
        video = choose_video(parse_description("\n".join(lines).encode("utf-8", "replace")))
        assert video is None or video.parameter_sets is not None
