"""What a part of the configuration says, in words: what is written, and no default.

No secret is told. Parts with names, such as the binds of an operator, are parts of their own.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields

from router.settings.difference import NO_KEYS, is_part, shown
from router.settings.parts import key_of
from router.smpp.vocabulary import status_name
from router.terms.settings import BindSettings, StatusAction


def summary(part: object) -> dict[str, str]:
    """Return key and value of what a part says beside its defaults; a key within has a dot."""
    found: dict[str, str] = {}
    for one in fields(part):  # type: ignore[arg-type]
        value = getattr(part, one.name)
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        if one.name in NO_KEYS or not one.repr or value == default:
            continue
        key = key_of(one.name)
        if is_part(value):
            found |= {f"{key}.{inner}": text for inner, text in summary(value).items()}
        elif isinstance(value, Mapping):
            found[key] = ", ".join(_entry(name, of) for name, of in value.items())
        elif not (isinstance(value, tuple) and any(isinstance(of, BindSettings) for of in value)):
            found[key] = shown(one, value)
    return found


def _entry(name: object, value: object) -> str:
    if isinstance(value, StatusAction) and isinstance(name, int):
        return f"{status_name(name)} {value.do}"
    return f"{name} {value}"
