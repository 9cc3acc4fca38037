"""What is left to be done when this turn of the event loop ends, once for all of it.

A PDU is handled to its end when it comes; who must be written, dispatched or delivered to is only
noted, and the turn's end does it for everything that the turn has brought.
"""

from collections.abc import Callable, Collection
from typing import Final

from router.smpp.session import Writable
from router.terms.names import AccountName, OperatorName


class Turn:
    """Who is to be written to, dispatched to and delivered to when this turn ends."""

    __slots__ = ("_end", "_later", "_peers", "accounts", "is_ending", "operators")

    def __init__(
        self, later: Callable[[Callable[[], None]], object], end: Callable[[], None]
    ) -> None:
        """`later` runs a call in a later turn of the loop; `end` is what ends this one."""
        self._later: Final = later
        self._end: Final = end
        self.is_ending = False
        """Whether `end` has been asked for."""
        self._peers: list[Writable] = []
        self.operators: set[OperatorName] = set()
        """Operators that may have something to send."""
        self.accounts: set[AccountName] = set()
        """Accounts whose outbox may have something to give."""

    def write(self, peer: Writable) -> None:
        """Have the peer's session written when this turn ends."""
        if not peer.to_write:
            peer.to_write = True
            self._peers.append(peer)
            if not self.is_ending:
                self.end_soon()

    def dispatch(self, operator: OperatorName) -> None:
        """Have the operator's binds offered what waits for them."""
        self.operators.add(operator)
        if not self.is_ending:
            self.end_soon()

    def dispatch_all(self, operators: Collection[OperatorName]) -> None:
        """Have the binds of these operators offered what waits for them."""
        if operators:
            self.operators.update(operators)
            if not self.is_ending:
                self.end_soon()

    def deliver(self, account: AccountName) -> None:
        """Have the account's clients given what waits for them."""
        self.accounts.add(account)
        if not self.is_ending:
            self.end_soon()

    def end_soon(self) -> None:
        """Have the end of this turn run, once."""
        if not self.is_ending:
            self.is_ending = True
            self._later(self._end)

    def flush(self) -> None:
        """Write to all who are to be written to; the next turn may begin."""
        self.is_ending = False
        peers, self._peers = self._peers, []
        for peer in peers:
            peer.to_write = False
            peer.flush()
