"""How senders, lists of them and countries are written: `Shop until 2027-01-31`, `{file: path}`."""

import re
from typing import Final, NamedTuple

from router.decide.conditions import ANY_END
from router.settings.lists import senders_in
from router.settings.parts import Found, Reader, matching, read_all, scalar
from router.settings.places import Sequence, Table
from router.settings.reading import Spot
from router.settings.units import NotUnderstoodError
from router.settings.values import LONGEST_SENDER
from router.smpp.senders import SenderRules, ends_utc, kind_of, letters_of, split_until
from router.terms.settings import ListFile, SenderReplacement

_DATE_MEANT: Final = re.compile(r".*\suntil(\s.*)?")


class Listed(NamedTuple):
    """The value of `only`: entries that stand there, and files of more."""

    only: tuple[str, ...]
    only_files: tuple[ListFile, ...]


def parsed_entry(written: str) -> str:
    """Return an entry of a list: a sender, perhaps with `until` and a day.

    Raises NotUnderstoodError.
    """
    sender, day = split_until(written)
    if not day and _DATE_MEANT.fullmatch(written):
        raise NotUnderstoodError("`until` is followed by a day such as 2027-01-31")
    try:
        ends_utc(day)
    except ValueError:
        raise NotUnderstoodError("there is no such day: it is written as 2027-01-31") from None
    _check(sender)
    return f"{sender} until {day}" if day else sender


def _check(sender: str) -> None:
    if not sender.isascii():
        raise NotUnderstoodError("only ASCII is carried here")
    if ANY_END in sender:
        raise NotUnderstoodError(f"{ANY_END} stands for nothing here: a list has whole senders")
    if not sender:
        raise NotUnderstoodError("a sender is wanted here")
    if len(sender) > LONGEST_SENDER:
        raise NotUnderstoodError(f"a sender has at most {LONGEST_SENDER} characters")


def _parsed_own(written: str) -> str:
    """Return a sender that the router writes, so that it has to know its kind."""
    _check(written)
    if kind_of(written.encode()) is None:
        raise NotUnderstoodError(
            "a sender is made of 3 to 15 digits, or of at most 11 letters of the GSM alphabet"
        )
    return written


_entry: Final = scalar(
    "text",
    parsed_entry,
    f"at most {LONGEST_SENDER} characters, ` until 2027-01-31` behind them",
    r"[^*]+",
)
own_sender: Final = scalar("text", _parsed_own, "11 letters, or 3 to 15 digits", r"[^*]{1,20}")
_file: Final = {
    "type": "object",
    "properties": {"file": matching(".+")},
    "required": ["file"],
    "additionalProperties": False,
}


def _read_entry(spot: Spot) -> str | ListFile:
    if isinstance(spot.node, Table):
        if spot.entries().keys() != {"file"}:
            spot.refuse("a sender or {file: ...} is wanted here")
        file = spot.child(spot.entries()["file"])
        values = senders_in(file, parsed_entry)
        if not values:  # A list without entries would let every sender through.
            file.refuse("the file holds no sender")
        return ListFile(file=file.text(), values=values)
    return _entry.read(spot)


def _read_list(spot: Spot) -> Listed:
    spots = spot.items() if isinstance(spot.node, Sequence) else [spot]
    if not spots:
        spot.refuse("the list is empty: no sender could be used; leave the key out for any")
    found = read_all(spots, _read_entry)
    seen: set[bytes | str] = set()
    for place, one in zip(spots, found, strict=True):
        key = letters_of(split_until(one)[0].encode()) if isinstance(one, str) else one.file
        if key in seen:
            place.note("this stands in the list already")
        seen.add(key)
    return Listed(
        tuple(one for one in found if isinstance(one, str)),
        tuple(one for one in found if not isinstance(one, str)),
    )


sender_list: Final = Reader(
    _entry.kind,
    _read_list,
    f"{_entry.allowed}; `{{file: path}}`, or a list of those",
    schema={
        "anyOf": [
            _entry.schema,
            _file,
            {"type": "array", "items": {"anyOf": [_entry.schema, _file]}, "minItems": 1},
        ]
    },
)


def finish_list(found: Found) -> None:
    """Put the entries and the files of a list where settings have them."""
    only = found.values.get("only")
    if isinstance(only, Listed):
        found.values.update(only._asdict())


def _rules(found: Found) -> SenderRules:
    kinds = found.values.get("kinds", ())
    only, files = (found.values.get(name, ()) for name in Listed._fields)
    assert isinstance(kinds, tuple)
    assert isinstance(only, tuple)
    assert isinstance(files, tuple)
    return SenderRules(kinds, [*only, *(value for file in files for value in file.values)])


def finish_account_senders(found: Found) -> None:
    """Note what makes no sense together in the senders of an account."""
    finish_list(found)
    if found.lacks("only") and found.lacks("default"):
        found.spot.note("write `only`, `default`, or both")
    default = found.values.get("default")
    if isinstance(default, str) and not _is_let_through(found, default):
        found.note("default", "is not among the senders of `only`, which are all that may be used")


def finish_country_senders(found: Found) -> None:
    """Note what makes no sense together in the senders of a country."""
    finish_list(found)
    if found.lacks("kinds") and found.lacks("only"):
        found.spot.note("write `kinds`, `only`, or both")
    if "exempt" in found.entries and found.lacks("only"):
        found.note("exempt", "says nothing without `only`: every sender is exempt")


def finish_operator_senders(found: Found) -> None:
    """Note what makes no sense together in the senders of an operator."""
    finish_list(found)
    if found.lacks("kinds") and found.lacks("only"):
        found.spot.note("write `kinds`, `only`, or both")
    otherwise = found.values.get("otherwise")
    if isinstance(otherwise, SenderReplacement) and not _is_let_through(found, otherwise.replace):
        found.note("otherwise", "this is no sender that `kinds` and `only` let through")


def _is_let_through(found: Found, sender: str) -> bool:
    """Whether a sender is in the list, if that could be read; one that has ended, too."""
    if "only" in found.entries and "only" not in found.values:
        return True
    return _rules(found).until_utc(sender.encode()) > float("-inf")
