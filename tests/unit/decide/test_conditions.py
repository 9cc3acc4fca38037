"""router/decide/conditions.py: whose sender a rule names.

Any rules: tests/property/test_routes.py.
"""

import pytest

from router.decide.conditions import Conditions, sender_key
from router.decide.refuse import RefusingRules
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.terms.names import AccountName, LaneName, OperatorName
from router.terms.place import NOWHERE
from router.terms.settings import ListFile, RefuseSettings, RouteSettings

TO_REFUSE = ("46701234567", AccountName("bank"), LaneName("bulk"))
EMPTY = (ListFile(file="bad.txt", values=()),)


def submit_sm(sender: str) -> Sm:
    source = (5, 0, sender.encode("latin-1"))
    octets = p.sm(v.SUBMIT_SM, 1, source=source, destination=(1, 1, b"46701234567"))
    return Sm(Pdu(v.SUBMIT_SM, 0, 1, octets))


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("CASINO", "casino"),
        ("ÄÖÞ", "äöþ"),
        ("äöþ", "äöþ"),
        # None has another case within Latin-1: a sign, and two letters.
        ("\xd7ßÿ", "\xd7ßÿ"),
        ("+372 555", "372555"),
        ("00372555", "372555"),
    ],
)
def test_rules_that_refuse_compare_senders_in_any_case_and_form(source: str, key: str) -> None:
    assert sender_key(source.encode("latin-1")) == key.encode("latin-1")


def test_sender_of_latin_1_is_refused_in_any_case_and_routed_only_as_written() -> None:
    rules = RefusingRules([RefuseSettings(sender=("ÄAS*",))], {})
    route = Conditions(
        RouteSettings(destination=("",), sender=("Äasino",), to=(OperatorName("a"),)), {}
    )
    for sender in ("Äasino", "äasino", "äASINO"):
        assert rules.refusal(*TO_REFUSE, submit_sm(sender), 0.0) is not None
        assert route.hold(*TO_REFUSE[1:], submit_sm(sender), 0.0, NOWHERE) == (sender == "Äasino")
    assert rules.refusal(*TO_REFUSE, submit_sm("aasino"), 0.0) is None


def test_rule_for_the_senders_of_an_empty_file_is_for_nobody() -> None:
    rules = RefusingRules([RefuseSettings(sender_files=EMPTY)], {})
    route = Conditions(
        RouteSettings(destination=("",), sender_files=EMPTY, to=(OperatorName("a"),)), {}
    )
    assert route
    for sender in ("", "Casino", "372555"):
        assert rules.refusal(*TO_REFUSE, submit_sm(sender), 0.0) is None
        assert not route.hold(*TO_REFUSE[1:], submit_sm(sender), 0.0, NOWHERE)
