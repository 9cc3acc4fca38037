"""router/telemetry/account_events.py: what accounts have to hear of is told, and not too often."""

from structlog.testing import capture_logs

from router.accept.refusals import Refusals
from router.accept.rooms import Rooms
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.telemetry.account_events import (
    LINES_AT_ONCE,
    QUIET_S,
    TOLD_EVERY_S,
    FullQueues,
    log_refusals,
)
from router.terms.names import AccountName, LaneName
from router.terms.outcome import DRAINING, JOURNAL_DOWN, NO_ROUTE, THROTTLED
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


def test_first_refusal_of_a_kind_is_told_at_once_and_others_as_a_number_each_minute() -> None:
    refusals = Refusals()
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"4670123456"), short_message=b"Tere")
    pdu = Pdu(v.SUBMIT_SM, 0, 1, octets)
    words = {"log_level": "warning", "client": "192.0.2.1:5", "prefix": "46701"}
    no_route = {"event": "submit.refused", "reason": "no_route", "status": "ESME_RINVDSTADR"}

    def told_at(now: float) -> list[object]:
        with capture_logs() as told:
            log_refusals(refusals, now)
        return list(told)

    refusals.add(BANK, "192.0.2.1:5", pdu, NO_ROUTE, 0.0)
    assert told_at(10.0) == [{**no_route, "account": "bank", "count": 1, **words}]
    for _ in range(80):
        refusals.add(BANK, "192.0.2.1:5", pdu, NO_ROUTE, 0.0)
    assert told_at(10.0 + 0.99 * TOLD_EVERY_S) == []
    refusals.add(SHOP, "192.0.2.1:5", pdu, NO_ROUTE, 0.0)
    assert told_at(10.0 + 0.99 * TOLD_EVERY_S) == [
        {**no_route, "account": "shop", "count": 1, **words}
    ]
    assert told_at(10.0 + TOLD_EVERY_S) == [{**no_route, "account": "bank", "count": 80, **words}]
    assert told_at(10.0 + 2 * TOLD_EVERY_S) == []
    refusals.add(BANK, "192.0.2.1:5", pdu, THROTTLED, 0.0)
    throttled = {"event": "submit.refused", "reason": "throttled", "status": "ESME_RTHROTTLED"}
    assert told_at(10.0 + 2 * TOLD_EVERY_S) == [
        {**throttled, "account": "bank", "count": 1, **words}
    ]


def test_all_accounts_at_once_are_told_a_few_in_each_turn_and_a_stop_is_no_news() -> None:
    refusals = Refusals()
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"4670123456"), short_message=b"Tere")
    pdu = Pdu(v.SUBMIT_SM, 0, 1, octets)
    for number in range(LINES_AT_ONCE + 5):
        refusals.add(AccountName(f"a{number}"), "192.0.2.1:5", pdu, JOURNAL_DOWN, 0.0)
    counts = []
    for now in (1.0, 1.1, 1.2):
        with capture_logs() as told:
            log_refusals(refusals, now)
        counts.append(len(told))
    assert counts == [LINES_AT_ONCE, 5, 0]
    refusals.add(BANK, "192.0.2.1:5", pdu, DRAINING, 0.0)
    with capture_logs() as told:
        log_refusals(refusals, 2.0)
    assert told == []
    assert refusals.untold == {}
