"""Counters: plain numbers that the steps raise and telemetry reads.

A counter here costs a dictionary look-up; that of a metrics library costs ten times as much, for
each message. Nothing in this file knows about Prometheus: `telemetry/metrics.py` exports it at
scrape time under the names of `contract/metrics.md`.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NewType

from router.terms.names import AccountName, BindName, LaneName, OperatorName
from router.terms.outcome import Outcome

SECONDS: Final[tuple[float, ...]] = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 3600.0, 21600.0, 86400.0,
)  # fmt: skip
"""Bounds of histograms, from a quick answer to a receipt that took a day."""
SHORT_SECONDS: Final[tuple[float, ...]] = SECONDS[:14]
MESSAGES: Final[tuple[float, ...]] = (
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0,
)  # fmt: skip

_place: Final = bisect_left

Pass = NewType("Pass", str)
"""An account and the checks of its policy in their order, as one word: so it is hashed once."""


def pass_of(account: AccountName, checks: Sequence[str]) -> Pass:
    """Return the word for these checks of an account."""
    return Pass("\0".join((account, *checks)))


def parts_of(word: Pass) -> tuple[str, Sequence[str]]:
    """Return the account and its checks."""
    account, *checks = word.split("\0")
    return account, checks


class Histogram:
    """The number of values under each bound, and the sum of all values."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[_place(self.bounds, value)] += 1
        self.sum += value


class Counters:
    """All counters, by the labels of their metric."""

    def __init__(self) -> None:
        self.submits: defaultdict[tuple[AccountName, LaneName, int], int] = defaultdict(int)
        """By account, lane and the status that the client was answered."""
        self.client_requests: defaultdict[tuple[AccountName, int, int], int] = defaultdict(int)
        """query_sm, cancel_sm and replace_sm, by account, command and answered status."""
        self.submit_response_s: defaultdict[AccountName, Histogram] = defaultdict(
            lambda: Histogram(SHORT_SECONDS)
        )
        self.judged: defaultdict[Pass, int] = defaultdict(int)
        """Messages that have gone through the policy of their account, or into it."""
        self.policy_refusals: defaultdict[tuple[Pass, str], int] = defaultdict(int)
        """Those that were refused there, by the check that did it."""
        self.policy_notes: defaultdict[tuple[AccountName, str, str], int] = defaultdict(int)
        """What checks have done with messages that they let pass, by account, check and result:
        counted, changed."""
        self.retries_recognised: defaultdict[AccountName, int] = defaultdict(int)
        """Submits that repeated one whose answer the client cannot have seen."""
        self.retries_forgotten: defaultdict[AccountName, int] = defaultdict(int)
        """Submits that are not remembered any more, because of too many later ones: come again,
        each is a message of its own."""
        self.sends: defaultdict[tuple[OperatorName, BindName, int | str], int] = defaultdict(int)
        """By operator, bind and the answered status; `timeout` or `lost` if there was no answer."""
        self.operator_response_s: defaultdict[OperatorName, Histogram] = defaultdict(
            lambda: Histogram(SHORT_SECONDS)
        )
        self.queue_wait_s: defaultdict[tuple[OperatorName, LaneName], Histogram] = defaultdict(
            Histogram
        )
        self.failed_binds: defaultdict[str, int] = defaultdict(int)
        """By reason."""
        self.http_refused: defaultdict[str, int] = defaultdict(int)
        """By reason. Threads of the HTTP servers add to it, one at a time."""
        self.receipts: defaultdict[tuple[OperatorName, str], int] = defaultdict(int)
        """By operator and state."""
        self.receipts_unmatched: defaultdict[OperatorName, int] = defaultdict(int)
        self.receipts_too_fast: defaultdict[OperatorName, int] = defaultdict(int)
        """Receipts of delivery that came faster than a telephone can answer."""
        self.fields_cut: defaultdict[OperatorName, int] = defaultdict(int)
        """What operators delivered with a field that was too long."""
        self.texts_recoded: defaultdict[tuple[OperatorName, str], int] = defaultdict(int)
        """Texts with data_coding 0 to and from an operator to which it means something else than to
        the account, by result: recoded, latin_1, ucs_2, as_it_came."""
        self.inbound: defaultdict[tuple[OperatorName, str], int] = defaultdict(int)
        """Subscribers' messages, by operator and result: held, unrouted, refused."""
        self.alerts: defaultdict[tuple[OperatorName, str], int] = defaultdict(int)
        """alert_notification, by operator and result: passed_on, unrouted, not_bound, malformed."""
        self.inbound_unrouted: defaultdict[tuple[OperatorName, str, str], int] = defaultdict(int)
        """By operator, our number (of a bounded set) and reason."""
        self.delivery_s: defaultdict[tuple[OperatorName, LaneName], Histogram] = defaultdict(
            Histogram
        )
        self.deliveries: defaultdict[tuple[AccountName, str], int] = defaultdict(int)
        """deliver_sm to clients, by account and end: acknowledged, refused, too_old."""
        self.outcomes: defaultdict[tuple[AccountName, Outcome], int] = defaultdict(int)
        self.unreachable: defaultdict[AccountName, int] = defaultdict(int)
        """Outcomes whose number cannot be reached, as an operator says."""
        self.in_doubt: defaultdict[tuple[OperatorName, str], int] = defaultdict(int)
        """By operator and action."""
        self.repeated: defaultdict[OperatorName, int] = defaultdict(int)
        self.refused_pdus: defaultdict[str, int] = defaultdict(int)
        """PDUs of peers that the router could not take, by reason."""
        self.config_reloads: defaultdict[str, int] = defaultdict(int)
        """By result."""
        self.journal_read_failures = 0
        self.rows_set_aside: defaultdict[str, int] = defaultdict(int)
        """Rows of the journal that are none, by the table that they were in."""
        self.journal_lost = 0
        """1 where this process was started although the journal was not all there."""
        self.commit_s = Histogram(SHORT_SECONDS)
        self.batch_messages = Histogram(MESSAGES)
        self.loop_lag_s = Histogram(SHORT_SECONDS)
