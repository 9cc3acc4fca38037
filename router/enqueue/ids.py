"""Message ids: from blocks whose end is in the journal before any of them is used."""

import re
from collections.abc import Callable
from typing import Final, get_args

from router.enqueue.journal import Journal, JournalError
from router.terms.names import ClientId, RouterId
from router.terms.settings import ClientIdForm, MessageIdForms

PER_BLOCK: Final = 100_000
"""Ids reserved at a time; a process that ends loses the rest of its block, and no more."""
FEW: Final = 20_000

FORMS: Final[tuple[ClientIdForm, ...]] = get_args(ClientIdForm)
"""All forms of ids: an account may have had another one."""
_EIGHT_DIGITS: Final = 0xFFFF_FFFF
_MOST: Final = 2**62 - 1  # So many bits has a UUID for us, and the journal's numbers have one more.
_LONGEST: Final = 65
"""Octets of a message_id (3.4, 5.2.23)."""
_FAR: Final = 10_000_000
"""How far apart the ids of messages of one PDU may be: its 254 destinations take a quarter of that.
An id that is read in a form which is not its own is farther off."""
_UUID_BEGIN: Final = b"726f7574-6572-8000"
"""How each UUID begins: "router", and version 8, whose bits are the maker's own (RFC 9562, 5.8)."""
_VARIANT: Final = 1 << 63
"""The variant of RFC 9562: the two bits before the 62 that are the id."""
_DECIMAL: Final = re.compile(rb"[0-9]+")
_HEX: Final = re.compile(rb"[0-9A-Fa-f]+")
_UUID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def client_id_of(router_id: RouterId, form: ClientIdForm) -> ClientId:
    """Return the id that a client is told; in `hex8` form it is without the node's digits."""
    if form == "decimal":
        return ClientId(b"%d" % router_id)
    if form == "hex":
        return ClientId(b"%X" % router_id)
    if form == "uuid":
        digits = b"%016x" % (_VARIANT | router_id)
        return ClientId(b"%b-%b-%b" % (_UUID_BEGIN, digits[:4], digits[4:]))
    return ClientId(b"%08X" % (router_id // 100 & _EIGHT_DIGITS))


def ids_of(router_id: RouterId) -> list[ClientId]:
    """Return all that clients may call a message, for an account may have had any form."""
    return [client_id_of(router_id, form) for form in FORMS]


def router_id_of(client_id: bytes, form: ClientIdForm, latest: RouterId) -> RouterId | None:
    """Return the id of the message that a client calls so; None if the form has no such id.

    `hex8` ids repeat: then it is the newest that is not after `latest`, and of the same node.
    Zeros before the digits and the case of letters say nothing, for clients change both.
    """
    if len(client_id) > _LONGEST:
        return None
    if form == "decimal":
        number = int(client_id) if _DECIMAL.fullmatch(client_id) else None
    elif form == "uuid":
        uuid = client_id.lower()
        number = None
        if _UUID.fullmatch(uuid) and uuid.startswith(_UUID_BEGIN):
            number = int(uuid[19:].replace(b"-", b""), 16) ^ _VARIANT
    else:
        number = int(client_id, 16) if _HEX.fullmatch(client_id) else None
        if form == "hex8" and number is not None:
            return _newest_that_ends(number, latest)
    return RouterId(number) if number is not None and 0 <= number <= _MOST else None


def _newest_that_ends(digits: int, latest: RouterId) -> RouterId | None:
    """Return the newest id up to `latest` with these last 32 bits before the node's digits."""
    if digits > _EIGHT_DIGITS:
        return None
    number, node = divmod(latest, 100)
    number -= (number - digits) & _EIGHT_DIGITS
    return RouterId(number * 100 + node) if number >= 0 else None


def in_receipt(client_id: ClientId, router_id: RouterId, form: MessageIdForms) -> ClientId:
    """Return the id of a message as its client's receipts write it.

    `client_id` is what the client was told in the response: the id of this message or, of several
    messages that one PDU has made, the id of the first of them. An id that was told in another form
    than `form.response`, before the configuration was changed, stays as the client knows it.
    """
    if form.receipt == form.response:
        return client_id
    number = router_id_of(client_id, form.response, router_id)
    if number is None or not 0 <= router_id - number <= _FAR:
        return client_id
    if form.response == "hex8":
        number = RouterId(int(client_id, 16))
    return client_id_of(number, form.receipt)


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

    @property
    def latest(self) -> RouterId:
        """The id that was given last, or, of a process that gave none yet, the last before."""
        following = self._next
        if not following and self._next_block is not None:
            following = self._next_block[0]
        return RouterId(max(following - 1, 0) * 100 + self._node)

    def may_be(self, client_id: bytes) -> list[RouterId]:
        """Return the messages that an id may be of, in whichever form a client was told it."""
        latest = self.latest
        found = [router_id_of(client_id, form, latest) for form in FORMS]
        # A receipt may write the 32 bits of a `hex8` id in another form.
        found += [_newest_that_ends(one, latest) for one in found if one is not None]
        return list(dict.fromkeys(one for one in found if one is not None))

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
