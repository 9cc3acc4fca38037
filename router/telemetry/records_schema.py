"""The file `records.db`: one row for each message that is over, and for each refused submit.

Rule 1: rows are numbered as they come, and only added at the end: a random place in a table of
gigabytes costs a page of the disk for each row. An index of numbers or ids, which come in no order,
begins with the number of a part of the table: new rows touch one part, and to look for a number is
to ask each part for it, newest first.

Rule 2: what the journal has as JSON stands here in columns of its own, so that whoever reads the
file needs no code of ours. `docs/records.md` has the columns, and a test holds it to this list.
"""

from typing import Final, NamedTuple

VERSION: Final = 1
"""PRAGMA user_version."""
APPLICATION_ID: Final = 0x534D5252
"""PRAGMA application_id: `SMRR`."""
PART_BITS: Final = 17
"""A part of the table has 131,072 rows: its piece of an index fits into a few megabytes."""
PART: Final = f"(number >> {PART_BITS})"


class Column(NamedTuple):
    """One column of the table `record`, and of an export."""

    name: str
    type: str
    """As SQLite has it: INTEGER, REAL or TEXT."""
    means: str
    source: str
    """Where the journal's row has it, in SQL."""


_SUBMITTED: Final = "json_extract(submitted, '$[{}]')"
_RECEIPT: Final = "json_extract(receipt, '$[{}]')"
COLUMNS: Final = (
    Column("router_id", "INTEGER", "the router's number of the message; empty for a refused submit",
           "nullif(router_id, 0)"),
    Column("client_id", "TEXT",
           "the id that the client knows; in the file empty where that is the router_id",
           "client_id"),
    Column("account", "TEXT", "the account that submitted it", "account"),
    Column("client_address", "TEXT", "where the client connected from: address and port",
           _SUBMITTED.format(0)),
    Column("bind_type", "TEXT", "`transmitter` or `transceiver`", _SUBMITTED.format(1)),
    Column("lane", "TEXT", "the lane that it waited in", "lane"),
    Column("source", "TEXT", "source_addr as it came", "source"),
    Column("destination", "TEXT", "destination_addr as it came, or masked or hashed", "{number}"),
    Column("data_coding", "INTEGER", "data_coding of the text", _SUBMITTED.format(2)),
    Column("parts", "INTEGER", "how many parts its long message has; 1 for one that is whole",
           _SUBMITTED.format(3)),
    Column("route", "TEXT", "the rule that decided: its prefix, and its other conditions",
           _SUBMITTED.format(4)),
    Column("outcome", "TEXT",
           "`delivered`, `failed`, `expired`, `rejected`, `sent`, `unknown`; or `refused`",
           "outcome"),
    Column("reason", "TEXT", "why, where the router decided", "reason"),
    Column("status", "INTEGER", "the command_status that the submit was answered", "status"),
    Column("left_out", "INTEGER",
           "of a refused submit: how many others of the account, just before, have no row",
           "CASE outcome WHEN 'refused' THEN attempts END"),
    Column("operator", "TEXT", "the operator that was tried last", "operator"),
    Column("operator_id", "TEXT", "the id that the operator gave in its last answer",
           "coalesce(operator_id, json_extract('[' || tries || ']', '$[#-1][5]'))"),
    Column("sends", "INTEGER", "how often it was written to an operator", "sends"),
    Column("tries", "TEXT",
           "each writing, in JSON: `[operator, bind, written, ended, status, id, in doubt]`, the"
           " times in milliseconds after `accepted_utc`, the status a number, `timeout` or `lost`;"
           " behind them the sender, where it went out under another one than its own",
           "'[' || tries || ']'"),
    Column("receipt_state", "TEXT", "the operator's last word: `DELIVRD`, `UNDELIV`, ...",
           _RECEIPT.format(0)),
    Column("receipt_error", "TEXT", "`err` of that receipt", _RECEIPT.format(1)),
    Column("network_error", "TEXT", "network_error_code of it, in hexadecimal digits",
           _RECEIPT.format(2)),
    Column("receipt_date", "TEXT", "its done date, by the operator's clock: YYMMDDhhmm",
           _RECEIPT.format(3)),
    Column("accepted_utc", "REAL", "when the submit came, in seconds since 1970 (UTC)",
           "accepted_utc"),
    Column("answered_ms", "INTEGER", "how long after that it was answered", "answered_ms"),
    Column("taken_utc", "REAL", "when an operator last took it", "sent_utc"),
    Column("settled_utc", "REAL", "when it was over", "settled_utc"),
    Column("acknowledged_utc", "REAL", "when the client had acknowledged its final receipt",
           "NULL"),
)  # fmt: skip
NAMES: Final[tuple[str, ...]] = tuple(column.name for column in COLUMNS)

