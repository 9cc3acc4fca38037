"""router/enqueue/ids.py: ids increase, end with the node, and are reserved before use."""

from collections.abc import Callable
from uuid import RFC_4122, UUID

import pytest

from router.enqueue.ids import FEW, PER_BLOCK, Ids, client_id_of, in_receipt, router_id_of
from router.enqueue.journal import JournalError
from router.enqueue.memory import MemoryJournal
from router.terms.names import RouterId
from router.terms.settings import ClientIdForm, MessageIdForms

FIRST = 5_000_000
FULL = JournalError("no space left on device")


class Blocks:
    """Ids, and a journal whose turn comes when a test says so."""

    def __init__(self, node: int = 7) -> None:
        self.turns: list[Callable[[], None]] = []
        self.journal = MemoryJournal(self.turns.append, FIRST)
        self.ids = Ids(self.journal, node)

    def turn(self) -> None:
        """The journal answers what it was asked."""
        turns = self.turns[:]
        self.turns.clear()
        for call in turns:
            call()

    def take(self, count: int) -> list[int]:
        """So many ids, each of which there is."""
        taken = [self.ids.take() for _ in range(count)]
        assert None not in taken
        return [one for one in taken if one is not None]


def ready() -> Blocks:
    blocks = Blocks()
    blocks.ids.reserve()
    blocks.turn()
    return blocks


def test_no_id_is_given_before_the_journal_has_reserved_it() -> None:
    blocks = Blocks()
    assert blocks.ids.take() is None
    assert blocks.ids.take() is None
    assert blocks.journal.pending == 1
    blocks.turn()
    assert blocks.ids.take() == FIRST * 100 + 7


@pytest.mark.parametrize("node", [0, 7, 99])
def test_ids_increase_and_end_with_the_node(node: int) -> None:
    blocks = Blocks(node)
    blocks.ids.reserve()
    blocks.turn()
    assert blocks.take(3) == [(FIRST + number) * 100 + node for number in range(3)]


def test_next_block_is_asked_for_once_and_before_it_is_needed() -> None:
    blocks = ready()
    blocks.take(PER_BLOCK - FEW)
    assert blocks.journal.pending == 0
    blocks.take(FEW)
    assert blocks.journal.pending == 1
    assert blocks.ids.take() is None


def test_ids_go_on_in_the_next_block_without_a_gap_or_a_repetition() -> None:
    blocks = ready()
    first = blocks.take(PER_BLOCK - 5)
    blocks.turn()
    assert blocks.journal.pending == 0
    numbers = first + blocks.take(10)
    assert numbers == [(FIRST + number) * 100 + 7 for number in range(PER_BLOCK + 5)]


def test_ids_of_two_processes_with_one_journal_are_not_the_same() -> None:
    blocks = ready()
    before = blocks.take(10)
    blocks.ids = Ids(blocks.journal, 7)
    blocks.ids.reserve()
    blocks.turn()
    assert blocks.take(1)[0] > before[-1]
    assert blocks.take(1)[0] == (FIRST + PER_BLOCK + 1) * 100 + 7


def test_no_id_is_given_while_the_journal_fails_and_it_is_asked_again() -> None:
    blocks = Blocks()
    blocks.journal.failing = FULL
    for _ in range(3):
        assert blocks.ids.take() is None
        assert blocks.journal.pending == 1
        blocks.turn()
    blocks.journal.failing = None
    assert blocks.ids.take() is None
    blocks.turn()
    assert blocks.take(2) == [FIRST * 100 + 7, (FIRST + 1) * 100 + 7]


