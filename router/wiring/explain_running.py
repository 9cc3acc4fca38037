"""What would become of a message now: the explanation, and how its operators are at this moment.

The explanation is of the configuration that runs, with a table of its own: no weighted rule loses a
turn by it. Only what changes from moment to moment is asked of the loop.
"""

from collections.abc import Iterator, Sequence
from typing import TypedDict

from router.forward.pool import Bind, Operator
from router.settings.units import show_percent
from router.telemetry.running import Running
from router.telemetry.status import is_up, not_ready, waiting_by_operator
from router.telemetry.verdict import age
from router.terms.names import AccountName, LaneName, OperatorName
from router.wiring.explain import Explanation, ToldPlan


class BindNow(TypedDict):
    """A bind that sends."""

    bind: str
    state: str
    """`up`, or why nothing is sent on it now: `down`, `drained`, `rests`, or of its breaker."""


class OperatorNow(TypedDict):
    """An operator that may take the message."""

    operator: str
    available: bool
    """Whether it would be sent a message now."""
    breaker: str
    """The state of the breaker of the whole operator."""
    binds: list[BindNow]
    waiting: int
    """Messages that wait for it in the message's lane and in more urgent ones."""
    oldest_s: float
    """The age of the oldest in the message's lane; 0 where none waits."""
    wait_s: float | None
    """About how long those take at the rate of now; None where nothing is sent now."""


class Carrier(TypedDict):
    """Who would be sent the message now."""

    operator: str
    share: float
    """Of such messages."""


class Now(TypedDict):
    """What is of this moment."""

    not_ready: str | None
    """Why the router takes no messages at all now."""
    queue_taken: float
    """Share of the account's `queue` or `queue_size` that is taken; from 1 on it is refused."""
    operators: list[OperatorNow]
    carriers: list[Carrier]
    """Empty where the message would wait."""


def now_of(app: Running, told: Explanation) -> Now:
    """Return how the operators of an accepted message are. Call it in the loop's thread."""
    journey, now = app.journey, app.clock()
    names = [OperatorName(name) for name in dict.fromkeys(_names(told.plans))]
    lanes = list(journey.lanes.settings)
    urgent = lanes[: lanes.index(LaneName(told.lane)) + 1] if told.lane in lanes else lanes
    waiting = waiting_by_operator(journey.lanes, journey.operators, now)
    found: list[OperatorNow] = []
    for name in names:
        operator = journey.operators.get(name)
        if operator is None:  # A reload has just removed it.
            continue
        count = sum(waiting[name, lane][0] for lane in urgent)
        found.append(_operator(operator, count, waiting[name, urgent[-1]][1], now))
    available = {one["operator"] for one in found if one["available"]}
    return Now(
        not_ready=not_ready(app),
        queue_taken=round(journey.rooms.share(AccountName(told.account)), 4),
        operators=found,
        carriers=carriers_of(told.plans, available),
    )


def _names(plans: Sequence[ToldPlan]) -> Iterator[str]:
    for plan in plans:
        yield from plan.operators


def _operator(operator: Operator, waiting: int, oldest_s: float, now: float) -> OperatorNow:
    sending = [bind for bind in operator.binds if bind.pace is not None]
    able = [bind for bind in sending if _state(bind, now) == "up"]
    per_s = sum(bind.per_second(now) for bind in able)
    rate = operator.settings.rate
    if rate is not None:
        per_s = min(per_s, rate.per_second)
    is_available = operator.is_available
    return OperatorNow(
        operator=operator.name,
        available=is_available,
        breaker=operator.circuit.whole.state.name.lower(),
        binds=[BindNow(bind=one.settings.name, state=_state(one, now)) for one in sending],
        waiting=waiting,
        oldest_s=round(oldest_s, 3),
        wait_s=round(waiting / per_s, 3) if is_available and per_s else None,
    )


def _state(bind: Bind, now: float) -> str:
    if not is_up(bind):
        return "down"
    if bind.drained:
        return "drained"
    breaker = bind.breaker.state.name.lower()
    if breaker != "closed":
        return f"breaker {breaker}"
    resting = bind.pace is not None and bind.pace.resting_until > now
    return "rests" if resting else "up"


def carriers_of(plans: Sequence[ToldPlan], available: set[str]) -> list[Carrier]:
    """Return who carries the message: the first that is available, or those by their weights."""
    if any(plan.weight for plan in plans):
        weights = {plan.operators[0]: plan.weight or 0 for plan in plans}
        up = {name: weight for name, weight in weights.items() if name in available}
        total = sum(up.values())
        return [Carrier(operator=name, share=round(one / total, 6)) for name, one in up.items()]
    order = plans[0].operators if plans else ()
    first = next((name for name in order if name in available), None)
    return [] if first is None else [Carrier(operator=first, share=1.0)]


def lines_of(told: Explanation, now: Now | None) -> Iterator[tuple[str, str]]:
    """Yield the answer for people: a heading, empty on further lines, and a text."""
    yield from told.lines()
    if now is None:
        return
    heading = "now"
    for one in now["operators"]:
        yield heading, _line(one, told.lane or "")
        heading = ""
    yield "carries", _carries(now, told)


def _line(one: OperatorNow, lane: str) -> str:
    binds = ", ".join(f"{bind['bind']} {bind['state']}" for bind in one["binds"])
    line = f"{one['operator']}: {binds}"
    if one["breaker"] != "closed":
        line += f"; breaker of all binds {one['breaker']}"
    if one["waiting"]:
        line += f"; {one['waiting']} wait there in lane {lane} and above"
        if one["oldest_s"]:
            line += f", the oldest for {age(one['oldest_s'])}"
    else:
        line += "; nothing waits there before it"
    if one["waiting"] and one["wait_s"] is not None:
        line += f", about {age(one['wait_s'])} to go"
    return line


def _carries(now: Now, told: Explanation) -> str:
    if now["not_ready"] is not None:
        return f"nobody: the router is not ready: {now['not_ready']}"
    if now["queue_taken"] >= 1:
        return f"nobody: the queue of account {told.account} is full, and the message refused"
    if not now["carriers"]:
        return "nobody: it would wait until one of them can send"
    if len(now["carriers"]) == 1:
        return now["carriers"][0]["operator"]
    return ", ".join(f"{one['operator']} {show_percent(one['share'])}" for one in now["carriers"])
