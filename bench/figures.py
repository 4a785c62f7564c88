"""What the benches share: medians, a table, a verdict on a bound, a file of figures."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bound:
    """A figure that must stay at or under a limit."""

    what: str
    figure: float
    limit: float
    unit: str = ""

    @property
    def kept(self) -> bool:
        return self.figure <= self.limit

    def __str__(self) -> str:
        word = "kept" if self.kept else "BROKEN"
        return f"{word:>6}  {self.what}: {self.figure:.3g}{self.unit}, at most {self.limit:.3g}{self.unit}"


def median(figures: Sequence[float]) -> float:
    return statistics.median(figures)


def spread(figures: Sequence[float], unit: str = "s") -> str:
    """Return the median and the range of some figures in a few words."""
    if len(figures) == 1:
        return f"{figures[0]:.2f} {unit}"
    return f"{median(figures):.2f} {unit} ({min(figures):.2f} to {max(figures):.2f})"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table, the first row its head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def conclude(bounds: Sequence[Bound], figures: Mapping[str, object], path: Path | None) -> int:
    """Print the bounds, write everything as JSON if asked; return 1 if one is broken."""
    print()
    for bound in bounds:
        print(bound)
    if path is not None:
        told = {**figures, "bounds": [{**asdict(b), "kept": b.kept} for b in bounds]}
        path.write_text(json.dumps(told, indent=2) + "\n")
    return 0 if all(bound.kept for bound in bounds) else 1
