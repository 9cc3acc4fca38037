"""A router for tests that does not run: its parts, built from a configuration, without a loop.

`call_soon_threadsafe` runs what it is given at once, unless `answers` is off.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from router.accept.accounts import Accounts
from router.enqueue.journal import Settlement
from router.enqueue.memory import MemoryJournal
from router.enqueue.retention import Records
from router.forward.pool import Asked, Attempt
from router.journey import Journey
from router.report.learnt_ids import AS_IT_IS, LearntIds
from router.report.quality import ENOUGH
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.link import Link
from router.smpp.pdu import Pdu
from router.smpp.session import Note, Session, Timers
from router.smpp.states import Side, State
from router.telemetry.account_quality import NOW_EVENTS, AccountQuality
from router.telemetry.records import Recorder
from router.telemetry.running import RunningConfig as ConfigState
from router.telemetry.trace import Ends, Traces
from router.telemetry.traffic import Traffic
from router.terms.counters import pass_of
from router.terms.message import Message
from router.terms.names import AccountName, BindName, ClientId, LaneName, OperatorName, RouterId
from router.terms.outcome import NO_ROUTE, Evidence, Outcome
from router.terms.settings import AccountSenders, Settings
from router.wiring.reload import Reloaded
from router.wiring.running_config import RunningConfig
from tests.unit.settings.configurations import CONTRACT, loaded

BANK, SHOP = AccountName("bank"), AccountName("shop")
TELIA, ELISA = OperatorName("telia"), OperatorName("elisa")
OTP, ALERT, BULK = LaneName("otp"), LaneName("alert"), LaneName("bulk")
STARTED_AT: Final = 1000.0


_settings = cache(loaded)
"""Settings are frozen, so all fake routers of one text may share them."""


class FakeLoop:
    """Stands for the event loop."""

    def __init__(self) -> None:
        self.answers = True
        self.closed = False
        self.asked = 0
        self.errors: list[Exception] = []
        self.unheard: list[Callable[[], object]] = []
        """What it was given and did not run."""

    def call_soon_threadsafe(self, callback: Callable[[], object], /) -> None:
        """Run it now."""
        if self.closed:
            raise RuntimeError("Event loop is closed")
        self.asked += 1
        if self.answers:
            try:
                callback()
            except Exception as error:  # noqa: BLE001 - As a loop, which lives on.
                self.errors.append(error)
        else:
            self.unheard.append(callback)


class Stale:
    """A configuration whose files are not what runs any more."""

    settings = loaded(CONTRACT)
    digest = "0123456789ab"
    since_utc = 1.8e9
    stale = "the files differ"


class FakeRenewal:
    """Two binds wait for a third."""

    def __init__(self, waiting: list[BindName], why: str) -> None:
        self.waiting = waiting
        self.why = why


class FakeCertificate:
    """A certificate of a listener."""

    expires_utc: float | None = 1.81e9


class FakeConnectors:
    """Nothing is being bound anew, until a test says so."""

    def __init__(self) -> None:
        self.renewals: dict[OperatorName, FakeRenewal] = {}


class FakeReloader:
    """Answers what a test wants, at once, or never."""

    def __init__(self) -> None:
        self.asked: list[bool] = []
        self.told: Reloaded | None = None

    def ask(self, answer: "Future[Reloaded] | None" = None, *, partly: bool = False) -> None:
        """Answer."""
        self.asked.append(partly)
        if answer is not None and self.told is not None:
            answer.set_result(self.told)


class FakeRouter:
    """What telemetry sees of a router: `status.Running`."""

    def __init__(self, text: str = CONTRACT) -> None:
        self.settings: Settings = _settings(text)
        self.config: ConfigState = RunningConfig(
            self.settings, lambda: self.settings, lambda: 1.8e9
        )
        self.now = STARTED_AT
        self.started_at = STARTED_AT
        self.beat_at = STARTED_AT
        self.ready = True
        self.listeners = ["127.0.0.1:2775"]
        self.certificates: list[FakeCertificate | None] = []
        self.loop = FakeLoop()
        self.settled: list[Settlement] = []
        self._ids = 100
        self.journey = Journey(
            self.settings,
            journal=MemoryJournal(lambda call: None, 1),
            clock=self.clock,
            clock_utc=lambda: 1.8e9,
            later=lambda call: None,
            settled=self.settled.append,
        )
        self.traffic = Traffic()
        self.account_quality = AccountQuality()
        self.connectors = FakeConnectors()
        self.recorder: Recorder | None = None
        self.reloader = FakeReloader()
        self.accounts = Accounts(self.settings.accounts, b"secret", STARTED_AT)
        self.traces = Traces(self, lambda: 1.8e9)

    def soon(self, call: Callable[[], None]) -> None:
        """Run it now."""
        call()

    def ends_of(self, link: Link) -> Ends:
        """Where nobody is."""
        return Ends(("192.0.2.1", 4000), ("192.0.2.9", 2775), is_tls=False)

    def clock(self) -> float:
        """What the test says."""
        return self.now

    def message(
        self, account: AccountName = BANK, lane: LaneName = OTP, age_s: float = 0.0
    ) -> Message:
        """A message for telia, or else elisa, accepted so long ago."""
        self._ids += 100
        return Message(
            router_id=RouterId(self._ids),
            client_id=ClientId(b"%d" % self._ids),
            account=account,
            lane=lane,
            plan=self.journey.plans.of((TELIA, ELISA)),
            command_id=v.SUBMIT_SM,
            octets=b"",
            source_octets=b"\0\0\0",
            destination_octets=b"\1\1372555\0",
            registered_delivery=1,
            accepted_at=self.now - age_s,
            accepted_utc=1.8e9 - age_s,
            expires_utc=float("inf"),
        )

    def bring_up(self, operator: OperatorName, number: int = 0) -> None:
        """Bind the operator's bind with this number."""
        one = self.journey.operators[operator]
        bind = one.binds[number]
        peer = FakePeer(self.now)
        one.came_up(bind, peer, self.now)
        self.journey.availability.changed(bind)


class FakePeer:
    """An operator that has accepted our bind as a transceiver."""

    def __init__(self, now: float) -> None:
        timers = Timers(bind_s=5.0, enquire_link_s=30.0, response_s=30.0)
        self.session = Session(Side.ESME, timers, 70_000, now)
        self.to_write = False
        self.writable = True
        self.session.bind(v.BIND_TRANSCEIVER, system_id=b"a", password=b"b")
        self.session.receive(
            (17).to_bytes(4) + v.BIND_TRANSCEIVER.__or__(v.RESPONSE).to_bytes(4)
            + bytes(4) + (1).to_bytes(4) + b"\0",
            now,
        )  # fmt: skip

    @property
    def can_send(self) -> bool:
        """It is bound as a transceiver."""
        return self.is_bound

    @property
    def is_bound(self) -> bool:
        """Until it is unbound."""
        return self.session.state is State.BOUND_TRX

    @property
    def state_name(self) -> str:
        """As the session says it."""
        return self.session.state.name.lower()

    def flush(self) -> None:
        """Nothing is written anywhere."""

    @property
    def has_answered(self) -> bool:
        """As the session says it."""
        return self.session.has_answered

    def ask(self, octets: bytes, asked: Asked, now: float) -> bool:
        return False

    def enquire(self) -> None:
        """It is asked."""
        self.session.enquire()

    def write(self, octets: bytes, attempt: Attempt, now: float) -> None:
        """A message is in flight."""
        self.session.request(octets, attempt, now)

    def tell(self, note: Note) -> None:
        """Nothing is logged."""

    def rebind(self) -> None:
        """It stays bound."""

    def adopt(self) -> None:
        """There is nothing to follow."""


def filled() -> FakeRouter:
    """A router of which every metric has something to say."""
    otp, bulk, telia_1 = LaneName("otp"), LaneName("bulk"), BindName("telia-1")
    router = FakeRouter()
    senders = AccountSenders(only=("Shop until 2099-12-31",))
    shop = replace(router.settings.accounts[SHOP], senders=senders)
    router.settings = replace(router.settings, accounts={**router.settings.accounts, SHOP: shop})
    c = router.journey.counters
    c.submits[BANK, otp, v.ESME_ROK] = 7
    c.client_requests[BANK, v.QUERY_SM, v.ESME_ROK] = 3
    c.submit_response_s[BANK].add(0.004)
    c.sends[TELIA, telia_1, v.ESME_RTHROTTLED] = 3
    c.sends[TELIA, telia_1, "lost"] = 2
    c.operator_response_s[TELIA].add(0.03)
    c.queue_wait_s[TELIA, otp].add(0.5)
    c.failed_binds["wrong_credentials"] = 4
    c.http_refused["foreign_host"] = 1
    c.receipts[TELIA, "delivered"] = 9
    c.receipts_unmatched[TELIA] = 1
    c.texts_recoded[TELIA, "recoded"] = 1
    learnt = router.journey.pending.correlators[ELISA].learnt = LearntIds()
    learnt.rule = AS_IT_IS
    c.delivery_s[TELIA, bulk].add(7000.0)
    c.outcomes[SHOP, Outcome.DELIVERED] = 5
    c.in_doubt[ELISA, "elsewhere"] = 6
    c.repeated[TELIA] = 8
    c.refused_pdus["pdu.unknown"] = 2
    octets = p.sm(v.SUBMIT_SM, 1, destination=(1, 1, b"4670123456"), short_message=b"Tere")
    refused = Pdu(v.SUBMIT_SM, 0, 1, octets)
    router.journey.intake.refusals.add(BANK, "192.0.2.1:5", refused, NO_ROUTE, 1.8e9)
    c.inbound[ELISA, "held"] = 3
    c.alerts[ELISA, "passed_on"] = 2
    c.inbound_unrouted[ELISA, "12303", "no_rule_for_number"] = 4
    c.retries_recognised[BANK] = 3
    c.judged[pass_of(BANK, ("number",))] = 5
    c.retries_forgotten[BANK] = 1
    c.deliveries[BANK, "refused"] = 1
    c.config_reloads["unchanged"] = 1
    c.receipts_too_fast[TELIA] = 1
    router.certificates = [FakeCertificate()]
    now = router.clock
    router.recorder = Recorder(Path("none.db"), Records(), 1.0, {}, clock=now, clock_utc=now)
    router.journey.commits.found_space(10**9, 512 * 2**20)
    c.outcomes[BANK, Outcome.DELIVERED] = c.submits[SHOP, bulk, v.ESME_ROK] = NOW_EVENTS
    router.account_quality.look(
        router.accounts.by_name, c, router.journey.intake.refusals, router.now
    )
    message = router.message(age_s=4.0)
    message.operator, message.destination_octets = TELIA, b"\1\x0137255512345\0"
    delivered = (Outcome.DELIVERED, Evidence.OPERATOR)
    for _ in range(ENOUGH):
        router.journey.quality.count(message, *delivered, 1.8e9, router.now)
    return router
