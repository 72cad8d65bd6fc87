"""What does each size cost, with thirty viewers of a 720p30 camera in one size or several?"""

from collections.abc import Iterator
from statistics import median

from bench.support.load import Group, Window
from bench.support.stand import Stand
from bench.support.table import Table, spread

__all__ = ["run"]

MIXES: tuple[tuple[str, dict[str, int]], ...] = (
    ("all full", {"full": 30}),
    ("three sizes", {"full": 10, "640": 10, "320": 10}),
    ("all 320", {"320": 30}),
)


def run(stand: Stand) -> Iterator[Table]:
    """Measure each mix, with the test pattern and with a camera's own JPEG."""
    table = Table(
        "Renditions: 30 viewers of one camera, 1280x720 at 30 fps",
        (
            "source",
            "viewers",
            "server cores",
            "encoded per captured frame",
            "kB a frame: full / 640 / 320",
            "fps median",
        ),
    )
    for title, mix in MIXES:
        stand.say(f"renditions, encoding, {title}")
        with stand.porthole(stand.content.source) as server:
            table.add("test pattern", title, *_cells(stand.measure(server, *_groups(stand, mix))))
    for title, mix in MIXES:
        stand.say(f"renditions, passed through, {title}")
        with stand.camera() as url, stand.porthole(f"test={url}") as server:
            table.add("camera's JPEG", title, *_cells(stand.measure(server, *_groups(stand, mix))))
    table.notes = [
        "A size that nobody watches is not made. A camera's own JPEG is passed through in full "
        "size; for smaller sizes its process also decodes it, at half or quarter size if enough."
    ]
    yield table


def _groups(stand: Stand, mix: dict[str, int]) -> list[Group]:
    return [
        Group(rendition, count, rendition=rendition, ack_every=stand.ack_every)
        for rendition, count in mix.items()
    ]


def _cells(windows: list[Window]) -> list[object]:
    cameras = [next(iter(w.stats["cameras"].values())) for w in windows if w.stats]
    crews = [crew for window in windows for crew in window.groups.values()]
    encoded = [camera["encoded_fps"] / camera["captured_fps"] for camera in cameras]
    return [
        spread([window.server_cores for window in windows], 2),
        f"{median(encoded):.2f}" if encoded else None,
        " / ".join(_kilobytes(cameras, name) for name in ("full", "640", "320")),
        f"{median(crew.fps_median for crew in crews):.1f}",
    ]


def _kilobytes(cameras: list[dict[str, object]], rendition: str) -> str:
    """Return the size of a frame in kB, from the rates of the rendition."""
    sizes = []
    for camera in cameras:
        room = camera["renditions"].get(rendition)  # type: ignore[attr-defined]
        if room and room["fps"]:
            sizes.append(room["kbps"] / 8 / room["fps"] / room["viewers"])
    return f"{median(sizes):.1f}" if sizes else "–"
