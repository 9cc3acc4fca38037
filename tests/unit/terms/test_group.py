"""router/terms/group.py: where the parts of one long message may go."""

from router.terms.group import Group
from router.terms.names import OperatorName
from tests.unit.messages import ELISA, TELIA, TO_ELISA, message

CYD = OperatorName("cyd")


def group() -> Group:
    return Group(TO_ELISA, 3)


def test_first_part_goes_anywhere() -> None:
    assert group().may_take(TELIA)
    assert group().may_take(ELISA)


def test_part_in_flight_keeps_the_others_with_it() -> None:
    one = group()
    one.written(TELIA, None)
    assert one.may_take(TELIA)
    assert not one.may_take(ELISA)
    one.attempt_ended()
    assert one.may_take(ELISA)


def test_part_that_is_taken_keeps_the_others_for_good() -> None:
    one = group()
    one.written(TELIA, None)
    one.accepted_by(TELIA)
    one.attempt_ended()
    one.exclude(TELIA)
    assert one.may_take(TELIA)
    assert not one.may_take(ELISA)


def test_operator_that_was_left_gets_no_more() -> None:
    one = group()
    one.exclude(ELISA)
    one.exclude(ELISA)
    assert one.left == (ELISA,)
    assert not one.may_take(ELISA)
    assert one.may_take(TELIA)


def test_late_answer_counts_where_nothing_speaks_against_it() -> None:
    one = group()
    one.written(TELIA, None)
    one.attempt_ended()
    one.accepted_by(TELIA)
    assert one.fixed
    assert not one.may_take(ELISA)


def test_late_answer_does_not_draw_parts_away_from_where_they_are() -> None:
    one = group()
    one.written(TELIA, None)
    one.attempt_ended()
    one.written(ELISA, None)
    one.accepted_by(TELIA)
    assert not one.fixed
    one.accepted_by(ELISA)
    one.attempt_ended()
    one.accepted_by(TELIA)
    assert one.operator == ELISA
    assert not one.may_take(TELIA)


def test_parked_parts_come_out_once_nothing_is_in_flight() -> None:
    one = group()
    one.written(TELIA, None)
    one.written(TELIA, None)
    parked = [(message(1), 0x45), (message(2), 0)]
    one.parked += parked
    one.attempt_ended()
    assert one.unparked() == []
    one.attempt_ended()
    assert one.unparked() == parked
    assert one.unparked() == []
