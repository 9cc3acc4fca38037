"""The kinds of value that a configuration has: text, names, numbers within bounds, secrets, files.

Bounds are wide: they are there for the slip of the keyboard (a window of 0, a wait of a year),
not to know better than whoever writes the file.
"""

import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import tzinfo
from ipaddress import ip_address
from pathlib import Path
from typing import Final, TypeVar, cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from router.accept.passwords import check_hash, is_hash
from router.check.numbering import COUNTRIES
from router.decide.conditions import ANY_END
from router.decide.hours import DAY_MIN, DAYS
from router.settings import units
from router.settings.environment import STAND_IN
from router.settings.files import stamp_of
from router.settings.mistakes import nearest
from router.settings.parts import Reader, Schema, matching, one_or_list, scalar
from router.settings.places import Scalar, Sequence, Table
from router.settings.reading import Spot
from router.settings.units import NotUnderstoodError
from router.smpp.receipt import FIELDS
from router.terms.limits import Rate
from router.terms.names import NOBODY
from router.terms.outcome import OWN_REASONS, TEMPORARY_FOR_CLIENTS
from router.terms.settings import Address, Day, DaySpan, NumberForm, SeenFile, TonNpi

LONGEST_SECRET_BYTES: Final = 4_096
"""Octets of a file with a password; a longer file is the wrong one."""

N = TypeVar("N", int, float)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def chosen(*alternatives: object) -> Schema:
    """Return the schema of one of a few values, or of `${NAME}`."""
    return {"anyOf": [{"enum": alternatives}, {"type": "string", "pattern": r"\$\{"}]}


def text(longest: int, shortest: int = 1) -> Reader[str]:
    """Return an ASCII text, as in every text field of SMPP outside a message."""

    def parse(written: str) -> str:
        if not written.isascii():
            raise NotUnderstoodError("only ASCII is carried here")
        if len(written) < shortest:
            raise NotUnderstoodError("the text is empty")
        if len(written) > longest:
            raise NotUnderstoodError(f"the text has more than {longest} characters")
        return written

    return scalar("text", parse, f"at most {longest} characters", f".{{{shortest},{longest}}}")


def plain_text(longest: int, shortest: int = 1) -> Reader[str]:
    """Return an ASCII text that is compared as it is: no pattern."""
    as_it_is = text(longest, shortest)

    def read(spot: Spot) -> str:
        written = as_it_is.read(spot)
        if ANY_END in written:
            spot.refuse(f"{ANY_END} stands for nothing here: patterns are for senders only")
        return written

    return replace(as_it_is, read=read)


def parsed_sender(written: str) -> str:
    """Return a source address, or the beginning of some with `*` behind it.

    Raises NotUnderstoodError.
    """
    try:
        written.encode("latin-1")
    except UnicodeEncodeError:
        raise NotUnderstoodError("a sender has characters of Latin-1 only") from None
    bare = written.removesuffix(ANY_END)
    if ANY_END in bare:
        raise NotUnderstoodError(f"{ANY_END} stands at the end only: for all that begin so")
    if not bare and written:
        raise NotUnderstoodError("this is every sender: leave the key out")
    if len(bare) > LONGEST_SENDER:
        raise NotUnderstoodError(f"a sender has at most {LONGEST_SENDER} characters")
    return written


LONGEST_SENDER: Final = 20
"""Octets of a source_addr without its NUL (SMPP v3.4, 4.4.1)."""
sender: Final = scalar(
    "text",
    parsed_sender,
    f"at most {LONGEST_SENDER} characters of Latin-1, `*` at the end for all that begin so",
    r"[^*]{0,20}\*?",
)


def _word(written: str) -> str:
    if not _NAME.fullmatch(written):
        raise NotUnderstoodError(
            "a name is made of letters, digits, _ . and -, begins with a letter or digit, and has "
            "at most 64 characters"
        )
    return written


name: Final = scalar("name", _word, "letters, digits, `_`, `.`, `-`", _NAME.pattern)
"""A name that commands, metrics and logs can carry as it is."""


def _operator(written: str) -> str:
    if written == NOBODY:
        raise NotUnderstoodError(f"metrics and status call it {NOBODY} when no operator is up")
    return _word(written)


operator_name: Final = scalar(
    "name", _operator, f"{name.allowed}; not `{NOBODY}`", rf"(?!{NOBODY}$){_NAME.pattern}"
)
"""The name of an operator; not that which metrics have for messages without an operator."""


