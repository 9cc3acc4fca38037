"""Message ids: from blocks whose end is in the journal before any of them is used."""

from collections.abc import Callable
from typing import Final

from router.enqueue.journal import Journal, JournalError
from router.terms.names import ClientId, RouterId
from router.terms.settings import ClientIdForm

PER_BLOCK: Final = 100_000
"""Ids reserved at a time; a process that ends loses the rest of its block, and no more."""
FEW: Final = 20_000


def client_id_of(router_id: RouterId, form: ClientIdForm) -> ClientId:
    """Return the id that a client is told; in `hex8` form it is without the node's digits."""
    if form == "decimal":
        return ClientId(b"%d" % router_id)
    return ClientId(b"%08X" % (router_id // 100 & 0xFFFF_FFFF))


class Ids:
    """Increasing numbers that no process had before; the last two digits are the node's."""

    def __init__(self, journal: Journal, node: int) -> None:
        self._journal = journal
        self._node = node
        self._next = 0
        self._end = 0
        self._next_block: tuple[int, int] | None = None
        self._is_reserving = False
        self._first: int | None = None

    def is_of_this_process(self, router_id: RouterId) -> bool:
        """Whether an id was given by this process, and not by an earlier one."""
        return self._first is not None and router_id >= self._first * 100

    def take(self) -> RouterId | None:
        """Return the next id; None while the journal has reserved none."""
        if self._next >= self._end:
            if self._next_block is None:
                self.reserve()
                return None
            self._next, self._end = self._next_block
            self._next_block = None
        number = self._next
        self._next = number + 1
        if self._end - number < FEW and self._next_block is None:
            self.reserve()
        return RouterId(number * 100 + self._node)

    def reserve(self, ready: Callable[[JournalError | None], None] | None = None) -> None:
        """Ask the journal for the next block; `ready` is called with the error, or None."""
        if self._is_reserving:
            return
        self._is_reserving = True

        def reserved(first: int, error: JournalError | None) -> None:
            self._is_reserving = False
            if error is None:
                self._next_block = (first, first + PER_BLOCK)
                if self._first is None:
                    self._first = first
            if ready is not None:
                ready(error)

        self._journal.reserve_ids(PER_BLOCK, reserved)
