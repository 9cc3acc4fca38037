"""The message ids that a simulated operator gives: decimal, hexadecimal or text, on each way.

Many operators write one number in two bases: `33E95179` in the submit_sm_resp and `870928761` in
the receipt. That is `hex` here, or in full `hex/decimal`.
"""

from dataclasses import dataclass
from typing import Final

from simulators.units import UnitError

FORMS: Final = ("decimal", "hex", "text")
_SHORT: Final = {"decimal": "decimal", "hex": "decimal", "text": "text"}
"""How receipts write the id where only the form of the response is told."""

SMALLEST: Final = 0x1000_0000
LARGEST: Final = 0xE000_0000
"""Where ids begin: eight hexadecimal digits, nine or ten decimal ones, for the next 500 million."""


@dataclass(frozen=True, slots=True)
class IdForms:
    """How ids are written in responses and in receipts."""

    response: str
    receipt: str


def id_forms(value: object) -> IdForms:
    """`decimal`, `hex` (decimal in receipts), `text`, or both ways as `hex/hex`."""
    text = value if isinstance(value, str) else ""
    response, slash, receipt = text.partition("/")
    forms = IdForms(response, receipt if slash else _SHORT.get(response, ""))
    if forms.response not in FORMS or forms.receipt not in FORMS:
        raise UnitError(
            f"{value!r} is no form of ids; write decimal, hex or text, "
            "or response and receipt as hex/decimal"
        )
    if forms.response != forms.receipt and "text" in (forms.response, forms.receipt):
        raise UnitError(f"{value!r}: a text is no number, so it has only one form: text/text")
    return forms


class MessageIds:
    """Gives ids in turn. The caller brings the number of the first: a restart should not repeat."""

    __slots__ = ("_next",)

    def __init__(self, first: int) -> None:
        self._next = first

    def take(self, forms: IdForms) -> tuple[bytes, bytes]:
        """Return the next id as responses have it and as receipts have it."""
        number = self._next
        self._next = number + 1
        in_response = _written(number, forms.response)
        if forms.receipt == forms.response:
            return in_response, in_response
        return in_response, _written(number, forms.receipt)


def _written(number: int, form: str) -> bytes:
    if form == "decimal":
        return b"%d" % number
    if form == "hex":
        return b"%08X" % number
    return b"m-%04x-%08dz" % (number >> 24, number & 0xFF_FFFF)