_CHECKED: Final = {"account", "outcome", "accepted_utc", "settled_utc"}
SCHEMA: Final = (
    "CREATE TABLE record (number INTEGER PRIMARY KEY AUTOINCREMENT, "
    + ", ".join(
        f"{one.name} {one.type}{' NOT NULL' if one.name in _CHECKED else ''}" for one in COLUMNS
    )
    + ")",
    "CREATE UNIQUE INDEX record_by_router_id ON record (router_id)",
    "CREATE INDEX record_by_account ON record (account, accepted_utc)",
    f"CREATE INDEX record_by_destination ON record ({PART}, destination)",
    f"CREATE INDEX record_by_operator_id ON record ({PART}, operator_id)"
    " WHERE operator_id NOT NULL",
    f"CREATE INDEX record_by_client_id ON record ({PART}, client_id) WHERE client_id NOT NULL",
    # Ids of a message that was taken more than once.
    "CREATE TABLE other_id (operator_id TEXT, number INTEGER, PRIMARY KEY (operator_id, number))"
    " WITHOUT ROWID",
    # How far the journal's tables `record` and `acknowledged` have been moved.
    "CREATE TABLE moved (record INTEGER NOT NULL, acknowledged INTEGER NOT NULL)",
    "INSERT INTO moved VALUES (0, 0)",
    # How well operators delivered, by day: `report/quality.py`.
    "CREATE TABLE quality (day INTEGER, operator TEXT, country TEXT, lane TEXT,"
    " outcomes INTEGER NOT NULL, unreachable INTEGER NOT NULL, delivered INTEGER NOT NULL,"
    " never_receipted INTEGER NOT NULL, too_fast INTEGER NOT NULL, p50_s REAL, p95_s REAL,"
    " times TEXT NOT NULL, PRIMARY KEY (day, operator, country, lane)) WITHOUT ROWID",
    # What accounts want, also those that the configuration has no more.
    "CREATE TABLE privacy (account TEXT PRIMARY KEY, numbers TEXT NOT NULL, records_s REAL)"
    " WITHOUT ROWID",
    # For accounts whose numbers are hashed; a day's key goes with the records of that day.
    "CREATE TABLE day_key (day INTEGER PRIMARY KEY, key BLOB NOT NULL)",
)

QUALITY: Final[tuple[str, ...]] = (
    *("day", "operator", "country", "lane", "outcomes", "unreachable", "delivered"),
    *("never_receipted", "too_fast", "p50_s", "p95_s"),
)
"""The columns of an export of quality."""
EXPORT_QUALITY: Final = (
    "SELECT date(day * 86400, 'unixepoch'), operator, country, lane, outcomes, unreachable,"
    " delivered, never_receipted, too_fast, p50_s, p95_s FROM quality"
    " WHERE day >= ? AND day <= ? ORDER BY day, operator, country, lane"
)
DAY: Final = (
    "SELECT outcomes, unreachable, delivered, never_receipted, too_fast, times FROM quality"
    " WHERE day = ? AND operator = ? AND country = ? AND lane = ?"
)
SET_DAY: Final = f"INSERT OR REPLACE INTO quality VALUES ({', '.join('?' * 12)})"

NEXT: Final = (
    "SELECT max(number), count(*) FROM"
    " (SELECT number FROM journal.record WHERE number > ? ORDER BY number LIMIT ?)"
)
"""Where the next rows end, and how many they are."""
PIECE: Final = "SELECT * FROM record WHERE number > ? ORDER BY number LIMIT ?"
"""Those rows, asked of the journal alone."""
NEXT_ACKNOWLEDGED: Final = (
    "SELECT max(number), count(*) FROM"
    " (SELECT number FROM journal.acknowledged WHERE number > ? ORDER BY number LIMIT ?)"
)
OLD: Final = (
    "DELETE FROM record WHERE number IN (SELECT number FROM record ORDER BY number LIMIT ?)"
    " AND settled_utc < ?"
)
OLD_OF_ACCOUNT: Final = (
    "DELETE FROM record WHERE number IN"
    " (SELECT number FROM record WHERE account = ? AND accepted_utc < ? LIMIT ?)"
)
OLD_OTHER_IDS: Final = (
    f"DELETE FROM other_id WHERE number < (SELECT coalesce(min(number), {2**62}) FROM record)"
)


def move(number: str = "destination", *, doubts: bool = False) -> str:
    """Return what copies the journal's rows from ? up to ?; one that is there already stays.

    `number` is how the destination is written, in SQL. Who `doubts` leaves out what is no JSON.
    """
    sources = ", ".join(one.source.format(number=number) for one in COLUMNS)
    rows = "journal.record"
    if doubts:
        names = ("submitted", "tries", "receipt")
        valid = (f"CASE WHEN json_valid('[' || {n} || ']') THEN {n} END AS {n}" for n in names)
        others = "number, router_id, client_id, account, lane, operator, outcome, reason, source"
        others += ", destination, sends, attempts, accepted_utc, sent_utc, settled_utc"
        others += ", answered_ms, operator_id, status"
        rows = f"(SELECT {others}, {', '.join(valid)} FROM journal.record)"
    return (
        f"INSERT OR IGNORE INTO record ({', '.join(NAMES)}) SELECT {sources} FROM {rows}"
        " WHERE number > ? AND number <= ? ORDER BY number"
    )


_TRIES: Final = "'[' || there.tries || ']'"
OTHER_IDS: Final = (
    "INSERT OR IGNORE INTO other_id SELECT json_extract(one.value, '$[5]'), here.number"
    " FROM journal.record AS there JOIN record AS here USING (router_id)"
    f" JOIN json_each(CASE WHEN json_valid({_TRIES}) THEN {_TRIES} ELSE '[]' END) AS one"
    " WHERE there.number > ? AND there.number <= ? AND there.sends > 1"
    " AND json_extract(one.value, '$[5]') NOT NULL"
)
ACKNOWLEDGE: Final = (
    "UPDATE record SET acknowledged_utc = one.at_utc FROM"
    " (SELECT at_utc, each.value AS router_id FROM journal.acknowledged"
    " JOIN json_each(CASE WHEN json_valid(router_ids) THEN router_ids ELSE '[]' END) AS each"
    " WHERE number > ? AND number <= ?) AS one"
    " WHERE record.router_id = one.router_id AND acknowledged_utc IS NULL"
)
