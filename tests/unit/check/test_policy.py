"""router/check/policy.py and policies.py: checks in their order, and who has any."""

from dataclasses import replace

from router.check.places import Places
from router.check.policies import number_checks_of, places_of, policies_of
from router.check.policy import RULES, Candidate, Policy
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Framer, Sm
from router.terms.counters import parts_of
from router.terms.names import AccountName, LaneName
from router.terms.outcome import Refusal
from router.terms.place import NOWHERE
from router.terms.settings import AccountNumberSettings, AccountSettings, NetworkFile, Settings
from tests.unit.settings.configurations import SMALL, loaded

BANK = AccountName("bank")
ACCOUNT = AccountSettings(name=BANK, passwords=(), lane=LaneName("slow"))
SETTINGS = loaded(SMALL)
REFUSAL = Refusal("word", 0x45)


class Asked:
    """A check that remembers when it was asked."""

    def __init__(self, name: str, order: list[str], refusal: Refusal | None = None) -> None:
        self.name = name
        self._order = order
        self._refusal = refusal

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        self._order.append(self.name)
        return self._refusal


def candidate() -> Candidate:
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"37255512345"), short_message=b"hello")
    return Candidate(ACCOUNT, Sm(Framer(1_000).feed(octets)[0]), "37255512345", ACCOUNT.lane)


def with_bank(**changed: object) -> Settings:
    one = replace(SETTINGS.accounts[BANK], **changed)  # type: ignore[arg-type]
    return replace(SETTINGS, accounts={**SETTINGS.accounts, BANK: one})


def test_first_check_that_refuses_ends_the_pass() -> None:
    order: list[str] = []
    checks = [Asked("a", order), Asked("b", order, REFUSAL), Asked("c", order)]
    found = Policy(checks, account=BANK).judge(candidate(), 0.0)
    assert found == (checks[1], REFUSAL)
    assert order == ["a", "b"]


def test_number_is_read_before_the_rules_that_refuse_and_the_other_checks() -> None:
    order: list[str] = []
    policy = Policy([Asked("a", order)], account=BANK, number=Asked("number", order))
    assert parts_of(policy.word) == (BANK, ["number", RULES, "a"])
    assert policy.read_number(candidate(), 0.0) is None
    assert order == ["number"]
    assert policy.judge(candidate(), 0.0) is None
    assert order == ["number", "a"]
    assert Policy([Asked("a", order)], account=BANK).read_number(candidate(), 0.0) is None


def test_candidate_is_nowhere_until_its_number_is_read() -> None:
    one = candidate()
    assert (one.place, one.notes, one.is_trial) == (NOWHERE, [], False)


def test_account_has_a_policy_where_it_says_something() -> None:
    places = Places()

    def of(settings: Settings) -> set[AccountName]:
        return set(policies_of(settings, number_checks_of(settings, places)))

    assert of(SETTINGS) == set()
    assert of(with_bank(countries=("EE",))) == {BANK}
    assert of(with_bank(numbers=AccountNumberSettings(country="EE"))) == {BANK}
    assert of(with_bank(numbers=AccountNumberSettings(refuse=("fixed",)))) == {BANK}


def test_places_are_kept_while_the_files_say_the_same() -> None:
    first = places_of(SETTINGS)
    assert places_of(SETTINGS, first) is first
    assert places_of(with_bank(countries=("EE",)), first) is first
    other = Places({"372": "24801"})
    assert places_of(SETTINGS, other) is not other


def test_later_file_of_networks_wins() -> None:
    files = (
        NetworkFile(file="a", networks={"372": "24801", "3725": "24801"}, names={}),
        NetworkFile(file="b", networks={"3725": "24802"}, names={}),
    )
    assert places_of(replace(SETTINGS, networks=files[:1])).of("37255512345").network == "24801"
    assert places_of(replace(SETTINGS, networks=files)).of("37255512345").network == "24802"
    assert places_of(replace(SETTINGS, networks=files)).of("3726123456").network == "24801"
