"""router/accept/rooms.py: an account has so many places, and no more."""

import pytest

from router.accept.rooms import Rooms
from router.terms.names import AccountName, LaneName
from router.terms.settings import AccountSettings

BANK, SHOP = AccountName("bank"), AccountName("shop")


def account(name: AccountName, queue: int, octets: int = 2**30) -> AccountSettings:
    return AccountSettings(
        name=name, passwords=("x",), lane=LaneName("otp"), queue=queue, queue_size_bytes=octets
    )


def rooms_of(queue: int) -> Rooms:
    return Rooms({name: account(name, queue) for name in (BANK, SHOP)})


def test_room_ends_with_the_queue_of_its_account() -> None:
    rooms = rooms_of(2)
    assert [rooms.take(BANK, 1) for _ in range(3)] == [True, True, False]
    assert rooms.taken(BANK) == 2
    assert rooms.take(SHOP, 1)  # Another's room.
    rooms.give(BANK, 1)
    assert rooms.take(BANK, 1)


def test_what_an_earlier_process_left_takes_room_though_there_is_none() -> None:
    rooms = rooms_of(2)
    rooms.restore(BANK, 5, 5)
    assert rooms.taken(BANK) == 5
    assert not rooms.take(BANK, 1)


def test_room_ends_with_the_octets_of_its_account() -> None:
    rooms = Rooms({BANK: account(BANK, 10, 1000)})
    assert rooms.take(BANK, 999)
    assert rooms.take(BANK, 70_000)  # The last one may be larger than what is left.
    assert not rooms.take(BANK, 1)
    assert (rooms.taken(BANK), rooms.octets(BANK)) == (2, 70_999)
    rooms.give(BANK, 70_000)
    assert rooms.octets(BANK) == 999
    assert rooms.take(BANK, 1)
    assert not rooms.take(BANK, 1)


def test_octets_of_an_earlier_process_may_be_told_later_than_they_are_given_back() -> None:
    rooms = Rooms({BANK: account(BANK, 10, 1000)})
    rooms.restore(BANK, 2, 0)
    rooms.give(BANK, 600)
    rooms.restore(BANK, 0, 1600)
    assert (rooms.taken(BANK), rooms.octets(BANK)) == (1, 1000)
    assert not rooms.take(BANK, 1)
    rooms.give(BANK, 1000)
    assert (rooms.taken(BANK), rooms.octets(BANK)) == (0, 0)


def test_share_is_that_of_what_ends_first() -> None:
    rooms = Rooms({BANK: account(BANK, 10, 1000)})
    assert (rooms.share(BANK), rooms.share(SHOP)) == (0.0, 0.0)
    assert rooms.take(BANK, 50)
    assert rooms.share(BANK) == 0.1
    assert rooms.take(BANK, 450)
    assert rooms.share(BANK) == 0.5


# A new configuration.


def test_room_follows_a_new_limit_of_octets() -> None:
    rooms = Rooms({BANK: account(BANK, 10, 1000)})
    assert rooms.take(BANK, 500)
    rooms.adopt({BANK: account(BANK, 10, 500)})
    assert not rooms.take(BANK, 1)
    rooms.adopt({BANK: account(BANK, 10, 501)})
    assert rooms.take(BANK, 1)


@pytest.mark.parametrize(
    ("taken", "queue", "more"), [(2, 2, 0), (2, 5, 3), (2, 1, 0), (0, 1, 1), (2, 0, 0)]
)
def test_room_follows_a_new_limit_and_keeps_what_is_taken(
    taken: int, queue: int, more: int
) -> None:
    rooms = rooms_of(2)
    for _ in range(taken):
        assert rooms.take(BANK, 1)
    rooms.adopt({BANK: account(BANK, queue)})
    assert rooms.taken(BANK) == taken
    assert sum(rooms.take(BANK, 1) for _ in range(10)) == more


def test_account_above_its_new_limit_gets_a_place_when_there_are_fewer() -> None:
    rooms = rooms_of(3)
    rooms.restore(BANK, 3, 3)
    rooms.adopt({BANK: account(BANK, 2)})
    for _ in range(2):
        assert not rooms.take(BANK, 1)
        rooms.give(BANK, 1)
    assert rooms.take(BANK, 1)


def test_account_that_is_gone_keeps_its_count_until_it_is_empty() -> None:
    rooms = rooms_of(2)
    rooms.restore(SHOP, 2, 2)
    for left in (1, 0):
        rooms.adopt({BANK: account(BANK, 2)})
        rooms.give(SHOP, 1)
        assert rooms.taken(SHOP) == left
    rooms.adopt({BANK: account(BANK, 2)})
    assert rooms.taken(SHOP) == 0


def test_account_that_comes_back_has_what_it_had() -> None:
    rooms = rooms_of(2)
    rooms.restore(SHOP, 2, 2)
    rooms.adopt({BANK: account(BANK, 2)})
    rooms.adopt({BANK: account(BANK, 2), SHOP: account(SHOP, 3)})
    assert rooms.taken(SHOP) == 2
    assert [rooms.take(SHOP, 1) for _ in range(2)] == [True, False]


def test_last_binds_of_an_account_that_is_gone_may_still_submit() -> None:
    rooms = rooms_of(2)
    for _ in range(2):  # Also when it has been empty in between.
        rooms.adopt({BANK: account(BANK, 2)})
        assert [rooms.take(SHOP, 1) for _ in range(3)] == [True, True, False]
        rooms.give(SHOP, 1)
        rooms.give(SHOP, 1)


def test_new_account_begins_with_nothing_and_an_unknown_one_has_nothing() -> None:
    rooms = Rooms({})
    assert rooms.taken(BANK) == 0
    rooms.adopt({BANK: account(BANK, 1)})
    assert rooms.taken(BANK) == 0
    assert [rooms.take(BANK, 1) for _ in range(2)] == [True, False]
