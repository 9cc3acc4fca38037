"""How journeys begin where many begin alike: each returns who is there and what was submitted."""

from dataclasses import replace

from router.smpp.pdu import Pdu
from router.terms.names import AccountName, OperatorName
from router.terms.settings import Settings
from tests.doubles import Client, Operator, Router

PASSWORDS = {b"bank": b"secret01", b"shop": b"secret02"}
OVERDUE_S = 30.5
"""A little more than the response timeout."""


def connected(
    router: Router, operator: str = "telia", status: int | None = 0
) -> tuple[Operator, Client]:
    """Bind an operator, which answers submits with this status, and then the bank."""
    far = router.operator(operator, status=status)
    return far, router.client()


def connected_to_both(
    router: Router, status: int | None = 0, account: bytes = b"bank"
) -> tuple[Operator, Operator, Client]:
    """Bind telia, which answers submits with this status, elisa, and then this account."""
    telia, elisa = router.operator("telia", status=status), router.operator("elisa")
    return telia, elisa, router.client(account, PASSWORDS[account])


def taken(
    router: Router, count: int = 1, registered_delivery: int = 1
) -> tuple[Operator, Client, list[int]]:
    """Have telia take so many messages of the bank; their sequence_numbers come last."""
    telia, client = connected(router)
    return telia, client, submitted(router, telia, client, count, registered_delivery)


def submitted(
    router: Router,
    operator: Operator,
    client: Client,
    count: int = 1,
    registered_delivery: int = 1,
    destination: bytes = b"37255512345",
) -> list[int]:
    """Have the operator sent so many messages of the client; return their sequence_numbers."""
    before = len(operator.submits)
    numbers = [
        client.submit(destination, registered_delivery=registered_delivery) for _ in range(count)
    ]
    router.world.run(1.0 + (count - 1) / 20)
    assert len(operator.submits) - before == count
    return numbers


def unanswered(router: Router) -> tuple[Operator, Client, int, Pdu]:
    """Have telia sent a message of the bank that it does not answer; the submit_sm comes last."""
    telia, client = connected(router, status=None)
    (number,) = submitted(router, telia, client)
    return telia, client, number, telia.submits[0][1]


def told_in_vain(router: Router) -> tuple[Operator, Client]:
    """Have the bank sent a receipt, in a moment, that it does not answer."""
    telia, client, _ = taken(router)
    client.deliver_status = lambda _: None
    telia.report(b"1")
    return telia, client


def sent_twice(
    router: Router, registered_delivery: int = 1
) -> tuple[Operator, Client, int, tuple[Pdu, Pdu]]:
    """Have a message of the bank sent to telia again, which has answered neither submit_sm."""
    telia, client = connected(router, status=None)
    number = client.submit(registered_delivery=registered_delivery)
    router.world.run(OVERDUE_S)
    first, second = (pdu for _, pdu in telia.submits)
    return telia, client, number, (first, second)


def restarted_with(router: Router, before: Operator) -> tuple[Router, Operator]:
    """Kill the router, start another on its journal, and bind telia as it was before."""
    again = router.restarted()
    telia = again.operator("telia")
    telia.ids, telia.next_id = before.ids, before.next_id
    return again, telia


def renamed(settings: Settings, *, operator: str = "", account: str = "") -> Settings:
    """The configuration after an operator, an account or both got a 2 at the end of their names."""
    if account:
        settings = renamed_account(settings, account, f"{account}2")
    if not operator:
        return settings
    operators = dict(settings.operators)
    was, now = OperatorName(operator), OperatorName(f"{operator}2")
    operators[now] = replace(operators.pop(was), name=now, formerly=was)

    def called(name: OperatorName) -> OperatorName:
        return now if name == was else name

    return replace(
        settings,
        operators=operators,
        routes=tuple(replace(route, to=tuple(map(called, route.to))) for route in settings.routes),
        inbound=tuple(
            replace(rule, operator=None if rule.operator is None else called(rule.operator))
            for rule in settings.inbound
        ),
    )


def renamed_account(settings: Settings, was: str, now: str) -> Settings:
    """The configuration after an account got another name."""
    accounts = dict(settings.accounts)
    former, name = AccountName(was), AccountName(now)
    accounts[name] = replace(accounts.pop(former), name=name, formerly=former)

    def called(one: AccountName) -> AccountName:
        return name if one == former else one

    return replace(
        settings,
        accounts=accounts,
        routes=tuple(
            replace(route, account=tuple(called(one) for one in route.account))
            for route in settings.routes
        ),
        inbound=tuple(replace(rule, to=called(rule.to)) for rule in settings.inbound),
    )


def nothing_is_left(router: Router) -> None:
    """Neither place, row nor delivery; and no message has ended twice."""
    numbers = [settlement.message.router_id for settlement in router.settled]
    assert len(set(numbers)) == len(numbers)
    journey, journal = router.journey, router.journal
    for name in router.settings.accounts:
        assert (journey.rooms.taken(name), journey.rooms.octets(name)) == (0, 0)
    assert not any((journal.messages, journal.attempts, journal.held))
    assert all(len(outbox) == 0 for outbox in journey.deliveries.outboxes.values())
    assert journey.left_waiting == 0