def _between(
    kind: str, parse: Callable[[str], N], lowest: str, highest: str, schema: str | Schema
) -> Reader[N]:
    """Return a value within bounds, which are written as the value is."""
    least, most = parse(lowest), parse(highest)

    def parse_bounded(text: str) -> N:
        value = parse(text)
        if not least <= value <= most:
            raise NotUnderstoodError(f"a {kind} from {lowest} to {highest} is wanted here")
        return value

    return scalar(kind, parse_bounded, f"{lowest} to {highest}", schema)


def whole(lowest: int, highest: int) -> Reader[int]:
    """Return a whole number within bounds."""
    schema = {**matching("[0-9][0-9_]*"), "minimum": lowest, "maximum": highest, "multipleOf": 1}
    return _between("number", units.whole, str(lowest), f"{highest:_}", schema)


def whole_or_auto(lowest: int, highest: int) -> Reader[int | None]:
    """Return a whole number within bounds, or `auto`, which is None."""
    number = whole(lowest, highest)

    def read(spot: Spot) -> int | None:
        is_auto = isinstance(spot.node, Scalar) and spot.text() == "auto"
        return None if is_auto else number.read(spot)

    schema = {"anyOf": [{"const": "auto"}, number.schema]}
    return Reader("number", read, f"{number.allowed}, or `auto`", schema=schema)


def duration(lowest: str, highest: str) -> Reader[float]:
    """Return a duration within bounds."""
    return _between("duration", units.duration, lowest, highest, units.DURATION)


def duration_or_false(lowest: str, highest: str) -> Reader[float | None]:
    """Return a duration within bounds, or `false`, which is None."""
    number = duration(lowest, highest)

    def read(spot: Spot) -> float | None:
        is_false = isinstance(spot.node, Scalar) and spot.text().lower() == "false"
        return None if is_false else number.read(spot)

    word = {**matching("[Ff][Aa][Ll][Ss][Ee]"), "type": ["string"]}
    schema = {"anyOf": [{"const": False}, word, number.schema]}
    return Reader("duration", read, f"{number.allowed}, or `false`", schema=schema)


def size(lowest: str, highest: str) -> Reader[int]:
    """Return a size within bounds."""
    return _between("size", units.size, lowest, highest, units.SIZE)


def one_number_of(*numbers: int) -> Reader[int]:
    """Return one of a few whole numbers."""
    word = one_of(*map(str, numbers))
    schema = chosen(*numbers, *map(str, numbers))
    return Reader("number", lambda spot: int(word.read(spot)), word.allowed, schema=schema)


def one_of(*words: str) -> Reader[str]:
    """Return one of a few words."""

    def parse(written: str) -> str:
        if written not in words:
            wanted = f"one of {', '.join(words)} is wanted here"
            raise NotUnderstoodError(wanted, nearest(written, words))
        return written

    return scalar("word", parse, ", ".join(f"`{word}`" for word in words), chosen(*words))


rate: Final = scalar("rate", units.rate, "per `s`, `min` or `h`, as in `50/s`", units.RATE)


def _destination_rate(written: str) -> Rate:
    found = units.spaced_rate(written)
    if found.count > 1_000 or not 1.0 <= found.per_s <= 86_400.0:
        raise NotUnderstoodError("at most 1000 per number, in a span of 1s to 1d")
    return found


destination_rate: Final = scalar(
    "rate", _destination_rate, "such as `1/10s` or `20/h`", units.SPACED_RATE
)
percent: Final = scalar("percent", units.percent, "`0%` to `100%`", units.PERCENT)
truth: Final = scalar(
    "truth", units.truth, "`true` or `false`", "[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]"
)
status: Final = scalar(
    "status",
    units.status,
    "`ESME_...`, or a number such as `0x00000400`",
    {"$ref": "#/$defs/status"},
)
version: Final = scalar(
    "version",
    units.version,
    "`3.3`, `3.4` or `5.0`",
    # To an editor 3.4 without quotes is a number, and so is 0x34.
    chosen("3.3", "3.4", "5.0", 3.3, 3.4, 5.0, "0x33", "0x34", "0x50", 0x33, 0x34, 0x50),
)
network: Final = scalar(
    "network",
    units.network,
    "`10.0.0.0/8`, or one address",
    "[0-9A-Fa-f:.]+(?:%[^/]+)?(?:/[0-9.]+)?",
)
prefix: Final = scalar("digits", units.prefix, "without + or 00", "[0-9]{0,20}")
address: Final = scalar("address", units.address, "`host:port`", units.ADDRESS)


