"""What a simulated operator has counted, and the one line that it says at its end."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from router.smpp import vocabulary as v
from router.smpp.pdu import Sm
from simulators.counting import SlidingSecond
from simulators.messages import find_token
from simulators.outbox import Link, Outbox


@dataclass(slots=True)
class Delivered:
    """Counts of deliver_sm of one kind: receipts, or messages from subscribers."""

    due: int = 0
    acked: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    """Answers by command_status."""
    refused_for_good: int = 0
    unacknowledged: int = 0
    """No answer came in time, or before their bind was lost: sent again."""

    @property
    def outstanding(self) -> int:
        """Those that will still be sent, or sent again."""
        return self.due - self.acked - self.refused_for_good

    def totals(self, sent: int) -> dict[str, object]:
        """Return the counts as a JSON document."""
        return {
            "due": self.due,
            "sent": sent,
            "acked": self.acked,
            "refused": _by_name(self.refused),
            "refused_for_good": self.refused_for_good,
            "unacknowledged": self.unacknowledged,
            "outstanding": self.outstanding,
        }


@dataclass(slots=True)
class Tally:
    """Counts of one operator, over all its binds."""

    started_at: float
    submits: int = 0
    """submit_sm and data_sm that arrived, throttled or not."""
    statuses: Counter[int] = field(default_factory=Counter)
    """How many were answered with which command_status."""
    nacked: int = 0
    silent: int = 0
    answers_lost: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    second: SlidingSecond = field(default_factory=SlidingSecond)
    asked: int = 0
    """query_sm, cancel_sm and replace_sm."""
    distinct: int = 0
    """Messages taken, by the token in their text."""
    repeated: int = 0
    """Taken though their token had been taken before."""
    without_token: int = 0
    """Taken, and nothing to tell them apart by."""
    receipts: Delivered = field(default_factory=Delivered)
    receipts_withheld: int = 0
    """Those that never come, by the scenario."""
    inbound: Delivered = field(default_factory=Delivered)
    notes: Counter[str] = field(default_factory=Counter)
    """What the sessions noted, by event: mostly what clients did wrong."""
    _tokens: set[bytes] = field(default_factory=set)

    def arrived(self, link: Link, count: int, now: float) -> None:
        """`count` submit_sm were read at once."""
        if not self.submits:
            self.first_at = now
        if not link.submits:
            link.first_at = now
        self.last_at = link.last_at = now
        self.submits += count
        link.submits += count
        self.second.add(now, count)
        link.second.add(now, count)

    def took(self, link: Link, sm: Sm) -> None:
        """A message was taken."""
        link.accepted += 1
        token = find_token(sm)
        if token is None:
            self.without_token += 1
        elif token in self._tokens:
            self.repeated += 1
            link.repeated += 1
        else:
            self.distinct += 1
            self._tokens.add(token)

    def totals(self, bound: Iterable[Link], outboxes: Iterable[Outbox]) -> dict[str, object]:
        """Return a JSON document; times are seconds since the operator began to listen."""
        sent: Counter[bool] = Counter()
        for outbox in outboxes:
            sent += outbox.sent
        span_s = self.last_at - self.first_at
        return {
            "event": "totals",
            "submits": self.submits,
            "accepted": self.distinct + self.repeated + self.without_token,
            "throttled": self.statuses[v.ESME_RTHROTTLED],
            "by_status": _by_name(self.statuses),
            "nacked": self.nacked,
            "silent": self.silent,
            "answers_lost": self.answers_lost,
            "asked": self.asked,
            "distinct": self.distinct,
            "repeated": self.repeated,
            "without_token": self.without_token,
            "span_s": round(span_s, 6),
            "busiest_second": self.second.busiest,
            "receipts": self.receipts.totals(sent[False]) | {"withheld": self.receipts_withheld},
            "inbound": self.inbound.totals(sent[True]),
            "notes": dict(sorted(self.notes.items())),
            "started_monotonic_s": round(self.started_at, 6),
            "binds": [self._bind(link) for link in bound],
        }

    def _bind(self, link: Link) -> dict[str, object]:
        return {
            "bind": f"{link.system_id}/{link.number}",
            "system_id": link.system_id,
            "number": link.number,
            "remote_port": link.remote_port,
            "submits": link.submits,
            "accepted": link.accepted,
            "repeated": link.repeated,
            "throttled": link.throttled,
            "busiest_second": link.second.busiest,
            "first_submit_s": self._since_start(link.first_at) if link.submits else None,
            "last_submit_s": self._since_start(link.last_at) if link.submits else None,
            "receipts_acked": link.receipts,
        }

    def _since_start(self, at: float) -> float:
        return round(at - self.started_at, 6)


def _by_name(statuses: Counter[int]) -> dict[str, int]:
    return {v.status_name(status): count for status, count in sorted(statuses.items()) if count}
