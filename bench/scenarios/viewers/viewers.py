"""What does a delivered frame cost, with one camera at 720p30 and more and more viewers?"""

from collections.abc import Iterator
from math import nan
from statistics import median

from bench.support.content import Content
from bench.support.load import RARE_ACKS, Group, Window, lag_p99_max
from bench.support.process import Server
from bench.support.stand import SETTLE_S, Stand
from bench.support.table import Table, spread

__all__ = ["run"]

COLUMNS = (
    "server",
    "viewers",
    "µs per frame",
    "× floor",
    "fps min / median",
    "distinct / s",
    "missing",
    "repeated",
    "age ms p50 / p99",
    "hub lag ms p99 / max",
    "cores: server / client / others",
)

# The video that viewers decode, and how many frames one acknowledgement covers at most.
VIDEO = ("h264",)
RARE_VIDEO_ACKS = 6
# A viewer that joins in the middle of a group of two seconds may get JPEG until the next one.
VIDEO_SETTLE_S = 5.0

# More viewers would only show again that the recipes cannot serve them, and would take minutes.
FOR_THE_RECIPES = (10, 100)
FOR_THE_QUESTION = (1, 10)

# Above this the client itself may limit the figures of its row.
SATURATED_CORES = 0.9


def run(stand: Stand) -> Iterator[Table]:
    """Measure Porthole passing through and encoding, and every reference."""
    table = Table("Server CPU per delivered frame, one camera, 1280x720 at 30 fps", COLUMNS)
    shares = Table(
        "Encoding: where the CPU time of a delivered frame goes",
        ("viewers", "µs per frame", "drawing the pattern", "JPEG encoding", "everything else"),
    )
    film = stand.content.film()
    floor: dict[tuple[int, bool], float] = {}

    def measure(
        name: str,
        server: Server,
        count: int,
        kind: str = "socket",
        ack_every: int = stand.ack_every,
        video: tuple[str, ...] = (),
    ) -> list[Window]:
        stand.say(f"{name}, {count} viewers")
        group = Group("all", count, kind, ack_every=ack_every, video=video)
        windows = stand.measure(server, group, settle_s=VIDEO_SETTLE_S if video else SETTLE_S)
        cost = _cost(windows)
        same_bytes = count, bool(video)
        floor.setdefault(same_bytes, cost)  # The floor is measured first.
        table.add(*_cells(name, count, windows, cost / floor[same_bytes]))
        return windows

    for count in stand.viewers:
        with stand.reference("floor") as server:
            measure("floor", server, count, ack_every=1)
        with stand.reference("floor", "--video") as server:
            measure("floor of H.264", server, count, ack_every=1, video=VIDEO)
    for count in stand.viewers:
        with stand.porthole(f"test=file:{film}") as server:
            name = f"Porthole, H.264 passed through, an acknowledgement for {RARE_VIDEO_ACKS}"
            measure(name, server, count, ack_every=RARE_VIDEO_ACKS, video=VIDEO)
    for count in stand.viewers:
        with stand.camera() as url, stand.porthole(f"test={url}") as server:
            name = f"Porthole, passed through, an acknowledgement for {RARE_ACKS}"
            measure(name, server, count, ack_every=RARE_ACKS)
    for count in stand.viewers:
        with stand.camera() as url, stand.porthole(f"test={url}") as server:
            measure("Porthole, passed through", server, count)
    for count in stand.viewers:
        with stand.porthole(stand.content.source) as server:
            windows = measure("Porthole, encoding", server, count)
            shares.add(count, *_shares(windows, stand.content))
    for count in _among(stand.viewers, FOR_THE_RECIPES):
        with stand.porthole(stand.content.source) as server:
            measure("Porthole, encoding, MJPEG", server, count, "mjpeg")
        with stand.reference("classic") as server:
            measure("classic recipe: one encode, a thread per viewer", server, count, "mjpeg")
        with stand.reference("stock") as server:
            measure("stock Flask-SocketIO on eventlet", server, count)
    for count in _among(stand.viewers, FOR_THE_QUESTION):
        with stand.reference("question") as server:
            measure("as asked: an encode loop per viewer, threads", server, count, "mjpeg")
        with stand.reference("question", "--eventlet") as server:
            measure("as asked, on eventlet", server, count, "mjpeg")

    table.notes = [
        "A frame is *missing* if the camera had it and a viewer did not get it, counted over all "
        "viewers and windows; it is *repeated* if it came again, or after a newer one.",
        "H.264 is compared with the floor for H.264, everything else with the floor for JPEG.",
        "The references take their pictures from memory; Porthole's encoding rows include drawing "
        "the test pattern, and its pass-through rows include reading the camera's stream.",
    ]
    yield table
    shares.notes = [
        f"Drawing a picture takes {stand.content.draw_ms or 0:.1f} ms of CPU time and encoding it "
        f"{stand.content.encode_ms:.1f} ms, both measured on one thread before the run. All "
        "viewers share this cost."
    ]
    yield shares


def _among(viewers: tuple[int, ...], wanted: tuple[int, ...]) -> list[int]:
    """Return the wanted counts that are also measured for the floor."""
    return [count for count in viewers if count in wanted]


def _cells(name: str, count: int, windows: list[Window], ratio: float) -> list[object]:
    crews = [window.groups["all"] for window in windows]
    client = median(window.client_cores for window in windows)
    saturated = " **(saturated)**" if client > SATURATED_CORES else ""
    ended = sum(crew.ended for crew in crews[-1:])
    return [
        name + (f" ({ended} connections ended)" if ended else ""),
        count,
        spread([window.us_per_frame for window in windows]),
        f"{ratio:.2f}",
        f"{min(crew.fps_min for crew in crews):.1f} / {median(c.fps_median for c in crews):.1f}",
        f"{median(crew.distinct_median for crew in crews):.1f}",
        sum(crew.missing for crew in crews),
        sum(crew.repeated for crew in crews),
        f"{median(c.age_p50_ms for c in crews):.1f} / {median(c.age_p99_ms for c in crews):.1f}",
        lag_p99_max(windows),
        f"{median(window.server_cores for window in windows):.2f} / {client:.2f}{saturated} / "
        f"{median(window.other_cores for window in windows):.2f}",
    ]


def _cost(windows: list[Window]) -> float:
    costs = [window.us_per_frame for window in windows if window.frames]
    return median(costs) if costs else nan


def _shares(windows: list[Window], content: Content) -> list[object]:
    """Split the cost of a delivered frame; the cost of a picture is shared by all its viewers."""
    cost = _cost(windows)
    rate = median(window.frames / window.seconds for window in windows)
    stats = next((window.stats for window in reversed(windows) if window.stats), None)
    if not stats or not rate:
        return [f"{cost:.1f}", None, None, None]
    camera = next(iter(stats["cameras"].values()))
    drawing = (content.draw_ms or 0) * 1000 * camera["captured_fps"] / rate
    encoding = content.encode_ms * 1000 * camera["encoded_fps"] / rate
    rest = cost - drawing - encoding
    return [f"{cost:.1f}", f"{drawing:.1f}", f"{encoding:.1f}", f"{rest:.1f}"]
