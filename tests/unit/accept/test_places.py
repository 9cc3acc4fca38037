"""router/accept/places.py: how many connections of one address there may be."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.accept.places import MOST_STRANGERS, MOST_UNBOUND, Places

HERE, THERE = "10.0.0.1", "10.0.0.2"


class Waits:
    """A connection that has not bound."""

    def __init__(self) -> None:
        self.gave_way = 0

    def give_way(self) -> None:
        """Note it."""
        self.gave_way += 1


class Scene:
    """Places, and who came."""

    def __init__(self, most_unbound: int = 1_000, most: int | None = None) -> None:
        self.places: Final = Places(most_unbound, most)
        self.came: Final[list[Waits]] = []

    def come(self, host: str, times: int = 1, *, allowed: bool = True) -> list[bool]:
        """Whether each was let in."""
        found = []
        for _ in range(times):
            self.came.append(Waits())
            found.append(self.places.take(host, self.came[-1], lambda: allowed))
        return found

    @property
    def closed(self) -> list[int]:
        """Who had to give way."""
        return [number for number, one in enumerate(self.came) if one.gave_way]


def test_one_address_takes_half_of_all_places_and_a_newcomer_finds_one() -> None:
    scene = Scene(most_unbound=MOST_UNBOUND)
    scene.come(HERE, MOST_UNBOUND)
    assert scene.places.unbound == MOST_UNBOUND // 2
    scene.come(THERE, MOST_UNBOUND)
    assert scene.places.unbound == MOST_UNBOUND * 3 // 4
    assert scene.come("10.0.0.3") == [True]


def test_newcomer_finds_a_place_even_where_many_addresses_have_taken_all() -> None:
    scene = Scene()
    for number in range(100):
        scene.come(f"10.0.1.{number}", MOST_UNBOUND)
    assert scene.places.unbound == MOST_UNBOUND
    scene.come(HERE)
    newest = scene.came[-1]
    assert scene.come(THERE) == [True]
    assert scene.places.unbound == MOST_UNBOUND
    assert not newest.gave_way
    assert scene.come("192.0.2.1", allowed=False) == [False]


def test_place_of_a_newcomer_is_that_of_the_oldest_connection_of_the_address_with_the_most() -> (
    None
):
    scene = Scene(most_unbound=MOST_UNBOUND)
    scene.come(HERE, MOST_UNBOUND // 2)
    for number in range(MOST_UNBOUND // 2):
        scene.come(f"10.1.{number >> 8}.{number & 255}")
    assert scene.closed == []
    assert scene.come(THERE, 2) == [True, True]
    assert scene.closed == [0, MOST_UNBOUND]  # The second one is that of THERE itself.


def test_where_all_addresses_have_one_the_oldest_gives_way() -> None:
    scene = Scene()
    for number in range(MOST_UNBOUND):
        scene.come(f"10.1.{number >> 8}.{number & 255}")
    scene.places.leave("10.1.0.0", scene.came[0])
    scene.come("10.1.0.0")
    scene.come(HERE)
    assert scene.closed == [1]


def test_address_with_its_share_exchanges_its_oldest_for_its_newest() -> None:
    scene = Scene(most_unbound=3)
    assert scene.come(HERE, 5) == [True] * 5
    assert scene.closed == [0, 1]
    assert scene.places.unbound == 3
    scene.come(THERE)
    assert scene.closed == [0, 1]


def test_strangers_have_few_places_and_take_none_of_clients() -> None:
    scene = Scene()
    for number in range(MOST_STRANGERS):
        assert scene.come(f"192.0.2.{number}", allowed=False) == [True]
    assert scene.come("198.51.100.1", allowed=False) == [False]
    assert scene.come(HERE, 3) == [True] * 3
    assert scene.closed == []


def test_one_stranger_takes_half_of_the_places_of_strangers() -> None:
    scene = Scene()
    scene.come("192.0.2.1", 500, allowed=False)
    assert scene.places.unbound == MOST_STRANGERS // 2
    assert scene.come("192.0.2.2", allowed=False) == [True]


def test_bound_ones_need_no_place_and_count_for_the_whole_limit() -> None:
    scene = Scene(most=2)
    scene.come(HERE, 2)
    for one in scene.came:
        scene.places.bound(HERE, one)
    assert scene.places.unbound == 0
    assert scene.come(HERE) == [False]
    scene.places.unbind(HERE)
    assert scene.come(HERE, 2) == [True, True]
    assert scene.closed == [3]  # It has not bound, and so gives way.
    assert scene.come(THERE) == [True]


def test_whoever_gave_way_or_left_frees_nothing_twice() -> None:
    scene = Scene(most_unbound=1)
    scene.come(HERE, 2)
    scene.places.leave(HERE, scene.came[0])
    assert scene.places.unbound == 1
    for _ in range(2):
        scene.places.leave(HERE, scene.came[1])
    assert scene.places.unbound == 0
    assert not scene.places._of


def test_place_is_handed_over_once() -> None:
    scene = Scene()
    scene.come(HERE)
    after = Waits()
    assert scene.places.hand_over(HERE, scene.came[0], after)
    assert not scene.places.hand_over(HERE, scene.came[0], Waits())
    assert scene.places.unbound == 1
    scene.places.leave(HERE, scene.came[0])
    assert scene.places.unbound == 1
    scene.places.leave(HERE, after)
    assert scene.places.unbound == 0


@pytest.mark.parametrize("allowed", [True, False])
@given(steps=st.lists(st.tuples(st.integers(0, 3), st.sampled_from("cblu")), max_size=80))
def test_counts_are_those_of_who_is_there(steps: list[tuple[int, str]], allowed: bool) -> None:
    places = Places(4, 6)
    unbound: dict[str, list[Waits]] = {}
    bound: dict[str, int] = {}
    for number, step in steps:
        host = f"10.0.0.{number}"
        here = unbound.setdefault(host, [])
        if step == "c":
            one = Waits()
            if places.take(host, one, lambda: allowed):
                here.append(one)
            here[:] = [each for each in here if not each.gave_way]
        elif step == "b" and here:
            places.bound(host, here.pop())
            bound[host] = bound.get(host, 0) + 1
        elif step == "l" and here:
            places.leave(host, here.pop(0))
        elif step == "u" and bound.get(host):
            places.unbind(host)
            bound[host] -= 1
        assert places.unbound == sum(map(len, unbound.values()))
        assert all(len(one) <= 4 for one in unbound.values())
        assert len(here) + bound.get(host, 0) <= 6
