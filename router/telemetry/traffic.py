"""What flows now: rates, and how much is delivered, by account, operator and bind.

Counters only grow (`terms/counters.py`), so a rate is what they have grown by since a while ago.
What they said then is a copy of their dictionaries, made every few seconds: that costs the loop
less than a millisecond where there are ten thousand accounts, and a message nothing.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeVar

from router.smpp import vocabulary as v
from router.smpp.vocabulary import status_name
from router.telemetry.document import AccountNow, BindNow, CommitsNow, DeliveredStatus, OperatorNow
from router.terms.counters import Counters, Histogram
from router.terms.names import AccountName, BindName, LaneName, OperatorName
from router.terms.outcome import Outcome

NOW_S: Final = 5.0
"""A rate is over the last 5 to 10 seconds: shorter ones jump, longer ones are late."""
LATELY_S: Final = 300.0
"""What is delivered is judged over the last 5 to 10 minutes: receipts take their time."""
MOST_WORDS: Final = 64
"""Statuses of one account, operator or bind that are told; vendors may have thousands."""
DELIVERED: Final = "delivered"
ENDS: Final = frozenset(
    {DELIVERED, "failed", "expired", "deleted", "undeliverable", "rejected", "unknown"}
)
"""States of receipts that end a message, and outcomes of those that a receipt was asked for."""

Key = TypeVar("Key")
Group = TypeVar("Group")
Counts = dict[str, int]


class Sample:
    """What the counters said at one moment."""

    __slots__ = (
        "at",
        "commits",
        "deliveries",
        "outcomes",
        "receipts",
        "sends",
        "submits",
        "unmatched",
    )

    def __init__(self, counters: Counters, now: float) -> None:
        self.at: Final = now
        self.submits: Final = counters.submits.copy()
        self.sends: Final = counters.sends.copy()
        self.receipts: Final = counters.receipts.copy()
        self.unmatched: Final = counters.receipts_unmatched.copy()
        self.deliveries: Final = counters.deliveries.copy()
        self.outcomes: Final = counters.outcomes.copy()
        self.commits: Final = _sums(counters.commit_s)


class Samples(NamedTuple):
    """What the counters say, and what they said; no longer those of the loop."""

    now: Sample
    before: Sample
    """A few seconds ago."""
    lately: Sample
    """A few minutes ago, or at the start."""


class Traffic:
    """What the counters said a while ago. Called in the loop's thread."""

    __slots__ = ("_lately", "_now")

    def __init__(self) -> None:
        self._now: Final[deque[Sample]] = deque(maxlen=2)
        self._lately: Final[deque[Sample]] = deque(maxlen=2)

    def sample(self, counters: Counters, now: float) -> None:
        """Remember what the counters say, if it is time to."""
        for kept, every_s in ((self._now, NOW_S), (self._lately, LATELY_S)):
            if not kept or now >= kept[-1].at + every_s:
                kept.append(Sample(counters, now))

    def samples(self, counters: Counters, now: float) -> Samples:
        """Return what the counters say, and what they said."""
        sample = Sample(counters, now)
        if not (self._now and self._lately):
            return Samples(sample, sample, sample)
        return Samples(sample, self._now[0], self._lately[0])


