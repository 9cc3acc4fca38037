"""What a seed makes of the world: a configuration, and how well everybody behaves in it."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from router.terms.limits import Rate
from router.terms.names import AccountName, BindName, LaneName, OperatorName
from router.terms.settings import (
    AccountSettings,
    Address,
    BindSettings,
    BindType,
    BreakerSettings,
    IdForm,
    InboundSettings,
    InDoubt,
    JournalSettings,
    LaneSettings,
    MessageIdSettings,
    OperatorSettings,
    ReconnectSettings,
    RouteSettings,
    SessionSettings,
    Settings,
    StatusAction,
)
from tests.simulation.reconfigured import LAST_STEP, at_last, changed_again

NOWHERE = Address(host="127.0.0.1", port=1)
SHORT_CODE = "12302"
PREFIXES = (b"3725", b"3726", b"358", b"46")
NO_ROUTE = b"999"
HOUR_S = 3600.0
DAY_S = 86_400.0
MOST_AHEAD_S = 60.0
"""How far a clock is ahead at most that the router believes. When its time is put back, all that
it has stamped before waits for so much longer."""
FIRST_OF_STEPS = 200
"""The first seed whose router may be given other configurations at any step."""
FIRST_OF_REQUESTS = 300
"""The first seed whose clients ask about their messages, and have them cancelled and replaced."""
Voucher = Literal["kernel", "person", "time"]
"""Who says that the wall clock is right, or that so much time has passed that nobody need."""
WRONG_CLOCKS = 0.2
"""Share of seeds in which the router starts while the wall clock is wrong."""


@dataclass(slots=True)
class ClientMood:
    """How one client system behaves while it may misbehave."""

    account: AccountName
    ports: tuple[BindType, ...]
    messages: int
    way_s: float
    window: int
    """What it has unanswered on one bind at most; more than it may if it floods."""
    stays_s: float
    """How long it keeps a connection, on average."""
    away_s: float
    slow: float = 0.0
    """Shares of its answers to deliver_sm: slow, later than the time-out, temporary and permanent
    refusals, none at all."""
    late: float = 0.0
    refuses: float = 0.0
    rejects: float = 0.0
    silent: float = 0.0
    is_old: bool = False
    """It binds as version 3.3, which knows no TLVs."""
    garbage: float = 0.0
    """Share of its submits before which it sends something that makes no sense."""
    halts: float = 0.0
    """Share of its submits after which it does not read for a while."""
    wrong_passwords: float = 0.0
    schedules: float = 0.0
    """Share of its submits that are to be sent later."""
    asks: float = 0.0
    """Share of its messages that it asks about, or wants to have cancelled or replaced."""


@dataclass(slots=True)
class OperatorMood:
    """How one operator behaves while it may misbehave."""

    name: OperatorName
    way_s: float
    steady_s: float
    """How long it takes for an answer."""
    ponders_s: float
    """On top of that, a different time for each message; 0 where it does not."""
    spikes: float
    """Share of segments that its network holds back; for those that do not ponder, because nobody
    could tell the two apart."""
    statuses: tuple[tuple[float, int], ...] = ()
    """Shares of refusals."""
    silent_taken: float = 0.0
    silent_lost: float = 0.0
    late: float = 0.0
    hangs_up: float = 0.0
    chokes: float = 0.0
    """Share of the messages at which it hangs up each time that it reads them."""
    no_id: float = 0.0
    stays_s: float = 1e9
    away_s: float = 1.0
    refuses_binds: float = 0.0
    receipts_early: float = 0.0
    receipts_twice: float = 0.0
    receipts_never: float = 0.0
    receipt_s: float = 1.0
    fails: float = 0.1
    patience_s: float = 13.0
    """How long it waits for a deliver_sm_resp."""
    subscribers: int = 0
    garbage: float = 0.0
    halts: float = 0.0


@dataclass(frozen=True, slots=True)
class WrongClock:
    """A wall clock that is wrong when the router starts, and who says so later that it is right."""

    from_s: float
    """It is wrong at the first start from then on."""
    error_s: float
    right_s: float
    """When it is put right; if it is not wrong by then, when everybody behaves."""
    vouched_s: float
    """When the kernel or a person says that it is right."""
    by: Voucher
    at_last: Voucher
    """What ends each doubt when everybody behaves."""


@dataclass(slots=True)
class Scenario:
    """Everything that a seed decides before anything happens."""

    seed: int
    settings: Settings
    clients: list[ClientMood]
    operators: list[OperatorMood]
    lasts_s: float
    """For so long everybody may misbehave."""
    crashes: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    """When it is told to stop, which is another thing than to be killed."""
    crashes_on_commit: float = 0.0
    """Share of commits after which the router dies, before it hears of them."""
    full_disk: list[tuple[float, float]] = field(default_factory=list)
    hiccups: float = 0.0
    slowness_s: float = 0.002
    stalls: list[tuple[float, float]] = field(default_factory=list)
    wall_jumps: list[tuple[float, float]] = field(default_factory=list)
    clock: WrongClock | None = None
    configurations: list[tuple[float, Settings]] = field(default_factory=list)
    """When the router is given another configuration, and which; the last is the first again."""
    at_steps: list[tuple[int, Settings]] = field(default_factory=list)
    """Configurations that it is given after so many steps, and not at a time: between any two."""
    drains: list[tuple[float, float, OperatorName, int]] = field(default_factory=list)
    """When one bind of an operator is drained by command, for how long, and which one."""
    orders: list[tuple[float, AccountName]] = field(default_factory=list)
    """When a person has all cancelled that an account has waiting."""
    in_memory: int = 2000
    """Messages of one queue that the router keeps in memory."""
    attempts_in_memory: int = 100_000
    """What operators took that it keeps in memory."""
    deliveries_in_memory: int = 1000
    """What it keeps in memory of what waits for an account."""


def drawn(seed: int, rng: Random) -> Scenario:
    """The scenario of a seed."""
    operators = [_operator(rng, OperatorName(name)) for name in ("ada", "bob", "cyd")]
    operators = [_mortal(Random(f"{seed} lives {one.name}"), one) for one in operators]
    operators = [_with_breaker(Random(f"{seed} breaker {one.name}"), one) for one in operators]
    operators = [_with_ramp(Random(f"{seed} ramp {one.name}"), one) for one in operators]
    accounts = [_account(rng, AccountName(name)) for name in ("bank", "shop", "news")]
    settings = Settings(
        listen=(),
        journal=JournalSettings(url="memory:"),
        session=SessionSettings(
            enquire_link_s=rng.choice((4.0, 10.0)), response_timeout_s=rng.choice((1.5, 3.0, 5.0))
        ),
        lanes=_impatient(Random(f"{seed} lanes"), _lanes(rng)),
        accounts={one.name: one for one in accounts},
        operators={one.name: one for one in operators},
        routes=_routes(rng, [one.name for one in operators]),
        inbound=(InboundSettings(to=AccountName("bank"), destination=SHORT_CODE),),
        node=7,
    )
    lasts_s = rng.uniform(8.0, 30.0)
    messages = rng.randint(40, 150)
    scenario = Scenario(
        seed=seed,
        settings=settings,
        clients=[_client_mood(rng, one, messages // 3) for one in accounts],
        operators=[_operator_mood(rng, settings, one) for one in operators],
        lasts_s=lasts_s,
    )
    _draw_faults(rng, scenario)
    _draw_drains(Random(f"{seed} drains"), scenario)
    _draw_poison(Random(f"{seed} poison"), scenario)
    _draw_times(Random(f"{seed} times"), scenario)
    _draw_memory(Random(f"{seed} memory"), scenario)
    _draw_configurations(Random(f"{seed} configurations"), scenario)
    _draw_clock(Random(f"{seed} clock"), scenario)
    _draw_steps(Random(f"{seed} steps"), scenario)
    _draw_requests(Random(f"{seed} requests"), scenario)
    return scenario


def _draw_requests(rng: Random, scenario: Scenario) -> None:
    """Clients that ask, and orders; by a generator of its own.

    Not in the first seeds, which are the same histories as before.
    """
    if scenario.seed < FIRST_OF_REQUESTS:
        return
    for mood in scenario.clients:
        mood.asks = rng.choice((0.0, 0.1, 0.4, 0.8))
        if rng.random() < 0.3:
            scenario.orders.append((rng.uniform(0.5, scenario.lasts_s), mood.account))
    scenario.in_memory = rng.choice((2000, 2, 2, 6, 20))


def _draw_steps(rng: Random, scenario: Scenario) -> None:
    """Configurations at any step, where there are none yet; by a generator of its own.

    Not in the first seeds, most of which find a planted bug: they are the same histories as before.
    """
    if scenario.configurations or scenario.seed < FIRST_OF_STEPS:
        return
    first = settings = scenario.settings
    most = rng.choice((100, 500, 1500, LAST_STEP))
    for step in sorted(rng.randint(1, most) for _ in range(rng.randint(1, 6))):
        settings = changed_again(rng, first, settings)
        scenario.at_steps.append((step, settings))
    scenario.configurations.append((scenario.lasts_s + rng.uniform(0.5, 3.0), at_last(first)))


def _mortal(rng: Random, operator: OperatorSettings) -> OperatorSettings:
    """Perhaps with an end to its sessions; by a generator of its own, as drains are."""
    if rng.random() < 0.8:
        return operator
    most, age_s = rng.choice(((None, 4.0), (5, None), (20, 6.0)))
    binds = tuple(replace(bind, max_messages=most, max_age_s=age_s) for bind in operator.binds)
    return replace(operator, binds=binds)


def _with_ramp(rng: Random, operator: OperatorSettings) -> OperatorSettings:
    """How it gets its traffic back when it was away."""
    return replace(operator, ramp_s=rng.choice((0.0, 4.0, 30.0)))


def _with_breaker(rng: Random, operator: OperatorSettings) -> OperatorSettings:
    """Perhaps with one that opens easily."""
    if rng.random() < 0.6:
        return operator
    rest_s = rng.uniform(0.2, 2.0)
    failures = rng.randint(1, 4)
    easily = BreakerSettings(failures=failures, of=6, rest_s=rest_s, longest_s=2 * rest_s)
    return replace(operator, breaker=rng.choice((easily, easily, None)))


def _draw_drains(rng: Random, scenario: Scenario) -> None:
    """By a generator of its own, so that seeds are the same histories as before but for this."""
    if rng.random() < 0.4:
        for operator in scenario.settings.operators.values():
            for place, bind in enumerate(operator.binds):
                if bind.rate is not None and rng.random() < 0.5:
                    at = rng.uniform(0.5, scenario.lasts_s)
                    scenario.drains.append((at, rng.uniform(0.1, 6.0), operator.name, place))


def _draw_poison(rng: Random, scenario: Scenario) -> None:
    """By a generator of its own, as drains are."""
    for mood in scenario.operators:
        if rng.random() < 0.2:
            mood.chokes = rng.choice((0.02, 0.1))


def _draw_faults(rng: Random, scenario: Scenario) -> None:
    lasts_s = scenario.lasts_s
    if rng.random() < 0.6:
        scenario.crashes = sorted(rng.uniform(0.5, lasts_s) for _ in range(rng.randint(1, 3)))
    if rng.random() < 0.15:
        scenario.stops = [rng.uniform(0.5, lasts_s)]
    if rng.random() < 0.3:
        scenario.crashes_on_commit = 0.02
    if rng.random() < 0.4:
        scenario.full_disk = [(rng.uniform(0.5, lasts_s), rng.uniform(0.01, 4.0))]
    if rng.random() < 0.3:
        scenario.hiccups = rng.choice((0.02, 0.1))
    scenario.slowness_s = rng.choice((0.001, 0.005, 0.03))
    if rng.random() < 0.3:
        scenario.stalls = [(rng.uniform(0.5, lasts_s), rng.uniform(0.01, 0.6)) for _ in range(3)]
    if rng.random() < 0.3:
        year_s = 365 * 86_400.0
        scenario.wall_jumps = [(rng.uniform(0.5, lasts_s), rng.choice((-year_s, year_s, 3600.0)))]
    scenario.in_memory = rng.choice((2000, 2000, 2, 6, 20))


def _draw_clock(rng: Random, scenario: Scenario) -> None:
    """Perhaps a start with a clock that is wrong; by a generator of its own, as drains are.

    At the first start nobody knows better, and the router's time is wrong with the clock, which is
    behind then, or ahead by seconds only. Nobody vouches for a clock that is wrong by hours.
    """
    if rng.random() >= WRONG_CLOCKS:
        return
    lasts_s = scenario.lasts_s
    if not scenario.crashes:
        scenario.crashes = [rng.uniform(0.2, 0.8) * lasts_s]
    large_s = rng.choice((2 * HOUR_S, 10 * HOUR_S, 3 * DAY_S, 400 * DAY_S))
    if rng.random() < 0.5:
        from_s = 0.0
        error_s = rng.choice((-large_s, -large_s, rng.uniform(-MOST_AHEAD_S, MOST_AHEAD_S)))
    else:
        from_s = rng.choice(scenario.crashes)
        error_s = rng.choice((-large_s, large_s))
    right_s = rng.uniform(from_s, lasts_s + 5.0)
    if rng.random() < 0.3:  # While the router is down.
        right_s = max(right_s, scenario.crashes[-1] + 0.1)
    is_small = abs(error_s) < HOUR_S
    ends: list[Voucher] = ["kernel", "kernel", "kernel", "person", "person", "person"]
    if abs(error_s) <= DAY_S:  # Else time ends no doubt.
        ends.append("time")
    scenario.wall_jumps = []
    scenario.clock = WrongClock(
        from_s=from_s,
        error_s=error_s,
        right_s=right_s,
        vouched_s=rng.uniform(from_s if is_small else right_s, lasts_s + 10.0),
        by=rng.choice(("kernel", "person")),
        at_last=rng.choice(ends),
    )


def _draw_configurations(rng: Random, scenario: Scenario) -> None:
    """Other configurations, one after the other, and the first one again."""
    if rng.random() < 0.5:
        return
    first = settings = scenario.settings
    times = sorted(rng.uniform(0.5, scenario.lasts_s) for _ in range(rng.randint(1, 4)))
    for at in times:
        settings = _changed(rng, first if rng.random() < 0.3 else settings)
        scenario.configurations.append((at, settings))
    scenario.configurations.append((scenario.lasts_s + rng.uniform(0.5, 3.0), first))


def _changed(rng: Random, settings: Settings) -> Settings:
    """A configuration with some of it changed: what a routing manager changes on a Monday."""
    accounts = {
        name: replace(
            one,
            queue=rng.choice((one.queue, 5, 30, 1000)),
            weight=rng.randint(1, 3),
            deliver_window=rng.choice((one.deliver_window, 1, 20)),
        )
        for name, one in settings.accounts.items()
    }
    operators = {name: _operator_changed(rng, one) for name, one in settings.operators.items()}
    gone = rng.choice((None, None, *operators))
    if gone is not None and len(operators) > 1:
        del operators[gone]
    names = list(operators)
    routes = [
        replace(
            route,
            to=(to := tuple(name for name in route.to if name in operators) or (names[0],)),
            weights=tuple(rng.randint(1, 5) for _ in to) if len(to) > 1 and route.weights else (),
        )
        for route in settings.routes
    ]
    lanes = tuple(
        replace(lane, min_share=rng.choice((0.0, 0.1, 0.4)) if place else 0.0)
        for place, lane in enumerate(settings.lanes)
    )
    inbound = tuple(one for one in settings.inbound if one.operator in (None, *operators))
    return replace(
        settings,
        accounts=accounts,
        operators=operators,
        routes=tuple(routes),
        lanes=lanes,
        inbound=inbound,
    )


def _operator_changed(rng: Random, settings: OperatorSettings) -> OperatorSettings:
    """Its rates, and perhaps one bind less."""
    binds = list(settings.binds)
    able = [bind for bind in binds if bind.rate is not None]
    if len(able) > 1 and rng.random() < 0.3:
        binds.remove(rng.choice(able))
    factor = rng.choice((1.0, 1.0, 0.5, 2.0))

    def rate_of(rate: Rate | None) -> Rate | None:
        return None if rate is None else Rate(max(1, int(rate.count * factor)), rate.per_s)

    binds = [replace(bind, rate=rate_of(bind.rate)) for bind in binds]
    return replace(settings, binds=tuple(binds), rate=rate_of(settings.rate))


def _draw_times(rng: Random, scenario: Scenario) -> None:
    settings = scenario.settings
    accounts = {
        name: replace(one, schedule_delivery_time=rng.choice(("as_it_came", "honour")))
        for name, one in settings.accounts.items()
    }
    operators = {
        name: replace(one, validity_period=rng.choice(("as_it_came", "remaining")))
        for name, one in settings.operators.items()
    }
    scenario.settings = replace(settings, accounts=accounts, operators=operators)
    for mood in scenario.clients:
        mood.schedules = rng.choice((0.0, 0.0, 0.2))


def _draw_memory(rng: Random, scenario: Scenario) -> None:
    scenario.attempts_in_memory = rng.choice((100_000, 0, 0, 1, 3, 10))
    scenario.deliveries_in_memory = rng.choice((1000, 1, 1, 2, 4, 10))


def _lanes(rng: Random) -> tuple[LaneSettings, ...]:
    def policy() -> InDoubt:
        return rng.choice(("resend", "resend", "elsewhere", "fail"))

    return (
        LaneSettings(
            name=LaneName("otp"), validity_s=rng.choice((None, 10.0, 300.0)), in_doubt=policy()
        ),
        LaneSettings(name=LaneName("alert"), min_share=0.2, in_doubt=policy()),
        LaneSettings(name=LaneName("bulk"), min_share=0.05, validity_s=20.0, in_doubt=policy())
        if rng.random() < 0.2
        else LaneSettings(name=LaneName("bulk"), min_share=0.05, in_doubt=policy()),
    )


def _impatient(rng: Random, lanes: tuple[LaneSettings, ...]) -> tuple[LaneSettings, ...]:
    """The urgent lane may not want to wait for an operator that is slow."""
    urgent = replace(lanes[0], failover_after_s=rng.choice((None, 0.5, 2.0, 4.0)))
    return (urgent, *lanes[1:])


def _account(rng: Random, name: AccountName) -> AccountSettings:
    floods = rng.random() < 0.3
    return AccountSettings(
        name=name,
        passwords=("secret",),
        lane=LaneName("otp") if name == "bank" else LaneName("bulk"),
        lane_by_priority={3: LaneName("alert")},
        max_binds=4,
        window=rng.choice((1, 5, 50)),
        rate=Rate(20, 1.0) if floods else None,
        burst=5 if floods else None,
        queue=rng.choice((5, 30, 1000)),
        weight=rng.randint(1, 3),
        deliver_window=rng.choice((1, 3, 20)),
        outbox_s=12.0 if rng.random() < 0.1 else 72 * 3600.0,
    )


def _operator(rng: Random, name: OperatorName) -> OperatorSettings:
    count = rng.randint(1, 3)
    split = count > 1 and rng.random() < 0.4
    rates = (Rate(2, 1.0), Rate(5, 1.0), Rate(10, 1.0), Rate(50, 1.0), Rate(20, 2.5))
    rate = rng.choice(rates)
    binds = tuple(
        BindSettings(
            name=BindName(f"{name}-{place}"),
            addresses=(NOWHERE,),
            system_id="agg",
            password="pw",
            type="transceiver" if not split else "receiver" if place == 0 else "transmitter",
            rate=None if split and place == 0 else rate,
            window=rng.choice((1, 3, 10)),
        )
        for place in range(count)
    )
    response: IdForm = rng.choice(("text", "decimal", "hex"))
    receipt: IdForm = "text" if response == "text" else rng.choice(("decimal", "hex"))
    retry = StatusAction(do="retry", after_s=rng.uniform(0.2, 2.0), times=rng.randint(1, 3))
    return OperatorSettings(
        name=name,
        binds=binds,
        rate=Rate(max(1, rate.count * count * 2 // 3), rate.per_s) if rng.random() < 0.5 else None,
        message_id=MessageIdSettings(response=response, receipt=receipt),
        reconnect=ReconnectSettings(first_s=0.3, longest_s=2.0),
        receipt_wait_s=rng.uniform(10.0, 20.0),
        accepted_is_final=rng.random() < 0.3,
        unknown_is_final=rng.random() < 0.3,
        on_status={
            0x14: retry,
            0x08: StatusAction(do="retry", after_s=0.5, times=2, then="next"),
            0x58: StatusAction(do="pause", for_s=rng.uniform(0.1, 1.0)),
        },
    )


def _routes(rng: Random, names: list[OperatorName]) -> tuple[RouteSettings, ...]:
    ada, bob, cyd = names
    return (
        RouteSettings(destination=("372",), to=(ada, bob)),
        RouteSettings(destination=("3726",), to=(ada, bob, cyd), weights=(5, 3, 2)),
        RouteSettings(destination=("358",), to=(bob,)),
        RouteSettings(destination=("46",), to=tuple(rng.sample(names, 3))),
        RouteSettings(destination=("46",), account=(AccountName("news"),), to=(cyd, bob)),
    )


def _client_mood(rng: Random, settings: AccountSettings, messages: int) -> ClientMood:
    ports: tuple[BindType, ...] = rng.choice(
        (
            ("transceiver",),
            ("transceiver", "transceiver"),
            ("transmitter", "receiver"),
            ("transmitter", "receiver", "transceiver"),
        )
    )
    mood = ClientMood(
        account=settings.name,
        ports=ports,
        messages=rng.randint(messages // 2, messages * 3 // 2),
        way_s=rng.uniform(0.0001, 0.03),
        window=rng.choice((1, 10, 1000)),
        stays_s=rng.choice((1e9, 20.0, 4.0)),
        away_s=rng.choice((0.2, 1.0, 5.0)),
    )
    if rng.random() < 0.6:
        mood.slow = rng.choice((0.0, 0.2))
        mood.late = rng.choice((0.0, 0.1))
        mood.refuses = rng.choice((0.0, 0.2))
        mood.rejects = rng.choice((0.0, 0.05))
        mood.silent = rng.choice((0.0, 0.1))
    if rng.random() < 0.3:
        mood.is_old = rng.random() < 0.5
        mood.garbage = rng.choice((0.0, 0.05))
        mood.halts = rng.choice((0.0, 0.05))
        mood.wrong_passwords = rng.choice((0.0, 0.2))
    return mood


def _operator_mood(rng: Random, settings: Settings, operator: OperatorSettings) -> OperatorMood:
    answers_vary = rng.random() < 0.3
    mood = OperatorMood(
        name=operator.name,
        way_s=rng.uniform(0.0002, 0.04),
        steady_s=rng.uniform(0.0, 0.05),
        ponders_s=rng.uniform(0.05, 0.5) if answers_vary else 0.0,
        spikes=0.0 if answers_vary or rng.random() < 0.5 else 0.02,
        receipt_s=rng.choice((0.05, 1.0, 4.0)),
        patience_s=rng.choice((3.0, 13.0)),
        subscribers=rng.choice((0, 0, 3)),
    )
    if rng.random() < 0.7:
        share = rng.choice((0.02, 0.1, 0.3))
        statuses = (0x58, 0x14, 0x08, 0x45, 0x400, 0x0B)
        mood.statuses = tuple((share * rng.random(), status) for status in statuses)
        if rng.random() < 0.2:
            mood.statuses += ((0.02, 0x0D),)
    if rng.random() < 0.5:
        mood.silent_taken = rng.choice((0.0, 0.05, 0.2))
        mood.silent_lost = rng.choice((0.0, 0.05, 0.2))
        mood.late = 0.0 if mood.spikes else rng.choice((0.0, 0.05, 0.2))
        mood.hangs_up = rng.choice((0.0, 0.01, 0.05))
        mood.no_id = rng.choice((0.0, 0.02))
    if rng.random() < 0.6:
        mood.receipts_early = 0.0 if mood.spikes else rng.choice((0.0, 0.2))
        mood.receipts_twice = rng.choice((0.0, 0.2))
        mood.receipts_never = rng.choice((0.0, 0.1))
        mood.fails = rng.choice((0.1, 0.5))
    if rng.random() < 0.5:
        mood.stays_s = rng.uniform(3.0, 15.0)
        mood.away_s = rng.uniform(0.2, 4.0)
        mood.refuses_binds = rng.choice((0.0, 0.2))
    if rng.random() < 0.3:
        mood.garbage = rng.choice((0.0, 0.05))
        # One whose processing time varies and does not read either could be told from nothing.
        mood.halts = 0.0 if mood.ponders_s or mood.late or mood.receipts_early else 0.03
    return mood
