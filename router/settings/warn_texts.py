"""Warnings about screens, signatures and auto-replace: what is never found, or finds too much.

No warning quotes a phrase: a file of them may be another one than was meant.
"""

from collections.abc import Iterator
from typing import Final

from router.check.folding import fold
from router.check.phrases import Phrases
from router.check.replace import DefaultAlphabet
from router.check.screens import phrases_of
from router.settings.mistakes import Mistake, key_path, warning_at
from router.smpp.gsm import septets_of
from router.terms.settings import ScreenSettings, Settings

OTHERWISE_IN_LATIN_1: Final = "@"
"""A character of both alphabets, with another octet in each."""
MOST_NAMED: Final = 3
"""Accounts that a warning names."""


def text_warnings(settings: Settings) -> Iterator[Mistake]:
    """Yield the warnings about screens, signatures and auto-replace."""
    named = {name for account in settings.accounts.values() for name in account.screens}
    for name, screen in settings.screens.items():
        path = key_path("screens", name)
        if name not in named:
            what = "no account names this screen: no text passes through it"
            key = "links" if screen.links is not None else "phrases"
            yield warning_at(settings.places, f"{path}.{key}", what)
        for what in _of_phrases(screen):
            yield warning_at(settings.places, f"{path}.phrases", what)
    yield from _of_signatures(settings)
    yield from _of_replacing(settings)


def _of_phrases(screen: ScreenSettings) -> Iterator[str]:
    phrases = phrases_of(screen)
    folded = [fold(one).split() for one in phrases]
    nothing = sum(not words for words in folded)
    short = sum(len(words) == 1 and len(words[0]) == 1 for words in folded)
    if nothing:
        yield f"{_counted(nothing)} no letter and no digit, and {_is(nothing)} never found"
    if short:
        yield f"{_counted(short)} one letter or digit only, which many texts have"
    known = Phrases(phrases)
    within = sum(bool(known.all_in(words) - {at}) for at, words in enumerate(folded))
    if within:
        yield f"{_counted(within)} another one within, and {_is(within)} not needed"


def _counted(count: int) -> str:
    return f"{count} phrase has" if count == 1 else f"{count} phrases have"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _of_signatures(settings: Settings) -> Iterator[Mistake]:
    asking = [code for code, one in settings.countries.items() if one.signature is not None]
    accounts = settings.accounts.values()
    without = [one.name for one in accounts if one.signature is None]
    if without:
        named = ", ".join(without[:MOST_NAMED])
        more = f" and {len(without) - MOST_NAMED} more" if len(without) > MOST_NAMED else ""
        for code in asking:
            path = f"{key_path('countries', code)}.signature"
            what = f"messages of accounts without a signature are refused there: {named}{more}"
            yield warning_at(settings.places, path, what)
    for account in accounts:
        if account.signature is None:
            continue
        path = f"{key_path('accounts', account.name)}.signature"
        if not asking:
            yield warning_at(settings.places, path, "no country asks for one: it says nothing")
        elif septets_of(account.signature) < 0:
            what = "is not in the GSM alphabet: texts in GSM 7-bit that lack it are refused"
            yield warning_at(settings.places, path, what)


def _of_replacing(settings: Settings) -> Iterator[Mistake]:
    operators = [one.data_coding_0 for one in settings.operators.values()]
    for account in settings.accounts.values():
        alphabet = DefaultAlphabet(account.data_coding_0, operators)
        if account.text.replace == "none" or alphabet.octets_of(OTHERWISE_IN_LATIN_1) is not None:
            continue
        path = f"{key_path('accounts', account.name)}.text.replace"
        what = (
            "only texts whose octets mean the same in GSM 7-bit and in Latin-1 are replaced: "
            "set data_coding_0 of the account and of all operators"
        )
        yield warning_at(settings.places, path, what)
