"""The JSON Schema of a configuration, for editors: what `smpp-router schema` prints.

Rule: the schema refuses nothing that the router takes. Much that the router refuses passes here,
because a schema cannot say it: a lane that there is not, or a duration out of bounds.

Every file of a folder is a part of one configuration, so nothing is required at the top. The words
are those of `config/README.md`. Beside `$defs` no keyword is newer than draft 7, which is all that
some editors know.
"""

import json
from collections.abc import Iterator
from typing import Final

from router.settings.declared import texts_of
from router.settings.keys import SETTINGS
from router.settings.load import BY_ORDER
from router.settings.parts import Part, Reader, Schema, key_of, matching
from router.settings.reference import default, written
from router.smpp.vocabulary import ESME_ROK, STATUS_BY_NAME
from router.terms.outcome import TEMPORARY_FOR_CLIENTS

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_STATUS_NUMBER: Final = "0[xX][0-9A-Fa-f]{1,8}|[0-9]{1,10}"


def schema() -> dict[str, object]:
    """Return the schema as one JSON document."""
    definitions = {part.settings.__name__: _object(part) for part in _parts_below(SETTINGS)}
    return {
        "$schema": DRAFT,
        "title": "Configuration of smpp-router",
        **_object(SETTINGS, required=[]),
        "description": "One file with all of it, or any file of a folder.",
        "$defs": {**definitions, "status": _status(), "final_status": _final_status()},
    }


def _status() -> Schema:
    names = [name for name, status in STATUS_BY_NAME.items() if status != ESME_ROK]
    number = matching(_STATUS_NUMBER)
    return {"anyOf": [{"enum": names}, {**number, "minimum": 1, "maximum": 0xFFFFFFFF}]}


def _final_status() -> Schema:
    """Return the statuses after which clients do not send a message again."""
    numbers = sorted(TEMPORARY_FOR_CLIENTS)
    hexadecimal = "|".join(f"{one:x}" for one in numbers)
    decimal = "|".join(map(str, numbers))
    names = [
        name
        for name, status in STATUS_BY_NAME.items()
        if status != ESME_ROK and status not in TEMPORARY_FOR_CLIENTS
    ]
    number = matching(f"(?!0[xX]0*(?:{hexadecimal})$|0*(?:{decimal})$)(?:{_STATUS_NUMBER})")
    bounds = {"minimum": 1, "maximum": 0xFFFFFFFF, "not": {"enum": numbers}}
    return {"anyOf": [{"enum": names}, {**number, **bounds}]}


def page() -> str:
    """Return the document as it is printed, and as it stands in `docs/router.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _object(part: Part[object], required: list[str] | None = None) -> dict[str, object]:
    told = texts_of(part.settings)
    found: dict[str, object] = {
        "description": told[""],
        "type": "object",
        "properties": {
            key_of(name): {**_value(part, name, reader), "description": _words(part, name, reader)}
            for name, reader in part.readers.items()
        },
        "additionalProperties": False,
    }
    if required is None:
        required = [key_of(name) for name in part.readers if name in part.required]
    return {**found, "required": required} if required else found


def _value(part: Part[object], name: str, reader: Reader[object]) -> Schema:
    if part is SETTINGS and name in BY_ORDER:
        # A list may be empty in one file where another one fills it.
        return {key: says for key, says in reader.schema.items() if key != "minItems"}
    return reader.schema


def _words(part: Part[object], name: str, reader: Reader[object]) -> str:
    """Return the meaning of a key and, for one value, its form and its default."""
    words = texts_of(part.settings)[name]
    if not reader.part:
        words += f"\n\nWritten as {written(reader)}."
        holds = default(part, name, reader)
        words += f" Default: {holds}." if holds.startswith("`") else ""
    return words


def _parts_below(part: Part[object]) -> Iterator[Part[object]]:
    for reader in part.readers.values():
        if reader.part:
            yield reader.part
            yield from _parts_below(reader.part)
