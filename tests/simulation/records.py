"""What the disk must show: each message settled once, with its receipt, for a reason that is true.

Checked when a transaction commits, against what the clients, the operators and the router have said
to each other so far (`ledger.py`).
"""

import re

from router.enqueue.journal import Replaced
from router.smpp.pdu import Pdu, Sm
from router.smpp.receipt import State
from router.smpp.vocabulary import DELIVER_SM
from router.terms.names import OperatorName
from router.terms.outcome import CANCELLED, Outcome
from router.terms.settings import OperatorSettings, Settings
from tests.simulation.disk import AttemptRow, DeliveryRow, Disk, MessageRow, SettledRow, Transaction
from tests.simulation.ledger import NEVER, Held, Inbound, Submitted, Taken, body_of
from tests.simulation.reconfigured import first_name
from tests.simulation.timekeeping import Stamp, Timekeeping
from tests.simulation.world import BrokenPromiseError, Loop

OUTCOMES = {
    State.DELIVERED: Outcome.DELIVERED,
    State.ACCEPTED: Outcome.DELIVERED,
    State.EXPIRED: Outcome.EXPIRED,
    State.REJECTED: Outcome.REJECTED,
    State.UNKNOWN: Outcome.UNKNOWN,
    State.UNDELIVERABLE: Outcome.FAILED,
    State.DELETED: Outcome.FAILED,
}
RECEIPT = re.compile(
    rb"id:(\d+) sub:001 dlvrd:\d\d\d .*? stat:(\w+) err:\d\d\d text:(.*?)\0", re.DOTALL
)
_WORDS = {
    b"DELIVRD": State.DELIVERED,
    b"ACCEPTD": State.ACCEPTED,
    b"EXPIRED": State.EXPIRED,
    b"REJECTD": State.REJECTED,
    b"UNKNOWN": State.UNKNOWN,
    b"UNDELIV": State.UNDELIVERABLE,
    b"DELETED": State.DELETED,
    b"ENROUTE": State.ENROUTE,
}
WITHHELD_ACROSS_CRASHES = True
"""A failure that is acknowledged and withheld, because another attempt is open, is forgotten in a
crash as yet; if the other one fails too, its message ends as unknown."""
A_HAIR_S = 1e-5
"""Unix times have no finer fractions."""


def is_final(state: State, operator: OperatorSettings) -> bool:
    """Whether an operator says no more after this."""
    if state is State.ACCEPTED:
        return operator.accepted_is_final
    if state is State.UNKNOWN:
        return operator.unknown_is_final
    return state is not State.ENROUTE


def asks_for(message: Submitted, outcome: Outcome) -> bool:
    """Whether the client is owed a final receipt when it ends like that."""
    wanted = message.registered_delivery & 3
    if wanted == 2:
        return outcome not in (Outcome.DELIVERED, Outcome.SENT)
    return wanted in (1, 3)


