"""SQLite against LMDB on what the journal does: what a message costs the writer, with each.

One thread, a real commit per batch, on the disk that holds temporary files. SQLite runs the very
statements of `router/enqueue/rows.py`; LMDB is asked for the same: what waits by number and by
queue, what was sent by number and by the operator's id, records, counts. LMDB is the optional extra
`engines`; without it only SQLite is measured.
"""

import argparse
import importlib
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.results import Result
from router.enqueue import rows
from router.enqueue.journal import Attempt, Changes, Settlement
from router.enqueue.sqlite_file import opened
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.message import Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorId, OperatorName, RouterId
from router.terms.outcome import Outcome
from router.terms.plan import Plans

SUMMARY: Final = "SQLite and LMDB: writer's time, size and row operations per message"
BATCHES: Final = (8, 32, 200)
"""Messages per commit: a quiet router, a busy one, one under full load."""
AWAITED: Final = 50
"""Batches of messages whose receipts are awaited, where they are slow."""
LANES: Final = (LaneName("otp"), LaneName("bulk"))
_OP: Final = OperatorName("operator")
MOST_MB: Final = 4096
BY_COMMIT: Final = 0.2
"""Row operations per message for what is written once per commit: how far queues are, counts."""
MOST_ROW_OPERATIONS: Final = {"quick": 2.0, "slow": 4.0}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument(
        "--batches", type=int, help="that are accepted in each case (default: 400, quick: 100)"
    )


def run(given: argparse.Namespace) -> Result:
    """Measure both, or the one that is there."""
    count: int = given.batches or (100 if given.quick else 400)
    engines: dict[str, Callable[[Path], Callable[[Changes], None]]] = {"sqlite": _sqlite}
    try:
        lmdb: Any = importlib.import_module("lmdb")
    except ImportError:
        print("  lmdb is not installed: pip install -e .[engines]")
    else:
        engines["lmdb"] = lambda folder: _lmdb(lmdb, folder)
    settings: dict[str, object] = {
        "batches": count,
        "awaited_batches": AWAITED,
        "messages_per_batch": BATCHES,
    }
    result = Result("engines", settings | {"sqlite": sqlite3.sqlite_version})
    for receipts, batches in (("quick", _quick), ("slow", _slow)):
        for size in BATCHES:
            result.numbers[f"{receipts} receipts, {size} a commit"] = {
                name: _measured(engine, batches(count * size, size), count * size)
                for name, engine in engines.items()
            }
        operations = _row_operations(batches(20_000, 200), 20_000)
        result.numbers[f"{receipts} receipts, row operations"] = operations
        result.at_most(
            f"row operations per message, {receipts} receipts, without its record",
            operations["per_message"] - operations["of_records"],
            MOST_ROW_OPERATIONS[receipts] + BY_COMMIT,
        )
    return result


def _measured(
    engine: Callable[[Path], Callable[[Changes], None]], batches: Iterator[Changes], count: int
) -> dict[str, float]:
    with TemporaryDirectory() as name:
        commit = engine(Path(name))
        cpu_s = wall_s = 0.0
        for batch in batches:
            cpu_at, wall_at = time.thread_time(), time.perf_counter()
            commit(batch)
            cpu_s += time.thread_time() - cpu_at
            wall_s += time.perf_counter() - wall_at
        size = sum(file.stat().st_blocks * 512 for file in Path(name).iterdir())
    return {
        "cpu_us": round(cpu_s / count * 1e6, 2),
        "wall_us": round(wall_s / count * 1e6, 2),
        "disk_mb": round(size / 1e6, 1),
    }


# What happens.


def _messages(count: int) -> list[Message]:
    plan = Plans().of((_OP,))
    octets = p.sm(
        v.SUBMIT_SM,
        0,
        source=(5, 0, b"BANK"),
        destination=(1, 1, b"37255512345"),
        short_message=b"Your code is 123456. Never tell it to anybody, not even to the bank.",
    )
    return [
        Message(
            router_id=RouterId(9_000_000_000_000 + 100 * number),
            client_id=ClientId(b"%d" % (9_000_000_000_000 + 100 * number)),
            account=AccountName(f"account-{number % 10}"),
            lane=number % 2,
            plan=plan,
            command_id=v.SUBMIT_SM,
            octets=octets,
            source_octets=p.address(5, 0, b"BANK"),
            destination_octets=p.address(1, 1, b"37255512345"),
            registered_delivery=1,
            accepted_at=0.0,
            accepted_utc=1.8e9,
            expires_utc=1.9e9,
        )
        for number in range(count)
    ]


def _quick(count: int, size: int) -> Iterator[Changes]:
    """The answer and the receipt come in one batch: what is sent need not be written."""
    messages = _messages(count)
    for at in range(0, count, size):
        some = messages[at : at + size]
        yield _accepted(some)
        batch = _taken(some)
        _settle(batch, some)
        yield batch


def _slow(count: int, size: int) -> Iterator[Changes]:
    """Receipts come when many others are awaited too."""
    messages = _messages(count)
    awaited = AWAITED * size
    for at in range(0, count, size):
        some = messages[at : at + size]
        yield _accepted(some)
        batch = _taken(some)
        _settle(batch, messages[max(0, at - awaited) : max(0, at + size - awaited)])
        yield batch
    left = Changes()
    _settle(left, messages[max(0, count - awaited) :])
    yield left


def _accepted(messages: Sequence[Message]) -> Changes:
    batch = Changes()
    batch.accepted += messages
    return batch


