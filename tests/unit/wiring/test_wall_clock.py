"""router/wiring/wall_clock.py: what the kernel says of the wall clock."""

import ctypes
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from router.wiring.wall_clock import LARGEST_ERROR_US, is_synchronised


def kernel(maxerror_us: int, status: int) -> Callable[..., int]:
    """A kernel that allows for such an error, and answers with such a status."""

    def adjtimex(address: object) -> int:
        timex = ctypes.cast(address, ctypes.POINTER(ctypes.c_long))  # type: ignore[arg-type]
        timex[3] = maxerror_us  # Behind modes with its padding, offset and freq.
        return status

    return adjtimex


@pytest.mark.parametrize(
    ("maxerror_us", "status", "expected"),
    [
        (2_500, 0, True),
        (2_500, 5, True),  # TIME_ERROR, which only says that STA_UNSYNC is set.
        (LARGEST_ERROR_US, 5, False),
        (2_500, -1, False),
    ],
)
def test_kernel_that_allows_for_a_small_error_has_a_clock_that_is_kept_right(
    monkeypatch: pytest.MonkeyPatch, maxerror_us: int, status: int, expected: bool
) -> None:
    library = SimpleNamespace(adjtimex=kernel(maxerror_us, status))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    assert is_synchronised() is expected


def test_system_that_does_not_say_is_taken_for_one_whose_clock_nobody_keeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert not is_synchronised()


def test_this_system_answers_one_or_the_other() -> None:
    assert is_synchronised() in (True, False)
