"""router/wiring/status_page.py: with many binds and accounts trouble is on top, and all fits."""

from copy import deepcopy

import pytest

from router.telemetry.document import Snapshot
from router.telemetry.status import snapshot
from router.telemetry.verdict import problems
from router.wiring.status_page import SORTS, Look, page
from tests.unit.telemetry.running import ELISA, TELIA, FakeRouter

BINDS, ACCOUNTS = 80, 300


@pytest.fixture
def status() -> Snapshot:
    """Eighty binds, of which two are down, and 300 accounts, of which the last is the busiest."""
    router = FakeRouter()
    for name in (TELIA, ELISA):
        for number in range(len(router.journey.operators[name].binds)):
            router.bring_up(name, number)
    found = snapshot(router)
    telia = found["operators"][0]
    first, account = telia["binds"][0], found["accounts"][0]
    telia["binds"] = [deepcopy(first) for _ in range(BINDS)]
    for number, bind in enumerate(telia["binds"]):
        bind["name"] = f"telia-{number}"
    for number in (33, 66):
        telia["binds"][number].update({"up": False, "state": "down", "trouble": "lost"})
    found["accounts"] = [deepcopy(account) for _ in range(ACCOUNTS)]
    for number, one in enumerate(found["accounts"]):
        one["name"] = f"client-{number}"
        one["now"]["in_per_s"] = float(number)
        one["waiting"] = ACCOUNTS - number
    found["problems"] = problems(found)
    return found


def lines_of(status: Snapshot, look: Look) -> list[str]:
    return [str(line) for line in page(status, look)]


def firsts(lines: list[str], begin: str) -> list[str]:
    """The first word of each row that begins so."""
    return [line.split()[0] for line in lines if line.startswith(begin)]


@pytest.mark.parametrize("height", [24, 40, 60])
@pytest.mark.parametrize("width", [80, 120])
def test_page_fits_the_terminal_and_says_how_many_more_there_are(
    status: Snapshot, height: int, width: int
) -> None:
    lines = lines_of(status, Look(width=width, height=height))
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    shown = len(firsts(lines, "client-"))
    assert f"  and {ACCOUNTS - shown} more: --all" in lines
    assert "telia: 2 of 80 binds down" in "".join(lines)


def test_binds_in_trouble_and_the_busiest_accounts_come_first(status: Snapshot) -> None:
    lines = lines_of(status, Look(width=80, height=40))
    assert firsts(lines, "telia-")[:3] == ["telia-33", "telia-66", "telia-0"]
    assert firsts(lines, "client-")[:2] == ["client-299", "client-298"]


def test_account_in_trouble_goes_before_the_busiest(status: Snapshot) -> None:
    quiet = status["accounts"][5]
    quiet["outbox"] = quiet["outbox_messages"]
    assert firsts(lines_of(status, Look(width=80, height=40)), "client-")[0] == "client-5"


def test_all_rows_are_shown_where_they_are_asked_for(status: Snapshot) -> None:
    lines = lines_of(status, Look(width=80, height=24, whole=True))
    assert len(firsts(lines, "client-")) == ACCOUNTS
    assert len(firsts(lines, "telia-")) == BINDS
    assert not any("more: --all" in line for line in lines)


def test_without_a_terminal_the_page_is_short_all_the_same(status: Snapshot) -> None:
    lines = lines_of(status, Look(width=80))
    assert len(lines) < 80
    assert len(firsts(lines, "client-")) == 12


@pytest.mark.parametrize(
    ("sort", "first"),
    [("name", "client-0"), ("waiting", "client-0"), ("rate", "client-299")],
)
def test_accounts_are_sorted_as_is_asked_for(status: Snapshot, sort: str, first: str) -> None:
    assert sort in SORTS
    lines = lines_of(status, Look(width=80, whole=True, sort=sort))
    assert firsts(lines, "client-")[0] == first


def test_filter_shows_only_rows_and_problems_with_its_words(status: Snapshot) -> None:
    lines = lines_of(status, Look(width=80, whole=True, words="TELIA-33"))
    assert firsts(lines, "telia-") == ["telia-33"]
    assert firsts(lines, "client-") == []
    assert "telia: 2 of 80" in "".join(lines)
    assert "telia: 2 of 80" not in "".join(lines_of(status, Look(whole=True, words="client-7")))


def test_operators_that_are_down_for_one_reason_leave_room_for_other_problems(
    status: Snapshot,
) -> None:
    status["problems"] = [
        {
            "what": f"op-{number} is down, for 22s",
            "about": f"op-{number}",
            "kind": "operator",
            "do": "look at network",
            "see": "docs",
        }
        for number in range(12)
    ]
    last = {"what": "bank waits", "about": "bank", "kind": "account", "do": "see", "see": "docs"}
    status["problems"].append(last)  # type: ignore[arg-type]
    lines = lines_of(status, Look(width=80))
    assert lines[0] == "13 problems:"
    assert [line for line in lines if "is down, for" in line] == [
        f"  op-{number} is down, for 22s" for number in range(3)
    ]
    assert "  and 9 like these: op-3, op-4, op-5, op-6, op-7, and 4 more" in lines
    assert "  bank waits" in lines
    assert not any("more: --all" in line for line in lines[:12])
    whole = lines_of(status, Look(width=80, whole=True))
    assert sum("is down, for" in line for line in whole) == 12


def test_notes_leave_room_for_the_tables(status: Snapshot) -> None:
    problem = {"about": "", "kind": "router", "do": "look for what it may be", "see": "docs"}
    status["problems"] = [{"what": f"{n} is down", **problem, "see": str(n)} for n in range(5)]  # type: ignore[typeddict-item]
    status["notes"] = [{"what": f"{n} is old", **problem, "see": str(n)} for n in range(3)]  # type: ignore[typeddict-item]
    lines = lines_of(status, Look(width=80, height=24))
    assert "  and 3 notes: --all" in lines
    assert any(line.startswith("BIND ") for line in lines)
    whole = lines_of(status, Look(width=80, height=24, whole=True))
    assert sum(line.startswith("Note: ") for line in whole) == 3


def test_lines_of_the_log_that_say_the_same_are_one_with_their_number(status: Snapshot) -> None:
    line = {"level": "warning", "event": "inbound.refused", "operator": "telia"}
    status["events"] = [
        {"timestamp": f"2027-01-15T08:00:{second:02}Z", **line} for second in range(40)
    ]
    status["events"][20]["operator"] = "elisa"
    lines = lines_of(status, Look(width=80))
    assert "08:00:39  inbound.refused operator=telia (39 times)" in lines
    assert "08:00:20  inbound.refused operator=elisa" in lines


def test_what_helps_is_told_where_problems_are_cut_short(status: Snapshot) -> None:
    status["problems"] = [
        {
            "what": f"operator {number} is down",
            "about": "",
            "kind": "operator",
            "do": "look",
            "see": "docs",
        }
        for number in range(30)
    ]
    lines = lines_of(status, Look(width=80, height=24))
    assert sum("is down" in line for line in lines) < 12
    assert "    -> look (docs)" in lines
    assert any(line.startswith("  and ") for line in lines[:14])
