"""What the policy costs a message: each check by itself, with short and with long lists.

A text is screened as the router does it, from the PDU's octets: most texts have none of the words
of any phrase. Four kinds of text: English and Estonian in the GSM alphabet, and Latin and Cyrillic
letters in UCS-2. Screens of 1, 200 and 10,000 phrases, with and without a look at links; ten
thousand phrases cost hardly more than one. The whole pass is measured as the router does it: place,
sender, text, parts, screens and limits of an account that has them all.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.results import Result
from benchmarks.timing import fastest_us
from router.check.heard import HeardParts
from router.check.parts import MostParts
from router.check.policy import Candidate, Check
from router.check.replace import DefaultAlphabet, ReplaceText
from router.check.screens import Screen, Screens
from router.decide.table import Up
from router.settings.load import load
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.gsm import gsm_of_text
from router.smpp.pdu import Framer, Sm
from router.steps.policing import Policing
from router.steps.rules import Rules
from router.terms.counters import Counters
from router.terms.names import AccountName, LaneName, ScreenName
from router.terms.plan import Plans
from router.terms.settings import AccountSettings, LinkSettings, ScreenSettings

SUMMARY: Final = "us that the policy costs a message: screens of 1 to 10,000 phrases, and the rest"
PHRASES: Final = (1, 200, 10_000)
MOST_SCREENS_US: Final = 3.0
"""Of a text in the GSM alphabet; less on a machine that does nothing else."""
MOST_MORE_US: Final = 1.0
"""For ten thousand phrases instead of one."""
TEXTS: Final = 200
"""Different texts; a processor's cache holds them all, as it holds what has just come."""
WORDS: Final = 25
CHARACTERS: Final = 150
UCS_2_CHARACTERS: Final = 65
ACCOUNT: Final = AccountSettings(
    name=AccountName("load"), passwords=("secret01",), lane=LaneName("bulk")
)
NOW_UTC: Final = 1.7e9
WHOLE: Final = """\
listen: [{address: "127.0.0.1:0"}]
journal: {url: "memory:"}
lanes: [{name: bulk}]
accounts:
  load:
    password: secret01
    lane: bulk
    numbers: {refuse: [invalid, premium]}
    countries: [EE, FI]
    senders: {only: [Shop]}
    text: {replace: full, most_parts: 6}
    screens: [scam]
    limits:
      - {per: text, most: 1_000_000, in: 1h}
      - {per: number, most: 1_000_000, in: 10m}
      - {per: country, most: 1_000_000_000, in: 1h}
countries: {EE: {senders: {kinds: [alphanumeric]}}}
screens: {scam: {phrases: PHRASES}}
operators:
  telia: {binds: [{name: t1, address: "127.0.0.1:1", system_id: a, password: b, rate: 50/s}]}
routes: [{destination: "", to: [telia]}]
"""
"""An account with every check that a message passes on its way; PHRASES is a list."""
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--count", type=int, help=f"texts a round (default: {TEXTS})")


def run(given: argparse.Namespace) -> Result:
    """Measure all checks in turns."""
    count: int = given.count or TEXTS
    rng = random.Random(1)
    vocabulary = sorted({_word(rng) for _ in range(20_000)})
    rng.shuffle(vocabulary)
    said = [" ".join(rng.choices(vocabulary[:300], k=WORDS))[:CHARACTERS] for _ in range(count)]
    texts = _texts(said)
    calls: dict[str, Callable[[], object]] = {}
    for size in PHRASES:
        phrases = tuple(
            " ".join(rng.choices(vocabulary[300:], k=rng.randint(1, 4))) for _ in range(size)
        )
        for links, only in (("", None), (", links", LinkSettings(only=("shop.example",)))):
            settings = ScreenSettings(name=ScreenName("scam"), phrases=phrases, links=only)
            screens = Screens([Screen(settings)], HeardParts(), is_latin_1=False)
            for kind, candidates in texts.items():
                calls[f"screen {size}{links}: {kind}"] = _judging(screens, candidates)
    replace = ReplaceText("full", DefaultAlphabet(None, (None,)))
    calls["parts: english"] = _judging(MostParts(6, is_latin_1=False), texts["english"])
    calls["replace: english"] = _judging(replace, texts["english"])
    calls["replace: one part of UCS-2"] = _judging(replace, texts["latin in UCS-2"])
    for size in PHRASES:
        phrases = tuple(
            " ".join(rng.choices(vocabulary[300:], k=rng.randint(1, 4))) for _ in range(size)
        )
        calls[f"the whole pass, {size} phrases: english"] = _passing(phrases, texts["english"])
    costs_us = fastest_us(calls, count)
    result = Result("policy", {"phrases": list(PHRASES), "texts": count, "words": WORDS})
    result.numbers["us a message"] = dict(costs_us)
    few, many = (costs_us[f"screen {size}: english"] for size in (PHRASES[0], PHRASES[-1]))
    result.at_most(f"us to screen a text for {PHRASES[-1]} phrases", many, MOST_SCREENS_US)
    result.at_most("us more than for one phrase", round(many - few, 3), MOST_MORE_US)
    return result


def _passing(phrases: Sequence[str], candidates: Sequence[Candidate]) -> Callable[[], object]:
    """Return what judges messages by the policy of an account with every check."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "router.yaml"
        path.write_text(WHOLE.replace("PHRASES", json.dumps(phrases)))
        rules = Rules.of(load(path, {}), Plans(), Up())
    policy, policing = rules.policies[ACCOUNT.name], Policing(Counters())
    account = rules.accounts[ACCOUNT.name]

    def judge() -> None:
        for one in candidates:
            again = Candidate(account, one.sm, one.number, one.lane)
            assert policing.judge(policy, rules, again, NOW_UTC) is None

    return judge


def _word(rng: random.Random) -> str:
    return "".join(rng.choices(LETTERS, k=rng.randint(3, 10)))


def _texts(said: Sequence[str]) -> dict[str, list[Candidate]]:
    """Return the same texts in four alphabets."""
    cyrillic = {ord(one): chr(ord(one) - ord("a") + 0x430) for one in LETTERS}
    estonian = [text.replace("a", "ä").replace(" ", ". ", 1) for text in said]
    short = [text[:UCS_2_CHARACTERS] for text in said]
    return {
        "english": [_candidate(gsm_of_text(text) or b"", 0) for text in said],
        "estonian": [_candidate(gsm_of_text(text) or b"", 0) for text in estonian],
        "latin in UCS-2": [_candidate(text.encode("utf-16-be"), 8) for text in short],
        "cyrillic": [_candidate(text.translate(cyrillic).encode("utf-16-be"), 8) for text in short],
    }


def _candidate(message: bytes, data_coding: int) -> Candidate:
    octets = p.sm(
        v.SUBMIT_SM,
        1,
        source=(5, 0, b"Shop"),
        destination=(1, 1, b"37255512345"),
        short_message=message,
        data_coding=data_coding,
    )
    sm = Sm(Framer(2**16).feed(octets)[0])
    return Candidate(ACCOUNT, sm, "37255512345", ACCOUNT.lane)


def _judging(check: Check, candidates: Sequence[Candidate]) -> Callable[[], object]:
    def judge() -> None:
        for one in candidates:
            check.judge(one, NOW_UTC)

    return judge
