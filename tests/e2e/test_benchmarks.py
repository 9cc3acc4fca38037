"""`python -m benchmarks` runs, keeps what it found, and says by its exit status if bounds held.

Whether the bounds hold is not asked here: the machine is busy with other tests.
"""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import connections, kill, overload, stand
from benchmarks.__main__ import main
from benchmarks.load import Case, measure, slices_us
from benchmarks.processes import DEADLINE_S, ROOT, ChildError, number
from benchmarks.results import Result
from benchmarks.where import LOOP, OTHERS, shares
from router.telemetry.core import COMPILED, INTERPRETED, running


def test_list_names_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0

    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    files = (ROOT / "benchmarks").glob("*.py")
    assert set(names) == {f.stem for f in files if "\nSUMMARY: Final = " in f.read_text()}
    assert len(names) > 5


@pytest.mark.parametrize("wrong", [["nonsense"], ["routes", "--window", "5"], ["--cuont", "5"]])
def test_wrong_usage_is_known_before_anything_runs(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)

    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


def test_result_has_its_circumstances_and_the_exit_status_its_verdict(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "wire", "--count", "200", "--results", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )

    (kept,) = tmp_path.glob("wire*.json")  # The compiled core's has another name.
    result = json.loads(kept.read_text(encoding="utf-8"))
    assert ended.returncode == (0 if result["well"] else 1), ended.stderr
    assert set(result) >= {"machine", "commit", "date", "command", "settings", "numbers", "bounds"}
    assert set(result["machine"]) >= {"cpu", "cores", "memory_mb", "kernel", "python", "uvloop"}
    assert result["machine"]["core"] == running()
    assert result["settings"]["count"] == 200
    assert all(us > 0 for us in result["numbers"]["router_us"].values())


def test_result_of_another_core_than_asked_for_is_not_kept(tmp_path: Path) -> None:
    other = COMPILED if running() == INTERPRETED else INTERPRETED
    arguments = ["wire", "--core", other, "--count", "200", "--results", str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )

    assert ended.returncode == 1
    assert f"measured the {running()} core, not the {other} one" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_bound_that_does_not_hold_makes_the_result_unwell() -> None:
    result = Result("one", {})
    result.at_most("seconds", 6.75, 6.75)
    result.at_least("messages", 1000, 1000)
    assert result.well

    result.at_least("receipts", 999, 1000)

    assert not result.well
    assert str(result.bounds[-1]).startswith("SHORT")


def test_message_sent_twice_belongs_to_the_kill_before_its_bind() -> None:
    binds = [
        {"first_submit_s": at, "repeated": repeated}
        for at, repeated in ((0.5, 0), (10.5, 3), (10.6, 4), (20.5, 0), (30.5, 1), (None, 0))
    ]
    counted = {"started_monotonic_s": 100.0, "binds": binds}

    assert kill.repeated_by_kill(counted, [110.0, 120.0, 130.0]) == [7, 0, 1]


def test_message_sent_twice_without_a_kill_is_an_error() -> None:
    counted = {"started_monotonic_s": 100.0, "binds": [{"first_submit_s": 0.5, "repeated": 1}]}

    with pytest.raises(ChildError):
        kill.repeated_by_kill(counted, [110.0])


ROUTER_ELSEWHERE = """\
import json
print(json.dumps({"event": "router.ready", "listeners": ["h:7"], "telemetry": "http://h:8/"}))
"""


def test_router_comes_from_the_tree_that_it_is_started_from(
    stack: ExitStack, tmp_path: Path
) -> None:
    package = tmp_path / "router" / "wiring"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").touch()
    (package / "cli.py").write_text(ROUTER_ELSEWHERE, encoding="utf-8")

    with stand.started_from(stand.Program(tmp_path)):
        elsewhere = stand.router(stack, "", tmp_path)

    assert (elsewhere.ports, elsewhere.telemetry, elsewhere.control) == ([7], "h:8", "h:8")


def test_tree_without_a_router_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ChildError, match="is not that of"),
        stand.started_from(stand.Program(tmp_path)),
    ):
        pass


def test_cost_of_a_slice_is_what_was_used_since_the_last_by_what_was_done_since() -> None:
    done = {100: 100.0, 200: 210.0, 300: 300.0}
    used_s = iter((5.0, 5.001, 5.0043, 5.0052))

    costs_us = slices_us(done.__getitem__, lambda: next(used_s), 350, 100)

    assert costs_us == pytest.approx([10.0, 30.0, 10.0])


