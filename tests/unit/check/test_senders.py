"""router/check/senders.py: senders of accounts and countries, and a default for who brings none."""

from typing import Final

import pytest

from router.check.policy import Candidate, Note, Policy
from router.check.senders import (
    NO_SENDER,
    OF_ACCOUNT,
    OF_COUNTRY,
    SenderCheck,
    countries_of,
    sender_checks,
)
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu, Sm
from router.smpp.senders import ends_utc
from router.terms.names import AccountName, LaneName
from router.terms.outcome import Refusal
from router.terms.place import Place
from router.terms.settings import AccountSenders, AccountSettings, ListFile
from tests.unit.settings.configurations import SMALL, changed, loaded

NOW: Final = 1_800_000_000.0
EE, SG, US = (
    Place(country, "", "mobile", is_valid=True, zone="") for country in ("EE", "SG", "US")
)
COUNTRIES: Final = """\
countries:
  SG: {senders: {only: [Shop until 2027-01-31, Bank], exempt: [long]}}
  US: {senders: {kinds: [short, long]}}
operators:
"""
SETTINGS: Final = loaded(changed(SMALL, ("operators:\n", COUNTRIES)))
ACCOUNT: Final = AccountSettings(name=AccountName("bank"), passwords=("x",), lane=LaneName("bulk"))


def candidate(
    source: bytes, place: Place = EE, *, ton: int = 5, is_data_sm: bool = False
) -> Candidate:
    if is_data_sm:
        body = b"\0" + p.address(ton, 0, source) + p.address(1, 1, b"37255512345") + bytes(3)
        pdu = Pdu(v.DATA_SM, 0, 7, p.build(v.DATA_SM, 0, 7, body + p.tlv(0x1400, b"any")))
    else:
        octets = p.sm(
            v.SUBMIT_SM, 7, source=(ton, 0, source), destination=(1, 1, b"37255512345"),
            short_message=b"Tere", validity_period=b"000000000500000R", tlvs=p.tlv(0x1400, b"any"),
        )  # fmt: skip
        pdu = Pdu(v.SUBMIT_SM, 0, 7, octets)
    one = Candidate(ACCOUNT, Sm(pdu), "37255512345", LaneName("bulk"))
    one.place = place
    return one


def check(senders: AccountSenders | None) -> SenderCheck:
    return SenderCheck(senders, countries_of(SETTINGS))


OWN: Final = check(AccountSenders(only=("Shop", "Bank", "12302"), default="Shop"))
ANY: Final = check(None)


@pytest.mark.parametrize(
    ("of", "source", "place", "refusal"),
    [
        (OWN, b"Shop", EE, None),
        (OWN, b"shop", EE, OF_ACCOUNT),
        (OWN, b"12302", EE, None),
        (OWN, b"+12302", EE, None),
        (OWN, b"Shop", SG, None),
        (OWN, b"12302", SG, OF_COUNTRY),
        (OWN, b"Other", SG, OF_ACCOUNT),
        (OWN, b"12302", US, None),
        (OWN, b"Shop", US, OF_COUNTRY),
        (ANY, b"Other", EE, None),
        (ANY, b"", EE, None),
        (ANY, b"", US, OF_COUNTRY),
        (ANY, b"", SG, OF_COUNTRY),
        (ANY, b"37255512345", SG, None),
        (ANY, b"Other", SG, OF_COUNTRY),
    ],
)
def test_sender_has_to_be_in_each_list_that_asks(
    of: SenderCheck, source: bytes, place: Place, refusal: Refusal | None
) -> None:
    for _ in range(2):
        assert of.judge(candidate(source, place), NOW) is refusal


def test_ton_says_nothing_of_the_kind() -> None:
    assert ANY.judge(candidate(b"12302", US, ton=5), NOW) is None
    assert ANY.judge(candidate(b"Shop", US, ton=1), NOW) is OF_COUNTRY


def test_what_counts_is_when_the_message_is_accepted() -> None:
    end_utc = ends_utc("2027-01-31")
    assert ANY.judge(candidate(b"Shop", SG), end_utc - 0.001) is None
    assert ANY.judge(candidate(b"Shop", SG), end_utc) is OF_COUNTRY
    assert ANY.judge(candidate(b"Shop", SG), end_utc - 0.001) is None
    assert ANY.judge(candidate(b"Bank", SG), end_utc) is None
    of_file = AccountSenders(only_files=(ListFile(file="a", values=("X1 until 2027-01-31",)),))
    assert check(of_file).judge(candidate(b"X1"), end_utc - 1) is None
    assert check(of_file).judge(candidate(b"X1"), end_utc) is OF_ACCOUNT


@pytest.mark.parametrize("is_data_sm", [False, True])
def test_default_is_written_and_the_rest_stays_as_it_came(is_data_sm: bool) -> None:
    one = candidate(b"", is_data_sm=is_data_sm)
    before = one.sm
    assert OWN.judge(one, NOW) is None
    assert one.sm.source == (5, 0, b"Shop")
    at = before.octets.index(p.address(1, 1, b"37255512345"))
    assert one.sm.octets.endswith(before.octets[at:])
    assert one.sm.octets[4:8] == before.octets[4:8]
    assert len(one.sm.octets) == len(before.octets) + 4
    assert one.notes == [Note("sender", "changed", "none -> Shop")]


def test_default_has_to_be_allowed_like_any_sender() -> None:
    assert OWN.judge(candidate(b"", US), NOW) is OF_COUNTRY
    gone = check(AccountSenders(only=("Shop until 2020-01-31",), default="Shop"))
    assert gone.judge(candidate(b""), NOW) is OF_ACCOUNT


def test_message_without_a_sender_is_refused_where_no_default_is_set() -> None:
    assert check(AccountSenders(only=("Shop",))).judge(candidate(b""), NOW) is NO_SENDER
    only_default = check(AccountSenders(default="12302"))
    one = candidate(b"")
    assert only_default.judge(one, NOW) is None
    assert one.sm.source == (3, 0, b"12302")
    assert only_default.judge(candidate(b"Whatever"), NOW) is None


def test_no_more_verdicts_are_remembered_than_a_few_thousand() -> None:
    of = check(AccountSenders(only=("Shop",)))
    for number in range(5_000):
        assert of.judge(candidate(b"%d" % number), NOW) is OF_ACCOUNT
    latest = of._until_utc
    assert len(latest._now) + len(latest._before) <= 2_001


def test_account_without_lists_in_countries_without_any_is_not_checked() -> None:
    assert sender_checks(ACCOUNT, loaded(SMALL)) == []
    (one,) = sender_checks(ACCOUNT, SETTINGS)
    assert Policy([one], account=ACCOUNT.name).judge(candidate(b"Other", SG), NOW) == (
        one,
        OF_COUNTRY,
    )


@pytest.mark.parametrize(
    ("source", "place", "words"),
    [
        (b"Shop", EE, "Shop may be used"),
        (b"Other", EE, "Other is not in the list (senders of the account)"),
        (b"Shop", US, "Shop is alphanumeric, not long or short (senders of US)"),
    ],
)
def test_explanation_says_which_list_refuses(source: bytes, place: Place, words: str) -> None:
    assert OWN.explain(candidate(source, place), NOW) == words
