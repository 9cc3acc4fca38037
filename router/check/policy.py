"""What an account may send, to whom and when: the first check that refuses a message ends the pass.

    number and place -> rules under `refuse` -> sender -> signature, text, parts, screens -> limits
    -> routes

An account without any of them has no policy, and its messages cost nothing. A check knows what it
is made of (settings, lists, counts) and nothing of the others; what it finds out of a message or
changes in it, it writes into the candidate.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

from router.smpp.pdu import Sm
from router.terms.counters import pass_of
from router.terms.names import AccountName, LaneName
from router.terms.outcome import Refusal
from router.terms.place import NOWHERE, Place
from router.terms.settings import AccountSettings

RULES: Final = "refuse"
"""The rules under `refuse` in the order of the pass: between the number and the other checks."""


class Note(NamedTuple):
    """What a check has done with a message that it lets pass."""

    check: str
    result: Literal["counted", "changed"]
    """The label in metrics."""
    words: str
    """For who asks why; no text and no number of the message."""


class Counting(Protocol):
    """A check that counts messages, which are accepted as a rule if it lets them pass."""

    def take_back(self, one: "Candidate") -> None:
        """Count a message no more that this has counted last."""


class Candidate:
    """A message that is judged: what is known of it, and how it will be kept."""

    __slots__ = (
        "account",
        "counted_by",
        "is_trial",
        "lane",
        "not_before_utc",
        "not_counted",
        "notes",
        "number",
        "place",
        "sm",
    )

    def __init__(
        self,
        account: AccountSettings,
        sm: Sm,
        number: str,
        lane: LaneName,
        *,
        is_trial: bool = False,
    ) -> None:
        self.account: Final = account
        self.sm = sm
        """The PDU, as it came or as a check has written it anew."""
        self.number = number
        """The routing key."""
        self.place: Place = NOWHERE
        self.lane: Final = lane
        self.not_before_utc = 0.0
        """When it may be sent at the earliest; 0: at once."""
        self.notes: list[Note] = []
        """What checks have counted or changed."""
        self.counted_by: Counting | None = None
        """What has counted it, as accepted."""
        self.not_counted = 0
        """Limits of that which it has exceeded, and which let it pass: their places, as bits."""
        self.is_trial: Final = is_trial
        """Whether nobody sends it: it is explained, and counts for no limit."""

    def refused(self) -> None:
        """Have it counted no more: a later check has refused it, or what comes after the policy.

        To be called in the turn in which it was judged, before another one is.

        What is refused counts for no limit: a client that a full queue sent away comes again with
        the same message, and would else be refused for good.
        """
        if self.counted_by is not None:
            self.counted_by.take_back(self)
            self.counted_by = None


class Check(Protocol):
    """One check of one account."""

    @property
    def name(self) -> str:
        """The label in metrics: `sender`, `screen`, `limit` ..."""

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        """Return why a message is refused; None if this check lets it pass, perhaps changed."""


class Policy:
    """All checks of one account."""

    __slots__ = ("checks", "number", "word")

    def __init__(
        self, checks: Sequence[Check], *, account: AccountName, number: Check | None = None
    ) -> None:
        """`number` reads the number and finds its place, before anything asks for either."""
        self.number: Final = number
        self.checks: Final = tuple(checks)
        """The others, in the order of the pass."""
        first = () if number is None else (number.name, RULES)
        self.word: Final = pass_of(account, (*first, *(one.name for one in checks)))
        """What messages are counted under that come here."""

    def read_number(self, one: Candidate, now_utc: float) -> tuple[Check, Refusal] | None:
        """Read the number of a message; return the check that refuses it, and why."""
        number = self.number
        if number is None:
            return None
        refusal = number.judge(one, now_utc)
        return None if refusal is None else (number, refusal)

    def judge(self, one: Candidate, now_utc: float) -> tuple[Check, Refusal] | None:
        """Return which of the other checks refuses a message, and why; None if all let it pass."""
        for check in self.checks:
            refusal = check.judge(one, now_utc)
            if refusal is not None:
                one.refused()
                return check, refusal
        return None