def _port_to_connect_to(written: str) -> Address:
    there = units.address(written)
    if not there.port:
        raise NotUnderstoodError("port 0 cannot be connected to")
    return there


def _loopback(written: str) -> Address:
    here = units.address(written)
    try:
        if here.host == "localhost" or ip_address(here.host).is_loopback:
            return here
    except ValueError:
        pass  # A host name: what it resolves to is not known here.
    raise NotUnderstoodError(
        "only a loopback address may stand here: whoever can reach it can command the router",
        f"127.0.0.1:{here.port}",
    )


peer_addresses: Final = one_or_list(
    scalar("address", _port_to_connect_to, "`host:port`", address.schema),
    "`host:port`, or a list of those",
    empty="the list of addresses is empty: there is nowhere to connect to",
)


def _own_address(written: str) -> str:
    try:
        return str(ip_address(written))
    except ValueError:
        raise NotUnderstoodError("an IP address is wanted here, without a port") from None


own_address: Final = scalar(
    "address", _own_address, "an IP address of this machine", "[0-9A-Fa-f:.]+(?:%.+)?"
)
loopback_address: Final = scalar("address", _loopback, "`host:port`, loopback only", address.schema)


def _one_word(written: str) -> str:
    if not written or written.split() != [written] or len(written) > 160:
        raise NotUnderstoodError("a keyword is one word")
    if ANY_END in written:
        raise NotUnderstoodError(f"a keyword is a whole word: {ANY_END} stands for nothing here")
    return written


keyword: Final = scalar("word", _one_word, "", r"\S{1,160}")


def _receipt_word(written: str) -> str:
    if not _RECEIPT_WORD.fullmatch(written):
        raise NotUnderstoodError(
            "a word is made of letters, digits, _, ., +, / and -, and has at most 40 characters"
        )
    return written.upper()


_RECEIPT_WORD: Final = re.compile(r"[A-Za-z0-9_.+/-]{1,40}")
receipt_word: Final = scalar(
    "word", _receipt_word, "letters, digits, `_`, `.`, `+`, `/`, `-`", _RECEIPT_WORD.pattern
)
"""An operator's word for a state, in capitals."""


def _receipt_error(written: str) -> str:
    if not _RECEIPT_ERROR.fullmatch(written):
        raise NotUnderstoodError("a code is made of at most 10 letters and digits, not all 0")
    return written


_RECEIPT_ERROR: Final = re.compile(r"(?=.*[A-Za-z1-9])[A-Za-z0-9]{1,10}")
receipt_error: Final = scalar(
    "code", _receipt_error, "letters, digits, not all `0`", _RECEIPT_ERROR.pattern
)
"""`err` of a receipt."""


def _time_zone(written: str) -> tzinfo:
    with suppress(ZoneInfoNotFoundError, ValueError, OSError):  # Some names are folders.
        return ZoneInfo(written)
    known = sorted(available_timezones())
    if not known:
        raise NotUnderstoodError(
            "this machine knows no time zones: install tzdata, the system's or Python's"
        )
    wanted = "a time zone is named by area and city, for example Europe/Tallinn"
    raise NotUnderstoodError(wanted, nearest(written, known))


time_zone: Final = scalar(
    "name", _time_zone, "a time zone of the IANA, such as `Europe/Tallinn`", "[A-Za-z0-9_+/-]+"
)


def _span(written: str) -> DaySpan:
    wanted = "hours are written as 08:00-20:00, from one time of the day to another"
    found = _SPAN.fullmatch(written)
    if not found:
        raise NotUnderstoodError(wanted)
    begin, end = (int(found[n]) * 60 + int(found[n + 1]) for n in (1, 3))
    if begin >= DAY_MIN or end > DAY_MIN:
        raise NotUnderstoodError("a day has the times from 00:00 to 24:00")
    if begin == end:
        raise NotUnderstoodError(
            "these hours end when they begin and so never hold; leave them out for the whole day"
        )
    return DaySpan(begin, end)


_SPAN: Final = re.compile("([0-9]{1,2}):([0-5][0-9])-([0-9]{1,2}):([0-5][0-9])")
hours: Final = one_or_list(
    scalar("hours", _span, "such as `08:00-20:00`", _SPAN.pattern),
    "such as `08:00-20:00`, or a list of those",
    empty="the list of hours is empty: the rule would never hold",
)


