"""What records cost, and how fast they answer.

Three questions. What does a message cost more with records than without, in the loop and in all
threads? How long does a search take among ten million records? And how long among a million
messages that wait, and what does that do to the answers of the clients meanwhile?

The ten million are written by the statement that moves them from the journal, as the router does.
"""

import argparse
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Final

from benchmarks import stand
from benchmarks.load import Case, measure
from benchmarks.processes import number
from benchmarks.results import Result, spread
from router.enqueue import schema as journal_schema
from router.enqueue.journal import Changes
from router.enqueue.sqlite import SqliteJournal
from router.enqueue.sqlite_file import mark_as_ours
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.telemetry import records_schema as schema
from router.telemetry.findings import Question
from router.telemetry.records import opened, path_of
from router.telemetry.search import search
from router.terms.message import Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorName, RouterId
from router.terms.plan import Plans
from router.terms.record import submitted

SUMMARY: Final = "records: CPU per message with and without; find among 10,000,000 and a million"
LOOP_US: Final = 1.0
PROCESS_US: Final = 6.0
RATE_SHARE: Final = 0.9
FIND_S: Final = 0.2
FIND_WAITING_S: Final = 5.0
LATER: Final = 1.5
AT_ONCE: Final = 10_000
ANSWERS_PER_S: Final = 500
ACCOUNTS: Final = 50
FIRST_ID: Final = 28_000_000_000_000
BEGAN_UTC: Final = 1_790_000_000.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help="messages of a run (default: 60000, quick: 5000)")
    parser.add_argument("--pairs", type=int, help="with and without (default: 5, quick: 1)")
    parser.add_argument("--records", type=int, help="default: 10000000, quick: 50000")
    parser.add_argument("--waiting", type=int, help="messages (default: 1000000, quick: 20000)")
    parser.add_argument("--seconds", type=int, help="of answers (default: 20, quick: 3)")


def run(given: argparse.Namespace) -> Result:
    """Measure all three."""
    quick = given.quick
    count: int = given.count or (5_000 if quick else 60_000)
    pairs: int = given.pairs or (1 if quick else 5)
    records: int = given.records or (50_000 if quick else 10_000_000)
    waiting: int = given.waiting or (20_000 if quick else 1_000_000)
    seconds: int = given.seconds or (3 if quick else 20)
    settings = {"count": count, "pairs": pairs, "records": records, "waiting": waiting}
    result = Result("records", {**settings, "seconds": seconds})
    result.numbers["cost"] = _cost(result, count, pairs)
    with TemporaryDirectory() as folder:
        result.numbers["find"] = _among_records(result, Path(folder), records)
    with TemporaryDirectory() as folder:
        result.numbers["waiting"] = _among_waiting(result, Path(folder), waiting, seconds)
    return result


# With and without.


def _cost(result: Result, count: int, pairs: int) -> dict[str, object]:
    plain = Case(journal="sqlite", records=False)
    loop_us, process_us, rates = [], [], []
    for place in range(pairs):
        cases = [plain, replace(plain, records=True)]
        turns = cases if place % 2 else cases[::-1]
        runs = [measure(case, count, count).numbers for case in turns]
        without, with_them = runs if place % 2 else runs[::-1]
        loop_us.append(with_them["router_loop_us"] - without["router_loop_us"])
        process_us.append(with_them["router_us"] - without["router_us"])
        rates.append(with_them["rate_per_s"] / without["rate_per_s"])
        print(f"  +{process_us[-1]:.1f} us, of it {loop_us[-1]:.1f} in the loop", flush=True)
    result.at_most("us of the loop per message", round(median(loop_us), 2), LOOP_US)
    result.at_most("us of the process per message", round(median(process_us), 2), PROCESS_US)
    result.at_least("rate with to without", round(median(rates), 3), RATE_SHARE)
    return {
        "loop_us": spread(loop_us, 2),
        "process_us": spread(process_us, 2),
        "rate": spread(rates, 3),
    }


# Ten million.


