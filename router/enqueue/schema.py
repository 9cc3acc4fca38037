"""The journal's tables, and how a file of an earlier version becomes one of this.

    queue     plans by value: which account, lane and operators the messages of a queue have
    written   how far each queue has been written to operators: after a crash what is at or before
              that and was not taken is in doubt
    message   waits for an operator: the PDU as it came, and what is not in it
    mark      the same for a message that goes before or after its turn, or whose lane must know
    sent      an operator took it, under which id, when: its receipt may come; without its text
    delivery  a receipt or inbound message that its account has not acknowledged
    record    how a message ended, or why a submit was refused, until `records.db` has it and for as
              long as `keep_records` says; without its text
    acknowledged  which final receipts the client has, until `records.db` has that
    account   how many messages of each account have ended, and how
    started   a long message of which an operator took parts and not all: who gets the others
    unseen_answer  a submit whose answer its client may not have seen: come again it is a retry
    orphan    a receipt that came before the answer with its id, for a minute
    renamed   rows that were written under a name which their account or operator has no more
    set_aside what could not be read back, or not as it was written: for people
    meta      the next number of an id block, the time that the router knew last, and the number of
              the last commit that did more than accept messages

Rule 1: a table that many rows come to and leave has an integer key that grows, so rows are appended
and deleted by number; what is looked up in another way has a small index for it.

Rule 2: a message costs two row operations when its receipt comes at once (in, out) and four
otherwise (in, over to `sent`, out), and one for its record.

Rule 3: to accept a message touches no more than its row and the index of it, for a client waits;
and `unseen_answer` where retries of its account are recognised.
"""

from typing import Final

Value = int | float | str | bytes | None
Row = tuple[Value, ...]

VERSION: Final = 9
"""PRAGMA user_version of the files that this code reads and writes."""
APPLICATION_ID: Final = 0x534D5052
"""PRAGMA application_id: `SMPR`. Another program's database is not written into."""

