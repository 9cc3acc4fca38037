"""router/terms/plan.py: equal plans are one object, whatever way they came about."""

from router.terms.names import OperatorName
from router.terms.plan import Plans

A, B, C = OperatorName("a"), OperatorName("b"), OperatorName("c")


def test_equal_candidates_are_one_plan() -> None:
    plans = Plans()
    assert plans.of((A, B)) is plans.of((A, *[B]))


def test_order_makes_another_plan() -> None:
    plans = Plans()
    assert plans.of((A, B)) is not plans.of((B, A))


def test_two_sets_of_plans_share_none() -> None:
    assert Plans().of((A,)) is not Plans().of((A,))


def test_plan_that_an_operator_leads_keeps_the_order_of_the_others() -> None:
    plans = Plans()
    assert plans.led_by(C, plans.of((A, B, C))) is plans.of((C, A, B))
    assert plans.led_by(C, plans.of((A, B))) is plans.of((C, A, B))
    assert plans.led_by(A, plans.of((A, B))) is plans.of((A, B))


def test_plan_without_an_operator_keeps_the_order_of_the_others() -> None:
    plans = Plans()
    plan = plans.of((A, B, C))
    assert plans.without(plan, B) is plans.of((A, C))
    assert plans.without(plan, OperatorName("x")) is plan


def test_no_plan_is_left_without_its_last_operator() -> None:
    plans = Plans()
    assert plans.without(plans.of((A,)), A) is None


def test_plan_is_read_best_first() -> None:
    assert repr(Plans().of((B, A))) == "<Plan b > a>"
