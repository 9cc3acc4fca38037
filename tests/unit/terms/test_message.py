"""router/terms/message.py: how a message and a delivery begin."""

from router.terms.states import ACCEPTING, Mark
from tests.unit.messages import delivery, message


def test_message_begins_in_the_journals_hands_and_nobody_has_tried_it() -> None:
    one = message(100)
    assert (one.state, one.mark) == (ACCEPTING, Mark.UNMARKED)
    assert one.operator is None
    assert (one.writes, one.pending_receipts, one.retries, one.failovers, one.times_in_doubt) == (
        0,
        0,
        0,
        0,
        0,
    )
    assert not one.in_doubt


def test_message_shows_itself_without_its_text_and_without_its_number() -> None:
    one = message(100, destination=b"37255512345")
    assert repr(one) == "<Message 100 bank ACCEPTING>"


def test_delivery_begins_untried_and_open() -> None:
    one = delivery(100, not_before=7.0)
    assert (one.tries, one.is_over, one.kept_as, one.not_before) == (0, False, 0, 7.0)
    assert one.final
