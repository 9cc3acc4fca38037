"""router/forward/queue_full.py: many numbers in a row, and not one of them many times."""

from router.forward.queue_full import MANY_NUMBERS, QueueFullDetector


def test_many_different_numbers_make_the_operator_full() -> None:
    fullness = QueueFullDetector()
    told = [fullness.refused(b"%d" % number) for number in range(MANY_NUMBERS + 2)]
    assert told == [False] * (MANY_NUMBERS - 1) + [True] * 3


def test_one_number_is_full_for_itself_however_often_it_is_refused() -> None:
    fullness = QueueFullDetector()
    assert not any(fullness.refused(b"372") for _ in range(100))


def test_it_remembers_no_more_than_it_needs() -> None:
    fullness = QueueFullDetector()
    for number in range(1000):
        fullness.refused(b"%d" % number)
    assert len(fullness.numbers) == MANY_NUMBERS
