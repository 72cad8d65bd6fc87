"""The scenarios: one module per question, each with a ``run(stand)`` that yields tables."""

from collections.abc import Callable, Iterator

from bench.scenarios.cameras import (
    cameras,
    cluster,
    idle,
    motion,
    reading,
    recording,
    startup,
    turns,
)
from bench.scenarios.page import browser, seek, tiles
from bench.scenarios.viewers import (
    control,
    crowd,
    memory,
    narrow,
    renditions,
    single,
    slow,
    tls,
    viewers,
)
from bench.support.stand import Stand
from bench.support.table import Table

__all__ = ["SCENARIOS"]

SCENARIOS: dict[str, Callable[[Stand], Iterator[Table]]] = {
    "viewers": viewers.run,
    "single": single.run,
    "tls": tls.run,
    "cameras": cameras.run,
    "reading": reading.run,
    "recording": recording.run,
    "turns": turns.run,
    "renditions": renditions.run,
    "idle": idle.run,
    "slow": slow.run,
    "narrow": narrow.run,
    "control": control.run,
    "crowd": crowd.run,
    "browser": browser.run,
    "tiles": tiles.run,
    "seek": seek.run,
    "memory": memory.run,
    "startup": startup.run,
    "cluster": cluster.run,
    "motion": motion.run,
}
"""The scenarios by name, in the order in which they run."""
