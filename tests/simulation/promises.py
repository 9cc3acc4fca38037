"""What the router promises (README.md), checked from the outside while it runs.

The watcher sees what the router writes to its peers at the moment it writes it, what its peers say
at the moment it hears it, and what its disk holds. A promise that is broken raises there and then.
"""

from collections import Counter, defaultdict, deque
from weakref import WeakKeyDictionary

from router.accept.server import ClientLink
from router.forward.bind import OperatorLink
from router.forward.breaker import BreakerState
from router.forward.pool import Bind, Operator
from router.report.receipts import AFTER_RESPONSE_S
from router.smpp import vocabulary as v
from router.smpp.link import Link
from router.smpp.pdu import Pdu, Sm, message_id_of
from router.smpp.receipt import State
from router.smpp.states import State as SessionState
from router.smpp.times import time_utc
from router.steps.cancel_orders import Order, Wanted
from router.terms.clock import SMALL_S
from router.terms.limits import Rate
from router.terms.names import AccountName, BindName, LaneName, OperatorName, RouterId
from router.terms.outcome import CANCELLED, TEMPORARY_FOR_CLIENTS, Outcome, judge
from router.terms.queue_key import STAYING
from router.terms.settings import BindSettings, Settings
from tests.simulation.disk import Disk
from tests.simulation.ledger import Held, Inbound, Long, Submitted, Taken, Writing, body_of, sm_of
from tests.simulation.reconfigured import both_names, first_name, with_first_names
from tests.simulation.records import (
    A_HAIR_S,
    OUTCOMES,
    RECEIPT,
    WITHHELD_ACROSS_CRASHES,
    Records,
    described,
    is_final,
)
from tests.simulation.requests import Request
from tests.simulation.world import Connection, Loop, Process

A_MOMENT_S = 0.001
IDLE_S = 0.5
"""How long an operator may have a slot for a message that waits too long: a commit may be slow."""
UNDER_WAY_S = 1.0
"""How long what was written before a change may be under way."""


