"""Looks texts through for phrases and links: the screens that an account's texts pass through.

A part of a long message is read with what is known of its neighbours (`heard.py`). Binary data, and
what is addressed to a port, is not read.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from router.check.folding import GSM_FORMS, LATIN_1_FORMS, fold, folded_octets
from router.check.heard import HeardParts
from router.check.links import LinkRules
from router.check.phrases import Phrases, words_of
from router.check.policy import Candidate, Note
from router.smpp.readable import KINDS, read, text_in
from router.smpp.segments import Part, part_of
from router.smpp.text import UDHI
from router.terms.names import ScreenName
from router.terms.outcome import Refusal
from router.terms.settings import ScreenSettings

STATUS: Final = 0x45
"""Final for every client, unlike statuses after which some send again."""
REASON: Final = "screened"


def phrases_of(settings: ScreenSettings) -> list[str]:
    """Return the phrases of a screen, those of its files too."""
    return [*settings.phrases, *(one for file in settings.phrase_files for one in file.values)]


class Screen:
    """What texts are looked through for."""

    __slots__ = ("_texts", "links", "name", "phrases", "refusal")

    def __init__(self, settings: ScreenSettings) -> None:
        self.name: Final[ScreenName] = settings.name
        self._texts: Final = phrases_of(settings)
        self.phrases: Final = Phrases(self._texts)
        self.links: Final = None if settings.links is None else LinkRules(settings.links.only)
        is_refusing = settings.do == "refuse"
        self.refusal: Final = refusal_of(settings.name) if is_refusing else None
        """Why a text is refused; None if it is only counted."""

    def found_in(
        self, text: str, words: Sequence[str], *, open_begin: bool, open_end: bool
    ) -> frozenset[int | str]:
        """Return phrases, by number, and hosts that stand in a text and may not."""
        found: set[int | str] = set(self.phrases.all_in(words))
        if self.links is not None:
            found |= self.links.others_in(text, open_begin=open_begin, open_end=open_end)
        return frozenset(found)

    def told(self, found: int | str) -> str:
        """Return in words what was found."""
        if isinstance(found, int):
            return f"the phrase {self._texts[found]!r}"
        return f"a link to {found}" if found else "a link to a host that cannot be read"


def refusal_of(name: ScreenName, what: str = "") -> Refusal:
    """Return the refusal that names a screen, and perhaps what it has found."""
    return Refusal(REASON, STATUS, f"screen {name}{what}")


class _Window(NamedTuple):
    """Where a part stands: what is known before and behind it."""

    before: str
    is_open_before: bool
    behind: str
    is_open_behind: bool


class Screens:
    """The screens of one account, in the order in which it names them."""

    __slots__ = ("_heard", "_is_latin_1", "_looks_at_links", "_screens", "name")

    def __init__(self, screens: Sequence[Screen], heard: HeardParts, *, is_latin_1: bool) -> None:
        """`is_latin_1` is whether data_coding 0 means Latin-1 to the client."""
        self.name = "screen"
        self._screens: Final = tuple(screens)
        self._heard: Final = heard
        self._is_latin_1: Final = is_latin_1
        self._looks_at_links: Final = any(one.links is not None for one in screens)

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        """Refuse a text that a screen refuses; note the screens that count it."""
        sm = one.sm
        data_coding = sm.data_coding
        kind = KINDS[data_coding]
        if kind == "data":
            return None
        if self._is_latin_1 and not data_coding:
            kind = "latin-1"
        octets = sm.octets
        if sm.esm_class & UDHI or sm.tlvs_at != len(octets):
            text = text_in(sm, is_latin_1=self._is_latin_1)
            if text is None:
                return None
            part = part_of(sm)
            if part is not None:
                return self._judge_part(one, part, text, now_utc)
            return self._judge(one, text, fold(text).split())
        octets = octets[sm.short_message_at : sm.tlvs_at]
        folded = None
        if kind == "gsm":
            folded = folded_octets(octets, GSM_FORMS)
        elif kind == "latin-1":
            folded = folded_octets(octets, LATIN_1_FORMS)
        if folded is None or self._looks_at_links:
            text = read(octets, kind, data_coding)
            return self._judge(one, text, (fold(text) if folded is None else folded).split())
        words = folded.split()
        for screen in self._screens:
            number = screen.phrases.first_in(words)
            if number >= 0 and (refusal := self._caught(one, screen, number)) is not None:
                return refusal
        return None

    def _judge(self, one: Candidate, text: str, words: list[str]) -> Refusal | None:
        for screen in self._screens:
            found: int | str = screen.phrases.first_in(words)
            if found == -1:
                if screen.links is None:
                    continue
                hosts = screen.links.others_in(text)
                if not hosts:
                    continue
                found = min(hosts)
            if (refusal := self._caught(one, screen, found)) is not None:
                return refusal
        return None

    def _caught(self, one: Candidate, screen: Screen, found: int | str) -> Refusal | None:
        # What was found is part of the text: it is told to who tries, and kept nowhere.
        what = f": {screen.told(found)}" if one.is_trial else ""
        if screen.refusal is None:
            one.notes.append(Note(self.name, "counted", f"screen {screen.name}{what}"))
            return None
        return refusal_of(screen.name, what) if what else screen.refusal

    # Parts.

    def _judge_part(self, one: Candidate, part: Part, text: str, now_utc: float) -> Refusal | None:
        sm = one.sm
        addresses = sm.source_octets, sm.destination_octets
        key = (one.account.name, *addresses, part.reference, part.total)
        heard = self._heard.of(key, part, text, now_utc)
        refusal = None
        if heard.caught_by:
            refusal = refusal_of(ScreenName(heard.caught_by))
        else:
            window = _Window(*heard.before(part.number), *heard.behind(part.number, part.total))
            for screen in self._screens:
                found = _new_in(screen, text, window)
                if found:
                    refusal = self._caught(one, screen, min(found, key=str))
                    if refusal is not None:
                        heard.caught_by = screen.name
                        break
        if not one.is_trial:
            self._heard.keep(key, part, text, heard, now_utc)
        return refusal


def _new_in(screen: Screen, text: str, window: _Window) -> frozenset[int | str]:
    """Return what a part brings, with its neighbours, that those did not have without it."""
    before, is_open_before, behind, is_open_behind = window
    whole = before + text + behind
    found = _found(screen, whole, open_begin=is_open_before, open_end=is_open_behind)
    if found and before:
        found -= _found(screen, before, open_begin=is_open_before, open_end=True)
    if found and behind:
        found -= _found(screen, behind, open_begin=True, open_end=is_open_behind)
    return found


def _found(screen: Screen, text: str, *, open_begin: bool, open_end: bool) -> frozenset[int | str]:
    words = words_of(fold(text), open_begin=open_begin, open_end=open_end)
    return screen.found_in(text, words, open_begin=open_begin, open_end=open_end)


def screens_by_name(
    settings: Mapping[ScreenName, ScreenSettings],
) -> dict[ScreenName, Screen]:
    """Build all screens of a configuration."""
    return {name: Screen(one) for name, one in settings.items()}
