"""journey.py: from one configuration to another and back, under load, nothing promised is lost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from router.steps.rules import Rules
from router.terms.limits import Rate
from router.terms.names import OperatorName
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import (
    Operator,
    Router,
    World,
    contract_settings,
    with_account,
    with_lane,
    with_operator,
    without_operator,
)

TELIA = OperatorName("telia")
with TemporaryDirectory() as folder:
    CONTRACT = contract_settings(Path(folder))
Change = Callable[[Settings], Settings]


def faster(settings: Settings) -> Settings:
    """Telia takes more."""
    binds = tuple(replace(one, rate=Rate(90, 1.0)) for one in settings.operators[TELIA].binds)
    return with_operator(settings, "telia", binds=binds)


def slower(settings: Settings) -> Settings:
    """Telia takes less."""
    binds = tuple(replace(one, rate=Rate(7, 1.0)) for one in settings.operators[TELIA].binds)
    return with_operator(settings, "telia", binds=binds)


def one_bind_less(settings: Settings) -> Settings:
    """The first bind is gone: the one that is connected."""
    return with_operator(settings, "telia", binds=settings.operators[TELIA].binds[1:])


CHANGES: dict[str, Change] = {
    "faster": faster,
    "slower": slower,
    "one bind less": one_bind_less,
    "no telia": lambda settings: without_operator(settings, "telia"),
    "no elisa": lambda settings: without_operator(settings, "elisa"),
    "less room": lambda settings: with_account(settings, "bank", queue=3, deliver_window=1),
    "another rate": lambda settings: with_account(settings, "bank", rate=Rate(5, 1.0), burst=5),
    "another weight": lambda settings: with_account(settings, "bank", weight=7),
    "a lane that fails": lambda settings: with_lane(settings, "otp", in_doubt="fail"),
    "a lane that goes on": lambda settings: with_lane(settings, "otp", failover_after_s=1.0),
    "a short wait": lambda settings: with_operator(settings, "telia", receipt_wait_s=3600.0),
    "all of it again": lambda settings: replace(settings),
}


@given(
    names=st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=5),
    waits_s=st.lists(st.sampled_from([0.0, 0.1, 1.0, 5.0]), min_size=6, max_size=6),
    counts=st.lists(st.integers(0, 40), min_size=6, max_size=6),
    reports=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_nothing_promised_is_lost_on_the_way_there_and_back(
    names: list[str], waits_s: list[float], counts: list[int], reports: list[bool]
) -> None:
    world = World()
    router = Router(world, CONTRACT)
    far_ends = FarEnds(router)
    client = router.client()
    configurations = [*(CHANGES[name](CONTRACT) for name in names), CONTRACT]
    for settings, wait_s, count, reports_now in zip(
        configurations, waits_s, counts, reports, strict=False
    ):
        for _ in range(count):
            client.submit()
        world.run(wait_s)
        router.adopt(settings)
        far_ends.follow()
        if reports_now:
            far_ends.report_new()
    for _ in range(20):
        world.run(10.0)
        far_ends.follow()
        far_ends.report_new()
    submits = (pdu for pdu in client.answers.values() if pdu.command_id == v.SUBMIT_SM_RESP)
    answered = [pdu.command_status for pdu in submits]
    assert len(answered) == sum(counts[: len(configurations)])
    assert answered.count(0) == router.accepted == len(client.receipts)
    assert set(router.outcomes) <= {Outcome.DELIVERED}
    router.assert_all_is_over()


class FarEnds:
    """All far ends of operators: bound where the router binds, and let go where it lets go."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.world = router.world
        self.operators: list[Operator] = []
        self.owed: dict[str, dict[bytes, Pdu]] = {"telia": {}, "elisa": {}}
        """What each operator has taken and not reported, by id."""
        self.follow()

    def follow(self) -> None:
        """Bind one bind of each operator, and end what the configuration has no more."""
        known = self.router.journey.operators
        for one in self.operators:
            if not one.far.closed and self.router.journey.is_done_with(one.bind):
                one.far.drop()
        for name in self.router.settings.operators:
            bound = {one.bind for one in self.operators if not one.far.closed}
            if bound.isdisjoint(known[name].binds):
                new = self.router.operator(name)
                new.next_id = 1 + 1000 * len(self.operators)
                self.operators.append(new)

    def report_new(self) -> None:
        """Have every operator that is bound report what it has taken on any bind."""
        for one in self.operators:
            self.owed[one.bind.operator.name] |= one.ids
            one.ids.clear()
        for one in self.operators:
            if not one.far.closed:
                owed = self.owed[one.bind.operator.name]
                one.ids.update(owed)
                for operator_id in owed:
                    one.report(operator_id)
                owed.clear()
                self.world.settle()
                one.ids.clear()


# There and back with nothing in between.

NOT_AS_IT_WAS = {"one bind less", "no telia", "no elisa", "another rate"}
"""Changes after which something is bound anew, or decided anew; and a client's burst that was cut
comes back with time only."""
Told = list[tuple[object, ...]]


def history(
    waits_s: list[float], counts: list[int], reports: list[bool], there: list[list[str]]
) -> tuple[list[Told], dict[str, int]]:
    """All that operators and the client have seen of this traffic, and how its messages ended.

    After each wait the router is given these configurations, each followed by its own again.
    """
    world = World()
    router = Router(world, CONTRACT)
    far_ends = FarEnds(router)
    client = router.client()
    number = 0
    for wait_s, count, reports_now, names in zip(waits_s, counts, reports, there, strict=True):
        for _ in range(count):
            number += 1
            client.submit(text=b"%d" % number)
        world.run(wait_s)
        for name in names:
            for settings in (CHANGES[name](CONTRACT), CONTRACT):
                rules = Rules.of(settings, router.journey.plans, router.journey.up)
                router.journey.adopt(settings, rules, world.now)
                router.accounts.adopt(settings.accounts, world.now)
            world.settle()
            far_ends.follow()
        if reports_now:
            far_ends.report_new()
    for _ in range(10):
        world.run(10.0)
        far_ends.follow()
        far_ends.report_new()
    router.assert_all_is_over()
    seen: list[Told] = [
        [(at, pdu.octets) for at, pdu in operator.submits] for operator in far_ends.operators
    ]
    seen.append([(pdu.octets,) for pdu in client.receipts])
    return seen, dict(router.journey.counters.outcomes)


TRAFFIC = {
    "waits_s": st.lists(st.sampled_from([0.0, 0.01, 0.1, 1.0, 2.5]), min_size=4, max_size=4),
    "counts": st.lists(st.integers(0, 60), min_size=4, max_size=4),
    "reports": st.lists(st.booleans(), min_size=4, max_size=4),
}


def ways_there(names: set[str]) -> st.SearchStrategy[list[list[str]]]:
    of_names = st.lists(st.sampled_from(sorted(names)), max_size=2)
    return st.lists(of_names, min_size=4, max_size=4)


@given(**TRAFFIC, there=ways_there(CHANGES.keys() - NOT_AS_IT_WAS))
def test_there_and_back_in_place_equals_never(
    waits_s: list[float], counts: list[int], reports: list[bool], there: list[list[str]]
) -> None:
    never = history(waits_s, counts, reports, [[], [], [], []])
    assert history(waits_s, counts, reports, there) == never


@given(**TRAFFIC, there=ways_there(set(CHANGES)))
def test_there_and_back_ends_every_message_as_never(
    waits_s: list[float], counts: list[int], reports: list[bool], there: list[list[str]]
) -> None:
    _, outcomes = history(waits_s, counts, reports, [[], [], [], []])
    assert history(waits_s, counts, reports, there)[1] == outcomes
