"""router/terms/oldest_first.py: in order, bounded, and as a plain list of pairs would do it.

That finding the oldest entry does not depend on what was deleted has no test here: a walk over
deleted entries compares, hashes and calls nothing that a test could count. The house rules guard it
(`tests/house_rules.py`).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.terms.oldest_first import OldestFirst


def test_oldest_is_the_one_that_was_put_longest_ago() -> None:
    entries: OldestFirst[str, int] = OldestFirst()
    assert entries.oldest() is None
    for value, key in enumerate("abca"):
        entries.put(key, value)
    assert entries.oldest() == ("b", 1)
    assert [entries.take_oldest() for _ in range(3)] == [("b", 1), ("c", 2), ("a", 3)]
    with pytest.raises(KeyError):
        entries.take_oldest()


def test_assignment_by_key_keeps_the_place_of_a_key_that_is_there() -> None:
    entries: OldestFirst[str, int] = OldestFirst()
    for value, key in enumerate("aba"):
        entries.by_key[key] = value
    assert list(entries.by_key.items()) == [("a", 2), ("b", 1)]


def test_value_none_is_an_entry() -> None:
    entries: OldestFirst[str, None] = OldestFirst(1)
    entries.put("a", None)
    assert ("a" in entries, len(entries), entries.oldest()) == (True, 1, ("a", None))


KEYS = st.integers(0, 6)
DEEDS = st.tuples(st.sampled_from(["put", "pop", "get", "take"]), KEYS)


@given(st.none() | st.integers(1, 4), st.lists(DEEDS, max_size=60))
def test_does_as_a_list_of_pairs_would(most: int | None, deeds: list[tuple[str, int]]) -> None:
    entries: OldestFirst[int, int] = OldestFirst(most)
    model: list[tuple[int, int]] = []
    for value, (deed, key) in enumerate(deeds):
        known = dict(model).get(key)
        if deed == "put":
            entries.put(key, value)
            model = [pair for pair in model if pair[0] != key] + [(key, value)]
            model = model if most is None else model[-most:]
        elif deed == "pop":
            assert entries.pop(key) == known
            model = [pair for pair in model if pair[0] != key]
        elif deed == "get":
            assert entries.get(key) == known
        elif model:
            assert entries.take_oldest() == model.pop(0)
        assert entries.oldest() == (model[0] if model else None)
        assert len(entries) == len(model)
        assert (key in entries) == (key in dict(model))
        assert list(entries.by_key.items()) == model


def test_after_clear_nothing_is_left() -> None:
    entries: OldestFirst[str, int] = OldestFirst(2)
    entries.put("a", 1)
    entries.clear()
    assert (len(entries), entries.get("a"), entries.oldest()) == (0, None, None)
