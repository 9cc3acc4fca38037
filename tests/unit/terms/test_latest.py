"""router/terms/latest.py: what was put last is known, and what was put long ago is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.terms.latest import Latest


@given(st.integers(1, 5), st.lists(st.integers(0, 12), max_size=60))
def test_the_latest_keys_are_known_with_their_latest_values(most: int, keys: list[int]) -> None:
    latest: Latest[int, int] = Latest(most)
    values: dict[int, int] = {}
    for value, key in enumerate(keys, 1):
        latest.put(key, value)
        values[key] = value
        for one in dict.fromkeys(keys[max(0, value - most) : value]):
            assert one in latest
            assert latest.get(one) == values[one]
        known = [one for one in values if one in latest]
        assert len(known) <= 2 * most + 1
        assert all(latest.get(one) == values[one] for one in known)


@pytest.mark.parametrize("key", [0, 1])
def test_what_was_put_long_ago_is_forgotten(key: int) -> None:
    latest: Latest[int, str] = Latest(2)
    for one in range(8):
        latest.put(one, "")
    assert key not in latest
    assert latest.get(key) is None


def test_one_that_remembers_nothing_knows_nothing() -> None:
    latest: Latest[int, str] = Latest(0)
    latest.put(1, "")
    assert 1 not in latest