def _taken(messages: Sequence[Message]) -> Changes:
    batch = Changes()
    for message in messages:
        number = message.router_id // 100
        message.sends = 1
        message.operator = _OP
        message.row.attempts = (number,)
        batch.attempted.append(
            Attempt(message, _OP, OperatorId(b"%x" % number), 1.8e9, kept_as=number)
        )
        batch.written[message.row.queue] = message
    return batch


def _settle(batch: Changes, messages: Sequence[Message]) -> None:
    batch.settled += [
        Settlement(message, Outcome.DELIVERED, 1.8e9, kept_as=message.router_id // 100)
        for message in messages
    ]


# The engines.


def _sqlite(folder: Path) -> Callable[[Changes], None]:
    database = opened(folder / "router.db", 1)
    queues = rows.Queues(LANES)

    def commit(changes: Changes) -> None:
        database.execute("BEGIN IMMEDIATE")
        for text, values in rows.statements([changes], queues):
            database.execute(text, values)
        database.execute("COMMIT")
        queues.are_safe()

    return commit


def _row_operations(batches: Iterator[Changes], count: int) -> dict[str, float]:
    """How many rows are inserted, changed and deleted, by SQLite's own count."""
    with TemporaryDirectory() as name, closing(opened(Path(name) / "router.db", 1)) as database:
        queues = rows.Queues(LANES)
        before = database.total_changes
        for batch in batches:
            for text, values in rows.statements([batch], queues):
                database.execute(text, values)
            queues.are_safe()
        every = database.total_changes - before
        (records,) = database.execute("SELECT count(*) FROM record").fetchone()
    return {
        "per_message": round(every / count, 2),
        "of_records": round(records / count, 2),
    }


_HEAD: Final = struct.Struct(">IBBddd")
_NUMBER: Final = struct.Struct(">Q")
_PAIR: Final = struct.Struct(">IQ")


def _lmdb(lmdb: Any, folder: Path) -> Callable[[Changes], None]:  # noqa: ANN401 - Has no types.
    """The same with keys and values that are packed here, as no tool could show them."""
    names = (b"message", b"queue", b"sent", b"sent_by_id", b"record", b"account", b"written")
    environment = lmdb.open(str(folder), map_size=MOST_MB * 2**20, max_dbs=len(names))
    tables = {name: environment.open_db(name) for name in names}
    queues: dict[tuple[object, ...], int] = {}
    taken: dict[int, bytes] = {}

    def commit(changes: Changes) -> None:
        with environment.begin(write=True) as transaction:
            counts: dict[bytes, int] = {}
            ended = {settlement.message.router_id for settlement in changes.settled}
            for m in changes.accepted:
                queue = queues.setdefault((m.account, m.lane, m.plan), len(queues))
                m.row.queue = queue
                number = _NUMBER.pack(m.router_id)
                head = _HEAD.pack(
                    queue, m.registered_delivery, m.hold_receipt, m.accepted_utc, m.expires_utc, 0
                )
                transaction.put(number, head + m.octets, db=tables[b"message"], append=True)
                transaction.put(_PAIR.pack(queue, m.router_id), b"", db=tables[b"queue"])
                account = m.account.encode()
                counts[account] = counts.get(account, 0) + 1
            for attempt in changes.attempted:
                m = attempt.message
                transaction.delete(_NUMBER.pack(m.router_id), db=tables[b"message"])
                transaction.delete(_PAIR.pack(m.row.queue, m.router_id), db=tables[b"queue"])
                if m.router_id in ended:
                    continue
                number = _NUMBER.pack(attempt.kept_as)
                key = attempt.operator.encode() + b"\0" + attempt.operator_id
                taken[attempt.kept_as] = key
                head = _HEAD.pack(m.row.queue, m.registered_delivery, 0, m.accepted_utc, 1.8e9, 1)
                value = head + key + b"\0" + m.source_octets + m.destination_octets
                transaction.put(number, value, db=tables[b"sent"], append=True)
                transaction.put(key, number, db=tables[b"sent_by_id"])
            for settlement in changes.settled:
                m = settlement.message
                for kept_as in m.row.attempts:
                    by_id = taken.pop(kept_as, None)
                    if by_id is not None:
                        transaction.delete(_NUMBER.pack(kept_as), db=tables[b"sent"])
                        transaction.delete(by_id, db=tables[b"sent_by_id"])
                fields = (
                    *(m.router_id, m.account, LANES[m.lane], m.operator, settlement.outcome),
                    *(settlement.reason, m.source_octets[2:-1].decode("latin-1")),
                    *(m.destination_octets[2:-1].decode("latin-1"), m.sends, 1, m.accepted_utc),
                    *(1.8e9, settlement.at_utc),
                )
                record = "\0".join(map(str, fields)).encode()
                number = _NUMBER.pack(settlement.kept_as)
                transaction.put(number, record, db=tables[b"record"], append=True)
                account = m.account.encode()
                counts[account] = counts.get(account, 0) + 1
            for account, more in counts.items():
                before = transaction.get(account, db=tables[b"account"]) or _NUMBER.pack(0)
                total = _NUMBER.unpack(before)[0] + more
                transaction.put(account, _NUMBER.pack(total), db=tables[b"account"])
            for queue, m in changes.written.items():
                value = _NUMBER.pack(m.router_id)
                transaction.put(_NUMBER.pack(queue), value, db=tables[b"written"])

    return commit
