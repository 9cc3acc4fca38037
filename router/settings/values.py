"""The kinds of value that a configuration has: text, names, numbers within bounds, secrets, files.

Bounds are wide: they are there for the slip of the keyboard (a window of 0, a wait of a year),
not to know better than whoever writes the file.
"""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from router.accept.passwords import check_hash, is_hash
from router.settings import units
from router.settings.mistakes import nearest
from router.settings.parts import Reader, read_all, scalar
from router.settings.places import Sequence, Table
from router.settings.reading import Spot
from router.settings.units import NotUnderstoodError
from router.terms.limits import Rate
from router.terms.names import NOBODY
from router.terms.settings import Address

LONGEST_SECRET_BYTES: Final = 4_096
"""Of a file that holds a password; a longer one is the wrong file."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def text(longest: int, shortest: int = 1) -> Reader[str]:
    """ASCII, as every text field of SMPP outside a message."""

    def parse(written: str) -> str:
        if not written.isascii():
            raise NotUnderstoodError("only ASCII is carried here")
        if len(written) < shortest:
            raise NotUnderstoodError("the text is empty")
        if len(written) > longest:
            raise NotUnderstoodError(f"the text has more than {longest} characters")
        return written

    return scalar("text", parse, f"at most {longest} characters")


def _word(written: str) -> str:
    if not _NAME.fullmatch(written):
        raise NotUnderstoodError(
            "a name is made of letters, digits, _ . and -, begins with a letter or digit, and has "
            "at most 64 characters"
        )
    return written


name: Final = scalar("name", _word, "letters, digits, `_`, `.`, `-`")
"""A name that commands, metrics and logs can carry as it is."""


def _operator(written: str) -> str:
    if written == NOBODY:
        raise NotUnderstoodError(f"metrics and status call it {NOBODY} when no operator is up")
    return _word(written)


operator_name: Final = scalar("name", _operator, f"{name.allowed}; not `{NOBODY}`")
"""The name of an operator, which can stand beside what waits for nobody."""


def whole(lowest: int, highest: int) -> Reader[int]:
    """A whole number within bounds."""

    def parse(written: str) -> int:
        number = units.whole(written)
        if not lowest <= number <= highest:
            raise NotUnderstoodError(f"a number from {lowest:_} to {highest:_} is wanted here")
        return number

    return scalar("number", parse, f"{lowest} to {highest:_}")


def whole_or_auto(lowest: int, highest: int) -> Reader[int | None]:
    """A whole number within bounds, or `auto`, which is None."""
    number = whole(lowest, highest)

    def read(spot: Spot) -> int | None:
        return (
            None
            if not isinstance(spot.node, Table | Sequence) and spot.text() == "auto"
            else (number.read(spot))
        )

    return Reader("number", read, f"{number.allowed}, or `auto`")


def duration(lowest: str, highest: str) -> Reader[float]:
    """A duration within bounds."""
    lowest_s, highest_s = units.duration(lowest), units.duration(highest)

    def parse(written: str) -> float:
        seconds = units.duration(written)
        if not lowest_s <= seconds <= highest_s:
            raise NotUnderstoodError(f"a duration from {lowest} to {highest} is wanted here")
        return seconds

    return scalar("duration", parse, f"{lowest} to {highest}")


def size(lowest: str, highest: str) -> Reader[int]:
    """A size within bounds."""
    lowest_bytes, highest_bytes = units.size(lowest), units.size(highest)

    def parse(written: str) -> int:
        octets = units.size(written)
        if not lowest_bytes <= octets <= highest_bytes:
            raise NotUnderstoodError(f"a size from {lowest} to {highest} is wanted here")
        return octets

    return scalar("size", parse, f"{lowest} to {highest}")


def one_of(*words: str) -> Reader[str]:
    """One of a few words."""

    def parse(written: str) -> str:
        if written not in words:
            wanted = f"one of {', '.join(words)} is wanted here"
            raise NotUnderstoodError(wanted, nearest(written, words))
        return written

    return scalar("word", parse, ", ".join(f"`{word}`" for word in words))


rate: Final = scalar("rate", units.rate, "per `s`, `min` or `h`, as in `50/s`")


def _destination_rate(written: str) -> Rate:
    found = units.spaced_rate(written)
    if found.count > 1_000 or not 1.0 <= found.per_s <= 86_400.0:
        raise NotUnderstoodError("at most 1000 per number, in a span of 1s to 1d")
    return found


destination_rate: Final = scalar("rate", _destination_rate, "such as `1/10s` or `20/h`")
percent: Final = scalar("percent", units.percent, "`0%` to `100%`")
truth: Final = scalar("truth", units.truth, "`true` or `false`")
status: Final = scalar("status", units.status, "`ESME_...`, or a number such as `0x00000400`")
version: Final = scalar("version", units.version, "`3.3`, `3.4` or `5.0`")
network: Final = scalar("network", units.network, "`10.0.0.0/8`, or one address")
prefix: Final = scalar("digits", units.prefix, "without + or 00")
address: Final = scalar("address", units.address, "`host:port`")


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
        pass  # A name: who knows where it leads.
    raise NotUnderstoodError(
        "only a loopback address may stand here: whoever can reach it can command the router",
        f"127.0.0.1:{here.port}",
    )


peer_address: Final = scalar("address", _port_to_connect_to, "`host:port`")


def _read_peer_addresses(spot: Spot) -> tuple[Address, ...]:
    if not isinstance(spot.node, Sequence):
        return (peer_address.read(spot),)
    if not spot.node.items:
        spot.refuse("the list of addresses is empty: there is nowhere to connect to")
    return tuple(read_all(spot.items(), peer_address.read))


peer_addresses: Final = Reader("address", _read_peer_addresses, "`host:port`, or a list of those")


def _own_address(written: str) -> str:
    try:
        return str(ip_address(written))
    except ValueError:
        raise NotUnderstoodError("an IP address is wanted here, without a port") from None


own_address: Final = scalar("address", _own_address, "an IP address of this machine")
loopback_address: Final = scalar("address", _loopback, "`host:port`, loopback only")


def _one_word(written: str) -> str:
    if not written or written.split() != [written] or len(written) > 160:
        raise NotUnderstoodError("a keyword is one word")
    return written


keyword: Final = scalar("word", _one_word)


def _number(written: str) -> str:
    if not units.prefix(written):
        raise NotUnderstoodError("the number is empty; leave the key out for every number")
    return written


number: Final = scalar("digits", _number, "without + or 00")


def _read_path(spot: Spot) -> Path:
    path = spot.reading.folder / spot.text()
    _begin_of_file(spot, path, 0)
    return path


existing_file: Final = Reader("path", _read_path, "relative to the configuration")


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


journal_url: Final = Reader("url", _read_url, "`sqlite:///file` or `memory:`")


def _read_secret(spot: Spot) -> str:
    """A password, here or in a file; nothing that is said about it quotes any of it."""
    if isinstance(spot.node, Table):
        secret = _read_secret_file(spot)
    elif isinstance(spot.node, Sequence):
        spot.refuse("one password is wanted here, not a list; quote text that begins with [")
    else:
        secret = spot.text()
    if not secret.isascii():
        spot.refuse("a password is ASCII: SMPP carries nothing else there")
    if len(secret) > LONGEST_SECRET_BYTES:
        spot.refuse("this is too long for a password")
    return secret


def _read_secret_file(spot: Spot) -> str:
    if spot.entries().keys() != {"file"}:
        spot.refuse("a password is text or {file: path}; quote text that begins with {")
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
    """The first bytes of a file; its name is not shown, for the environment may have given it."""
    try:
        # Only regular files: a pipe would wait for ever, and a device need not end.
        if path.exists() and not path.is_file():
            spot.refuse("this is no regular file")
        with path.open("rb") as file:
            return file.read(size_bytes)
    except OSError as error:
        spot.refuse(f"the file cannot be read: {error.strerror}")


def _read_account_secret(spot: Spot) -> str:
    secret = _read_secret(spot)
    if not secret:
        spot.refuse("the password is empty: anybody could bind")
    wrong = check_hash(secret) if is_hash(secret) else None
    if wrong:
        spot.refuse(f"the hash {wrong}")
    return secret


def _read_passwords(spot: Spot) -> tuple[str, ...]:
    if not isinstance(spot.node, Sequence):
        return (_read_account_secret(spot),)
    if not spot.node.items:
        spot.refuse("the list of passwords is empty: nobody could bind")
    return tuple(read_all(spot.items(), _read_account_secret))


secret: Final = Reader("secret", _read_secret, "text or `{file: path}`")
passwords: Final = Reader("secret", _read_passwords, "text, `{file: path}`, or a list of those")
