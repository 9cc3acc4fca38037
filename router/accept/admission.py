"""Decides whether a submit_sm is let in: absorb a burst, then hold for a moment, then refuse.

A client that is answered ESME_RTHROTTLED may stop for a minute (Kannel does); a client that waits
a second for its answer does not notice. So a submit_sm above the rate, the window, the room or what
the disk keeps up with is held, in order, for at most `LONGEST_HOLD_S`. Held PDUs are forgotten when
the session ends. Answers and enquire_link are never held.
"""

from collections import deque
from typing import Final

from router.accept.accounts import Account
from router.accept.rooms import Rooms
from router.smpp.pdu import Pdu
from router.terms.outcome import JOURNAL_BEHIND, QUEUE_FULL, THROTTLED, Refusal

LONGEST_HOLD_S: Final = 1.0
"""How long a PDU is held before it is refused."""
MOST_HELD: Final = 1000
"""PDUs held for one session; further ones are refused at once."""
MOST_HELD_OCTETS: Final = 1_000_000
"""Octets of the PDUs held for one session; a PDU that would exceed them is refused at once."""
MOST_UNANSWERED_OCTETS: Final = 4_000_000
"""Octets of one account that may be let in and not answered, over all its binds: a disk that writes
100 MB/s has them safe in 40 ms. Not shared by the accounts: none is held up by another."""
_LOOK_AGAIN_S: Final = 0.02
"""How often a PDU that waits for room is tried again: no event tells this session that room has
come free, or that one of another session was answered."""
NEVER: Final = float("inf")


class Admission:
    """The admission of one session's submit_sm."""

    __slots__ = ("_account", "_held", "_held_octets", "_look_at", "_rooms", "_unanswered")

    def __init__(self, account: Account, rooms: Rooms) -> None:
        self._account = account
        self._rooms = rooms
        self._held: deque[tuple[float, Pdu]] = deque()
        self._held_octets = 0
        self._look_at = NEVER
        self._unanswered = 0

    def judge(self, pdu: Pdu, now: float, *, may_hold: bool = True) -> Refusal | bool | None:
        """Let a PDU in (True), hold it (None), or return the refusal to answer."""
        octets = len(pdu.octets)
        if self._held:
            refusal = THROTTLED
        else:
            verdict = self._try(octets, now)
            if verdict is None:
                return True
            refusal = verdict
        is_full = len(self._held) >= MOST_HELD or self._held_octets + octets > MOST_HELD_OCTETS
        if is_full or not may_hold:
            return refusal
        self._held.append((now + LONGEST_HOLD_S, pdu))
        self._held_octets += octets
        if len(self._held) == 1:
            self._look_again(refusal, now)
        return None

    def _try(self, octets: int, now: float) -> Refusal | None:
        """Let one PDU in, or return what prevents it: take window, room and token, or none."""
        account = self._account
        if self._unanswered >= account.settings.window:
            return THROTTLED
        if account.unanswered_octets >= MOST_UNANSWERED_OCTETS:
            return JOURNAL_BEHIND
        if not self._rooms.take(account.name, octets):
            return QUEUE_FULL
        if account.bucket is not None and not account.bucket.take(now):
            self._rooms.give(account.name, octets)
            return THROTTLED
        self._unanswered += 1
        account.unanswered_octets += octets
        return None

    def resize(self, octets: int) -> None:
        """Note that a PDU which was let in is kept with so many octets more, or fewer."""
        self._rooms.restore(self._account.name, 0, octets)
        self._account.unanswered_octets += octets

    def answered(self, octets: int) -> None:
        """Note that a PDU of so many octets which was let in has been answered."""
        self._unanswered -= 1
        self._account.unanswered_octets -= octets
        if self._held:
            self._look_at = 0.0

    def wake(self, now: float) -> list[tuple[Pdu, Refusal | None, float]]:
        """Return PDUs that are held no longer, each with its refusal, if any, and its arrival."""
        released: list[tuple[Pdu, Refusal | None, float]] = []
        self._look_at = NEVER
        while self._held:
            until, pdu = self._held[0]
            refusal = self._try(len(pdu.octets), now)
            if refusal is not None and now < until:
                self._look_again(refusal, now)
                break
            self._held.popleft()
            self._held_octets -= len(pdu.octets)
            released.append((pdu, refusal, until - LONGEST_HOLD_S))
        return released

    def _look_again(self, refusal: Refusal, now: float) -> None:
        """Set when the first held PDU is tried again.

        An answer frees the window and calls `answered`; the rate says when its next token is there;
        room comes free without notice, so look for it regularly.
        """
        at = NEVER
        if refusal is QUEUE_FULL or refusal is JOURNAL_BEHIND:
            at = now + _LOOK_AGAIN_S
        elif self._unanswered < self._account.settings.window and self._account.bucket is not None:
            at = self._account.bucket.ready_at(now)
        self._look_at = min(self._held[0][0], at)

    def used(self, now: float) -> float:
        """Return which share of what the account may have is taken, from 0 to 1.

        That of this session's window, of the burst or of the room, whichever is the largest.
        """
        account = self._account
        if self._held:
            return 1.0
        used = max(self._unanswered / account.settings.window, self._rooms.share(account.name))
        if account.bucket is not None:
            used = max(used, account.bucket.used(now))
        return min(max(used, 0.0), 1.0)

    def wake_at(self) -> float:
        """Return when `wake` is next needed."""
        return self._look_at

    @property
    def held(self) -> int:
        """How many PDUs are held."""
        return len(self._held)

    def forget(self) -> int:
        """Drop all held PDUs, none of which was promised; return how many. The session is over."""
        held = len(self._held)
        self._held.clear()
        self._held_octets = 0
        self._look_at = NEVER
        return held
