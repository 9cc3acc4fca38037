"""router/wiring/gently.py: work rests now and then, and is otherwise as without."""

import sys

import pytest

from router.wiring.gently import REST_S, gently


def test_work_rests_now_and_then_and_its_result_is_returned() -> None:
    rests: list[float] = []

    def work() -> str:
        for _ in range(10_000_000):
            abs(1)
            if len(rests) == 3:
                return "done"
        raise AssertionError("it has not rested three times")

    assert gently(work, rests.append) == "done"
    assert rests == [REST_S] * 3


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_held_up_afterwards(fails: bool) -> None:
    before = sys.getprofile()

    def work() -> None:
        assert sys.getprofile() is not before
        if fails:
            raise ValueError("x")

    if fails:
        with pytest.raises(ValueError, match="x"):
            gently(work)
    else:
        gently(work)
    assert sys.getprofile() is before
