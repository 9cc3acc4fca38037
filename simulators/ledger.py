"""What a simulated client has sent and heard, and whether the two agree.

Every answer and every receipt is checked against the message it is for: its id was given, its
addresses are the message's, swapped, its final state comes once. A receipt may come before the
answer that names its id, so one with an unknown id waits until the end before it counts as such.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from router.smpp import vocabulary as v
from router.smpp.receipt import State
from router.smpp.session import Note
from router.terms.message import FINAL_BITS, INTERMEDIATE_BIT
from simulators.counting import summary_ms

_WAITING, _ACCEPTED, _REFUSED, _UNANSWERED = range(4)
_NO_STATE: Final = 255

LONGEST_SAMPLE: Final = 10
"""How many examples of a fault are kept: enough to look for, few enough to read."""

INTERMEDIATE: Final = frozenset({State.SCHEDULED, State.ENROUTE})
"""States of receipts that announce another."""


FAULTS: Final = frozenset(
    {
        "framing.lost",
        "nack.received",
        "pdu.refused",
        "pdu.unknown",
        "response.mismatched",
        "response.unasked",
    }
)
"""What the other side did wrong, of all that a session notes."""
_NO_FAULT: Final = frozenset({v.ESME_ROK, v.ESME_RX_T_APPN})
"""pdu.refused: an outbind, and a deliver_sm that crossed our unbind."""


@dataclass(slots=True)  # Not frozen: that would cost a microsecond for each.
class Notice:
    """A receipt as the client read it."""

    message_id: bytes
    state: State | None
    final: bool
    source: bytes
    """Address octets (TON, NPI, digits, NUL) of the receipt; what the message was sent to."""
    destination: bytes
    at: float


class Ledger:
    """The messages of one run, by their number."""

    def __init__(self, sender: bytes, registered_delivery: int) -> None:
        self.sender = sender
        """Source address octets of every message."""
        self.asked = registered_delivery & (FINAL_BITS | INTERMEDIATE_BIT) != 0
        """Whether any receipts were asked for."""
        self._asked_final = registered_delivery & FINAL_BITS != 0
        self.asked_always = registered_delivery & 3 == 1
        """Only then is a missing receipt a fault: 2 and 3 ask for one outcome alone."""
        self._only_failures = registered_delivery & 3 == 2
        self._intermediate_too = bool(registered_delivery & INTERMEDIATE_BIT)
        self.sent_to: list[bytes] = []
        """Digits by message number."""
        self.accepted = 0
        self.refused: Counter[int] = Counter()
        self.unanswered = 0
        self.late_answers = 0
        self.states: Counter[str] = Counter()
        self.intermediate = self.inbound = 0
        self.duplicates = self.conflicting = self.mismatched = self.unreadable = 0
        self.same_id = self.unasked = 0
        self.finals = 0
        """Messages with a final receipt."""
        self.notes: Counter[str] = Counter()
        """What the sessions noted, by event."""
        self.against_protocol = 0
        self.faults: list[str] = []
        self.response_s = array("d")
        self.lag_s = array("d")
        self.receipt_s = array("d")
        self._receipt_of = array("L")
        """The message of each of these."""
        self._due_at = array("d")
        self._fate = bytearray()
        self._final = bytearray()
        self._numbers: dict[bytes, int] = {}
        self._early: dict[bytes, list[Notice]] = {}

    @property
    def submitted(self) -> int:
        """Messages sent."""
        return len(self.sent_to)

    @property
    def unsettled(self) -> int:
        """Messages sent and neither answered nor given up."""
        return len(self.sent_to) - self.accepted - self.unanswered - self.refused.total()

    @property
    def settled(self) -> int:
        """Messages with all that was asked for: a final receipt, or no more than an answer."""
        return self.finals if self.asked_always else self.accepted

    @property
    def missing(self) -> int:
        """Messages accepted that asked for a receipt and have no final one."""
        return self.accepted - self.finals if self.asked_always else 0

    # Going out.

    def sent(self, number: bytes, due_at: float, now: float) -> None:
        """The next message went to `number` at `now`, and should have gone at `due_at`."""
        self.sent_to.append(number)
        self._due_at.append(due_at)
        self._fate.append(_WAITING)
        self._final.append(_NO_STATE)
        self.lag_s.append(now - due_at)

    # Coming in.

    def answered(self, index: int, status: int, message_id: bytes, now: float) -> None:
        """A submit_sm was answered, perhaps after it had been given up."""
        fate = self._fate[index]
        if fate == _UNANSWERED:
            self.late_answers += 1
            self.unanswered -= 1
        elif fate != _WAITING:
            self._fault(f"message {index} was answered twice")
            return
        self.response_s.append(now - self._due_at[index])
        if status != v.ESME_ROK:
            self._fate[index] = _REFUSED
            self.refused[status] += 1
            return
        self._fate[index] = _ACCEPTED
        self.accepted += 1
        if self._numbers.setdefault(message_id, index) != index or not message_id:
            self.same_id += 1
            self._fault(f"message {index} was given the id {message_id!r} of another, or none")
        if self._early and message_id in self._early:
            for notice in self._early.pop(message_id):
                self.receipt(notice)

    def gave_up(self, index: int) -> None:
        """No answer came in time, or before the bind was lost."""
        if self._fate[index] == _WAITING:
            self._fate[index] = _UNANSWERED
            self.unanswered += 1

    def gave_up_all(self) -> None:
        """Count all open messages as unanswered: the run is over."""
        for index, fate in enumerate(self._fate):
            if fate == _WAITING:
                self.gave_up(index)

    def receipt(self, notice: Notice) -> None:
        """A receipt came."""
        index = self._numbers.get(notice.message_id)
        if index is None:
            self._early.setdefault(notice.message_id, []).append(notice)
            return
        expected = b"\1\1" + self.sent_to[index] + b"\0"
        if notice.source != expected or notice.destination != self.sender:
            self.mismatched += 1
            self._fault(
                f"receipt {_text(notice.message_id)} is from {notice.source!r} to "
                f"{notice.destination!r}; the message went from {self.sender!r} to {expected!r}"
            )
            return
        if notice.state is None:
            self.unreadable += 1
            self._fault(f"receipt {_text(notice.message_id)} has a state that no list has")
        elif not notice.final or notice.state in INTERMEDIATE:
            self.intermediate += 1
            if not self._intermediate_too:
                self._was_not_asked(notice)
        else:
            self._finally(index, notice.state, notice)
            if not self._asked_final or (self._only_failures and notice.state is State.DELIVERED):
                self._was_not_asked(notice)

    def _was_not_asked(self, notice: Notice) -> None:
        self.unasked += 1
        self._fault(f"receipt {_text(notice.message_id)} was not asked for: {notice.state!r}")

    def _finally(self, index: int, state: State, notice: Notice) -> None:
        before = self._final[index]
        if before == _NO_STATE:
            self._final[index] = state
            self.finals += 1
            self.states[state.name] += 1
            self.receipt_s.append(notice.at - self._due_at[index])
            self._receipt_of.append(index)
        elif before == state:
            self.duplicates += 1
        elif before == State.ACCEPTED:  # The last word only where no other follows.
            self._final[index] = state
            self.states[State.ACCEPTED.name] -= 1
            self.states[state.name] += 1
            self.intermediate += 1
        else:
            self.conflicting += 1
            self._fault(
                f"message {index} ({_text(notice.message_id)}) was {State(before).name} "
                f"and then {state.name}"
            )

    def noted(self, notes: list[Note]) -> None:
        """A session has noted these."""
        for note in notes:
            self.notes[note.event] += 1
            if note.event in FAULTS and not (
                note.event == "pdu.refused" and note.status in _NO_FAULT
            ):
                self.against_protocol += 1
                self._fault(" ".join((note.event, *note.words().values())))

    def garbled(self, says: str) -> None:
        """Something came that could not be read."""
        self.unreadable += 1
        self._fault(says)

    def _fault(self, says: str) -> None:
        if len(self.faults) < LONGEST_SAMPLE:
            self.faults.append(says)

    # The end.

    def strangers(self) -> tuple[int, int]:
        """Receipts whose id no answer gave: of messages that were given up, and of none.

        A message whose answer was lost may well have been taken: its receipt is known by the
        number that it is from.
        """
        given_up = Counter(
            self.sent_to[index] for index, fate in enumerate(self._fate) if fate == _UNANSWERED
        )
        of_given_up = unknown = 0
        for message_id, notices in self._early.items():
            number = notices[0].source[2:-1]
            if given_up[number] > 0:
                given_up[number] -= 1
                of_given_up += 1
            else:
                unknown += len(notices)
                self._fault(f"receipt {_text(message_id)} is for no message of this run")
        return of_given_up, unknown

    def missing_sample(self) -> list[str]:
        """Some of the ids whose receipt is missing."""
        if not self.missing:
            return []
        ids = (
            _text(message_id)
            for message_id, index in self._numbers.items()
            if self._final[index] == _NO_STATE
        )
        return [message_id for message_id, _ in zip(ids, range(LONGEST_SAMPLE), strict=False)]

    def receipt_times(self) -> Iterator[tuple[bytes, float]]:
        """Return each message's number and when its first final receipt came."""
        for index, receipt_s in zip(self._receipt_of, self.receipt_s, strict=True):
            yield self.sent_to[index], self._due_at[index] + receipt_s

    def totals(self) -> dict[str, object]:
        """Return the totals as a JSON document."""
        of_given_up, unknown = self.strangers()
        well = (
            self.missing == 0
            and self.unanswered == 0
            and unknown == 0
            and not (self.conflicting or self.mismatched or self.unreadable)
            and not (self.same_id or self.unasked or self.against_protocol)
            and (self.accepted > 0 or self.submitted == 0)
        )
        return {
            "event": "totals",
            "well": well,
            "submitted": self.submitted,
            "accepted": self.accepted,
            "refused": {v.status_name(s): count for s, count in sorted(self.refused.items())},
            "unanswered": self.unanswered,
            "late_answers": self.late_answers,
            "receipts": {n.lower(): count for n, count in sorted(self.states.items()) if count},
            "receipted": self.finals,
            "missing": self.missing,
            "missing_sample": self.missing_sample(),
            "intermediate": self.intermediate,
            "duplicates": self.duplicates,
            "conflicting": self.conflicting,
            "mismatched": self.mismatched,
            "unreadable": self.unreadable,
            "unknown": unknown,
            "receipts_of_unanswered": of_given_up,
            "same_id": self.same_id,
            "unasked": self.unasked,
            "against_protocol": self.against_protocol,
            "notes": dict(sorted(self.notes.items())),
            "inbound": self.inbound,
            "response_ms": summary_ms(self.response_s),
            "receipt_ms": summary_ms(self.receipt_s),
            "send_lag_ms": summary_ms(self.lag_s),
            "faults": self.faults,
        }


def _text(message_id: bytes) -> str:
    return message_id.decode("latin-1")
