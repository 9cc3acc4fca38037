"""The real process on a disk that fails, is slow, or comes back: what clients and people hear."""

import json
import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.error import HTTPError

import pytest

from benchmarks import stand
from benchmarks.processes import until
from router.enqueue.rescue import rescue
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from tests.e2e.scene import Peer, configuration

ON_DISK = ('url: "memory:"', 'url: "sqlite:///router.db"')


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture
def operator(stack: ExitStack) -> stand.Operator:
    return stand.operator(stack, "--latency", "0ms", "--receipt-delay", "0ms")


@pytest.fixture
def router(stack: ExitStack, operator: stand.Operator, tmp_path: Path) -> stand.Router:
    found = stand.router(stack, configuration(operator.port, ON_DISK), tmp_path)
    found.until_bound(3)
    return found


def readiness(router: stand.Router) -> tuple[int, str]:
    """The status of /readyz, and what it says."""
    try:
        router.http("/readyz")
        return 200, ""
    except HTTPError as refused:
        with closing(refused):
            return refused.code, str(json.load(refused)["reason"])


def write_nothing(router: stand.Router) -> tuple[int, int]:
    """No file of this process may be written any more; returns what was before."""
    pid, before = router.child.pid, resource.prlimit(router.child.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    return before


def test_nothing_is_acknowledged_on_a_disk_that_fails_and_all_goes_on_when_it_is_back(
    router: stand.Router, operator: stand.Operator
) -> None:
    with Peer(router.port) as client:
        client.bind("bank")
        assert client.submit("37255500001", registered_delivery=1).command_status == 0
        client.hears_all(1)
        before = write_nothing(router)

        refused = client.submit("37255500002", registered_delivery=1)
        assert refused.command_status in (v.ESME_RSYSERR, v.ESME_RMSGQFUL)
        assert readiness(router) == (503, "journal is down")
        assert router.samples().sum("journal_up") == 0
        failed = router.child.event("journal.failed")
        assert "router.db" in str(failed["error"])
        assert client.submit("37255500003").command_status in (v.ESME_RSYSERR, v.ESME_RMSGQFUL)

        resource.prlimit(router.child.pid, resource.RLIMIT_FSIZE, before)
        router.child.event("journal.back")
        assert client.submit("37255500004", registered_delivery=1).command_status == 0
        client.hears_all(2)
        assert readiness(router)[0] == 200
        assert router.samples().sum("journal_up") == 1
    assert operator.totals()["submits"] == 2  # What was refused went nowhere.


def test_router_answers_all_else_while_a_commit_takes_long(
    router: stand.Router, tmp_path: Path
) -> None:
    with Peer(router.port) as client:
        client.bind("bank")
        with closing(sqlite3.connect(tmp_path / "router.db", isolation_level=None)) as slow:
            slow.execute("BEGIN IMMEDIATE")
            client.send(_submit_sm(7))
            number = client.request(v.ENQUIRE_LINK)
            assert client.hears(v.ENQUIRE_LINK_RESP).sequence_number == number
            assert router.samples().sum("journal_pending") >= 1
            assert router.samples().sum("submits_total") == 0
            slow.execute("ROLLBACK")
        assert client.hears(v.SUBMIT_SM_RESP).command_status == 0
        assert readiness(router)[0] == 200


def test_damage_that_is_met_at_work_is_told_and_holds_up_nothing_else(
    stack: ExitStack, operator: stand.Operator, tmp_path: Path
) -> None:
    """Of two messages that wait one is not what it was."""
    away = configuration(operator.port, ON_DISK, (f"127.0.0.1:{operator.port}", "127.0.0.1:1"))
    first = stand.router(stack, away, tmp_path)
    with Peer(first.port) as client:
        client.bind("bank")
        for number in ("37255500001", "37255500002"):
            assert client.submit(number).command_status == 0
    first.child.stop()
    with closing(sqlite3.connect(tmp_path / "router.db")) as database, database:
        ((damaged,),) = database.execute("SELECT min(router_id) FROM message").fetchall()
        database.execute("UPDATE message SET octets = 'text' WHERE router_id = ?", (damaged,))

    again = stand.router(stack, configuration(operator.port, ON_DISK), tmp_path)

    told = again.child.event("journal.set_aside")
    assert (told["was_in"], told["key"], told["why"]) == (
        *("message", damaged, "a value of another type"),
    )
    assert "set_aside" in str(told["cure"])
    until("both are over", lambda: again.samples().sum("outcomes_total") == 2)
    samples = again.samples()
    assert samples.sum("outcomes_total", outcome="unknown") == 1
    assert samples.sum("journal_rows_set_aside_total", table="message") == 1
    assert samples.sum("journal_read_failures_total") == 0
    assert operator.totals()["submits"] == 1
    status = json.loads(again.http("/v1/status"))
    assert (status["journal"]["up"], status["journal"]["set_aside"]) == (True, 1)


def _submit_sm(sequence_number: int) -> bytes:
    return p.sm(
        v.SUBMIT_SM,
        sequence_number,
        source=(5, 0, b"TEST"),
        destination=(1, 1, b"37255500009"),
        short_message=b"slow",
    )


@pytest.mark.long
def test_what_is_rescued_of_a_file_that_was_cut_short_goes_on(
    stack: ExitStack, operator: stand.Operator, tmp_path: Path
) -> None:
    away = configuration(operator.port, ON_DISK, (f"127.0.0.1:{operator.port}", "127.0.0.1:1"))
    first = stand.router(stack, away, tmp_path)
    with Peer(first.port) as client:
        client.bind("bank")
        for number in range(500):
            assert client.submit(f"37255500{number:03}").command_status == 0
    first.child.stop()
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in tmp_path.glob("router.db*"):
        file.rename(damaged / file.name)
    cut = damaged / "router.db"
    os.truncate(cut, cut.stat().st_size * 2 // 3)

    told = rescue(cut, tmp_path / "router.db", 1)

    (rescued,) = [one.rows for one in told if one.table == "message"]
    assert 0 < rescued < 500
    again = stand.router(stack, configuration(operator.port, ON_DISK), tmp_path)
    until("all are over", lambda: again.samples().sum("outcomes_total") == rescued)
    # The row over which the file was cut has other values than were written.
    aside = again.samples().sum("journal_rows_set_aside_total")
    assert aside <= 1
    assert operator.totals()["submits"] == rescued - aside
