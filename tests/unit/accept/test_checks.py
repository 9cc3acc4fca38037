"""router/accept/checks.py: whose password is checked next."""

from typing import Final

from router.accept.checks import AT_ONCE, MOST_OF_ADDRESS, MOST_WAITING, Check, Checks

GUESSER: Final = "192.0.2.7"


class Line:
    """The line, and what was begun, in order."""

    def __init__(self) -> None:
        self.checks = Checks()
        self.begun: list[Check] = []

    def join(self, system_id: str, host: str) -> Check:
        check = Check(system_id, host, lambda: self.begun.append(check))
        assert self.checks.join(check)
        self.checks.begin_due()
        return check

    def over(self, check: Check) -> None:
        self.checks.over(check)
        self.checks.begin_due()


def test_as_many_are_under_way_as_there_are_threads() -> None:
    line = Line()
    joined = [line.join(f"name{number}", f"10.0.0.{number}") for number in range(AT_ONCE + 2)]
    assert line.begun == joined[:AT_ONCE]
    line.over(joined[1])
    assert line.begun == joined[: AT_ONCE + 1]
    assert len(line.checks) == 1


def test_one_name_has_one_under_way_from_wherever_it_is_tried() -> None:
    line = Line()
    first, second = line.join("bank", "10.0.0.1"), line.join("bank", "10.0.0.2")
    other = line.join("shop", "10.0.0.3")
    assert line.begun == [first, other]
    line.over(first)
    assert line.begun == [first, other, second]


def test_one_address_has_one_under_way_whatever_name_it_tries() -> None:
    line = Line()
    first, second = line.join("bank", GUESSER), line.join("shop", GUESSER)
    assert line.begun == [first]
    line.over(first)
    assert line.begun == [first, second]


def test_client_waits_for_one_check_of_a_guesser_and_not_for_all() -> None:
    line = Line()
    guesses = [line.join("bank", GUESSER) for _ in range(MOST_OF_ADDRESS)]
    own, other = line.join("bank", "10.0.0.1"), line.join("shop", "10.0.0.2")
    assert line.begun == [guesses[0], other]
    line.over(guesses[0])
    assert line.begun == [guesses[0], other, own]
    line.over(own)
    assert line.begun[3:] == [guesses[1]]


def test_checks_of_one_address_are_begun_oldest_first_past_a_name_that_is_busy() -> None:
    line = Line()
    elsewhere = line.join("bank", "10.0.0.1")
    first, second = line.join("bank", "10.0.0.2"), line.join("shop", "10.0.0.2")
    third = line.join("shop", "10.0.0.2")
    assert line.begun == [elsewhere, second]
    line.over(elsewhere)
    assert line.begun == [elsewhere, second]
    line.over(second)
    assert line.begun == [elsewhere, second, first]
    line.over(first)
    assert line.begun == [elsewhere, second, first, third]


def test_line_of_one_address_is_bounded_and_others_have_room() -> None:
    line = Line()
    for _ in range(MOST_OF_ADDRESS + 1):  # One of them is under way.
        line.join("bank", GUESSER)
    assert not line.checks.join(Check("bank", GUESSER, lambda: None))
    line.join("bank", "10.0.0.1")


def test_line_of_all_addresses_is_bounded() -> None:
    line = Line()
    for number in range(MOST_WAITING + 1):
        line.join("bank", f"10.0.{number // 200}.{number % 200}")
    assert len(line.checks) == MOST_WAITING
    assert not line.checks.join(Check("bank", "10.9.9.9", lambda: None))
    line.over(line.begun[0])
    assert line.checks.join(Check("bank", "10.9.9.9", lambda: None))


def test_who_leaves_the_line_frees_its_place() -> None:
    line = Line()
    first, second, third = (line.join("bank", f"10.0.0.{number}") for number in range(3))
    line.checks.leave(second)
    line.checks.leave(second)
    assert len(line.checks) == 1
    line.over(first)
    assert line.begun == [first, third]


def test_who_leaves_while_its_check_is_under_way_keeps_the_thread_until_it_is_over() -> None:
    line = Line()
    first, second = line.join("bank", GUESSER), line.join("bank", GUESSER)
    line.checks.leave(first)
    assert line.begun == [first]
    line.over(first)
    assert line.begun == [first, second]


def test_check_that_is_over_as_soon_as_it_is_begun_lets_the_next_begin() -> None:
    checks = Checks()
    begun: list[int] = []

    def joins(number: int) -> None:
        def begin() -> None:
            begun.append(number)
            checks.over(check)

        check = Check("bank", GUESSER, begin)
        assert checks.join(check)

    for number in range(MOST_OF_ADDRESS):
        joins(number)
    checks.begin_due()
    assert begun == list(range(MOST_OF_ADDRESS))
    assert len(checks) == 0
