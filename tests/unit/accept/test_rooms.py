"""router/accept/rooms.py: an account has so many places, and no more."""

from router.accept.rooms import Rooms
from router.terms.names import AccountName, LaneName
from router.terms.settings import AccountSettings

BANK, SHOP = AccountName("bank"), AccountName("shop")


def rooms_of(queue: int) -> Rooms:
    names = (BANK, SHOP)
    return Rooms(
        {
            name: AccountSettings(name=name, passwords=("x",), lane=LaneName("otp"), queue=queue)
            for name in names
        }
    )


def test_room_ends_with_the_queue_of_its_account() -> None:
    rooms = rooms_of(2)
    assert [rooms.take(BANK) for _ in range(3)] == [True, True, False]
    assert rooms.taken(BANK) == 2
    assert rooms.take(SHOP)  # Another's room.
    rooms.give(BANK)
    assert rooms.take(BANK)


def test_what_an_earlier_process_left_takes_room_though_there_is_none() -> None:
    rooms = rooms_of(2)
    rooms.restore(BANK, 5)
    assert rooms.taken(BANK) == 5
    assert not rooms.take(BANK)
