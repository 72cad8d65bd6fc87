"""Clips and snapshots of the past, from a real server, checked with FFmpeg."""

import itertools
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cameras.films import make_film
from tests.support.clients.client import Viewer
from tests.support.recordings.digests import digests
from tests.support.servers.server import PortholeServer, wait_until

# 50 pictures, all different, in groups of 25.
FILM = ("-t", "2", "-c:v", "libx264", "-bf", "0", "-g", "25", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film that the camera with video repeats."""
    return make_film(tmp_path_factory.mktemp("film") / "film.mp4", *FILM)


@pytest.fixture(scope="module")
def server(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """Start a server with an H.264 and a JPEG camera; watch both for a while."""
    jpeg = make_film(film.with_name("jpeg.mkv"), "-t", "2", "-c:v", "mjpeg", "-q:v", "3")
    server = PortholeServer(
        *(f"door=file:{film}", f"jpeg=file:{jpeg}", "--port", "0"),
        state=tmp_path_factory.mktemp("state"),
        environment={},
    )
    viewer = Viewer("127.0.0.1", server.port)
    viewer.connect()
    viewer.call("watch", {"camera": "door", "video": ["h264"]})
    viewer.call("watch", {"camera": "jpeg"})
    wait_until(lambda: min(kept(server, "door"), kept(server, "jpeg")) > 4, every_s=0.5)
    viewer.close()
    yield server
    server.end()


def kept(server: PortholeServer, camera: str) -> float:
    """Return how many seconds of a camera are kept."""
    span = span_of(server, camera)
    return span[1] - span[0] if span else 0.0


def span_of(server: PortholeServer, camera: str) -> tuple[float, float] | None:
    """Return the kept span, as the error for a time long ago states it."""
    status, body, _ = get(server, f"clip/{camera}.mp4?from=1&to=2")
    assert status == 404, body
    words = body.decode().split()
    return (float(words[-3]), float(words[-1])) if "to" in words else None


def get(
    server: PortholeServer, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, bytes, dict[str, str]]:
    """Return a response's status, body and headers."""
    request = urllib.request.Request(server.url + path, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read(), dict(refused.headers)


def post(
    server: PortholeServer, path: str, body: object, method: str = "POST"
) -> tuple[int, dict[str, Any]]:
    """Post JSON; return the response's status and JSON."""
    request = urllib.request.Request(
        server.url + path,
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def packets(source: Path) -> list[str]:
    """Return a digest of each encoded frame in a file."""
    return [digest for _, digest in digests(source, "-c", "copy", before=("-ignore_editlist", "1"))]


def probe(path: Path) -> dict[str, Any]:
    """Return ffprobe's description of a file's video."""
    entries = "stream=codec_name,pix_fmt,width,height,duration,nb_frames"
    command = ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "json", str(path)]
    told = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    stream: dict[str, Any] = json.loads(told)["streams"][0]
    return stream


def test_video_clip_is_copied_and_begins_at_from(
    server: PortholeServer, film: Path, tmp_path: Path
) -> None:
    """The packets are the camera's own, and the clip starts with the picture at ``from``.

    The file itself has to begin with the key frame before it.
    """
    shown = [digest for _, digest in digests(film)]
    span = span_of(server, "door")
    assert span
    whole, part = tmp_path / "whole.mp4", tmp_path / "part.mp4"
    whole.write_bytes(get(server, f"clip/door.mp4?from={span[0] + 0.001}&to={span[1] + 1}")[1])
    pictures = digests(whole)
    # In the middle of a group; on a busy machine some arrive at the same time.
    time_s, digest = next(
        one for one, (later_s, _) in itertools.pairwise(pictures[30:]) if later_s - one[0] > 0.02
    )
    begin = span[0] + time_s + 0.01

    began = time.monotonic()
    status, body, headers = get(server, f"clip/door.mp4?from={begin}&to={begin + 2}")
    took_s = time.monotonic() - began

    assert status == 200
    part.write_bytes(body)
    played = digests(part)
    assert played[0] == (0.0, digest)
    assert played[-1][0] < 2.01
    assert 0 < float(probe(part)["duration"]) - played[-1][0] < 0.3
    # The part that both clips cover, as the camera has gone on since.
    expected = [one for one in pictures if time_s <= one[0] <= time_s + 0.01 + 2]
    common = played[: len(expected)]
    assert [one for _, one in common] == [one for _, one in expected]
    times = [at - time_s for at, _ in expected]
    assert [at for at, _ in common] == pytest.approx(times, abs=0.001)
    at = [shown.index(one) for _, one in played]
    assert at == [(at[0] + count) % 50 for count in range(len(at))]
    own = packets(film)
    copied = [own.index(one) for one in packets(part)]
    assert copied[0] % 25 == 0
    assert copied == [(copied[0] + count) % 50 for count in range(len(copied))]
    assert len(copied) > len(played)
    local = time.strftime("%Y-%m-%d %H.%M.%S", time.localtime(begin - 0.01))
    assert headers["Content-Disposition"] == f'attachment; filename="door {local}.mp4"'
    assert int(headers["Content-Length"]) == len(body)
    assert took_s < 5  # It takes milliseconds, plus the busy machine's own delay.


def test_clip_of_jpeg_is_encoded(server: PortholeServer, tmp_path: Path) -> None:
    """It is encoded in the background, reports progress, and has the requested duration."""
    span = span_of(server, "jpeg")
    assert span
    begin, end = span[0] + 0.5, span[0] + 3.5

    status, job = post(server, "api/clips", {"camera": "jpeg", "from": begin, "to": end})
    assert status == 201
    assert (job["done"], job["error"]) == (False, None)
    _, early, _ = get(server, f"clip/{job['id']}.mp4")
    done = wait_until(lambda: ended(server, job["id"]), every_s=0.1)

    assert (done["done"], done["share"], done["error"]) == (True, 1.0, None)
    assert b"not ready" in early
    path = tmp_path / "clip.mp4"
    path.write_bytes(get(server, f"clip/{job['id']}.mp4")[1])
    told = probe(path)
    assert (told["codec_name"], told["pix_fmt"]) == ("h264", "yuv420p")
    assert (told["width"], told["height"]) == (320, 180)
    # A busy machine captures some pictures late.
    assert float(told["duration"]) == pytest.approx(3, abs=1)
    # Players must be able to start before the whole file has arrived.
    body = path.read_bytes()
    assert body.index(b"moov") < body.index(b"mdat")
    # A request without a job gets the same clip, and waits for it.
    status, direct, headers = get(server, f"clip/jpeg.mp4?from={begin}&to={end}")
    assert (status, direct) == (200, body)
    assert headers["Accept-Ranges"] == "bytes"


def ended(server: PortholeServer, key: str) -> dict[str, Any] | None:
    """Return the result of a finished clip; None while it is being made."""
    job: dict[str, Any] = json.loads(get(server, f"api/clips/{key}")[1])
    return job if job["done"] or job["error"] else None


def test_cancelled_clip_is_removed(server: PortholeServer) -> None:
    """No file of it is left, and its work ends."""
    span = span_of(server, "jpeg")
    assert span
    _, job = post(server, "api/clips", {"camera": "jpeg", "from": span[0], "to": span[1]})

    status, answer = post(server, f"api/clips/{job['id']}", {}, "DELETE")

    assert (status, answer["error"]) == (200, "it was cancelled")
    assert get(server, f"api/clips/{job['id']}")[0] == 404
    assert get(server, f"clip/{job['id']}.mp4")[0] == 404
    folder = server.state / "clips"
    wait_until(lambda: not list(folder.glob(f"{job['id']}*")))


def test_clip_supports_range_requests(server: PortholeServer) -> None:
    """A player seeks with range requests, and the ranges match the whole file."""
    span = span_of(server, "door")
    assert span
    path = f"clip/door.mp4?from={span[0] + 1}&to={span[0] + 2}"
    _, whole, headers = get(server, path)

    for asked, begin, end in (("0-99", 0, 100), ("500-", 500, len(whole)), ("-7", -7, len(whole))):
        status, part, told = get(server, path, {"Range": f"bytes={asked}"})
        assert (status, part) == (206, whole[begin:end])
        assert told["Content-Range"].endswith(f"/{len(whole)}")
        assert told["ETag" if "ETag" in told else "Etag"] == headers["Etag"]
    other = {"Range": "bytes=0-9", "If-Range": '"another"'}
    assert get(server, path, other)[:2] == (200, whole)
    assert get(server, path, {"Range": f"bytes={len(whole)}-"})[0] == 416
    status, body, told = get(server, path, method="HEAD")
    assert (status, body, told["Content-Length"]) == (200, b"", str(len(whole)))


@pytest.mark.parametrize(
    ("query", "status", "why"),
    [
        ("from=5&to=4", 400, "before"),
        ("from=0&to=3601", 400, "an hour"),
        ("from=nan&to=5", 400, "Unix seconds"),
        ("from=1&to=inf", 400, "Unix seconds"),
        ("from=1", 400, "'to'"),
        ("from=1&to=2", 404, "there is "),
        ("from=99999999990&to=99999999991", 404, "there is "),
    ],
)
def test_invalid_clip_times_are_rejected_with_the_reason(
    server: PortholeServer, query: str, status: int, why: str
) -> None:
    """A time without pictures is answered with the kept span, an invalid one with what is wrong."""
    answer = get(server, f"clip/door.mp4?{query}")

    assert answer[0] == status
    assert why in answer[1].decode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"camera": "nobody", "from": 1, "to": 2}, 404),
        ({"camera": "jpeg", "from": 1, "to": 2}, 404),
        ({"camera": "jpeg", "from": True, "to": None}, 400),
        ({"camera": ["jpeg"], "from": 1, "to": 2}, 404),
    ],
)
def test_invalid_clip_job_is_rejected_with_the_reason(
    server: PortholeServer, body: object, status: int
) -> None:
    """The answer has a message that the page can show."""
    code, answer = post(server, "api/clips", body)

    assert code == status
    assert answer["message"]


