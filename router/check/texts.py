"""The checks of texts that an account's policy has, in the order of the pass.

    signature -> text -> parts -> screens

An account has those that its settings ask for; the signature also where a country asks for one. The
screens of a configuration are built once for all accounts.
"""

from typing import Final

from router.check.heard import HeardParts
from router.check.parts import MostParts
from router.check.policy import Check
from router.check.replace import DefaultAlphabet, ReplaceText
from router.check.screens import Screen, Screens, screens_by_name
from router.check.signature import Signature, Where
from router.terms.settings import AccountSettings, Settings


class TextChecks:
    """What the text checks of all accounts have in common. To be built once per configuration."""

    __slots__ = ("_countries", "_heard", "_operators", "_screens")

    def __init__(self, settings: Settings, heard: HeardParts | None = None) -> None:
        """`heard` outlives a reload where it is handed in again."""
        named = {name for one in settings.accounts.values() for name in one.screens}
        self._screens: Final = screens_by_name(
            {name: one for name, one in settings.screens.items() if name in named}
        )
        self._heard: Final = HeardParts() if heard is None else heard
        self._operators: Final = {one.data_coding_0 for one in settings.operators.values()}
        self._countries: Final[dict[str, Where]] = {
            country: one.signature
            for country, one in settings.countries.items()
            if one.signature is not None
        }

    def of(self, account: AccountSettings) -> list[Check]:
        """Return the checks of one account; empty where there are none."""
        is_latin_1 = account.data_coding_0 == "latin-1"
        alphabet = DefaultAlphabet(account.data_coding_0, self._operators)
        checks: list[Check] = []
        if self._countries:
            checks.append(
                Signature(account.signature, self._countries, alphabet, is_latin_1=is_latin_1)
            )
        if account.text.replace != "none":
            checks.append(ReplaceText(account.text.replace, alphabet))
        if account.text.most_parts is not None:
            checks.append(MostParts(account.text.most_parts, is_latin_1=is_latin_1))
        screens: list[Screen] = [self._screens[name] for name in account.screens]
        if screens:
            checks.append(Screens(screens, self._heard, is_latin_1=is_latin_1))
        return checks


def text_checks(account: AccountSettings, settings: Settings) -> list[Check]:
    """Return the text checks of one account alone; for several, `TextChecks` builds less."""
    return TextChecks(settings).of(account)