class Promises(Records):
    """The watcher."""

    def __init__(self, loop: Loop, disk: Disk, settings: Settings) -> None:
        super().__init__(loop, disk, settings)
        self.process: Process
        self.repeated = 0
        self.requests: Counter[tuple[str, int]] = Counter()
        """What clients asked, and the statuses that they were answered."""
        self._most_places: dict[AccountName, int] = {}
        self._arrivals: dict[OperatorName | BindName, deque[float]] = defaultdict(deque)
        self._sent_on: WeakKeyDictionary[Connection, list[float]] = WeakKeyDictionary()
        """When the first was sent in a session, and how many."""
        self._tried_since: dict[Bind, float] = {}
        """When the first message was sent while a breaker was probing."""
        self._newest: dict[tuple[AccountName, LaneName, OperatorName], tuple[float, int, int]] = {}
        self.given = settings
        """The configuration that the router has now."""
        self.current = settings
        """The same by first names; `settings` is the first, and has everything."""
        self._lane_values = {lane.name: {lane.in_doubt} for lane in settings.lanes}
        """What each lane has had to say of messages in doubt."""
        self._deliver_windows: dict[AccountName, int] = {}
        """The largest that this life's configurations had, where an account was another since."""
        self._in_use_before: dict[Bind, int] = {}
        """What was in flight when the window may have become smaller."""
        self._down_at: dict[OperatorName, float] = {}
        """When an operator was last seen without a bind."""
        self._idle_since: dict[tuple[OperatorName, RouterId], float] = {}
        """Since when an operator could have been sent a message that had waited too long."""
        self._changed_at = -1.0
        """What was accepted before may have been decided anew by another configuration."""
        self._rates: dict[OperatorName | BindName, Rate | None] = {}
        self._rates_before: dict[OperatorName | BindName, tuple[float, int]] = {}
        """Until when an earlier rate counts too, and its count."""
        self._note_rates()

    def begins(self, process: Process) -> None:
        """A new life of the router."""
        self.process = process
        self._life = process.life
        self._marks = dict(self.disk.marks)
        self._written: dict[object, tuple[int, OperatorName | None]] = {}
        for (candidates, lane, account), number in self.disk.queues.items():
            newest, to = self.disk.written.get(number, (0, None))
            queue = tuple(map(first_name, candidates)), lane, first_name(account)
            if newest > self._written.get(queue, (0, None))[0]:
                self._written[queue] = newest, to and first_name(to)
        self.times.begins(process.life)
        self._known_operators = set(map(first_name, process.journey.operators))
        self.settled_in_life = self.accepted_in_life = 0
        self._deliver_windows = {}
        self._in_use_before = {}
        self._most_places = {name: one.queue for name, one in self.current.accounts.items()}
        waiting = Counter(
            first_name(row.account)
            for row in self.disk.messages.values()
            if not self.disk.has_attempt(row.router_id)
        )
        for account, count in waiting.items():  # It was promised, even where it is too much.
            self._most_places[account] = max(self._most_places.get(account, 0), count)
        for held in self.held.values():
            held.answers_heard = held.removed = 0

    def changed(self, settings: Settings) -> None:
        """The router follows another configuration from now on."""
        for name, before in self.current.accounts.items():
            known = self._deliver_windows.get(name, 0)
            self._deliver_windows[name] = max(known, before.deliver_window)
        self.given = settings
        self.current = settings = with_first_names(settings)
        for lane in settings.lanes:
            self._lane_values[lane.name].add(lane.in_doubt)
        for operator in self.process.journey.operators.values():
            self._in_use_before |= {bind: bind.in_use for bind in operator.binds}
        for name, account in settings.accounts.items():
            if name in self._most_places:  # What is too much for the new limit stays.
                self._most_places[name] = max(self._most_places[name], account.queue)
        self._known_operators.update(settings.operators)
        self._changed_at = self.loop.now
        self._newest.clear()
        self._note_rates()

    def _note_rates(self) -> None:
        """A window of time across the change holds at most the larger of both rates."""
        for operator in self.current.operators.values():
            named: list[tuple[OperatorName | BindName, Rate | None]] = [
                (operator.name, operator.rate),
                *((bind.name, bind.rate) for bind in operator.binds),
            ]
            for name, rate in named:
                before = self._rates.get(name)
                if before is not None and rate is not None and before != rate:
                    until = self.loop.now + rate.per_s + UNDER_WAY_S
                    self._rates_before[name] = until, before.count
                self._rates[name] = rate

    def called(self, account: AccountName) -> AccountName:
        """The name that an account has in the present configuration."""
        return next((n for n in both_names(account) if n in self.given.accounts), account)

    # What clients see.

    def submitted(self, message: Submitted) -> None:
        """A client sends this."""
        self.by_body[body_of(message.octets)] = message

    def answered(self, message: Submitted, pdu: Pdu) -> None:
        """The router answers a client's submit_sm."""
        if message.answer is not None:
            raise self.broken(f"{message.name}: answered twice")
        message.answer = pdu.command_status
        message.answered_in = self._life
        if pdu.command_status:
            if message.router_id is not None:
                raise self.broken(f"{message.name}: refused, but the disk has it")
        elif message.router_id is None:
            raise self.broken(f"{message.name}: ESME_ROK before the disk has it")
        elif message_id_of(pdu) != b"%d" % message.router_id:
            raise self.broken(f"{message.name}: answered with id {message_id_of(pdu)!r}")

    def request_answered(self, request: Request, pdu: Pdu) -> None:
        """The router answers a query_sm, cancel_sm or replace_sm."""
        message, status = request.message, pdu.command_status
        self.requests[request.kind, status] += 1
        name = f"{message.name}: {request.kind} answered with 0x{status:02X}"
        if status in (v.ESME_RINVMSGID, v.ESME_RINVSRCADR):
            # What an operator took is not looked for by its number.
            is_looked_for = request.is_known and not message.writings
            is_looked_for = is_looked_for or request.kind != "cancel all"
            if message.settled is None and is_looked_for and not message.cancel_asked:
                raise self.broken(f"{name}, though the message is not over")
        if status:
            if request.version is not None:
                request.version.status = status
            return
        if request.kind == "query":
            self._is_as_told(message, pdu, name)
        elif request.kind == "replace":
            assert request.version is not None
            if not request.version.is_durable:
                raise self.broken(f"{name}, which the disk does not have")
            request.version.status = status
            message.promised = message.versions.index(request.version) + 1
        else:
            about = request.about
            if not any(is_cancelled(one) for one in about):
                raise self.broken(f"{name}, and the disk has no message of it as cancelled")
            if len(about) == 1:
                message.is_cancelled = True

    def ordered(self, process: Process, account: AccountName) -> None:
        """A person has all cancelled that an account has waiting, as the command does it."""
        meant = [
            one for one in self.by_id.values() if one.account == account and one.settled is None
        ]
        told = [one for one in meant if one.answer == v.ESME_ROK and one.answered_in == self._life]
        for one in self.by_body.values():
            if one.account == account:
                one.cancel_asked = True
        self.loop.tell(f"a person  has all cancelled that {account} has waiting")

        def over(order: Order) -> None:
            left = [one for one in told if not (one.settled or one.writings)]
            what = f"{order.cancelled} cancelled, {order.with_operator} not; {order.why or 'all'}"
            self.loop.tell(f"a person  hears: {what}")
            if not order.why and len(left) > order.with_operator:
                raise self.broken(f"{left[0].name}: waits, though all was cancelled: {what}")
            done = sum(map(is_cancelled, self.by_id.values()))
            if order.cancelled > done:
                raise self.broken(f"{account}: {what}, and the disk has {done}")

        process.journey.cancel_orders.begin(Wanted(account=self.called(account)), over)

    def _is_as_told(self, message: Submitted, pdu: Pdu, name: str) -> None:
        """Whether a message_state is true."""
        message_id, final_date, rest = pdu.octets[16:].split(b"\0", 2)
        state = State(rest[0])
        if message_id != b"%d" % (message.router_id or 0):
            raise self.broken(f"{name}: with id {message_id!r}")
        if (state in (State.ENROUTE, State.SCHEDULED)) == bool(final_date):
            raise self.broken(f"{name}: {state.name} with date {final_date!r}")
        if final_date and message.settled is None:
            raise self.broken(f"{name}: {state.name}, and it is not over")

    def delivery_written(self, account: AccountName, link: Link, pdu: Pdu) -> Held:
        """The router writes a deliver_sm to a client."""
        held = self.held.get(pdu.octets[16:])
        if held is None or held.account != account:
            raise self.broken(f"{account} is given what is not its own: {pdu.octets[16:]!r}")
        what = described(pdu.octets)
        if not held.rows:
            raise self.broken(f"{account} is given {what}, which the disk does not hold")
        if held.ever == 1 and held.answers_heard:
            raise self.broken(f"{account} is given {what} again, which it has acknowledged")
        settings = self.current.accounts.get(account)
        window = 0 if settings is None else settings.deliver_window
        if settings is None or link_is_of_another(link, self.given):
            window = max(window, self._deliver_windows.get(account, 0))
        if len(link.session.unanswered) > window:
            raise self.broken(f"{account}: its window for deliver_sm is overrun")
        found = RECEIPT.search(pdu.octets)
        message = None if found is None else self.by_id[int(found[1])]
        if message is not None and message.by_transmitter and message.answered_in == self._life:
            since_s = self.loop.now - message.accepted_at
            # A message that was fetched from the journal knows that time by the router's.
            is_told = self.times.is_steady
            if is_told and since_s < AFTER_RESPONSE_S - A_HAIR_S:
                raise self.broken(f"{message.name}: its receipt may overtake its submit_sm_resp")
        held.written += 1
        return held

    def delivery_answered(self, held: Held, status: int) -> None:
        """The router hears a client's answer to a deliver_sm."""
        if status not in TEMPORARY_FOR_CLIENTS:
            held.answers_heard += 1

    # What operators see.

    def sent(self, operator: OperatorName, connection: Connection, pdu: Pdu) -> Writing:
        """The router writes a message to an operator."""
        message = self.by_body.get(body_of(pdu.octets))
        if message is None:
            raise self.broken(f"{operator}: a message that no client has sent: {pdu.octets!r}")
        now = self.loop.now
        name = message.name
        link = connection.link
        if isinstance(link, OperatorLink) and link.bind.drained:
            raise self.broken(f"{name}: sent on {link.bind.settings.name}, which is drained")
        if isinstance(link, OperatorLink):
            self._is_allowed(link.bind)
            self._lives(link.bind.settings, connection)
        if message.router_id is None:
            raise self.broken(f"{name}: sent before the disk has it")
        if message.settled is not None:
            raise self.broken(f"{name}: sent although it is settled")
        self._is_what_was_promised(message, body_of(pdu.octets))
        if isinstance(link, OperatorLink) and (link.bind.operator.name not in self.given.operators):
            raise self.broken(f"{name}: sent to {operator}, which is gone")
        is_late = message.accepted_at > self._changed_at and (
            message.long is None or not self._is_decided_again(message.long)
        )
        if operator not in message.candidates and is_late:
            raise self.broken(f"{name}: sent to {operator}, whom its route does not name")
        if message.writings:
            self._may_repeat(message, operator)
        elif not message.schedule_s:  # What was scheduled goes when its time has come.
            self._keeps_order(message, operator)
        if now > self.times.ends_at(message, now) + 1.0:
            raise self.broken(f"{name}: sent after its validity has ended")
        if self.times.may_be_over(message):
            raise self.broken(f"{name}: sent although its validity may have ended")
        if not (message.writings or self.times.has_come(message.not_before_utc)):
            raise self.broken(f"{name}: sent before its schedule")
        self._says_its_times(message, operator, Sm(pdu))
        if isinstance(link, OperatorLink) and message.lane != self.settings.lanes[0].name:
            self._leaves_room(link, pdu)
        writing = Writing(message, operator, connection, self._life, now)
        message.writings.append(writing)
        return writing

    def _is_what_was_promised(self, message: Submitted, body: bytes) -> None:
        """It has the text that its client was promised last, or one that was asked for since."""
        bodies = [body_of(message.octets), *(one.body for one in message.versions)]
        place = bodies.index(body)
        if place < message.promised:
            raise self.broken(f"{message.name}: sent as it was before it was replaced")
        status = message.versions[place - 1].status if place else None
        if status not in (None, v.ESME_ROK, v.ESME_RSYSERR):
            raise self.broken(f"{message.name}: sent with a text that was refused 0x{status:02X}")

    def _says_its_times(self, message: Submitted, operator: OperatorName, sm: Sm) -> None:
        """The schedule of a message that has waited for it is empty; a period may be shorter."""
        came = sm_of(message.octets)
        schedule = b"" if message.schedule_s else came.schedule_delivery_time
        if sm.schedule_delivery_time != schedule:
            raise self.broken(f"{message.name}: sent with schedule {sm.schedule_delivery_time!r}")
        tells = self.settings.operators[operator].validity_period
        period = sm.validity_period
        if tells == "as_it_came" or not came.validity_period:
            is_right = period == came.validity_period
        else:
            left_s = self.times.ends_at(message, self.loop.now) - self.loop.now
            told_s = time_utc(period, 0.0) or 0.0
            is_right = told_s == 1.0 or left_s - 1.0 - A_MOMENT_S < told_s < left_s + A_MOMENT_S
        if not is_right:
            raise self.broken(f"{message.name}: {operator} is told a period of {period!r}")

    def _leaves_room(self, link: OperatorLink, pdu: Pdu) -> None:
        """A message that is not of the most urgent lane takes nothing that is kept for those."""
        bind = link.bind
        before = [n for n in link.session.unanswered if n < pdu.sequence_number]
        if bind.trial is None and bind.window and len(before) >= bind.common:
            raise self.broken(f"{bind.settings.name}: what is kept for urgent ones is taken")

    def _is_allowed(self, bind: Bind) -> None:
        """Nothing but failures came of it: then it is left alone, and tried with one message.

        Beside that may be one that was not answered before, and what was in flight already.
        """
        states = bind.breaker.state, bind.operator.circuit.whole.state
        if BreakerState.OPEN in states:
            raise self.broken(f"{bind.settings.name}: sent although it is left alone")
        if BreakerState.PROBING in states and bind.unanswered:
            since = self._tried_since.setdefault(bind, next(reversed(bind.unanswered)).sent_at)
            tried = [one.message for one in bind.unanswered if one.sent_at >= since]
            new = sum(not message.timeouts for message in tried)
            if new > 1 or len(tried) > 2:
                raise self.broken(f"{bind.settings.name}: tried with {new} of {len(tried)} new")
        else:
            self._tried_since.pop(bind, None)
        trial = bind.trial
        if trial is not None and trial.trying and not trial.is_free and bind.in_use > trial.trying:
            raise self.broken(f"{bind.settings.name}: {bind.in_use} in flight beside a suspect")

    def _lives(self, bind: BindSettings, connection: Connection) -> None:
        """An operator ends a session that lives too long."""
        sent = self._sent_on.setdefault(connection, [self.loop.now, 0])
        sent[1] += 1
        if bind.max_messages is not None and sent[1] > bind.max_messages:
            raise self.broken(f"{bind.name}: more than {bind.max_messages} in one session")
        age_s = self.loop.now - sent[0]
        if bind.max_age_s is not None and age_s > bind.max_age_s + A_MOMENT_S:
            raise self.broken(f"{bind.name}: sent in a session that is {age_s} s old")

    def _may_repeat(self, message: Submitted, operator: OperatorName) -> None:
        """It was written before: why again?"""
        last = message.writings[-1]
        name = message.name
        if any(one.is_durable for one in message.taken):
            raise self.broken(f"{name}: sent again although the disk knows that it was taken")
        if any(w.status == 0 and w.life == self._life for w in message.writings):
            raise self.broken(f"{name}: sent again although an operator has answered ESME_ROK")
        policies = self._lane_values[message.lane]
        policy = next(iter(policies)) if len(policies) == 1 else "resend"
        must_not = policy == "fail"
        if last.life != self._life:
            queue = message.candidates, message.lane, message.account
            newest, to = self._written.get(queue, (0, None))
            if (
                policy == "elsewhere"
                and message.accepted_at > self._changed_at
                and not message.schedule_s
                and message.router_id not in self._marks
                and (message.router_id or 0) <= newest
                and operator == to
                and len(message.candidates) > 1
            ):
                raise self.broken(f"{name}: in doubt after a crash, and sent to {operator} again")
            if must_not and last.status is None:
                raise self.broken(f"{name}: sent again after a crash in a lane that must not")
            self.repeated += 1
            return
        if last.status is not None and last.heard_at - last.at < self._timeout_s:
            on_status = self.settings.operators[last.operator].on_status
            if judge(last.status, on_status).do == "fail":
                raise self.broken(f"{name}: sent again after status 0x{last.status:02X}")
            return
        is_over = last.connection.link.session.state is SessionState.CLOSED
        if not is_over and self.loop.now < last.at + self._timeout_s - A_MOMENT_S:
            raise self.broken(f"{name}: sent again while it is in flight")
        if must_not:
            raise self.broken(f"{name}: in doubt, and sent again in a lane that must not")
        if policies == {"resend"} and operator != last.operator and self._stayed_up(last):
            raise self.broken(f"{name}: {last.operator} may have it, and it is sent to {operator}")
        self.repeated += 1

    def _stayed_up(self, writing: Writing) -> bool:
        """Whether the operator of a writing has been bound ever since, as it was configured."""
        if writing.at <= max(self._down_at.get(writing.operator, -1.0), self._changed_at):
            return False
        now = self.process.journey.operators
        names = both_names(writing.operator)
        return any(name in now and now[name].is_up for name in names)

    @property
    def _timeout_s(self) -> float:
        return self.settings.session.response_timeout_s

    def _keeps_order(self, message: Submitted, operator: OperatorName) -> None:
        """First transmissions of one account in one lane to one operator go in order."""
        key = (message.account, message.lane, operator)
        if operator in map(first_name, self.process.journey.lanes.ramp_up.ramping):
            self._newest.pop(key, None)  # It is passed over for a while, which is a failover too.
            return
        if self.times.has_lost_its_place(message):
            return
        assert message.router_id is not None
        now = self.loop.now
        at, newest, newest_before = self._newest.get(key, (now, 0, 0))
        if now > at:
            newest_before = max(newest, newest_before)
        # One that has failed over comes to this operator later than its place in the order says;
        # a part that has waited for others, or followed them, comes later, or goes first.
        # And what another configuration has decided anew.
        is_late = message.router_id < newest_before and message.long is None
        is_late = is_late and message.accepted_at > self._changed_at
        if is_late and message.candidates[0] == operator:
            overtaken_by = self.by_id[newest_before].name
            raise self.broken(f"{message.name}: first sent after {overtaken_by}, which is younger")
        if message.long is None:
            newest = max(newest, message.router_id)
        self._newest[key] = (now, newest, newest_before)

    def arrived(self, operator: OperatorName, bind: BindName) -> None:
        """An operator counts a message."""
        self._count(operator)
        self._count(bind)

    def _count(self, name: OperatorName | BindName) -> None:
        rate = self._rates[name]
        if rate is None:
            return
        times = self._arrivals[name]
        now = self.loop.now
        times.append(now)
        while now - times[0] >= rate.per_s - 1e-9:
            times.popleft()
        until, count_before = self._rates_before.get(name, (0.0, 0))
        if len(times) > max(rate.count, count_before if now < until else 0):
            raise self.broken(f"{name}: more than {rate} have arrived")

    def took(self, taken: Taken) -> None:
        """An operator takes a message, whether or not it says so."""
        if taken.key:
            self.taken[taken.operator, taken.key] = taken
        taken.message.taken.append(taken)

    def answer_heard(self, writing: Writing, status: int) -> None:
        """The router hears an operator's answer."""
        writing.status = status
        writing.heard_at = self.loop.now
        writing.heard = self.times.stamp()
        long = writing.message.long
        policies = self._lane_values[writing.message.lane]
        if status == 0 and long is not None and "elsewhere" not in policies:
            self._stays_together(long)

    def _stays_together(self, long: Long) -> None:
        """All parts of a long message are taken by one operator.

        A late answer may tell of another one, and a restart forgets who had taken a part. One in
        doubt, as any may be after a restart, goes to whoever may have it already.
        """
        operators = {
            w.operator
            for part in long.parts
            if part.answered_in == self._life
            for w in part.writings
            if w.status == 0 and w.life == self._life and w.heard_at - w.at < self._timeout_s
            if not any(one.status is None and one.operator == w.operator for one in part.writings)
        }
        # One that is gone leaves what it had not taken to the others.
        if len(operators) > 1 and not self._is_decided_again(long):
            names = ", ".join(part.name for part in long.parts)
            raise self.broken(f"{names} are one message, and went to {sorted(operators)}")

    def _is_decided_again(self, long: Long) -> bool:
        return any(part.accepted_at <= self._changed_at for part in long.parts)

    def receipt_acknowledged(self, taken: Taken, state: State, heard_at: float) -> None:
        """The router answers an operator's receipt with ESME_ROK."""
        message = taken.message
        settings = self.settings.operators[taken.operator]
        if not is_final(state, settings):
            return
        taken.final_acknowledged_in = self._life
        known = taken.is_known(self._life, heard_at) and self._is_awaited(taken, heard_at)
        if (
            state is not taken.first_final
            or not (taken.key and known)
            or message.settled is not None
        ):
            return
        if OUTCOMES[state] is Outcome.DELIVERED or not self._is_open(message, taken, heard_at):
            raise self.broken(f"{message.name}: a receipt was acknowledged and has no effect")

    def _is_open(self, message: Submitted, but: Taken, at: float) -> bool:
        """Whether another attempt of it could still end well at that time."""
        since = 0 if WITHHELD_ACROSS_CRASHES else self._life
        if any(
            one.key
            and one is not but
            and one.is_known(self._life, at)
            and one.final_acknowledged_in < since
            for one in message.taken
        ):
            return True
        return any(
            w is not but.writing and w.life == self._life and w.heard_at >= at
            for w in message.writings
        )

    def inbound_acknowledged(self, inbound: Inbound) -> None:
        """The router answers a subscriber's message with ESME_ROK."""
        if not inbound.held:
            raise self.broken(f"{inbound.text!r} was acknowledged before the disk has it")

    def dies(self) -> None:
        """The router is killed."""
        if not self.process.journey.commits.has_unkept:
            self._remembers("forgotten in a crash, though the disk had the time to keep it")
            for message in self.by_id.values():
                if message.settled is None and message.writings and not message.taken:
                    self._is_in_doubt(message)

    def _is_in_doubt(self, message: Submitted) -> None:
        """What was written and never answered is seen to be so after a crash, and counted."""
        last = message.writings[-1]
        if (
            last.life != self._life
            or last.status is not None
            or last.at > self.loop.now - A_MOMENT_S
        ):
            return
        queue = message.candidates, message.lane, message.account
        newest = max(
            self.disk.written.get(number, (0, None))[0]
            for (candidates, lane, account), number in self.disk.queues.items()
            if (tuple(map(first_name, candidates)), lane, first_name(account)) == queue
        )
        in_its_turn = not message.schedule_s and (message.router_id or 0) <= newest
        if not self.disk.marks.get(message.router_id or 0, in_its_turn):
            raise self.broken(f"{message.name}: after the crash nobody knows that it was written")

    def stopped(self) -> None:
        """The router has stopped because it was told to, and had the time."""
        self._remembers("forgotten in a stop")

    def _remembers(self, else_what: str) -> None:
        """Whether the disk knows all that the router knows of what operators took."""
        before = self.loop.now - A_MOMENT_S
        for message in self.by_id.values():
            for one in message.taken if message.settled is None else ():
                if one.is_known(self._life, before) and one.key and not one.is_durable:
                    raise self.broken(f"{message.name}: taken, and {else_what}")

    # What can be seen of the router at any time.

    def after_wake(self) -> None:
        """Called whenever the router may have looked at the wall clock."""
        if self.process.is_recovered:
            self.times.look(self.process.journey.clocks)

    def after_turn(self) -> None:
        """Called after each turn of the router's."""
        self.after_wake()
        process = self.process
        journey = process.journey
        for name, operator in journey.operators.items():
            if not operator.is_up:
                self._down_at[first_name(name)] = self.loop.now
            in_flight = 0
            removed = {link.bind for link in self._links if link.bind.operator is operator}
            for bind in removed.union(operator.binds):
                in_use = bind.in_use
                in_flight += in_use
                if in_use > max(bind.sized, self._in_use_before.get(bind, 0)):
                    raise self.broken(f"{bind.settings.name}: its window is overrun")
            if in_flight != operator.in_flight:
                raise self.broken(f"{name}: {operator.in_flight} in flight, not {in_flight}")
        self._nobody_is_idle()
        for account, most in self._most_places.items():
            taken = sum(journey.rooms.taken(name) for name in both_names(account))
            if not 0 <= taken <= most:
                raise self.broken(f"{account}: {taken} places taken of {most}")

    def _nobody_is_idle(self) -> None:
        """No operator has a slot and no work, while a message waits too long that it may take."""
        journey, now = self.process.journey, self.loop.now
        idle: dict[tuple[OperatorName, RouterId], float] = {}
        is_free = journey.commits.up and not journey.intake.draining
        may_send = is_free and not journey.lanes.needs_marks  # A slot may wait for a mark.
        for queue in journey.lanes.queues() if may_send else ():
            after_s = journey.lanes.settings[queue.lane].failover_after_s
            first = queue.messages[0] if queue.messages else None
            if after_s is None or first is None or first.waits_since + after_s > now:
                continue
            if queue.key.kind is STAYING or first.group is not None:
                continue  # Not every operator of the plan may take it.
            for name in queue.plan.candidates:
                if journey.lanes.is_available(name) and _has_slot(journey.operators[name], now):
                    since = idle[name, first.router_id] = self._idle_since.get(
                        (name, first.router_id), now
                    )
                    if now - since > IDLE_S:
                        what = f"{self.by_id[first.router_id].name} has waited too long"
                        raise self.broken(f"{name}: has a slot and no work, and {what}")
        self._idle_since = idle

    @property
    def _links(self) -> list[OperatorLink]:
        links = [connection.link for connection in self.process.connections]
        return [link for link in links if isinstance(link, OperatorLink)]

    def at_rest(self) -> None:
        """Called when everybody has behaved for long enough: all is over, and nothing is left."""
        for message in self.by_id.values():
            if message.settled is None:
                raise self.broken(f"{message.name}: accepted, and has no outcome")
        for inbound in self.inbound.values():
            if inbound.sent and not inbound.held:
                raise self.broken(f"{inbound.text!r} is lost")
        disk, journey = self.disk, self.process.journey
        if abs(self.times.error_s) > SMALL_S:
            raise self.broken(f"the router's time stays {self.times.error_s} s wrong")
        if not disk.is_empty:
            left = [*disk.messages, *disk.attempts, *disk.deliveries.values()]
            raise self.broken(f"the journal still holds {left[:3]}")
        for account in self.settings.accounts:
            if journey.rooms.taken(account):
                raise self.broken(f"{account}: room is taken, and nothing waits")
            if journey.rooms.octets(account):
                raise self.broken(f"{account}: octets of room are taken, and nothing waits")
            if len(journey.deliveries.outboxes[account]):
                raise self.broken(f"{account}: its outbox is not empty")
            if journey.deliveries.outboxes[account].octets:
                raise self.broken(f"{account}: octets of its outbox are left")
        if (
            any(one.messages or one.behind for one in journey.lanes.queues())
            or journey.lanes.delays.delayed()
            or journey.lanes.delays.doubted()
        ):
            raise self.broken("the lanes are not empty")
        for name, correlator in journey.pending.correlators.items():
            if len(correlator):
                raise self.broken(f"{name}: receipts are waited for, and nothing was sent")
        if any(journey.client_requests._waiting.values()):
            raise self.broken("a client's question is not answered")
        if journey.cancel_orders.under_way:
            raise self.broken("an order to cancel does not end")
        for connection in self.process.connections:
            link = connection.link
            if link.session.unanswered and isinstance(link, ClientLink | OperatorLink):
                raise self.broken("a session waits for answers")
        counters = journey.counters
        accepted = sum(n for (_, _, status), n in counters.submits.items() if status == 0)
        if accepted != self.accepted_in_life:
            raise self.broken(f"{accepted} counted as accepted, not {self.accepted_in_life}")
        ended = sum(counters.outcomes.values())
        if ended != self.settled_in_life:
            raise self.broken(f"{ended} counted as ended, not {self.settled_in_life}")


def is_cancelled(message: Submitted) -> bool:
    """Whether the disk has it that a message was cancelled."""
    return message.settled is not None and message.settled.reason == CANCELLED


def link_is_of_another(link: Link, given: Settings) -> bool:
    """Whether a client has bound by a name that the configuration has no more."""
    return isinstance(link, ClientLink) and link.account.name not in given.accounts


def _has_slot(operator: Operator, now: float) -> bool:
    """Whether an operator may be sent a message now."""
    if operator.pacer is not None and operator.pacer.ready_at(now) > now:
        return False
    return any(
        bind.sends and bind.trial is None and bind.pace is not None
        and bind.in_use < bind.common and bind.pace.ready_at(now) <= now
        for bind in operator.binds
    )  # fmt: skip
