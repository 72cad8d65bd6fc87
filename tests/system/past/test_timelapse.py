"""Films of jobs, and recordings of cameras without video, in a real server; checked with FFmpeg."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from tests.support.servers.server import PortholeServer, wait_until

Start = Callable[..., PortholeServer]

SETTINGS = """
[[camera]]
name = "printer"
source = "test:?size=320x180"
fps = 5
record = "always"
timelapse = 0.25
"""


def ask(server: PortholeServer, path: str, body: Any = None) -> tuple[int, Any]:
    """Return a response's status and JSON; with a body, send a POST."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        server.url + path, data, {"Content-Type": "application/json"} if data else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def recordings(server: PortholeServer, reason: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(server, "api/recordings")[1]["recordings"]
    return [one for one in found if one["reason"] == reason]


def films(server: PortholeServer) -> list[dict[str, Any]]:
    """Return the events of films, the newest first."""
    found: list[dict[str, Any]] = ask(server, "api/events?label=timelapse")[1]["events"]
    return found


def pictures_in(server: PortholeServer, recording: str, folder: Path) -> tuple[str, int]:
    """Return a recording's codec and number of decodable pictures."""
    path = folder / "recording.mp4"
    with urllib.request.urlopen(f"{server.url}recording/{recording}.mp4") as answer:
        path.write_bytes(answer.read())
    told = subprocess.check_output(
        (
            *("ffprobe", "-v", "error", "-count_frames", "-of", "json"),
            *("-show_entries", "stream=codec_name,nb_read_frames", str(path)),
        )
    )
    (stream,) = json.loads(told)["streams"]
    return stream["codec_name"], int(stream["nb_read_frames"])


def test_print_job_becomes_a_timelapse_film(start_server: Start, tmp_path: Path) -> None:
    """A printer's job becomes a film that plays while it is made, beside the recording.

    The camera has no video and is recorded all the while. After kill -9 the same film goes on in
    one more file; when the job is done, the day's film goes on.
    """
    settings = tmp_path / "porthole.toml"
    settings.write_text(SETTINGS)
    server = start_server("--config", str(settings))

    status, answer = ask(server, "api/timelapse/printer", {"job": "benchy"})
    assert (status, answer) == (200, {"camera": "printer", "job": "benchy"})

    def film() -> dict[str, Any] | None:
        state = ask(server, "api/cameras")[1][0]
        told: dict[str, Any] | None = state["timelapse"]
        return told

    wait_until(lambda: (film() or {}).get("pictures", 0) >= 4, 40)
    assert {**film(), "pictures": 4} == {  # type: ignore[dict-item]
        "film": "benchy",
        "job": "benchy",
        "every": 0.25,
        "pictures": 4,
    }
    newest = recordings(server, "timelapse")[0]
    assert newest["open"]
    codec, pictures = pictures_in(server, newest["id"], tmp_path)
    assert codec == "h264"
    assert pictures >= 3

    server.kill()
    server = start_server("--config", str(settings))
    wait_until(lambda: (film() or {}).get("pictures", 0) >= 2, 40)
    wait_until(lambda: len(recordings(server, "timelapse")) == 2, 40)  # It is on disk by then.
    again = recordings(server, "timelapse")
    assert [(one["film"], one["open"]) for one in again] == [("benchy", True), ("benchy", False)]
    assert again[1]["id"] == newest["id"]
    (event,) = films(server)
    assert event["film"] == "benchy"
    # A starting server closes all open events; the film then continued.
    wait_until(lambda: films(server)[0]["to"] is None, 10)
    assert newest["from"] <= event["from"] <= again[0]["from"]
    newest = again[0]

    assert ask(server, "api/timelapse/printer", {"job": None})[0] == 200
    wait_until(lambda: not _open(server, newest["id"]), 10)
    wait_until(lambda: len(films(server)) == 2, 40)
    day, job = films(server)
    assert (job["id"], job["to"] is None) == (event["id"], False)
    assert (day["film"], day["to"]) == (date.today().isoformat(), None)
    wait_until(lambda: bool(recordings(server, "always")), 40)
    codec, pictures = pictures_in(server, recordings(server, "always")[0]["id"], tmp_path)
    assert codec == "h264"
    assert pictures >= 1


def _open(server: PortholeServer, recording: str) -> bool:
    return any(one["open"] for one in recordings(server, "timelapse") if one["id"] == recording)


def test_invalid_timelapse_jobs_are_rejected(start_server: Start) -> None:
    """An invalid job gets 422, and an unknown camera 404.

    Slicers name their files by model, layer, filament, printer and time: those are valid names.
    """
    server = start_server("printer=test:")

    assert ask(server, "api/timelapse/printer", {"job": "x" * 121})[0] == 422
    assert ask(server, "api/timelapse/printer", {})[0] == 422
    assert ask(server, "api/timelapse/nosuch", {"job": "a"})[0] == 404
    name = "bracket v3 left_0.2mm_0.4n_PETG_MK4S_11h27m.gcode"
    assert ask(server, "api/timelapse/printer", {"job": name}) == (
        200,
        {"camera": "printer", "job": name},
    )
    assert ask(server, "api/timelapse/printer", {"job": ""}) == (
        200,
        {"camera": "printer", "job": None},
    )