def test_reserved_ids_are_given_although_the_journal_fails() -> None:
    blocks = ready()
    blocks.journal.failing = FULL
    for _ in range(PER_BLOCK // 1000):
        blocks.take(1000)
        blocks.turn()
    assert blocks.ids.take() is None


def test_who_asks_for_a_block_hears_whether_it_is_there() -> None:
    blocks = Blocks()
    heard: list[JournalError | None] = []
    blocks.journal.failing = FULL
    blocks.ids.reserve(heard.append)
    assert heard == []
    blocks.turn()
    blocks.journal.failing = None
    blocks.ids.reserve(heard.append)
    blocks.turn()
    assert heard == [FULL, None]


def test_client_sees_our_id_or_eight_characters() -> None:
    assert client_id_of(RouterId(91_234_567_890_107), "decimal") == b"91234567890107"
    assert client_id_of(RouterId(1007), "hex8") == b"0000000A"


def test_ids_of_eight_characters_follow_each_other_and_begin_anew() -> None:
    last = RouterId(0xFFFF_FFFF * 100 + 7)
    assert client_id_of(last, "hex8") == b"FFFFFFFF"
    assert client_id_of(RouterId(last + 100), "hex8") == b"00000000"
    many = {
        client_id_of(RouterId(number * 100 + 7), "hex8") for number in range(10**9, 10**9 + 999)
    }
    assert len(many) == 999


NOW = RouterId(91_907_151_950_907)
"""An id as a journal of these years gives it."""
FORMS: tuple[ClientIdForm, ...] = ("decimal", "hex", "uuid", "hex8")


def test_client_sees_hexadecimal_digits_or_a_uuid() -> None:
    assert client_id_of(NOW, "hex") == b"5396CD24F43B"
    uuid = UUID(client_id_of(NOW, "uuid").decode())
    assert (uuid.version, uuid.variant) == (8, RFC_4122)
    assert str(uuid).encode() == client_id_of(NOW, "uuid")
    assert len({client_id_of(RouterId(NOW + node), "uuid") for node in range(100)}) == 100


@pytest.mark.parametrize("form", FORMS)
def test_an_id_is_found_again_by_what_its_client_calls_it(form: ClientIdForm) -> None:
    latest = RouterId(NOW + 5_000 * 100)
    told = client_id_of(NOW, form)
    assert router_id_of(told, form, latest) == NOW
    assert router_id_of(told, form, NOW) == NOW
    assert router_id_of(told.swapcase(), form, latest) == NOW


@pytest.mark.parametrize("form", ["decimal", "hex", "hex8"])
def test_zeros_before_an_id_say_nothing(form: ClientIdForm) -> None:
    told = client_id_of(NOW, form)
    assert router_id_of(b"00" + told, form, NOW) == NOW
    assert router_id_of(told.lstrip(b"0"), form, NOW) == NOW


def test_the_newest_of_the_ids_with_the_same_eight_characters_is_meant() -> None:
    one = RouterId(12 * 2**32 * 100 + 0xABCD * 100 + 7)
    older = RouterId(one - 2**32 * 100)
    assert client_id_of(one, "hex8") == client_id_of(older, "hex8") == b"0000ABCD"
    assert router_id_of(b"0000ABCD", "hex8", one) == one
    assert router_id_of(b"0000ABCD", "hex8", RouterId(one - 100)) == older
    assert router_id_of(b"0000ABCD", "hex8", RouterId(7)) is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "said",
    [
        *(b"", b"-5", b"+5", b"1_0", b" 5", b"5\0", b"0x5", b"\xb2", b"G", b"9" * 66, b"F" * 30),
        *(b"726f7574-6572-8000-0006-6169a13ac0cf", b"726f7574-6572-8000-c006-6169a13ac0cf"),
        *(b"726f7574-6572-4000-8006-6169a13ac0cf", b"726f7574657280008006-6169a13ac0cf0000"),
    ],
)
def test_what_no_client_was_told_is_no_id(said: bytes, form: ClientIdForm) -> None:
    assert router_id_of(said, form, NOW) is None


def test_a_receipt_has_the_id_in_its_own_form() -> None:
    hex_decimal = MessageIdForms(response="hex", receipt="decimal")
    assert in_receipt(client_id_of(NOW, "hex"), NOW, hex_decimal) == b"%d" % NOW
    decimal_hex = MessageIdForms(response="decimal", receipt="hex")
    assert in_receipt(client_id_of(NOW, "decimal"), NOW, decimal_hex) == b"%X" % NOW
    told = client_id_of(NOW, "hex8")
    eight = in_receipt(told, NOW, MessageIdForms(response="hex8", receipt="decimal"))
    assert eight == b"%d" % int(told, 16)


@pytest.mark.parametrize("response", FORMS)
def test_a_receipt_of_several_messages_has_the_id_that_their_response_had(
    response: ClientIdForm,
) -> None:
    forms = MessageIdForms(response=response, receipt="decimal")
    last = RouterId(NOW + 254 * 100)
    told = client_id_of(NOW, response)
    assert in_receipt(told, last, forms) == in_receipt(told, NOW, forms)


@pytest.mark.parametrize("before", FORMS)
@pytest.mark.parametrize("response", FORMS)
@pytest.mark.parametrize("number", [NOW, RouterId(0x61234567890 * 100), RouterId(NOW + 2**43)])
def test_an_id_told_before_a_change_stays_as_the_client_knows_it(
    number: RouterId, before: ClientIdForm, response: ClientIdForm
) -> None:
    if before == response:
        return
    told = client_id_of(number, before)
    for receipt in FORMS:
        assert in_receipt(told, number, MessageIdForms(response=response, receipt=receipt)) == told


def test_latest_id_is_that_given_last() -> None:
    blocks = ready()
    assert blocks.ids.latest == (FIRST - 1) * 100 + 7
    for _ in range(3):
        assert blocks.take(1) == [blocks.ids.latest]
