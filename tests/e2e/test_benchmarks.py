"""`python -m benchmarks` runs, keeps what it found, and says by its exit status if bounds held.

Whether the bounds hold is not asked here: the machine is busy with other tests.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.processes import DEADLINE_S, ROOT
from benchmarks.results import Result


def benchmarks(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


def test_list_names_all_of_them() -> None:
    ended = benchmarks("--list")

    assert ended.returncode == 0
    names = [line.split()[0] for line in ended.stdout.splitlines()]
    assert names == ["campaign", "throughput", "latency", "routes", "wire", "urgent"]


@pytest.mark.parametrize("wrong", [["nonsense"], ["routes", "--window", "5"], ["--cuont", "5"]])
def test_wrong_usage_is_known_before_anything_runs(wrong: list[str]) -> None:
    ended = benchmarks(*wrong)

    assert ended.returncode == 2
    assert ended.stdout == ""


def test_result_has_its_circumstances_and_the_exit_status_its_verdict(tmp_path: Path) -> None:
    ended = benchmarks("throughput", "--count", "1000", "--results", str(tmp_path))

    result = json.loads((tmp_path / "throughput.json").read_text(encoding="utf-8"))
    assert ended.returncode == (0 if result["well"] else 1), ended.stderr
    assert set(result) >= {"machine", "commit", "date", "command", "settings", "numbers", "bounds"}
    assert set(result["machine"]) >= {"cpu", "cores", "memory_mb", "kernel", "python", "uvloop"}
    assert result["settings"]["count"] == 1000
    assert result["numbers"]["router_us"]["median"] > 0
    assert {bound["what"] for bound in result["bounds"]} == {
        "messages per second",
        "router us per message",
    }


def test_bound_that_does_not_hold_makes_the_result_unwell() -> None:
    result = Result("one", {})
    result.at_most("seconds", 6.75, 6.75)
    result.at_least("messages", 1000, 1000)
    assert result.well

    result.at_least("receipts", 999, 1000)

    assert not result.well
    assert str(result.bounds[-1]).startswith("SHORT")