def _among_records(result: Result, folder: Path, count: int) -> dict[str, object]:
    journal = folder / "journal.db"
    began = time.monotonic()
    octets = _fill(journal, count)
    took_s = time.monotonic() - began
    middle = count // 2
    questions = {
        "number": Question(_number(middle)),
        "number, account and time": Question(
            _number(middle),
            account=f"account{middle * 7919 % ACCOUNTS}",
            from_utc=_utc(middle) - 60.0,
            until_utc=_utc(middle) + 60.0,
        ),
        "number that is not there": Question("99955512345"),
        "id": Question(str(FIRST_ID + 100 * middle)),
        "operator's id": Question(operator_id=_operator_id(middle)),
        "account and time": Question(
            account="account7", from_utc=_utc(middle), until_utc=_utc(middle) + 60.0
        ),
    }
    numbers: dict[str, object] = {
        "octets_per_record": round(octets / count, 1),
        "written_us": round(took_s / count * 1e6, 2),
    }
    for name, question in questions.items():
        cold, warm = _seconds(journal, question, is_cold=True), _seconds(journal, question)
        numbers[name] = {"cold_ms": round(cold * 1e3, 1), "ms": round(warm * 1e3, 1)}
        result.at_most(f"s to find by {name}, nothing in memory", round(cold, 3), FIND_S)
    return numbers


