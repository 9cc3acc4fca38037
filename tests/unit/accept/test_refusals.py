"""router/accept/refusals.py: what was refused, counted by account and reason, with an example."""

from router.accept.refusals import Refusals, prefix_of
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.terms.names import AccountName
from router.terms.outcome import NO_ROUTE, THROTTLED

BANK, SHOP = AccountName("bank"), AccountName("shop")


def submit_pdu(number: str) -> Pdu:
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, number.encode()), short_message=b"Tere")
    return Pdu(v.SUBMIT_SM, 0, 1, octets)


def test_refusals_are_counted_by_account_and_reason() -> None:
    refusals = Refusals()
    for at, (account, refusal) in enumerate(
        ((BANK, NO_ROUTE), (BANK, NO_ROUTE), (SHOP, NO_ROUTE), (BANK, THROTTLED))
    ):
        refusals.add(account, f"192.0.2.{at}:1", submit_pdu("4670123456"), refusal, float(at))
    counts = {(BANK, "no_route"): 2, (SHOP, "no_route"): 1, (BANK, "throttled"): 1}
    assert refusals.counts() == counts
    assert refusals.untold.keys() == counts.keys()
    latest, before = refusals.of(BANK)
    assert (latest.reason, latest.status, latest.last_utc) == ("throttled", 0x58, 3.0)
    assert (before.reason, before.count, before.last_utc) == ("no_route", 2, 1.0)


def test_example_is_the_first_since_they_were_told() -> None:
    refusals = Refusals()
    for at, number in enumerate(("4670123456", "4670999999", "37255512345", "3581234567")):
        if at == 2:
            refusals.untold.clear()
        refusals.add(BANK, f"192.0.2.{at}:1", submit_pdu(number), NO_ROUTE, 0.0)
    (one,) = refusals.of(BANK)
    assert (one.client, one.prefix) == ("192.0.2.2:1", "37255")


def test_prefix_is_of_digits_and_never_a_whole_number() -> None:
    for number, prefix in (
        ("4670123456", "46701"), ("+4670123456", "46701"), ("1230", "1230"), ("", ""), ("Bank", ""),
    ):  # fmt: skip
        assert prefix_of(submit_pdu(number)) == prefix
    assert prefix_of(Pdu(v.SUBMIT_SM, 0, 1, bytes(16))) == ""