def _days(written: str) -> tuple[Day, ...]:
    begin, dash, end = written.lower().partition("-")
    for word in (begin, end) if dash else (begin,):
        if word not in DAYS:
            wanted = f"a day is one of {', '.join(DAYS)}, or a span of them such as mon-fri"
            raise NotUnderstoodError(wanted, None if dash else nearest(word, DAYS))
    first = DAYS.index(cast(Day, begin))
    last = DAYS.index(cast(Day, end)) if dash else first
    return tuple(DAYS[(first + n) % len(DAYS)] for n in range((last - first) % len(DAYS) + 1))


_DAY: Final = "|".join("".join(f"[{one.upper()}{one}]" for one in day) for day in DAYS)
_day_spans: Final = one_or_list(
    scalar("days", _days, "such as `sat` or `mon-fri`", f"(?:{_DAY})(?:-(?:{_DAY}))?"),
    "such as `sat` or `mon-fri`, or a list of those",
    empty="the list of days is empty: the rule would never hold",
)


def _read_days(spot: Spot) -> tuple[Day, ...]:
    return tuple(dict.fromkeys(day for some in _day_spans.read(spot) for day in some))


days: Final = Reader(
    _day_spans.kind,
    _read_days,
    _day_spans.allowed,
    schema=_day_spans.schema,
)


def _receipt_text(written: str) -> str:
    if not written.isascii():
        raise NotUnderstoodError("only ASCII is carried here")
    rest = _IN_BRACES.split(written)
    if "{" in "".join(rest[::2]) or "}" in "".join(rest[::2]):
        raise NotUnderstoodError("a brace has no partner: fields stand in braces, such as {id}")
    for field in rest[1::2]:
        if field not in FIELDS:
            guess = nearest(field, FIELDS)
            meant = None if guess is None else written.replace(f"{{{field}}}", f"{{{guess}}}")
            wanted = f"{{{field}}} is no field; there are {', '.join(FIELDS)}"
            raise NotUnderstoodError(wanted, meant)
    for field in ("id", "stat"):
        if field not in rest[1::2]:
            raise NotUnderstoodError(f"{{{field}}} is missing: a receipt without it says nothing")
    twice = next((field for field in FIELDS if rest[1::2].count(field) > 1), None)
    if twice is not None:
        raise NotUnderstoodError(f"{{{twice}}} stands in the text twice")
    if sum(map(len, rest[::2])) > LONGEST_RECEIPT_WORDS:
        raise NotUnderstoodError(
            f"more than {LONGEST_RECEIPT_WORDS} characters stand between the fields: the text "
            "would not fit into a short_message"
        )
    return written


_IN_BRACES: Final = re.compile(r"\{([^{}]*)\}")
LONGEST_RECEIPT_WORDS: Final = 100
"""Characters between the fields of a receipt's text: with the longest id, dates and words it fits
into a short_message, and leaves some room for `{text}`."""
receipt_text: Final = scalar(
    "text",
    _receipt_text,
    "ASCII with " + ", ".join(f"`{{{field}}}`" for field in FIELDS),
    r".*\{id\}.*",
)
"""The layout of a receipt's text."""


def _digits(written: str) -> str:
    if not units.prefix(written):
        raise NotUnderstoodError("the prefix is empty: a group with it would have every number")
    return written


digits: Final = scalar("digits", _digits, "without + or 00", "[0-9]{1,20}")


def _number(written: str) -> str:
    if not units.prefix(written):
        raise NotUnderstoodError("the number is empty; leave the key out for every number")
    return written


def _reason(written: str) -> str:
    if not _REASON.fullmatch(written):
        raise NotUnderstoodError("a reason is one word of small letters, digits and _")
    if written in OWN_REASONS:
        raise NotUnderstoodError("the router itself has this word for another reason: choose one")
    return written


_REASON: Final = re.compile("[a-z][a-z0-9_]{0,39}")
reason: Final = scalar("word", _reason, "small letters, digits, `_`", _REASON.pattern)
"""The word of a rule for why it refuses."""


def _final_status(written: str) -> int:
    found = units.status(written)
    if found in TEMPORARY_FOR_CLIENTS:
        raise NotUnderstoodError(
            "clients send a message again after this status, for ever; a final one is wanted here",
            "ESME_RSUBMITFAIL",
        )
    return found


final_status: Final = scalar(
    "status", _final_status, status.allowed, {"$ref": "#/$defs/final_status"}
)


