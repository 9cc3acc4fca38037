"""router/wiring/queue_orders.py: what may be ordered, and what is told of an order."""

import json
import re
from collections.abc import Callable
from itertools import count

import pytest

from router.steps.cancel_orders import MOST_ORDERS
from router.terms.names import AccountName
from router.wiring.drains import UnknownNameError
from router.wiring.queue_orders import MOST_IDS, MOST_KEPT, QUEUE_CANCEL, QueueOrders
from tests.unit.telemetry.running import FakeRouter
from tests.unit.wiring.test_control import ask, command, control_of


@pytest.fixture
def router() -> FakeRouter:
    return FakeRouter()


def orders_of(router: FakeRouter) -> QueueOrders:
    def in_loop(make: Callable[[], object]) -> tuple[int, object]:
        return 200, make()

    return QueueOrders(router, in_loop, follow_s=0.0)


def told(answer: tuple[int, object]) -> dict[str, object]:
    status, document = answer
    assert status == 200
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize(
    ("posted", "said"),
    [
        ({}, "either ids or an account"),
        ({"ids": []}, "either ids or an account"),
        ({"ids": ["1"], "account": "bank"}, "either ids or an account"),
        ({"ids": ["1"], "to": "37255512345"}, "ids need neither"),
        ({"ids": "1"}, '"ids" is a list'),
        ({"ids": [1]}, "1 is no id"),
        ({"ids": [""]}, "'' is no id"),
        ({"ids": ["1" * 65]}, "is no id"),
        ({"ids": ["é"]}, "is no id"),
        ({"ids": ["1"] * (MOST_IDS + 1)}, f"at most {MOST_IDS} ids"),
        ({"account": 7}, "'account' has to be a text"),
        ({"account": "bank", "to": "nobody"}, "'nobody' is no number"),
        ({"account": "bank", "from": "€"}, "cannot stand in a field of SMPP"),
        ({"account": "bank", "dry_run": 1}, '"dry_run" is true or false'),
        ({"account": "bank", "reason": "x" * 201}, "at most 200 characters"),
        ({"account": "bank", "all": True}, "an order to cancel has no 'all'"),
        ({"order": 1, "stop": "yes"}, "is asked about like"),
        ({"order": 1, "ids": ["1"]}, "is asked about like"),
    ],
)
def test_wrong_order_changes_nothing_and_is_told(
    router: FakeRouter, posted: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        orders_of(router).answer(posted, None)
    assert router.journey.cancel_orders.under_way == []


@pytest.mark.parametrize(
    ("posted", "said"),
    [
        ({"account": "bnak"}, "did you mean 'bank'?"),
        ({"order": 1}, "there is no order 1"),
        ({"order": "1"}, "there is no order '1'"),
        ({"order": [1]}, "there is no order [1]"),
    ],
)
def test_what_is_not_known_is_told(
    router: FakeRouter, posted: dict[str, object], said: str
) -> None:
    with pytest.raises(UnknownNameError, match=re.escape(said)):
        orders_of(router).answer(posted, None)


def test_account_that_is_gone_is_known_while_it_has_messages(router: FakeRouter) -> None:
    router.journey.rooms.restore(AccountName("gone"), 1, 100)
    assert told(orders_of(router).answer({"account": "gone"}, None))["order"] == 1


def test_order_is_followed_and_stopped(router: FakeRouter) -> None:
    orders = orders_of(router)
    begun = told(orders.answer({"account": "bank"}, "eve"))
    assert (begun["order"], begun["over"], begun["cancelled"]) == (1, False, 0)
    assert told(orders.answer({"order": 1}, None)) == begun
    (order,) = router.journey.cancel_orders.under_way
    assert not order.is_stopped
    orders.answer({"order": 1, "stop": True}, None)
    assert order.is_stopped


def test_as_many_at_once_as_there_may_be(router: FakeRouter) -> None:
    orders = orders_of(router)
    for _ in range(MOST_ORDERS):
        told(orders.answer({"ids": ["1"]}, None))
    status, document = orders.answer({"ids": ["1"]}, None)
    assert status == 503
    assert f"{MOST_ORDERS} orders are under way" in str(document)


def test_orders_that_are_over_are_forgotten_in_the_end(router: FakeRouter) -> None:
    orders = orders_of(router)
    long = told(orders.answer({"account": "bank"}, None))["order"]
    for number in count(2):
        assert told(orders.answer({"ids": ["1"]}, None))["order"] == number
        job = orders._kept[number]
        assert job.order is not None
        router.journey.cancel_orders.under_way.remove(job.order)
        job.over.set()
        if number == 2 * MOST_KEPT:
            break
    assert len(orders._kept) <= MOST_KEPT + 1
    assert told(orders.answer({"order": long}, None))["order"] == long
    assert told(orders.answer({"order": 2 * MOST_KEPT}, None))["order"] == 2 * MOST_KEPT
    with pytest.raises(UnknownNameError):
        orders.answer({"order": 2}, None)


def test_statuses_of_http(router: FakeRouter) -> None:
    site = control_of(router)
    assert ask(site, QUEUE_CANCEL)[0] == 405
    assert command(site, QUEUE_CANCEL, b"no json")[0] == 400
    assert command(site, QUEUE_CANCEL, b'{"ids": []}')[0] == 400
    status, document = command(site, QUEUE_CANCEL, b'{"account": "nobody"}')
    assert (status, "there is no account" in str(document["error"])) == (422, True)
    page = {"HTTP_ORIGIN": "http://evil.example"}
    assert command(site, QUEUE_CANCEL, b'{"account": "bank"}', **page)[0] == 403
    assert router.journey.cancel_orders.under_way == []
    router.loop.closed = True
    asked = json.dumps({"account": "bank"}).encode()
    assert command(site, QUEUE_CANCEL, asked)[0] == 503