@pytest.mark.parametrize("camera", ["door", "jpeg"])
def test_past_picture_has_the_requested_time_and_width(
    server: PortholeServer, camera: str, tmp_path: Path
) -> None:
    """It is the newest picture at that moment, in the requested width."""
    span = span_of(server, camera)
    assert span
    at = span[0] + 1.5

    status, body, headers = get(server, f"api/cameras/{camera}/picture?at={at}&width=160")

    assert status == 200
    assert headers["Content-Type"] == "image/jpeg"
    assert span[0] - 0.001 <= float(headers["X-Timestamp"]) <= at
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(body)
    told = probe(picture)
    assert (told["codec_name"], told["width"], told["height"]) == ("mjpeg", 160, 90)
    assert get(server, f"api/cameras/{camera}/picture?at={at}&width=0")[0] == 400
    assert get(server, f"api/cameras/{camera}/picture?at={span[1] + 60}")[0] == 200


@pytest.fixture(scope="module")
def recorded(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortholeServer]:
    """Start a server that records a camera and keeps only two seconds of it in memory."""
    folder = tmp_path_factory.mktemp("recorded")
    settings = folder / "porthole.toml"
    settings.write_text(
        f'[[camera]]\nname = "door"\nsource = "file:{film}"\nrecord = "always"\nrewind = 2\n',
        encoding="utf-8",
    )
    server = PortholeServer(
        *("--config", str(settings), "--port", "0"), state=folder / "state", environment={}
    )
    wait_until(lambda: kept(server, "door") > 7, every_s=0.5)
    yield server
    server.end()


def test_clip_spans_disk_and_memory(recorded: PortholeServer, film: Path, tmp_path: Path) -> None:
    """It begins in a recording and ends with frames that are not written yet."""
    span = span_of(recorded, "door")
    assert span
    path = tmp_path / "clip.mp4"

    path.write_bytes(get(recorded, f"clip/door.mp4?from={span[0] + 0.5}&to={span[1]}")[1])

    shown = [digest for _, digest in digests(film)]
    at = [shown.index(one) for _, one in digests(path)]
    assert at == [(at[0] + count) % 50 for count in range(len(at))]
    # The first picture may be a little earlier; memory alone has two or three seconds.
    lasts = float(probe(path)["duration"])
    assert span[1] - span[0] - 0.6 < lasts < span[1] - span[0] + 0.5
    picture = get(recorded, f"api/cameras/door/picture?at={span[0] + 0.5}")
    assert picture[0] == 200
    assert span[0] - 0.001 <= float(picture[2]["X-Timestamp"]) <= span[0] + 0.5
