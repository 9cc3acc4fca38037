"""How phrases, links and signatures are written: text of any language, from the file or a list."""

from typing import Final, NamedTuple

from router.check.folding import fold
from router.check.links import UNREADABLE, ascii_host
from router.check.phrases import LONGEST_PHRASE
from router.settings.lists import texts_in
from router.settings.parts import (
    Found,
    Reader,
    listing,
    matching,
    read_all,
    scalar,
)
from router.settings.places import Sequence, Table
from router.settings.reading import Spot
from router.settings.units import NotUnderstoodError
from router.terms.settings import ListFile

MOST_PHRASES: Final = 100_000
"""Of one screen; some 60 MB. More is no list of phrases."""
LONGEST_SIGNATURE: Final = 70
"""Characters: a message of one part in UCS-2 has no more."""
LONGEST_WRITTEN: Final = 1_000
"""Characters of a phrase as it is written, before it is folded."""


class PhraseList(NamedTuple):
    """The value of `phrases`: what stands there, and files of more."""

    phrases: tuple[str, ...]
    phrase_files: tuple[ListFile, ...]


def parsed_phrase(written: str) -> str:
    """Return a phrase. Raises NotUnderstoodError."""
    if len(written) > LONGEST_WRITTEN or len(" ".join(fold(written).split())) > LONGEST_PHRASE:
        raise NotUnderstoodError(f"a phrase has at most {LONGEST_PHRASE} characters")
    return written


_phrase: Final = scalar(
    "text", parsed_phrase, f"at most {LONGEST_PHRASE} characters", rf".{{0,{LONGEST_WRITTEN}}}"
)
_path: Final = matching(".+")
_FILE: Final = {
    "type": "object",
    "properties": {"file": _path},
    "required": ["file"],
    "additionalProperties": False,
}


def _read_phrase(spot: Spot) -> str | ListFile:
    if not isinstance(spot.node, Table):
        return _phrase.read(spot)
    if spot.entries().keys() != {"file"}:
        spot.refuse("a phrase or {file: ...} is wanted here")
    file = spot.child(spot.entries()["file"])
    return ListFile(file=file.text(), values=texts_in(file, parsed_phrase, "phrase"))


def _read_phrases(spot: Spot) -> PhraseList:
    items = spot.items() if isinstance(spot.node, Sequence) else [spot]
    if not items:
        spot.refuse("the list is empty: leave the key out if the screen is for links only")
    found = read_all(items, _read_phrase)
    files = tuple(one for one in found if not isinstance(one, str))
    phrases = tuple(dict.fromkeys(one for one in found if isinstance(one, str)))
    if len(phrases) + sum(len(file.values) for file in files) > MOST_PHRASES:
        spot.refuse(f"a screen has at most {MOST_PHRASES} phrases")
    return PhraseList(phrases, files)


phrases: Final = Reader(
    "text",
    _read_phrases,
    f"{_phrase.allowed}; `{{file: path}}`, or a list of those",
    schema={
        "anyOf": [
            _phrase.schema,
            _FILE,
            {"type": "array", "items": {"anyOf": [_phrase.schema, _FILE]}, "minItems": 1},
        ]
    },
)


def finish_screen(found: Found) -> None:
    """Put phrases where screens have them; note a screen that looks for nothing."""
    read = found.values.get("phrases")
    if isinstance(read, PhraseList):
        found.values.update(read._asdict())
    if found.lacks("phrases") and found.lacks("links"):
        found.spot.note("a screen looks for `phrases`, for `links`, or for both")


def _host(written: str) -> str:
    if written.startswith("*."):
        wanted = "what is below a host is allowed with it: write the host alone"
        raise NotUnderstoodError(wanted, written.removeprefix("*."))
    host = ascii_host(written)
    if host == UNREADABLE or "." not in host or "/" in written or ":" in written:
        raise NotUnderstoodError("a host is wanted here, such as shop.example: no scheme, no path")
    return written


hosts: Final = listing(scalar("host", _host, "such as `shop.example`", r"[^\s/:@]{1,253}"))


def finish_links(found: Found) -> None:
    """Note a mapping that allows no host: `none` says that."""
    if found.lacks("only"):
        found.spot.note("links are `none`, or have `only` with the hosts that they may lead to")


def _signature(written: str) -> str:
    if not written.strip():
        raise NotUnderstoodError("the signature is empty: leave the key out")
    if len(written) > LONGEST_SIGNATURE:
        raise NotUnderstoodError(f"a signature has at most {LONGEST_SIGNATURE} characters")
    return written.strip()


signature: Final = scalar(
    "text", _signature, f"at most {LONGEST_SIGNATURE} characters", rf".{{1,{LONGEST_SIGNATURE}}}"
)
