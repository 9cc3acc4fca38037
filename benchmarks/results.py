"""What a benchmark found: its numbers, the bounds it had to keep, and the file they go to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.machine import circumstances

RESULTS: Final = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Bound:
    """One thing that had to hold."""

    what: str
    value: float
    limit: float
    at_most: bool = True
    """Whether the value had to stay under the limit, or reach it."""

    @property
    def holds(self) -> bool:
        """Whether it did."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def __str__(self) -> str:
        sign = "<=" if self.at_most else ">="
        verdict = "ok   " if self.holds else "SHORT"
        return f"{verdict}  {self.what}: {self.value:g} ({sign} {self.limit:g})"


@dataclass(slots=True)
class Result:
    """What one benchmark found."""

    name: str
    settings: dict[str, object]
    numbers: dict[str, object] = field(default_factory=dict)
    bounds: list[Bound] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether every bound holds."""
        return all(bound.holds for bound in self.bounds)

    def at_most(self, what: str, value: float, limit: float) -> None:
        """`value` has to stay at or under `limit`."""
        self.bounds.append(Bound(what, value, limit))

    def at_least(self, what: str, value: float, limit: float) -> None:
        """`value` has to reach `limit`."""
        self.bounds.append(Bound(what, value, limit, at_most=False))

    def document(self) -> dict[str, object]:
        """Return the result and its circumstances as a JSON document."""
        return {
            "benchmark": self.name,
            "well": self.well,
            **circumstances(),
            "settings": self.settings,
            "numbers": self.numbers,
            "bounds": [
                {
                    "what": bound.what,
                    "value": bound.value,
                    "at_most" if bound.at_most else "at_least": bound.limit,
                    "holds": bound.holds,
                }
                for bound in self.bounds
            ],
        }

    def save(self, folder: Path) -> Path:
        """Write `NAME.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        text = json.dumps(self.document(), indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        return path

    def print(self) -> None:
        """Show it to people."""
        print(f"\n{self.name}")
        for line in table(self.numbers):
            print(f"  {line}")
        for bound in self.bounds:
            print(f"  {bound}")


def table(numbers: dict[str, object], indent: str = "") -> list[str]:
    """Lines for people: one per number, the parts of a part indented."""
    width = max((len(key) for key in numbers), default=0)
    lines: list[str] = []
    for key, value in numbers.items():
        if isinstance(value, dict) and any(isinstance(part, dict) for part in value.values()):
            lines += [f"{indent}{key}", *table(value, indent + "  ")]
        elif isinstance(value, dict):
            parts = "  ".join(f"{name} {_shown(part)}" for name, part in value.items())
            lines.append(f"{indent}{key:<{width}}  {parts}")
        else:
            lines.append(f"{indent}{key:<{width}}  {_shown(value)}")
    return lines


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def spread(values: Sequence[float], digits: int = 1) -> dict[str, float]:
    """Median, smallest and largest of several runs."""
    return {
        "median": round(median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }
