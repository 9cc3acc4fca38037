"""`smpp-router queue cancel` over HTTP: `POST /v1/queue/cancel`.

    {"ids": [ID, ...], "dry_run": false, "reason": TEXT}
    {"account": A, "to": NUMBER, "from": SENDER, "dry_run": false, "reason": TEXT}
    {"order": N}                 how far that is
    {"order": N, "stop": true}   no more of it is cancelled

Each is answered with how far the order is, after a second at most; `over` says whether that is all.
So an order of a million messages holds no place of the server, and goes on if nobody asks. The log
tells of each order's end, and of the beginning of one that is about a whole account.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypedDict

import structlog

from router.check.number import routing_key
from router.steps.cancel_orders import MOST_ORDERS, Order, Wanted
from router.telemetry.log import masked
from router.telemetry.running import Running
from router.terms.names import AccountName
from router.wiring.drains import UnknownNameError
from router.wiring.questions import unknown_account

QUEUE_CANCEL: Final = "/v1/queue/cancel"
MOST_IDS: Final = 1000
LONGEST_ID: Final = 64
LONGEST_REASON: Final = 200
FOLLOW_S: Final = 1.0
"""How long an answer waits for the end of its order."""
MOST_KEPT: Final = 20
"""Orders that can be asked about: the newest, and those that are not over."""

log = structlog.get_logger()

Answer = tuple[int, object]
Ask = Callable[[Callable[[], object]], Answer]
"""Makes a call in the loop's thread."""


class OrderTold(TypedDict):
    """How far an order is."""

    order: int
    """Its number, to ask about it."""
    over: bool
    """Whether it has ended: all was done, or `why` says why not."""
    dry_run: bool
    cancelled: int
    """Messages that are over, as the journal has it; that would be cancelled in a dry run."""
    with_operator: int
    """Messages that an operator has, or may have: they are not cancelled."""
    not_kept: int
    """Messages that the journal could not keep yet: they are over unless the router falls."""
    under_way: int
    """Messages that are being cancelled."""
    ids: dict[str, str]
    """By id: cancelled, with_operator, or not_found."""
    why: str
    """Why it has ended before all was done; empty where it has not."""


@dataclass(slots=True)
class _Kept:
    """An order that can be asked about."""

    wanted: Wanted
    reason: str
    user: str | None
    over: threading.Event = field(default_factory=threading.Event)
    order: Order | None = None
    """Of the loop's thread."""


class QueueOrders:
    """The orders, by number. For any thread."""

    def __init__(self, app: Running, ask: Ask, *, follow_s: float = FOLLOW_S) -> None:
        """`follow_s`: how long an answer waits for the end of its order."""
        self._follow_s: Final = follow_s
        self._app: Final = app
        self._ask: Final = ask
        self._lock: Final = threading.Lock()
        self._kept: Final[OrderedDict[int, _Kept]] = OrderedDict()
        self._last = 0

    def answer(self, posted: Mapping[str, object], user: str | None) -> Answer:
        """Answer one request of a user. Raises ValueError, UnknownNameError."""
        if "order" in posted:
            return self._go_on(posted)
        wanted, reason = asked_for(posted, self._app)
        kept = _Kept(wanted, reason, user)
        status, begun = self._ask(lambda: self._begin(kept))
        if status != 200:
            return status, begun
        if not begun:
            return 503, {"error": f"{MOST_ORDERS} orders are under way; ask again later"}
        with self._lock:
            self._last += 1
            number = self._last
            self._kept[number] = kept
            over = [n for n, one in self._kept.items() if one.over.is_set() and n != number]
            for one in over[: max(0, len(self._kept) - MOST_KEPT)]:
                del self._kept[one]
        return self._told(number, kept)

    def _begin(self, kept: _Kept) -> bool:
        """In the loop: begin, unless too many are under way."""

        def over(order: Order) -> None:
            kept.over.set()
            if not kept.wanted.is_dry_run:
                _log_end(order, kept)

        kept.order = self._app.journey.cancel_orders.begin(kept.wanted, over)
        if kept.order is not None and kept.wanted.account and not kept.wanted.is_dry_run:
            log.info("queue.cancel_began", **_about(kept))
        return kept.order is not None

    def _go_on(self, posted: Mapping[str, object]) -> Answer:
        number, stop = posted["order"], posted.get("stop", False)
        if set(posted) - {"order", "stop"} or not isinstance(stop, bool):
            what = 'an order is asked about like {"order": 3} or {"order": 3, "stop": true}'
            raise ValueError(what)
        with self._lock:
            kept = self._kept.get(number) if isinstance(number, int) else None
        if kept is None:
            raise UnknownNameError(f"there is no order {number!r}, or it was over long ago")
        if stop:
            status, answer = self._ask(lambda: _stop(kept))
            if status != 200:
                return status, answer
        assert isinstance(number, int)
        return self._told(number, kept)

    def _told(self, number: int, kept: _Kept) -> Answer:
        kept.over.wait(self._follow_s)
        return self._ask(lambda: _told(number, kept))


