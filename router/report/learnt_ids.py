"""How an operator's receipts write the ids of its answers, learnt where no setting says so.

An answer's id is kept as it came (but for case and leading zeros). A rule says how the id of a
receipt is to be read so that it is that of the answer: as it is, or from one base into the other.
A receipt is a sign for a rule if, read so, its id is that of a message to its number, and no other
reading is. `ENOUGH` signs in agreement, and the rule is learnt: then ids are read by it at once,
whatever number the receipt names.

What was learnt holds until as many receipts in a row say otherwise. A restart forgets it: the ids
that the journal has do not depend on it, and a receipt finds its message by any reading until the
rule is learnt again, as long as it names the message's number.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from router.report.id_forms import LONGEST_NUMBER, canonical, cut
from router.terms.names import OperatorId
from router.terms.settings import MessageIdSettings

MOST_WEIGHED: Final = 1000
"""So many receipts without a sign, and they are read as they are: their numbers say nothing."""
ENOUGH: Final = 10
"""Signs in a row that make a rule: a counter that starts anew brings one or two by chance."""


class Rule:
    """One way to read the id of a receipt."""

    __slots__ = ("_read", "forms")

    def __init__(
        self, forms: MessageIdSettings, read: Callable[[bytes], OperatorId | None]
    ) -> None:
        self.forms: Final = forms
        """The setting that says the same."""
        self._read: Final = read

    def read(self, octets: bytes) -> OperatorId | None:
        """Return the id of the answer, or None if the rule is not about such ids."""
        return self._read(octets)

    def of_receipt(self, octets: bytes) -> OperatorId:
        """Return the id of the answer; an id that the rule is not about is read as it is."""
        operator_id = self._read(octets)
        return _as_it_is(octets) if operator_id is None else operator_id


_as_it_is: Final = canonical("text")


def _number(octets: bytes, base: int) -> int:
    """Return the number that an id is, or -1."""
    digits = cut(octets).lower()
    if len(digits) > LONGEST_NUMBER or not digits.removeprefix(b"0x").isalnum():
        return -1
    if base == 10 and not digits.isdigit():
        return -1
    with suppress(ValueError):
        return int(digits, base)
    return -1


def _hex_of_decimal(octets: bytes) -> OperatorId | None:
    number = _number(octets, 10)
    return None if number < 0 else OperatorId(b"%x" % number)


def _marked_hex_of_decimal(octets: bytes) -> OperatorId | None:
    number = _number(octets, 10)
    return None if number < 0 else OperatorId(b"x%x" % number)


def _decimal_of_hex(octets: bytes) -> OperatorId | None:
    number = _number(octets, 16)
    return None if number < 0 else OperatorId(b"%d" % number)


def _other_mark(octets: bytes) -> OperatorId | None:
    """Read hex without the 0x that it has, or with the one that it has not."""
    number = _number(octets, 16)
    if number < 0:
        return None
    is_marked = cut(octets).lower().startswith(b"0x")
    return OperatorId(b"%x" % number if is_marked else b"x%x" % number)


AS_IT_IS: Final = Rule(MessageIdSettings(), _as_it_is)
RULES: Final = (
    AS_IT_IS,
    Rule(MessageIdSettings(response="hex", receipt="decimal"), _hex_of_decimal),
    Rule(MessageIdSettings(response="decimal", receipt="hex"), _decimal_of_hex),
    # The same, where the answers have 0x, which canonical text keeps as x.
    Rule(MessageIdSettings(response="hex", receipt="decimal"), _marked_hex_of_decimal),
    Rule(MessageIdSettings(response="hex", receipt="hex"), _other_mark),
)


class LearntIds:
    """What is learnt of one operator's ids."""

    __slots__ = ("_in_a_row", "_lately", "_weighed", "is_told", "rule")

    def __init__(self) -> None:
        self.rule: Rule | None = None
        """The rule that was learnt; None before."""
        self.is_told = True
        """Whether what was learnt is in the log, or is nothing that anybody has to know."""
        self._lately: Rule | None = None
        """The rule that the latest signs are for, and"""
        self._in_a_row = 0
        """how many those are."""
        self._weighed = 0
        """Receipts since the last sign."""

    @property
    def weighs(self) -> bool:
        """Whether signs are looked for: nothing is learnt yet, or it may not hold any more.

        A receipt whose id is not known as the rule has it is weighed all the same.
        """
        return (self.rule is None or self._in_a_row > 0) and self._weighed < MOST_WEIGHED

    def weigh(self) -> None:
        """Count a receipt whose sign is looked for."""
        self._weighed += 1

    @property
    def favoured(self) -> Rule:
        """The likeliest rule: the learnt one, or that of the latest signs, or no change."""
        return self.rule or self._lately or AS_IT_IS

    @property
    def trusts_ids(self) -> bool:
        """Whether an id is believed without the number: no sign says that it is read wrongly."""
        return self.rule is not None or self.favoured is AS_IT_IS

    def saw(self, rule: Rule) -> bool:
        """Take a sign for a rule; return whether that rule has just been learnt."""
        self._weighed = 0
        if rule is self.rule:
            self._in_a_row = 0
            return False
        self._in_a_row = self._in_a_row + 1 if rule is self._lately else 1
        self._lately = rule
        if self._in_a_row < ENOUGH:
            return False
        is_news = rule is not AS_IT_IS or self.rule is not None
        self.rule, self._in_a_row = rule, 0
        if is_news:
            self.is_told = False
        return True


def readings(octets: bytes) -> dict[OperatorId, list[Rule]]:
    """Return what the id of a receipt may be in the answer, with the rules that say so."""
    found: dict[OperatorId, list[Rule]] = {}
    for rule in RULES:
        operator_id = rule.read(octets)
        if operator_id is not None:
            found.setdefault(operator_id, []).append(rule)
    return found