class Flow:
    """What happens now, and what has happened since the start. For any thread.

    With ten thousand accounts this takes a tenth of a second.
    """

    def __init__(self, samples: Samples) -> None:
        counters, before, lately = samples
        self.over_s: Final = counters.at - before.at
        """Over how long a time the rates are."""
        self._span_s: Final = max(1.0, self.over_s)
        self.submits: Final[dict[AccountName, Counts]] = {}
        """By account and status, since the start; so are all that follow."""
        self.outcomes: Final[dict[AccountName, Counts]] = {}
        self.bind_answers: Final[dict[tuple[OperatorName, BindName], Counts]] = {}
        self.answers: Final[dict[OperatorName, Counts]] = {}
        self.receipts: Final[dict[OperatorName, Counts]] = {}
        self._submits: Final[dict[AccountName, Counts]] = {}
        """By account and status, over the time of the rates; so are all that follow."""
        self._given: Final[dict[AccountName, Counts]] = {}
        self._bind_answers: Final[dict[tuple[OperatorName, BindName], Counts]] = {}
        self._answers: Final[dict[OperatorName, Counts]] = {}
        self._receipts: Final[dict[OperatorName, Counts]] = {}
        self._lately_outcomes: Final[dict[AccountName, Counts]] = {}
        self._lately_receipts: Final[dict[OperatorName, Counts]] = {}
        self._lately_unmatched: Final = _grown(counters.unmatched, lately.unmatched)
        by_account, by_operator = _submit, _send
        _group(counters.submits, by_account, self.submits)
        _group(_grown(counters.submits, before.submits), by_account, self._submits)
        _group(counters.sends, by_operator, self.answers)
        _group(counters.sends, _send_of_bind, self.bind_answers)
        sends = _grown(counters.sends, before.sends)
        _group(sends, by_operator, self._answers)
        _group(sends, _send_of_bind, self._bind_answers)
        _group(counters.receipts, _as_is, self.receipts)
        _group(_grown(counters.receipts, before.receipts), _as_is, self._receipts)
        _group(_grown(counters.receipts, lately.receipts), _as_is, self._lately_receipts)
        _group(_grown(counters.deliveries, before.deliveries), _as_is, self._given)
        _group(counters.outcomes, _outcome, self.outcomes)
        _group(_grown(counters.outcomes, lately.outcomes), _outcome, self._lately_outcomes)
        count, seconds = counters.commits
        self._commits: Final = count - before.commits[0], seconds - before.commits[1]

    def of_account(self, name: AccountName) -> AccountNow:
        """Return the rates of one account."""
        taken, refused, most = _split(self._submits.get(name, {}))
        given = self._given.get(name, {}).get("acknowledged", 0)
        return AccountNow(
            in_per_s=self._rate(taken),
            refused_per_s=self._rate(refused),
            refused_as=most,
            throttled_per_s=self._rate(self._submits.get(name, {}).get(_THROTTLED, 0)),
            receipts_per_s=self._rate(given),
        )

    def of_operator(self, name: OperatorName) -> OperatorNow:
        """Return the rates of one operator."""
        taken, refused, most = _split(self._answers.get(name, {}))
        return OperatorNow(
            out_per_s=self._rate(taken),
            refused_per_s=self._rate(refused),
            refused_as=most,
            receipts_per_s=self._rate(sum(self._receipts.get(name, {}).values())),
        )

    def of_bind(self, operator: OperatorName, name: BindName) -> BindNow:
        """Return the rates of one bind."""
        taken, refused, most = _split(self._bind_answers.get((operator, name), {}))
        return BindNow(
            out_per_s=self._rate(taken), refused_per_s=self._rate(refused), refused_as=most
        )

    def commits(self) -> CommitsNow:
        """Return how fast the journal is."""
        count, seconds = self._commits
        return CommitsNow(
            per_s=self._rate(count), mean_s=round(seconds / count, 6) if count else None
        )

    def delivered_to(self, name: AccountName) -> DeliveredStatus:
        """Return how much of what an account sent was delivered."""
        return share(self.outcomes.get(name, {}), self._lately_outcomes.get(name, {}))

    def lately_expired(self, name: AccountName) -> int:
        """Return how many messages of an account expired lately."""
        return self._lately_outcomes.get(name, {}).get("expired", 0)

    def delivered_by(self, name: OperatorName) -> DeliveredStatus:
        """Return how much an operator delivered, by its receipts."""
        return share(self.receipts.get(name, {}), self._lately_receipts.get(name, {}))

    def lately_receipts(self, name: OperatorName) -> int:
        """Return how many receipts an operator sent lately."""
        return sum(self._lately_receipts.get(name, {}).values())

    def lately_unmatched(self, name: OperatorName) -> int:
        """Return how many of them were about no message that is known."""
        return self._lately_unmatched.get(name, 0)

    def delivered(self) -> DeliveredStatus:
        """Return how much of all was delivered."""
        return share(_together(self.outcomes), _together(self._lately_outcomes))

    def _rate(self, count: float) -> float:
        return round(count / self._span_s, 2)


def share(counts: Counts, lately: Counts) -> DeliveredStatus:
    """Return the share that was delivered of what has ended and was asked about."""
    ended, delivered = _ended(counts)
    lately_ended, lately_delivered = _ended(lately)
    return DeliveredStatus(
        share=round(delivered / ended, 4) if ended else None,
        of=ended,
        lately_share=round(lately_delivered / lately_ended, 4) if lately_ended else None,
        lately_of=lately_ended,
    )


def _ended(counts: Counts) -> tuple[int, int]:
    ended = sum(count for word, count in counts.items() if word in ENDS)
    return ended, counts.get(DELIVERED, 0)


_OK: Final = status_name(v.ESME_ROK)
_THROTTLED: Final = status_name(v.ESME_RTHROTTLED)


def answer_name(status: int | str) -> str:
    """Return the name of an operator's answer; `timeout` or `lost` if there was none."""
    return status if isinstance(status, str) else status_name(status)


def _submit(key: tuple[AccountName, LaneName, int]) -> tuple[AccountName, str]:
    return key[0], status_name(key[2])


def _send(key: tuple[OperatorName, BindName, int | str]) -> tuple[OperatorName, str]:
    return key[0], answer_name(key[2])


def _send_of_bind(
    key: tuple[OperatorName, BindName, int | str],
) -> tuple[tuple[OperatorName, BindName], str]:
    return (key[0], key[1]), answer_name(key[2])


def _outcome(key: tuple[AccountName, Outcome]) -> tuple[AccountName, str]:
    return key[0], key[1].name.lower()


def _as_is(key: tuple[Group, str]) -> tuple[Group, str]:
    return key


def _grown(after: Mapping[Key, int], before: Mapping[Key, int]) -> dict[Key, int]:
    """Return by how much each counter has grown, of those that have."""
    then = before.get
    return {key: count - then(key, 0) for key, count in after.items() if count != then(key, 0)}


def _group(
    counts: Mapping[Key, int],
    place_of: Callable[[Key], tuple[Group, str]],
    groups: dict[Group, Counts],
) -> None:
    """Add up counts by group and word."""
    for key, count in counts.items():
        group, word = place_of(key)
        words = groups.get(group)
        if words is None:
            words = groups[group] = {}
        if word not in words and len(words) >= MOST_WORDS:
            word = "other"
        words[word] = words.get(word, 0) + count


def _split(counts: Counts) -> tuple[int, int, str]:
    """Return how many were taken, how many were not, and how most of those were answered."""
    taken = counts.get(_OK, 0)
    refused = {word: count for word, count in counts.items() if word != _OK}
    most = max(refused, key=lambda word: refused[word], default="")
    return taken, sum(refused.values()), most


def _together(groups: Mapping[Key, Counts]) -> Counts:
    found: Counts = {}
    for counts in groups.values():
        for word, count in counts.items():
            found[word] = found.get(word, 0) + count
    return found


def _sums(seconds: Histogram) -> tuple[int, float]:
    return sum(seconds.counts), seconds.sum
