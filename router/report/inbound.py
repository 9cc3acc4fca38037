"""Finds the account for a subscriber's message: by operator, number, keyword; first rule wins."""

from collections.abc import Sequence, Set
from typing import Final

from router.smpp import text
from router.smpp.pdu import Sm, deliver_sm_from_data_sm, relay
from router.smpp.recode import LATIN_1
from router.smpp.vocabulary import DATA_SM
from router.terms.names import AccountName, OperatorName
from router.terms.settings import InboundSettings

SHORT_NUMBER: Final = 6
"""Characters of the longest number that is no subscriber's."""
FIRST_WORD_OCTETS: Final = 1000
"""Octets of a text in which its first word is looked for: a message_payload may have 65,535."""
SHOWN_DIGITS: Final = 5
"""Of a subscriber's number, as in the log."""


class InboundRules:
    """The `inbound` rules, in their order."""

    def __init__(
        self, rules: Sequence[InboundSettings], *, latin_1: Set[OperatorName] = frozenset()
    ) -> None:
        """`latin_1` are the operators whose data_coding 0 is Latin-1."""
        self._latin_1: Final = latin_1
        self._rules: Final = tuple((rule, keyword_of(rule)) for rule in rules)
        self._has_keywords: Final = any(rule.keyword is not None for rule in rules)

    def account_of(self, operator: OperatorName, sm: Sm) -> AccountName | None:
        """Return the account that gets this message; None if no rule holds."""
        number = _number_of(sm)
        keyword = self._first_word(operator, sm) if self._has_keywords else ""
        for rule, wanted in self._rules:
            if (
                rule.operator in (None, operator)
                and rule.destination in (None, number)
                and wanted in (None, keyword)
            ):
                return rule.to
        return None

    def account_of_number(self, operator: OperatorName, address: bytes) -> AccountName | None:
        """Return the account that has this number of ours; None if no rule without keyword does."""
        number = address.lstrip(b"+").decode("latin-1")
        for rule, wanted in self._rules:
            is_meant = rule.operator in (None, operator) and rule.destination in (None, number)
            if is_meant and wanted is None:
                return rule.to
        return None

    def _first_word(self, operator: OperatorName, sm: Sm) -> str:
        octets = text.without_udh(sm.message, sm.esm_class)[:FIRST_WORD_OCTETS]
        is_latin_1 = sm.data_coding == 0 and operator in self._latin_1
        return text.first_word(text.decode(octets, LATIN_1 if is_latin_1 else sm.data_coding))

    def reads_keyword(self, operator: OperatorName, sm: Sm) -> bool:
        """Return whether the keyword of such a message can decide whose it is."""
        number = _number_of(sm)
        for rule, keyword in self._rules:
            if rule.operator in (None, operator) and rule.destination in (None, number):
                return keyword is not None
        return False

    def shown(self, sm: Sm) -> bytes:
        """Return the number that a message was sent to, as others may see it.

        Whole if it is one of ours, which a rule has, or a short one; else it may be a subscriber's:
        some operators do not mark receipts.
        """
        return self.shown_number(sm.destination_addr)

    def shown_number(self, number: bytes) -> bytes:
        """Return such a number as others may see it."""
        ours = (rule.destination for rule, _ in self._rules)
        if len(number) <= SHORT_NUMBER or number.lstrip(b"+").decode("latin-1") in ours:
            return number
        return number[:SHOWN_DIGITS] + b"*" * (len(number) - SHOWN_DIGITS)

    def why_not(self, operator: OperatorName, sm: Sm) -> str:
        """Return which condition no rule fulfils for a message that no rule holds for."""
        number = _number_of(sm)
        of_number = [rule for rule, _ in self._rules if rule.destination in (None, number)]
        if not of_number:
            return "no_rule_for_number"
        if all(rule.operator not in (None, operator) for rule in of_number):
            return "no_rule_for_operator"
        return "no_rule_for_keyword"


def keyword_of(rule: InboundSettings) -> str | None:
    """Return a rule's keyword in the form in which words are compared."""
    return None if rule.keyword is None else text.first_word(rule.keyword)


def _number_of(sm: Sm) -> str:
    return sm.destination_addr.lstrip(b"+").decode("latin-1")


def for_client(sm: Sm, command_id: int) -> bytes:
    """Return the message as a deliver_sm with sequence_number 0; a deliver_sm stays as it is."""
    return deliver_sm_from_data_sm(sm) if command_id == DATA_SM else relay(sm.octets, 0)
