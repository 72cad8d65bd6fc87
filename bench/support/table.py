"""Tables in Markdown, ready for docs/performance.md."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan

__all__ = ["Table", "quantile", "spread"]


@dataclass
class Table:
    """One table with its title and notes."""

    title: str
    columns: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """Add a row; None becomes a dash."""
        assert len(cells) == len(self.columns), cells
        self.rows.append(["–" if cell is None else str(cell) for cell in cells])

    def __str__(self) -> str:
        lines = [f"### {self.title}", ""]
        lines += [_row(self.columns), "|" + "---|" * len(self.columns)]
        lines += map(_row, self.rows)
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of all values do not exceed; 0 without values."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return the median of repeats, with the minimum and maximum if they differ.

    NaN, from a repeat with nothing to measure, is skipped.
    """
    known = [value for value in values if not isnan(value)]
    if not known:
        return "nothing arrived"
    middle, low, high = (
        f"{value:.{digits}f}" for value in (statistics.median(known), min(known), max(known))
    )
    return middle if low == high else f"{middle} ({low}–{high})"