def asked_for(posted: Mapping[str, object], app: Running) -> tuple[Wanted, str]:
    """Return what is to be cancelled, and the reason. Raises ValueError, UnknownNameError."""
    of = {name: value for name, value in posted.items() if value is not None}
    is_dry_run, ids = of.pop("dry_run", False), of.pop("ids", [])
    texts = {name: of.pop(name, "") for name in ("account", "to", "from", "reason")}
    if of:
        raise ValueError(f"an order to cancel has no {', '.join(sorted(map(repr, of)))}")
    if not isinstance(is_dry_run, bool):
        raise ValueError('"dry_run" is true or false')
    for name, value in texts.items():
        if not isinstance(value, str):
            raise ValueError(f"{name!r} has to be a text")
    account, to, sender, reason = map(str, texts.values())
    if len(reason) > LONGEST_REASON:
        raise ValueError(f"a reason has at most {LONGEST_REASON} characters")
    if not isinstance(ids, list):
        raise ValueError('"ids" is a list')
    if bool(ids) == bool(account):
        raise ValueError("either ids or an account say what is to be cancelled")
    if ids:
        if to or sender:
            raise ValueError('"to" and "from" say which of an account; ids need neither')
        return Wanted(_ids(ids), is_dry_run=is_dry_run), reason
    name = AccountName(account)
    # One that the configuration has no more may have messages that wait.
    if name not in app.config.settings.accounts and not app.journey.rooms.taken(name):
        raise UnknownNameError(unknown_account(account, app.config.settings))
    number = routing_key(to.encode("latin-1", "replace")) if to else ""
    if number is None:
        raise ValueError(f"{to!r} is no number")
    try:
        source = sender.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"{sender!r} cannot stand in a field of SMPP") from None
    return Wanted((), name, number, source, is_dry_run), reason


def _ids(asked: list[object]) -> tuple[bytes, ...]:
    if len(asked) > MOST_IDS:
        raise ValueError(f"an order has at most {MOST_IDS} ids")
    ids = []
    for one in asked:
        if not (isinstance(one, str) and one.isascii() and 0 < len(one.strip()) <= LONGEST_ID):
            raise ValueError(f"{one!r} is no id")
        ids.append(one.strip().encode())
    return tuple(ids)


def _stop(kept: _Kept) -> None:
    if kept.order is not None:
        kept.order.is_stopped = True


def _told(number: int, kept: _Kept) -> OrderTold:
    order = kept.order
    assert order is not None
    return OrderTold(
        order=number,
        over=order.is_over,
        dry_run=kept.wanted.is_dry_run,
        cancelled=order.cancelled,
        with_operator=order.with_operator,
        not_kept=order.not_kept,
        under_way=order.unsafe,
        ids={one.decode(): fate for one, fate in order.fates.items()},
        why=order.why,
    )


def _about(kept: _Kept) -> dict[str, object]:
    """Return what the log says of an order."""
    wanted = kept.wanted
    about: dict[str, object] = {"user": kept.user, "reason": kept.reason or None}
    if wanted.account is None:
        about["ids"] = len(wanted.ids)
    else:
        about["account"] = wanted.account
        about["to"] = masked(wanted.number) if wanted.number else None
        about["sender"] = wanted.sender.decode("latin-1") if wanted.sender else None
    return {name: value for name, value in about.items() if value is not None}


def _log_end(order: Order, kept: _Kept) -> None:
    more = {"why": order.why} if order.why else {}
    if order.not_kept:
        more["not_kept"] = str(order.not_kept)
    log.info(
        "queue.cancelled",
        **_about(kept),
        cancelled=order.cancelled,
        with_operator=order.with_operator,
        **more,
    )
