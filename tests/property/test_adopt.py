"""journey.py: from one configuration to another and back, under load, nothing promised is lost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
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
