"""router/wiring/explain.py: what operators of the rule do with the sender."""

from typing import Final

import pytest

from router.terms.names import AccountName
from router.terms.settings import OperatorSenders, SenderReplacement, Settings
from router.wiring.explain import Question, explain
from tests.doubles import with_operator
from tests.unit.settings.configurations import CONTRACT, loaded

NOW: Final = 1_800_000_000.0
SHORT: Final = OperatorSenders(kinds=("short",))
REPLACING: Final = OperatorSenders(kinds=("short",), otherwise=SenderReplacement(replace="12302"))
GOOD: Final = loaded(CONTRACT)


def asked(settings: Settings, sender: str, account: str = "bank") -> Question:
    assert account in settings.accounts
    return Question(account=AccountName(account), to="37255512345", sender=sender)


def test_operators_that_do_not_let_the_sender_through_are_left_out() -> None:
    settings = with_operator(GOOD, "telia", senders=SHORT)
    told = explain(settings, asked(settings, "Bank"), NOW)
    assert [plan.operators for plan in told.plans] == [("elisa",)]
    assert ("sender", "telia: Bank is alphanumeric, not short: left out") in list(told.lines())
    told = explain(settings, asked(settings, "12302"), NOW)
    assert [plan.operators for plan in told.plans] == [("telia", "elisa")]
    assert told.senders == []


def test_operator_that_sends_under_another_sender_stays() -> None:
    settings = with_operator(GOOD, "telia", senders=REPLACING)
    told = explain(settings, asked(settings, "Bank"), NOW)
    assert [plan.operators for plan in told.plans] == [("telia", "elisa")]
    assert told.senders == ["telia: Bank is alphanumeric, not short: sent under 12302"]


def test_weights_of_operators_that_are_left_out_go_to_the_others() -> None:
    settings = with_operator(GOOD, "telia", senders=SHORT)
    (plan,) = explain(settings, asked(settings, "Shop", "shop"), NOW).plans
    assert (plan.operators, plan.weight) == (("elisa",), 100)
    assert plan.share == pytest.approx(1.0)


def test_message_that_nobody_lets_through_is_refused() -> None:
    settings = with_operator(with_operator(GOOD, "telia", senders=SHORT), "elisa", senders=SHORT)
    told = explain(settings, asked(settings, ""), NOW)
    assert told.refusal is not None
    assert (told.refusal.reason, told.refusal.status) == ("sender_not_allowed", 0x0A)
    assert told.plans == []
    assert told.senders == [
        f"{name}: no sender is of no kind, not short: left out" for name in ("telia", "elisa")
    ]