def _fill(journal: Path, count: int) -> int:
    """Write so many records, as the router moves them; return the size of the file."""
    with closing(sqlite3.connect(journal, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        for statement in journal_schema.statements_from(0):
            database.execute(statement)
        mark_as_ours(database, journal_schema.VERSION)
    path = path_of(journal)
    with closing(sqlite3.connect(journal, isolation_level=None)) as source:
        source.execute("PRAGMA synchronous = OFF")
        with closing(opened(path)) as database:
            database.execute("ATTACH ? AS journal", (f"{journal.as_uri()}?mode=ro",))
            database.execute("PRAGMA synchronous = OFF")
            for first in range(1, count + 1, AT_ONCE):
                source.execute("BEGIN")
                source.execute("DELETE FROM record")
                source.execute(_ROWS, (first, min(first + AT_ONCE, count + 1) - 1))
                source.execute("COMMIT")
                database.execute("BEGIN")
                database.execute(schema.move(), (0, 2**62))
                database.execute("COMMIT")
            database.execute("PRAGMA main.wal_checkpoint(TRUNCATE)")
        source.execute("DELETE FROM record")
    return path.stat().st_size


_ROWS: Final = f"""
    WITH RECURSIVE each(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM each WHERE n < ?)
    INSERT INTO record SELECT n, {FIRST_ID} + 100 * n, NULL, 'account' || (n * 7919 % {ACCOUNTS}),
        'otp', 'telia', 'delivered', NULL, 'Bank', '3725' || printf('%07d', n * 7919 % 10000000),
        1, 1, {BEGAN_UTC} + n / 2000.0, {BEGAN_UTC} + n / 2000.0 + 0.1,
        {BEGAN_UTC} + n / 2000.0 + 1.5, '["192.0.2.7:40000","transceiver",0,1,"372"]', 3,
        '["telia","telia-1",5,30,0,"' || printf('%x', n * 2654435761 % 4294967296 + 4294967296)
        || '"]', printf('%x', n * 2654435761 % 4294967296 + 4294967296),
        '["DELIVRD","000",null,"2611291405"]', 0 FROM each
"""


def _number(n: int) -> str:
    return f"3725{n * 7919 % 10_000_000:07d}"


def _operator_id(n: int) -> str:
    return f"{n * 2654435761 % 4294967296 + 4294967296:x}"


def _utc(n: int) -> float:
    return BEGAN_UTC + n / 2000.0


def _seconds(journal: Path, question: Question, *, is_cold: bool = False) -> float:
    path = path_of(journal)
    if is_cold:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    began = time.monotonic()
    answer = search(question, path, journal)
    took_s = time.monotonic() - began
    if answer["lacks"] or not (answer["found"] or question.what.startswith("999")):
        raise AssertionError(f"{question}: {answer}")
    return took_s


# A million that wait.


def _among_waiting(result: Result, folder: Path, count: int, seconds: int) -> dict[str, object]:
    journal = folder / "router.db"
    _queue(journal, count)
    with ExitStack() as stack:
        configuration = stand.configuration(stand.free_port(), journal="sqlite")
        accounts = configuration["accounts"]
        assert isinstance(accounts, dict)
        accounts["load"]["queue"] = 100_000_000
        router = stand.router(stack, configuration, folder)
        quiet_ms = _answers_p99_ms(stack, router, seconds)
        with _searching(lambda: _find(router)) as took_s:
            busy_ms = _answers_p99_ms(stack, router, seconds)
        router.child.kill()
    result.at_most("s to find among what waits", round(max(took_s), 2), FIND_WAITING_S)
    result.at_most("p99 of answers meanwhile", round(busy_ms / quiet_ms, 2), LATER)
    return {
        "find_s": spread(took_s, 2),
        "answers_p99_ms": {"quiet": quiet_ms, "searched": busy_ms},
    }


def _queue(path: Path, count: int) -> None:
    """Make a journal in which so many messages wait."""
    calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
    plans = Plans()
    lane = LaneName("bulk")
    journal = SqliteJournal(
        path,
        soon=calls.put,
        plan_of=plans.of,
        lanes=[lane],
        commit_every_s=0.0,
        settle_every_s=0.0,
        first_number=1,
        committed=lambda *_: None,
    )
    came = submitted("192.0.2.7:40000", "transceiver", 0, 1, "every number")
    plan = plans.of((OperatorName("operator"),))
    for first in range(1, count + 1, AT_ONCE):
        batch = Changes()
        batch.accepted += [
            _message(FIRST_ID + 100 * n, _number(n), lane, plan, came)
            for n in range(first, min(first + AT_ONCE, count + 1))
        ]
        heard: list[object] = []
        journal.commit(batch, lambda *told: heard.append(told), urgent=True)  # noqa: B023
        while not heard:
            calls.get()()
    closed: list[bool] = []
    journal.close(lambda: closed.append(True))
    while not closed:
        calls.get()()


def _message(router_id: int, to: str, lane: LaneName, plan: object, came: str) -> Message:
    source, destination = (5, 0, b"Bank"), (1, 1, to.encode())
    return Message(
        router_id=RouterId(router_id),
        client_id=ClientId(b"%d" % router_id),
        account=AccountName("load"),
        lane=lane,
        plan=plan,  # type: ignore[arg-type]
        command_id=v.SUBMIT_SM,
        octets=p.sm(v.SUBMIT_SM, 0, source=source, destination=destination, short_message=b"Tere"),
        source_octets=p.address(*source),
        destination_octets=p.address(*destination),
        registered_delivery=1,
        accepted_at=0.0,
        accepted_utc=time.time(),
        expires_utc=float("inf"),
        submitted=came,
    )


def _find(router: stand.Router) -> None:
    from router.wiring.remote import ask

    ask(f"http://{router.control}", "/v1/find", {"what": "99955512345"}, wait_s=60.0)


@contextmanager
def _searching(find: Callable[[], None]) -> Iterator[list[float]]:
    """Search again and again, half of the time; yield how long each took."""
    took_s: list[float] = []
    ended = Event()

    def searches() -> None:
        while not ended.is_set():
            began = time.monotonic()
            find()
            took_s.append(time.monotonic() - began)
            ended.wait(took_s[-1])

    thread = Thread(target=searches)
    thread.start()
    try:
        yield took_s
    finally:
        ended.set()
        thread.join()


def _answers_p99_ms(stack: ExitStack, router: stand.Router, seconds: int) -> float:
    client = stand.client(
        stack,
        router.port,
        *("--binds", "2", "--rate", f"{ANSWERS_PER_S}/s", "--count", str(ANSWERS_PER_S * seconds)),
        *("--registered-delivery", "0", "--wait-receipts", "0s"),
    )
    return number(stand.totals_of(client), "response_ms", "p99")
