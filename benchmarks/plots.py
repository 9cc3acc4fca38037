"""Draws what the kept results say: `python -m benchmarks.plots` writes `results/*.svg`.

Needs matplotlib: pip install -e .[plots]. The figures are those of the JSON files, none is measured
here.
"""

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.results import RESULTS

SIZE: Final = (8.0, 4.5)


def main() -> int:
    """Draw all that there are results for."""
    try:
        plt: Any = importlib.import_module("matplotlib.pyplot")
    except ModuleNotFoundError:
        print("matplotlib is not installed: pip install -e .[plots]", file=sys.stderr)
        return 1
    plt.rcParams["svg.hashsalt"] = "smpp-router"  # The same results make the same file.
    for name, draw in DRAWN.items():
        numbers = _numbers(name)
        if not numbers:
            continue  # Results that are older than their slices.
        figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
        draw(axes, numbers)
        drawn = RESULTS / f"{name}.svg"
        figure.savefig(drawn, metadata={"Date": None})
        plt.close(figure)
        print(_shown(drawn))
    return 0


def _numbers(name: str) -> Mapping[str, Any]:
    """Of one result; of throughput, the slices of all its kept variants, by name."""
    if name != "throughput":
        path = RESULTS / f"{name}.json"
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["numbers"]
        return found
    results = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))["numbers"]
        for path in sorted(RESULTS.glob("throughput*.json"))
    }
    return {name: one["slice_us"] for name, one in results.items() if "slice_us" in one}


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _rates(axes: Any, numbers: Mapping[str, Any]) -> None:  # noqa: ANN401 - An optional library's.
    cases = list(numbers["idle"])
    for at, (name, label) in enumerate((("idle", "as it is"), ("busy", "both cores kept busy"))):
        use = [numbers[name][case]["use_percent"] for case in cases]
        axes.barh([place + 0.4 * at for place in range(len(cases))], use, 0.4, label=label)
    axes.set_yticks([place + 0.2 for place in range(len(cases))], cases)
    axes.set_xlim(95, 101)
    axes.axvline(99.5, color="grey", linestyle="--", label="99.5 %")
    axes.set_xlabel("% of the contracted rate that is used")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def _urgent(axes: Any, numbers: Mapping[str, Any]) -> None:  # noqa: ANN401 - The same.
    longest = max((row["otp_waits"] for row in numbers.values()), key=len)
    for name, row in numbers.items():
        counts = [row["otp_waits"].get(step, 0) for step in longest]
        shares = [100 * sum(counts[: at + 1]) / sum(counts) for at in range(len(counts))]
        axes.plot(list(longest), shares, marker="o", label=name)
    axes.set_xlabel("accepted to written, within")
    axes.set_ylabel("% of one-time passwords behind 100,000 bulk messages")
    axes.set_ylim(0, 102)
    axes.legend(loc="lower right")


def _fair(axes: Any, numbers: Mapping[str, Any]) -> None:  # noqa: ANN401 - The same.
    names = list(numbers["ideal_s"])
    for at, (key, label) in enumerate((("ideal_s", "ideal"), ("last_receipt_after_s", "measured"))):
        times_s = [numbers[key][name] for name in names]
        axes.barh([place + 0.4 * at for place in range(len(names))], times_s, 0.4, label=label)
    axes.set_yticks([place + 0.2 for place in range(len(names))], names)
    axes.set_xscale("log")
    axes.set_xlabel("seconds until the last receipt of an account's campaign")
    axes.legend(loc="lower right")


def _throughput(axes: Any, numbers: Mapping[str, Any]) -> None:  # noqa: ANN401 - The same.
    for name, slices in numbers.items():
        ends = [int(end) / 1000 for end in slices]
        costs = [slices[end] for end in slices]
        axes.plot(ends, [cost["median"] for cost in costs], marker="o", label=name)
        axes.fill_between(
            ends, [cost["min"] for cost in costs], [cost["max"] for cost in costs], alpha=0.2
        )
    axes.set_xlabel("thousands of messages; each point is one slice, the first the coldest")
    axes.set_ylabel("us of router CPU per message (median, smallest, largest)")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right")


DRAWN: Final = {
    "rates": _rates,
    "urgent": _urgent,
    "fair": _fair,
    "throughput": _throughput,
}


if __name__ == "__main__":
    raise SystemExit(main())