def _column(written: str) -> str:
    column = written.strip()
    if not re.fullmatch(_COLUMN, column):
        raise NotUnderstoodError(
            "a column is a number from 1, or its name in the first line, which is no number"
        )
    return column


_COLUMN: Final = r"[1-9][0-9]*|(?![-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$).+"
column: Final = scalar(
    "text",
    _column,
    "a number from 1, or a name",
    {**matching(_COLUMN), "minimum": 1, "multipleOf": 1},
)


def _country(written: str) -> str:
    if written not in COUNTRIES:
        wanted = "a country is written by its code of two capital letters (ISO 3166), such as EE"
        meant = _OTHER_CODES.get(written.upper(), written.upper())
        raise NotUnderstoodError(wanted, meant if meant in COUNTRIES else None)
    return written


_OTHER_CODES: Final = {"UK": "GB", "EL": "GR", "EST": "EE", "USA": "US"}
country: Final = scalar("country", _country, "two letters (ISO 3166), such as `EE`", "[A-Z]{2}")
"""A country whose numbers the numbering plans know."""


def parsed_network(written: str) -> str:
    """Return an MCCMNC, as it is or with something between its two parts.

    Raises NotUnderstoodError.
    """
    digits = written.translate(_BETWEEN_DIGITS)
    if not _NETWORK.fullmatch(digits):
        raise NotUnderstoodError("a network is five or six digits, MCC and MNC, such as 24801")
    return digits


_BETWEEN_DIGITS: Final = str.maketrans("", "", " -/.")
_NETWORK: Final = re.compile("[2-9][0-9]{4,5}")
mccmnc: Final = scalar(
    "network", parsed_network, "MCCMNC, such as `24801`", "[2-9][0-9]{2}[ /.-]?[0-9]{2,3}"
)
"""A mobile network."""
number: Final = scalar("digits", _number, "without + or 00", "[0-9]{1,20}")


def _ton_npi(written: str) -> TonNpi:
    ton, slash, npi = written.partition("/")
    if slash and ton.isdecimal() and npi.isdecimal() and max(int(ton), int(npi)) <= 255:
        return TonNpi(int(ton), int(npi))
    raise NotUnderstoodError("TON and NPI are two numbers from 0 to 255, as in 1/1")


ton_npi: Final = scalar("TON/NPI", _ton_npi, "such as `1/1`", "[0-9]{1,3}/[0-9]{1,3}")


def _country_code(written: str) -> str:
    if not _COUNTRY_CODE.fullmatch(written):
        raise NotUnderstoodError("a country calling code has one to three digits, without + or 00")
    return written


_COUNTRY_CODE: Final = re.compile("[1-9][0-9]{0,2}")
country_code: Final = scalar("digits", _country_code, "without + or 00", _COUNTRY_CODE.pattern)


def _national_prefix(written: str) -> str:
    if not _NATIONAL_PREFIX.fullmatch(written):
        raise NotUnderstoodError("a national prefix has at most four digits, such as 0")
    return written


_NATIONAL_PREFIX: Final = re.compile("[0-9]{0,4}")
national_prefix: Final = scalar("digits", _national_prefix, "such as `0`", _NATIONAL_PREFIX.pattern)
number_form: Final = replace(one_of(*get_args(NumberForm)), schema=chosen(*get_args(NumberForm), 0))
"""To an editor 00 without quotes is the number 0."""


def _read_path(spot: Spot) -> Path:
    path = spot.reading.folder / spot.text()
    _begin_of_file(spot, path, 0)
    files = spot.reading.files
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        spot.refuse(f"the file cannot be read: {error.strerror}")
    files[path] = replace(files[path], digest=content)
    return path


existing_file: Final = Reader(
    "path", _read_path, "relative to the configuration", schema=matching(".+")
)


def _read_url(spot: Spot) -> str:
    written = spot.text()
    if written == "memory:":
        return written
    scheme, slashes, file = written.partition(":///")
    if scheme == "sqlite" and slashes and file:
        return f"sqlite:///{spot.reading.folder / file}"
    meant = None
    if written.startswith("sqlite:") and written.removeprefix("sqlite:").strip("/"):
        meant = "sqlite:///" + written.removeprefix("sqlite:").strip("/")
    elif nearest(written, ["memory:"]):
        meant = "memory:"
    spot.refuse("a journal is sqlite:///file or memory:", meant)


journal_url: Final = Reader(
    "url", _read_url, "`sqlite:///file` or `memory:`", schema=matching("sqlite:///.+|memory:")
)


