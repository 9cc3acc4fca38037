"""router/steps/amendments.py: what a reading may not show is remembered until every one does."""

from router.enqueue.feed import Queue
from router.enqueue.journal import Settlement
from router.steps.amendments import Amendments
from router.terms.outcome import Outcome
from router.terms.queue_key import QueueKey
from tests.unit.enqueue.turns import changes
from tests.unit.messages import BANK, OTP, TO_TELIA, message


def queue() -> Queue:
    return Queue(QueueKey(TO_TELIA, OTP, BANK))


def test_what_was_read_is_as_it_is_now() -> None:
    amendments = Amendments()
    assert not amendments
    one, two, three = message(1), message(2), message(3)
    other = message(2)
    amendments.cancel(one, queue())
    amendments.replace(other, queue())
    as_now, cancelled = amendments.applied([one, two, three])
    assert as_now == [other, three]
    assert as_now[0] is other
    assert cancelled == [1]


def test_it_is_forgotten_when_the_journal_has_it_and_earlier_readings_are_over() -> None:
    amendments, of = Amendments(), queue()
    one, two = message(1), message(2)
    amendments.cancel(one, of)
    amendments.replace(two, of)
    unsafe = changes(replaced=[two])
    unsafe.settled.append(Settlement(one, Outcome.REJECTED, 9.0))
    for _ in range(3):
        amendments.sweep([unsafe], 5, 5)
        assert amendments.applied([one]) == ([], [1])
    amendments.sweep([], 5, 4)  # Found safe now, while a reading goes on.
    amendments.sweep([], 6, 4)
    assert amendments.applied([one]) == ([], [1])
    of.is_fetching = True
    amendments.sweep([], 6, 5)
    assert amendments.applied([one]) == ([], [1])  # Its queue is being read.
    of.is_fetching = False
    amendments.sweep([], 6, 5)
    assert not amendments
