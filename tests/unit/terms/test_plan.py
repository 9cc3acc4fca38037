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


def test_plan_that_stays_with_an_operator_keeps_the_order_of_the_others() -> None:
    plans = Plans()
    plan = plans.staying(C, plans.of((A, B, C)))
    assert (plan.candidates, plan.stays) == ((C, A, B), True)
    assert plans.staying(C, plans.of((A, B))) is plan  # It may have been no candidate any more.


def test_plan_that_stays_has_a_queue_of_its_own() -> None:
    plans = Plans()
    plan = plans.staying(A, plans.of((A, B)))
    assert plan is not plans.of((A, B))
    assert not plans.of((A, B)).stays
    assert plans.without(plan, A) is plans.of((B,))


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