_ACCOUNT: Final = """
CREATE TABLE account (
    name TEXT PRIMARY KEY,
    delivered INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    expired INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    unknown INTEGER NOT NULL
) WITHOUT ROWID;
"""
_ORPHAN: Final = """
CREATE TABLE orphan (
    number INTEGER PRIMARY KEY,
    operator TEXT NOT NULL,
    operator_id BLOB NOT NULL,
    at_utc REAL NOT NULL,
    source BLOB NOT NULL,           -- TON, NPI, address, NUL: the number of its message
    octets BLOB NOT NULL,
    checksum INTEGER
);
"""
_SET_ASIDE: Final = """
CREATE TABLE set_aside (
    number INTEGER PRIMARY KEY,
    at_utc REAL NOT NULL,
    was_in TEXT NOT NULL,           -- the table
    key INTEGER NOT NULL,           -- its number, or router_id, there
    why TEXT NOT NULL,
    row TEXT NOT NULL               -- its values in SQL, by commas
);
"""
_STARTED: Final = """
CREATE TABLE started (
    number INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,         -- of one of its parts: the account, and the plan of all
    operator TEXT NOT NULL,
    source BLOB NOT NULL,           -- TON, NPI, address, NUL
    destination BLOB NOT NULL,
    reference INTEGER NOT NULL,     -- the client's, and which of its forms: `smpp/segments.py`
    total INTEGER NOT NULL,         -- so many parts it has
    taken INTEGER NOT NULL,         -- so many of them the operator took
    came BLOB NOT NULL,             -- of each part that came, its number and its text's CRC-32
    part_of INTEGER NOT NULL,       -- as in `sent`, or 0
    first_utc REAL NOT NULL,
    latest_utc REAL NOT NULL,
    checksum INTEGER
);
"""
_RENAMED: Final = """
CREATE TABLE renamed (
    what TEXT NOT NULL,             -- the table
    written TEXT NOT NULL,
    after INTEGER NOT NULL,         -- rows with higher numbers than this
    until INTEGER NOT NULL,         -- the last of them
    now TEXT NOT NULL,              -- whose they are
    PRIMARY KEY (what, written, after)
) WITHOUT ROWID;
"""
_PARTS: Final = """
CREATE INDEX sent_parts ON sent (part_of) WHERE part_of NOT NULL;
"""
_PART_OF: Final = f"ALTER TABLE sent ADD COLUMN part_of INTEGER;{_PARTS}"
_CHECKED: Final = f"""
ALTER TABLE meta ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN checksum INTEGER;
ALTER TABLE sent ADD COLUMN checksum INTEGER;
ALTER TABLE delivery ADD COLUMN checksum INTEGER;
{_SET_ASIDE}"""
_ORPHAN_CHECKED: Final = "ALTER TABLE orphan ADD COLUMN checksum INTEGER;"
_QUEUE: Final = """
CREATE TABLE queue (
    number INTEGER PRIMARY KEY,     -- two may be alike: what was one account's may be another's
    account TEXT NOT NULL,
    lane TEXT NOT NULL,
    plan TEXT NOT NULL              -- operators in order, by commas
);
"""
_QUEUES_ALIKE: Final = f"""
ALTER TABLE queue RENAME TO queue_6;{_QUEUE}
INSERT INTO queue SELECT number, account, lane, plan FROM queue_6;
DROP TABLE queue_6;
"""
_ACKNOWLEDGED: Final = """
CREATE TABLE acknowledged (
    number INTEGER PRIMARY KEY,
    at_utc REAL NOT NULL,
    router_ids TEXT NOT NULL        -- a JSON array
);
"""
_RECORDED: Final = f"""
ALTER TABLE record ADD COLUMN submitted TEXT;
ALTER TABLE record ADD COLUMN answered_ms INTEGER;
ALTER TABLE record ADD COLUMN tries TEXT;
ALTER TABLE record ADD COLUMN operator_id TEXT;
ALTER TABLE record ADD COLUMN receipt TEXT;
ALTER TABLE record ADD COLUMN status INTEGER;
{_ACKNOWLEDGED}"""
_SENT_BY_ROUTER_ID: Final = """
CREATE INDEX sent_by_router_id ON sent (router_id);
"""
_UNSEEN_ANSWER: Final = """
CREATE TABLE unseen_answer (
    router_id INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,         -- of the message: whose it is
    client_id BLOB,                 -- NULL where it is the router_id
    accepted_utc REAL NOT NULL,
    fingerprint BLOB NOT NULL,
    checksum INTEGER
);
"""
_NEW_IN_9: Final = f"""
ALTER TABLE delivery ADD COLUMN bind TEXT;
{_UNSEEN_ANSWER}DROP INDEX IF EXISTS sent_again;{_SENT_BY_ROUTER_ID}"""
_NEW_IN_8: Final = f"""
ALTER TABLE message ADD COLUMN submitted TEXT;
ALTER TABLE sent ADD COLUMN submitted TEXT;
ALTER TABLE sent ADD COLUMN tries TEXT;
{_RECORDED}{_NEW_IN_9}"""
_NEW_IN_7: Final = _QUEUES_ALIKE + _RENAMED + _STARTED + _NEW_IN_8
SCHEMA: Final = f"""{_QUEUE}
CREATE TABLE written (
    queue INTEGER PRIMARY KEY,
    router_id INTEGER NOT NULL,     -- the newest message that was written to an operator
    operator TEXT NOT NULL
);
CREATE TABLE message (
    -- checksum: `checksums.py`, or NULL from an earlier version
    -- submitted: how it came (`terms/record.py`)
    router_id INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    client_id BLOB,                 -- NULL where it is the router_id
    registered_delivery INTEGER NOT NULL,
    hold_receipt INTEGER NOT NULL,
    accepted_utc REAL NOT NULL,
    expires_utc REAL,
    not_before_utc REAL NOT NULL,
    octets BLOB NOT NULL,           -- the PDU as it came
    checksum INTEGER,
    submitted TEXT
);
CREATE INDEX message_by_queue ON message (queue);
CREATE TABLE mark (
    router_id INTEGER PRIMARY KEY,
    written INTEGER NOT NULL        -- it may be with an operator, or it is not
);
CREATE TABLE sent (
    -- part_of: the first part that was taken where one receipt tells of all
    -- submitted, tries: how it came, and was written to operators: `terms/record.py`
    number INTEGER PRIMARY KEY,
    operator TEXT NOT NULL,
    operator_id BLOB NOT NULL,
    at_utc REAL NOT NULL,
    failure BLOB,                   -- what the operator said in the end, while others may do better
    router_id INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    client_id BLOB,
    registered_delivery INTEGER NOT NULL,
    hold_receipt INTEGER NOT NULL,
    sends INTEGER NOT NULL,
    accepted_utc REAL NOT NULL,
    source BLOB NOT NULL,           -- TON, NPI, address, NUL
    destination BLOB NOT NULL,
    part_of INTEGER,
    checksum INTEGER,
    submitted TEXT,
    tries TEXT
);
CREATE INDEX sent_by_id ON sent (operator, operator_id);
{_SENT_BY_ROUTER_ID}CREATE INDEX sent_failed ON sent (number) WHERE failure NOT NULL;
{_PARTS}CREATE TABLE delivery (
    number INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    router_id INTEGER NOT NULL,
    made_utc REAL NOT NULL,
    final INTEGER NOT NULL,
    octets BLOB NOT NULL,
    checksum INTEGER,
    bind TEXT                       -- the address of the bind that submitted its message
);
CREATE INDEX delivery_by_account ON delivery (account);
CREATE TABLE record (
    number INTEGER PRIMARY KEY,
    router_id INTEGER NOT NULL,
    client_id TEXT,                 -- NULL where it is the router_id
    account TEXT NOT NULL,
    lane TEXT NOT NULL,
    operator TEXT,                  -- who was tried last
    outcome TEXT NOT NULL,
    reason TEXT,                    -- why, where the router decided
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    sends INTEGER NOT NULL,         -- how often it was written to an operator: submit_sm PDUs
    attempts INTEGER NOT NULL,      -- how often an operator took it
    -- submitted, tries: as in `sent`
    -- answered_ms: after it was accepted
    -- operator_id: of the last try
    -- receipt: state, err, network_error_code and done date in JSON, as the operator said
    -- status: the command_status that the client was answered
    accepted_utc REAL NOT NULL,
    sent_utc REAL,
    settled_utc REAL NOT NULL,
    submitted TEXT,
    answered_ms INTEGER,
    tries TEXT,
    operator_id TEXT,
    receipt TEXT,
    status INTEGER
);{_ACKNOWLEDGED}{_ACCOUNT}{_ORPHAN}{_SET_ASIDE}{_RENAMED}{_STARTED}
{_UNSEEN_ANSWER}CREATE TABLE meta (
    next_number INTEGER NOT NULL, known_utc REAL NOT NULL, commits INTEGER NOT NULL DEFAULT 0
);
"""

