"""The rules that refuse messages before any route is looked at: the first that holds decides."""

from collections.abc import Sequence
from typing import Final

from router.decide.conditions import Conditions, Senders, SendersKey, asks_place
from router.decide.prefixes import Groups, prefixes_of
from router.decide.rule_index import RuleIndex
from router.decide.words import rule_in_short
from router.smpp.pdu import Sm
from router.terms.names import AccountName, LaneName
from router.terms.outcome import Refusal
from router.terms.place import NOWHERE, Place
from router.terms.settings import RefuseSettings

MOST_TOLD: Final = 20
"""Rules that an explanation has beside the one that refuses."""


class RefusingRule:
    """One rule, ready to be asked."""

    __slots__ = ("conditions", "prefixes", "refusal", "settings")

    def __init__(
        self,
        settings: RefuseSettings,
        prefixes: frozenset[str],
        shared: dict[SendersKey, Senders],
    ) -> None:
        self.settings: Final = settings
        self.conditions: Final = Conditions(settings, shared)
        self.prefixes: Final = prefixes
        """Empty: for every number."""
        words = f"refuse: {rule_in_short(settings)}"
        self.refusal: Final = Refusal(settings.reason, settings.status, rule=words)


class RefusingRules:
    """All of them, in their order."""

    def __init__(self, rules: Sequence[RefuseSettings], groups: Groups) -> None:
        same: dict[tuple[object, ...], frozenset[str]] = {}
        """Prefixes by what names them: of a group with 10,000, which many rules name, one set."""
        for rule in rules:
            key = rule.destination, rule.groups
            if key not in same:
                same[key] = frozenset(prefixes_of(rule, groups))
        shared: dict[SendersKey, Senders] = {}
        self._rules: Final = [
            RefusingRule(rule, same[rule.destination, rule.groups], shared) for rule in rules
        ]
        prefixes = [rule.prefixes for rule in self._rules]
        self._index: Final = RuleIndex(rules, prefixes, in_any_form=True)
        self.asks_place: Final = any(map(asks_place, rules))
        """Whether one of them asks for the place of the number."""

    def refusal(
        self,
        number: str,
        account: AccountName,
        lane: LaneName,
        sm: Sm,
        now_utc: float,
        place: Place = NOWHERE,
    ) -> Refusal | None:
        """Return the refusal of the first rule that holds; None if none does."""
        for at in self._index.found(number, account, sm):
            rule = self._rules[at]
            if _fits(rule, number) and rule.conditions.hold(account, lane, sm, now_utc, place):
                return rule.refusal
        return None

    def explain(
        self,
        number: str,
        account: AccountName,
        lane: LaneName,
        sm: Sm,
        now_utc: float,
        place: Place = NOWHERE,
    ) -> list[tuple[RefuseSettings, str | None]]:
        """Return the rules that name the sender or the number, each with why it does not hold.

        At most `MOST_TOLD` of them; then the one that refuses, whatever it names, with None.
        """
        told: list[tuple[RefuseSettings, str | None]] = []
        for rule in self._rules:
            why = rule.conditions.why_not(account, lane, sm, now_utc, place)
            if why is None and not _fits(rule, number):
                why = "is for other numbers"
            if why is None:
                return [*told, (rule.settings, None)]
            names_number = bool(rule.prefixes) and _fits(rule, number)
            if len(told) < MOST_TOLD and (names_number or rule.conditions.name_sender(sm)):
                told.append((rule.settings, why))
        return told


def _fits(rule: RefusingRule, number: str) -> bool:
    """Whether a number has one of the prefixes of a rule."""
    # The rule may have ten thousand, and the number has at most twenty beginnings.
    prefixes = rule.prefixes
    return not prefixes or any(number[:length] in prefixes for length in range(len(number) + 1))
