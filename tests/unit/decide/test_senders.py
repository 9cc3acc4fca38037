"""router/decide/senders.py: plans without operators that do not let the sender through."""

from typing import Final

from router.decide.senders import SendersOfOperators, senders_of_operators
from router.smpp.senders import SenderRules, ends_utc
from router.terms.names import OperatorName
from router.terms.plan import Plans
from router.terms.settings import SenderKind
from tests.unit.settings.configurations import SMALL, changed, loaded

TELIA, ELISA, TELE2 = (OperatorName(name) for name in ("telia", "elisa", "tele2"))
NOW: Final = 1_800_000_000.0
SHORT: Final[tuple[SenderKind, ...]] = ("short",)
PLANS: Final = Plans()
ALL: Final = PLANS.of((TELIA, ELISA, TELE2))
SENDERS: Final = SendersOfOperators(
    {
        TELIA: SenderRules(SHORT, ()),
        ELISA: SenderRules((), ("Shop", "Bank until 2027-01-31", "12302")),
    },
    PLANS,
)


def test_plan_names_those_that_let_the_sender_through_in_their_order() -> None:
    for _ in range(2):
        assert SENDERS.plan(ALL, b"12302", NOW) is ALL
        assert SENDERS.plan(ALL, b"12303", NOW) is PLANS.of((TELIA, TELE2))
        assert SENDERS.plan(ALL, b"Shop", NOW) is PLANS.of((ELISA, TELE2))
        assert SENDERS.plan(ALL, b"", NOW) is PLANS.of((TELE2,))


def test_plan_is_none_where_nobody_is_left() -> None:
    both = PLANS.of((TELIA, ELISA))
    assert SENDERS.plan(both, b"Other", NOW) is None
    assert not SENDERS.any_takes((TELIA, ELISA), b"Other", NOW)
    assert SENDERS.any_takes((TELIA, ELISA, TELE2), b"Other", NOW)
    assert SENDERS.any_takes((TELIA, ELISA), b"Shop", NOW)


def test_operator_is_left_out_from_the_end_of_a_day_on() -> None:
    end_utc = ends_utc("2027-01-31")
    plan = PLANS.of((ELISA, TELE2))
    assert SENDERS.plan(plan, b"Bank", end_utc - 1) is plan
    assert SENDERS.plan(plan, b"Bank", end_utc) is PLANS.of((TELE2,))
    assert SENDERS.why_not(ELISA, b"Bank", end_utc) == "held until 2027-01-31"
    assert SENDERS.why_not(TELE2, b"Bank", end_utc) == ""


def test_operators_that_replace_senders_are_asked_nothing() -> None:
    def of(senders: str) -> SendersOfOperators | None:
        text = changed(SMALL, ("rate: 50/s}]\n", f"rate: 50/s}}]\n    senders: {senders}\n"))
        return senders_of_operators(loaded(text).operators, PLANS)

    assert senders_of_operators(loaded(SMALL).operators, PLANS) is None
    assert of('{kinds: [short], otherwise: {replace: "12302"}}') is None
    found = of("{kinds: [short], otherwise: next}")
    assert found is not None
    assert found.plan(PLANS.of((TELIA,)), b"Shop", NOW) is None
