"""A message that waits gets another text, and other times, from its client's replace_sm."""

from collections.abc import Callable
from typing import Final

from router.accept.rooms import Rooms
from router.check.submit import to_keep
from router.enqueue.journal import Replaced
from router.enqueue.lanes import Lanes
from router.smpp.pdu import Pdu, Sm
from router.smpp.requests import ReplaceSm, replaced
from router.steps.amendments import Amendments
from router.steps.clocks import Clocks
from router.steps.commits import Commits
from router.steps.rules import Rulebook
from router.steps.turn import Turn
from router.steps.whereabouts import Waiting
from router.terms.outcome import Refusal
from router.terms.settings import AccountSettings


class Replacing:
    """Changes messages that wait."""

    __slots__ = ("_amendments", "_clocks", "_commits", "_lanes", "_rooms", "_rulebook", "_turn")

    def __init__(
        self,
        lanes: Lanes,
        rooms: Rooms,
        rulebook: Rulebook,
        commits: Commits,
        amendments: Amendments,
        clocks: Clocks,
        turn: Turn,
    ) -> None:
        self._lanes: Final = lanes
        self._rooms: Final = rooms
        self._rulebook: Final = rulebook
        self._commits: Final = commits
        self._amendments: Final = amendments
        self._clocks: Final = clocks
        self._turn: Final = turn

    def replace(
        self,
        found: Waiting,
        by: ReplaceSm,
        account: AccountSettings,
        registered_delivery: int,
        kept: Callable[[bool], None],
    ) -> Refusal | None:
        """Change a message, in the turn in which it was found; or return why it stays as it is.

        `registered_delivery` is that of the request, as the client's version means it. `kept` is
        told when the change is safe in the journal, or that it could not be kept: then it holds as
        long as this process lives.
        """
        message = found.message
        sm = Sm(Pdu(message.command_id, 0, 0, replaced(_view(message.octets), by)))
        now_utc = self._clocks.utc()
        checks = self._rulebook.rules.checks
        checked = checks.check(sm, account, now_utc)
        if isinstance(checked, Refusal):
            return checked
        octets = to_keep(sm, checked)
        more = len(octets) - message.size
        if by.validity_period or (by.schedule_delivery_time and not sm.validity_period):
            # A period that the message had before counts from its own submit_sm.
            message.expires_utc = checks.expires_utc(checked, message.lane, now_utc)
        if found.is_in_memory:
            self._lanes.replaced(message, more)
        message.octets = octets
        message.size = len(octets)
        message.registered_delivery = registered_delivery
        self._rooms.restore(message.account, 0, more)
        if by.schedule_delivery_time and checked.not_before_utc != message.not_before_utc:
            message.not_before_utc = checked.not_before_utc
            if found.is_in_memory:
                self._turn.dispatch_all(self._lanes.schedule_anew(message))
        if not found.is_in_memory:
            self._amendments.replace(message, found.queue)
        self._commits.settles.replaced.append(Replaced(message))
        self._commits.settles.promised.append(kept)
        self._turn.end_soon()
        return None


def _view(octets: bytes) -> Sm:
    return Sm(Pdu(int.from_bytes(octets[4:8], "big"), 0, 0, octets))
