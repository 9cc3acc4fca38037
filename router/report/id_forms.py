"""The forms in which operators write message ids, and one form in which they can be compared."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from router.terms.names import OperatorId
from router.terms.settings import IdForm

LONGEST_NUMBER: Final = 64
"""Digits of an id that is read as a number; the wire has 64, and a longer one in a TLV is text."""
_INT32: Final = 1 << 32


def canonical(form: IdForm) -> Callable[[bytes], OperatorId]:
    """Return the function that makes ids in this form comparable.

    Text and decimal: case and leading zeros do not count. Hex: the number counts, of any length. An
    id that is not of its form is read as text.
    """
    base = {"text": 0, "decimal": 10, "hex": 16}[form]

    def of_text(octets: bytes) -> OperatorId:
        if 0 in octets:  # Else no call: every message comes by here twice.
            octets = cut(octets)
        return OperatorId(octets.strip().lower().lstrip(b"0") or b"0")

    def of_number(octets: bytes) -> OperatorId:
        digits = cut(octets)
        if len(digits) > LONGEST_NUMBER or b"_" in digits:
            return of_text(octets)
        try:
            return OperatorId(b"%d" % int(digits, base))
        except ValueError:
            return of_text(octets)

    return of_number if is_number(form) else of_text


def other_forms(octets: bytes) -> Iterator[OperatorId]:
    """Yield the canonical forms of an id that is written in another way than the settings say.

    In another base, with 0x, or as the negative that its 32 bits are.
    """
    text = cut(octets).lower()
    if len(text) > LONGEST_NUMBER or b"_" in text:
        return
    yield OperatorId(text.lstrip(b"0") or b"0")  # Decimal or text, where the settings say hex.
    numbers: list[int] = []
    with suppress(ValueError):
        if text.startswith(b"-"):
            numbers.append(int(text) % _INT32)
        elif text.startswith((b"0x", b"x")):  # Canonical text has lost the 0.
            numbers.append(int(text.partition(b"x")[2], 16))
        else:
            if text.isdigit():
                numbers.append(int(text))
            numbers.append(int(text, 16))
    for number in numbers:
        yield OperatorId(b"%d" % number)
        yield OperatorId(b"%x" % number)
        yield OperatorId(b"x%x" % number)
        if _INT32 // 2 <= number < _INT32:
            yield OperatorId(b"%d" % (number - _INT32))


def is_number(form: IdForm) -> bool:
    """Return whether ids of this form are compared as numbers, rather than as they stand."""
    return form == "hex"


def cut(octets: bytes) -> bytes:
    """Return an id without what stands behind its NUL, and without blanks."""
    end = octets.find(0)
    return (octets if end < 0 else octets[:end]).strip()