def test_run_is_measured_slice_by_slice() -> None:
    case = Case(journal="sqlite", client_binds=2, accounts=2, segments=3)

    measured = measure(case, 1500, 300)

    # So small slices may fall together: the client tells of two at once.
    assert 1 <= len(measured.slices_us) <= 5
    assert measured.numbers["rate_per_s"] > 0


@pytest.mark.skipif(running() != INTERPRETED, reason="a journal is slowed in the sources")
@pytest.mark.parametrize(
    "way",
    [
        way if way == "journal" else pytest.param(way, marks=pytest.mark.long)
        for way in overload.WAYS
    ],
)
def test_overloaded_router_loses_nothing_that_it_has_acknowledged(way: overload.Way) -> None:
    found = overload.under(way, seconds=1, share=0.25)

    assert number(found, "one greedy", "offered_per_s", "greedy") > number(found, "best_per_s")
    assert number(found, "half", "accepted_per_s", "otp") > 0
    lost = [found[what] for what in ("without_receipt", "unanswered", "unknown_receipts")]
    assert lost == [0, 0, 0]


def test_bounds_of_an_overload_are_judged_for_each_way_and_phase() -> None:
    phase = {
        "share_of_best": 1.1,
        "accepted_p99_ms": 2000.0,
        "urgent_answer_p99_ms": 100.0,
        "urgent_receipt_p99_ms": 200.0,
        "least_of_offered": 1.0,
        "least_to_most": 0.9,
    }
    found: dict[str, object] = dict.fromkeys(overload.PHASES, phase)
    found |= {"grown_mb": 20.0, "recovered_s": 2}
    found |= dict.fromkeys(("without_receipt", "unanswered", "unknown_receipts"), 0)
    well, unwell = Result("overload", {}), Result("overload", {})

    overload.judge(well, "lanes", found)
    overload.judge(unwell, "lanes", {**found, "all alike": {**phase, "urgent_answer_p99_ms": 201}})

    assert well.well
    short = [str(bound) for bound in unwell.bounds if not bound.holds]
    assert short == ["SHORT  lanes, all alike: urgent_answer_p99_ms, times that at 1x: 2.01 (<= 2)"]


def test_shares_are_told_by_thread_and_part() -> None:
    report = [
        "# Overhead;    Pid:Command;Shared Object;Symbol",
        " 50.00% ;     7:python ;smpp_router__mypyc.so ;[.] CPyDef_commits___Commits___flush ",
        " 20.00% ;     7:python ;smpp_router__mypyc.so ;[.] CPyDef_steps___receipts___Told___f ",
        "  5.00% ;     7:python ;smpp_router__mypyc.so ;[.] CPyDict_Get",
        " 15.00% ;     8:python ;libsqlite3.so.0.8.6   ;[.] sqlite3_step",
        " 10.00% ;     8:python ;[kernel.kallsyms]     ;[k] fdatasync",
        "",
    ]

    assert shares(report, 7) == pytest.approx(
        {
            (LOOP, "core: commits"): 0.5,
            (LOOP, "core: steps.receipts"): 0.2,
            (LOOP, "the core: what mypyc calls"): 0.05,
            (OTHERS, "SQLite and its binding"): 0.15,
            (OTHERS, "kernel"): 0.1,
        }
    )


QUICK = ("unread", "storm", "comers")
CROWDS = [
    pytest.param(one, id=one.kind, marks=[] if one.kind in QUICK else pytest.mark.long)
    for one in connections.SCENARIOS
]


@pytest.mark.parametrize("one", CROWDS)
def test_good_client_is_served_beside_any_crowd(one: connections.Scenario) -> None:
    found = connections.beside(one, 10, 1)

    assert found["refused"] == {}
    assert number(found, "response_ms", "p99") > 0
    assert number(found, "beats") > 0
    if one.kind != "idle":
        assert number(found, "crowd", "connections") >= 10
        assert number(found, "crowd", "refused") == 0
    left = {"idle": 10, "storm": 10, "gone": 0, "comers": 0}
    if one.kind in left:
        assert found["binds_left"] == left[one.kind]