class Records:
    """The watcher, as far as the disk is concerned; see `Watcher`."""

    def __init__(self, loop: Loop, disk: Disk, settings: Settings) -> None:
        self.loop = loop
        self.disk = disk
        self.settings = settings
        self.by_body: dict[bytes, Submitted] = {}
        self.by_id: dict[int, Submitted] = {}
        self.taken: dict[tuple[OperatorName, bytes], Taken] = {}
        self.inbound: dict[bytes, Inbound] = {}
        self.held: dict[bytes, Held] = {}
        self.held_by_number: dict[int, Held] = {}
        self.settled_in_life = 0
        self.accepted_in_life = 0
        self._life = 0
        self._known_operators: set[OperatorName] = set()
        """Those that this life's configurations have had."""
        self._marks: dict[int, bool] = {}
        """What the disk knew of single messages when this life began: that they may be out."""
        self.times = Timekeeping(loop, disk)
        self._made: dict[int, Stamp] = {}
        """When each delivery was made, by its number."""

    def broken(self, what: str) -> BrokenPromiseError:
        """To be raised."""
        return BrokenPromiseError(what)

    def _is_awaited(self, taken: Taken, at: float) -> bool:
        """Whether its receipt was still waited for at that time."""
        wait_s = self.settings.operators[taken.operator].receipt_wait_s
        writing = taken.writing
        return writing.heard_at < NEVER and self.times.waited_s(writing.heard, at) < wait_s - 2.0

    def committed(self, transaction: Transaction) -> None:
        """See `Watcher`."""
        for row in transaction.accepted:
            candidates = tuple(map(first_name, row.candidates))
            self._accepted(row._replace(account=first_name(row.account), candidates=candidates))
        for replaced in transaction.replaced:
            self._replaced(replaced)
        for attempt in transaction.taken:
            self._attempted(attempt._replace(operator=first_name(attempt.operator)))
        held = [row._replace(account=first_name(row.account)) for row in transaction.held]
        finals = [final for row in held if (final := self._held(row)) is not None]
        for settled in transaction.settled:
            self._settled(settled, finals)
        if finals:
            raise self.broken(f"{finals[0].name}: a final receipt apart from its outcome")
        for number in transaction.acknowledged:
            self._handed_over(number)

    def _accepted(self, row: MessageRow) -> None:
        message = self.by_body[body_of(row.octets)]
        if row.router_id in self.by_id:
            raise self.broken(f"id {row.router_id} is used twice")
        if message.router_id is not None:
            raise self.broken(f"{message.name}: accepted twice")
        if (row.account, row.lane) != (message.account, message.lane):
            raise self.broken(f"{message.name}: kept as {row.account}'s in lane {row.lane}")
        self.by_id[row.router_id] = message
        message.router_id = row.router_id
        message.candidates = row.candidates
        message.accepted_at = self.times.moment(row.accepted_utc)
        message.accepted = Stamp(self._life, message.accepted_at, row.accepted_utc)
        message.expires_utc, message.not_before_utc = row.expires_utc, row.not_before_utc
        self.accepted_in_life += 1

    def _replaced(self, row: Replaced) -> None:
        """A message is to be what its client has asked for."""
        message = self.by_id[row.message.router_id]
        body = body_of(row.octets) if row.octets else b""
        version = next((one for one in message.versions if one.body == body), None)
        if version is None:
            raise self.broken(f"{message.name}: replaced, as nobody has asked: {row.octets!r}")
        version.is_durable = True

    def _waiting(self, router_id: int, what: str) -> Submitted:
        message = self.by_id.get(router_id)
        if message is None:
            raise self.broken(f"id {router_id}: {what}, but it was never accepted")
        if message.settled is not None:
            raise self.broken(f"{message.name}: {what}, but it is settled")
        return message

    def _attempted(self, row: AttemptRow) -> None:
        message = self._waiting(row.router_id, "taken by an operator")
        taken = self.taken.get((row.operator, row.operator_id))
        if taken is None or taken.message is not message:
            raise self.broken(f"{message.name}: not what {row.operator} calls {row.operator_id!r}")
        taken.is_durable = True

    def _held(self, row: DeliveryRow) -> Submitted | None:
        """Return the message if this is its final receipt."""
        held = self.held.setdefault(row.octets[16:], Held(row.account))
        if held.account != row.account:
            raise self.broken(f"delivery {row.number} is for {row.account} and {held.account}")
        held.rows[row.number] = row
        held.ever += 1
        self._made[row.number] = Stamp(self._life, self.times.moment(row.made_utc), row.made_utc)
        self.held_by_number[row.number] = held
        sm = Sm(Pdu(DELIVER_SM, 0, 0, row.octets))
        self.held.setdefault(row.octets[16 : sm.tlvs_at], held)  # As version 3.3 is given it.
        found = RECEIPT.search(row.octets)
        if found is None:
            inbound = next((i for text, i in self.inbound.items() if text in row.octets), None)
            if inbound is None:
                raise self.broken(f"delivery {row.number} came from nowhere: {row.octets!r}")
            inbound.held += 1
            if inbound.held > inbound.sent:
                raise self.broken(f"{inbound.text!r} is kept more often than it was sent")
            return None
        message = self.by_id.get(int(found[1]))
        if message is None:
            raise self.broken(f"delivery {row.number} has an unknown id {found[1]!r}")
        self._is_true(message, row, _WORDS[found[2]], made_here=bool(found[3]))
        return message if row.final else None

    def _is_true(
        self, message: Submitted, row: DeliveryRow, state: State, *, made_here: bool
    ) -> None:
        """Whether a receipt is this message's, and says what an operator said."""
        name = message.name
        if row.account != message.account:
            raise self.broken(f"{name}: its receipt is for {row.account}")
        if not row.octets.startswith(message.destination + message.source, 17):
            raise self.broken(f"{name}: the addresses of its receipt are not its own, swapped")
        if not row.final and not message.registered_delivery & 0x10:
            raise self.broken(f"{name}: an intermediate receipt that was not asked for")
        said = any(
            state in one.finals_sent or not is_final(state, self.settings.operators[one.operator])
            for one in message.taken
        )
        if not made_here and not said:
            raise self.broken(f"{name}: no operator has said {state.name}")
        if row.final:
            message.finals += 1
            if message.finals > 1:
                raise self.broken(f"{name}: a second final receipt")

    def _settled(self, row: SettledRow, finals: list[Submitted]) -> None:
        message = self._waiting(row.router_id, "settled")
        outcome = Outcome(row.outcome)
        name = f"{message.name}: settled as {outcome.name} ({row.reason})"
        if asks_for(message, outcome) != (message in finals):
            raise self.broken(f"{name}, with a receipt or without, as it was not asked")
        if message in finals:
            finals.remove(message)
        at = self.times.moment(row.at_utc) + A_HAIR_S
        taken = [one for one in message.taken if one.is_known(self._life, at)]
        # What it heard at the same moment, as after a stall, it may have heard too late.
        before = [one for one in taken if one.is_known(self._life, at - 2 * A_HAIR_S)]
        if outcome is Outcome.SENT and (message.registered_delivery & 3 in (1, 3) or not taken):
            raise self.broken(f"{name}, though a receipt was asked for or nobody took it")
        if not row.reason and outcome is not Outcome.SENT:
            said = (state for one in message.taken for state in one.finals_sent)
            if not any(OUTCOMES[state] is outcome for state in said):
                raise self.broken(f"{name}, which no operator has said")
            is_open = any(
                one.key
                and one.operator in self._known_operators
                and one.final_heard_at > at
                and self._is_awaited(one, at)
                for one in before
            )
            if outcome is not Outcome.DELIVERED and is_open:
                raise self.broken(f"{name}, while another attempt is open")
        if row.reason:
            self._gave_up(message, outcome, name, before, at)
        message.settled = row
        message.settled_in = self._life
        self.settled_in_life += 1

    def _gave_up(
        self, message: Submitted, outcome: Outcome, name: str, taken: list[Taken], at: float
    ) -> None:
        """The router ended it: it must have had to."""
        if outcome is Outcome.EXPIRED:
            if at < self.times.ends_at(message, at) - 1.0:
                raise self.broken(f"{name}, before its time")
        elif outcome is Outcome.UNKNOWN:
            since = 0 if WITHHELD_ACROSS_CRASHES else self._life
            keyed = [one for one in taken if one.key]  # No receipt of the others can be matched.
            if keyed and all(one.final_acknowledged_in >= since for one in keyed):
                raise self.broken(f"{name}, though all its receipts were acknowledged")
        elif taken:
            raise self.broken(f"{name}, though an operator took it")
        elif name.endswith(f"({CANCELLED})"):
            if not message.cancel_asked:
                raise self.broken(f"{name}, as nobody has asked")
        # Where a crash must leave no doubt, one that was about to go out counts as gone out.
        elif not self._marks.get(message.router_id or 0) and not any(
            w.at < at for w in message.writings
        ):
            raise self.broken(f"{name}, though nobody was asked")

    def _handed_over(self, number: int) -> None:
        held = self.held_by_number.get(number)
        if held is None or number not in held.rows:
            raise self.broken(f"delivery {number} is removed and was not there")
        row = held.rows.pop(number)
        waited_s = self.times.waited_s(self._made.pop(number), self.loop.now)
        if waited_s >= self.settings.accounts[held.account].outbox_s:
            return
        held.removed += 1
        if held.removed > held.answers_heard:
            raise self.broken(
                f"{described(row.octets)} is removed, and its client does not have it"
            )


def described(octets: bytes) -> str:
    found = RECEIPT.search(octets)
    return f"delivery {octets[16:80]!r}" if found is None else f"receipt {found[0][:24]!r}"