_FROM_1: Final = """
ALTER TABLE message RENAME TO message_1;
ALTER TABLE attempt RENAME TO attempt_1;
ALTER TABLE delivery RENAME TO delivery_1;
ALTER TABLE meta RENAME TO meta_1;
DROP INDEX IF EXISTS attempt_by_id;
DROP INDEX IF EXISTS delivery_by_account;
{schema}
INSERT INTO queue (account, lane, plan) SELECT DISTINCT account, lane, plan FROM message_1;
INSERT INTO message
    SELECT router_id, number, nullif(client_id, CAST(router_id AS BLOB)), registered_delivery,
        hold_receipt, accepted_utc, expires_utc, 0.0, octets, NULL, NULL
    FROM message_1 JOIN queue USING (account, lane, plan)
    WHERE router_id NOT IN (SELECT router_id FROM attempt_1) ORDER BY router_id;
INSERT INTO sent
    SELECT NULL, operator, operator_id, at_utc, NULL, router_id, number,
        nullif(client_id, CAST(router_id AS BLOB)), registered_delivery, hold_receipt,
        (SELECT count(*) FROM attempt_1 AS every WHERE every.router_id = attempt_1.router_id),
        accepted_utc, source, destination, NULL, NULL, NULL, NULL
    FROM attempt_1 JOIN message_1 USING (router_id) JOIN queue USING (account, lane, plan)
    ORDER BY at_utc;
INSERT INTO delivery
    SELECT number, account, router_id, made_utc, final, octets, NULL, NULL
    FROM delivery_1 ORDER BY number;
INSERT INTO meta SELECT next_number, 0.0, 0 FROM meta_1;
DROP TABLE message_1;
DROP TABLE attempt_1;
DROP TABLE delivery_1;
DROP TABLE meta_1;
"""
_FROM_2: Final = f"""
ALTER TABLE account RENAME TO account_2;{_ACCOUNT}
INSERT INTO account
    SELECT name, delivered, failed, expired, rejected, sent, unknown FROM account_2;
DROP TABLE account_2;
{_ORPHAN}{_PART_OF}{_CHECKED}{_NEW_IN_7}"""
_MIGRATIONS: Final = {
    1: _FROM_1.format(schema=SCHEMA),
    2: _FROM_2,
    3: _ORPHAN + _PART_OF + _CHECKED + _NEW_IN_7,
    4: _PART_OF + _CHECKED + _ORPHAN_CHECKED + _NEW_IN_7,
    5: _CHECKED + _ORPHAN_CHECKED + _NEW_IN_7,
    6: _NEW_IN_7,
    7: _NEW_IN_8,
    8: _NEW_IN_9,
}


def statements_from(version: int) -> list[str]:
    """What makes a file of this version one of `VERSION`; 0 is a new file."""
    return _split(_MIGRATIONS[version] if version else SCHEMA)


def _split(script: str) -> list[str]:
    return [statement for statement in script.split(";") if statement.strip()]