def _read_secret(spot: Spot) -> str:
    """Return a password, written here or in a file. No message quotes any part of it."""
    if isinstance(spot.node, Table):
        secret = _read_secret_file(spot)
    elif isinstance(spot.node, Sequence):
        spot.refuse("one password is wanted here, not a list; quote text that begins with [")
    else:
        secret = spot.text(is_secret=True)
    if not secret.isascii():
        spot.refuse("a password is ASCII: SMPP carries nothing else there")
    if len(secret) > LONGEST_SECRET_BYTES:
        spot.refuse("this is too long for a password")
    return secret


def _read_secret_file(spot: Spot) -> str:
    if spot.entries().keys() != {"file"}:
        spot.refuse("a password is text or {file: path}; quote text that begins with {")
    # A path is shown by what the system says of it, and by whether there is such a file: where the
    # environment is withheld, it takes nothing from there.
    where = spot.child(spot.entries()["file"])
    octets = _begin_of_file(where, spot.reading.folder / where.text(), LONGEST_SECRET_BYTES + 1)
    try:
        secret = octets.decode("ascii").rstrip("\r\n")
    except UnicodeDecodeError:
        where.refuse("the file holds something else than ASCII")
    if not secret:
        where.refuse("the file is empty")
    if re.search("[\x00-\x1f\x7f]", secret):
        where.refuse("the file holds more than one line of text")
    return secret


def _begin_of_file(spot: Spot, path: Path, size_bytes: int) -> bytes:
    """Return the first octets of a file. Its name, perhaps from the environment, is not shown."""
    # Before it is read: a change meanwhile is seen later.
    spot.reading.files.setdefault(path, SeenFile(stamp_of(path)))
    try:
        # Only regular files: reading a pipe might wait for ever, and a device might not end.
        if path.exists() and not path.is_file():
            spot.refuse("this is no regular file")
        with path.open("rb") as file:
            return file.read(size_bytes)
    except OSError as error:
        spot.refuse(f"the file cannot be read: {error.strerror}")


def _read_operator_secret(spot: Spot) -> str:
    secret = _read_secret(spot)
    if secret:
        _remember_clear(spot)
    return _or_stand_in(spot, secret)


def _read_account_secret(spot: Spot) -> str:
    secret = _read_secret(spot)
    if not secret:
        spot.refuse("the password is empty: anybody could bind")
    if not is_hash(secret):
        _remember_clear(spot)
        return _or_stand_in(spot, secret)
    wrong = check_hash(secret)
    if wrong:
        spot.refuse(f"the hash {wrong}")
    return _or_stand_in(spot, secret)


def _or_stand_in(spot: Spot, secret: str) -> str:
    """Return a secret, or what stands for one of a file that whoever asks may not read."""
    return STAND_IN if spot.reading.is_for_others and isinstance(spot.node, Table) else secret


def _remember_clear(spot: Spot) -> None:
    """Remember which file a password in clear text stands in; one of the environment is in none.

    What an anchor names is one password, however many aliases it has.
    """
    if isinstance(spot.node, Table):
        where = spot.child(spot.entries()["file"])
        path, place = spot.reading.folder / where.text(), where.node.place
    elif spot.is_secret_written_here:
        path, place = Path(spot.node.place.file).absolute(), spot.node.place
    else:
        return
    seen = spot.reading.files.get(path)
    if seen is not None:
        seen.passwords.setdefault(place, spot.path)


_SECRET_SCHEMA: Final = {
    "anyOf": [
        matching(".*"),
        {
            "type": "object",
            "properties": {"file": {**matching(".+"), "description": "The file that holds it."}},
            "required": ["file"],
            "additionalProperties": False,
        },
    ]
}
secret: Final = Reader(
    "secret", _read_operator_secret, "text or `{file: path}`", schema=_SECRET_SCHEMA
)
passwords: Final = one_or_list(
    replace(secret, read=_read_account_secret),
    "text, `{file: path}`, or a list of those",
    empty="the list of passwords is empty: nobody could bind",
)


def _certificate_name(written: str) -> str:
    if not written.strip() or written != written.strip() or len(written) > 255:
        raise NotUnderstoodError(
            "a name of a certificate is wanted here: its CN, or a DNS name or URI among its "
            "alternative names"
        )
    return written


certificate_names: Final = one_or_list(
    scalar("text", _certificate_name, "", r"\S(?:.{0,253}\S)?"),
    "a name, or a list of those",
    empty="the list of names is empty: nobody could bind",
)
