"""router/telemetry/account_events.py: a full queue is told once, and once when that is over."""

from structlog.testing import capture_logs

from router.accept.rooms import Rooms
from router.telemetry.account_events import QUIET_S, FullQueues
from router.terms.names import AccountName, LaneName
from router.terms.settings import AccountSettings

BANK, SHOP = AccountName("bank"), AccountName("shop")


def rooms_of(queue: int, octets: int = 2**30) -> Rooms:
    return Rooms(
        {
            name: AccountSettings(
                name=name,
                passwords=("x",),
                lane=LaneName("otp"),
                queue=queue,
                queue_size_bytes=octets,
            )
            for name in (BANK, SHOP)
        }
    )


def test_full_queue_is_told_once_and_once_when_that_is_over() -> None:
    rooms, full = rooms_of(2), FullQueues()
    rooms.restore(BANK, 2, 600)
    with capture_logs() as told:
        full.log(rooms, 0.0)
        for second in range(10):
            for _ in range(100):
                rooms.refuse(BANK)
            full.log(rooms, float(second))
    assert told == [
        {
            "event": "account.queue_full",
            "log_level": "warning",
            "account": "bank",
            "full_of": "messages",
            "messages": 2,
            "octets": 600,
        }
    ]

    with capture_logs() as told:
        full.log(rooms, 9.0 + QUIET_S)  # Nothing was refused, and there is no room either.
        rooms.give(BANK, 300)
        full.log(rooms, 8.9 + QUIET_S)
        assert told == []
        full.log(rooms, 9.0 + QUIET_S)
        full.log(rooms, 9.1 + QUIET_S)
    over = {"account": "bank", "refused": 1000, "lasted_s": 9.0}
    assert told == [{"event": "account.queue_back", "log_level": "info", **over}]


def test_each_account_is_told_with_what_fills_its_queue() -> None:
    rooms, full = rooms_of(100, octets=1000), FullQueues()
    rooms.restore(BANK, 100, 10)
    rooms.restore(SHOP, 1, 1000)
    rooms.refuse(BANK)
    rooms.refuse(SHOP)
    with capture_logs() as told:
        full.log(rooms, 0.0)
    assert [(one["account"], one["full_of"]) for one in told] == [
        *(("bank", "messages"), ("shop", "octets")),
    ]
