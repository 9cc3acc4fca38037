"""router/enqueue/journal.py: what every journal does: in memory, on a file, in the simulation."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from router.enqueue.journal import (
    BEGINNING,
    CALLED_WITHIN,
    Backlog,
    Changes,
    Held,
    JournalError,
    LookedUp,
    Recovered,
    Renames,
    Wanted,
)
from router.smpp import pdu as p
from router.terms.group import Group
from router.terms.message import Delivery, Message
from router.terms.names import AccountName, ClientId, LaneName, OperatorId, OperatorName, RouterId
from router.terms.orphan import Orphan
from router.terms.plan import Plan
from router.terms.queue_key import QueueKey
from router.terms.states import SENT, Mark
from tests.unit.enqueue.kept import JOURNALS, Kept
from tests.unit.enqueue.turns import attempt, changes, started, told_again
from tests.unit.messages import (
    ACCEPTED_UTC,
    ALERT,
    BANK,
    ELISA,
    OTP,
    SHOP,
    TELIA,
    TO_ELISA,
    TO_TELIA,
    delivery,
    message,
)


@pytest.fixture(params=JOURNALS, ids=lambda kind: kind.__name__)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """One of the journals, new."""
    make: Callable[[Path], Kept] = request.param
    one = make(tmp_path)
    yield one
    one.close()


def ones(*numbers: int) -> list[Message]:
    return [message(number) for number in numbers]


def numbers_of(found: list[Message]) -> list[int]:
    return [one.router_id for one in found]


def ask_all(kept: Kept, heard: list[tuple[object, ...]]) -> None:
    """Ask whatever can be asked, once."""
    journal = kept.journal
    journal.commit(
        changes(accepted=ones(1)), lambda _, error: heard.append(("kept", error)), urgent=True
    )
    journal.reserve_ids(10, lambda first, error: heard.append((first, error)))
    wanted = Wanted(QueueKey(TO_TELIA, OTP, BANK), RouterId(0), 9)
    journal.fetch(wanted, lambda *answer: heard.append(answer))
    journal.fetch_held(BANK, 0, 9, 10**6, lambda *answer: heard.append(answer))
    journal.recall(TELIA, [OperatorId(b"id-1")], lambda *answer: heard.append(answer))
    journal.fetch_sent(TELIA, 9.0, BEGINNING, 9, lambda *answer: heard.append(answer))
    journal.look_up([RouterId(1)], lambda *answer: heard.append(answer))
    journal.search(BANK, NUMBER, BEGINNING, 9, lambda *answer: heard.append(answer))
    journal.recover(lambda *answer: heard.append(answer))


ASKED = 9
NUMBER = p.address(1, 1, b"37255512345")
"""The usual destination."""

# When it answers.


def test_nothing_is_done_in_the_turn_in_which_it_is_asked(kept: Kept) -> None:
    heard: list[tuple[object, ...]] = []
    ask_all(kept, heard)
    assert (heard, kept.journal.pending) == ([], ASKED)
    kept.turns.until(lambda: len(heard) == ASKED)
    assert kept.journal.pending == 0


def test_batches_are_done_in_the_order_of_the_calls(kept: Kept) -> None:
    batches = [changes(accepted=ones(number)) for number in range(1, 31)]
    for batch in batches:
        kept.journal.commit(batch, kept.turns.heard, urgent=True)
    kept.turns.until(lambda: kept.journal.pending == 0)
    assert kept.turns.done == batches
    assert numbers_of(kept.waiting()) == list(range(1, 31))


def test_what_is_asked_while_it_answers_waits_for_another_turn(kept: Kept) -> None:
    heard: list[int] = []

    def once_more(first: int, _: JournalError | None) -> None:
        heard.append(first)
        before = len(heard)
        if before < 3:
            kept.journal.reserve_ids(10, once_more)
        assert len(heard) == before

    kept.journal.reserve_ids(10, once_more)
    kept.turns.until(lambda: len(heard) == 3)
    assert heard == [1000, 1010, 1020]


def test_close_comes_after_what_was_asked_before(kept: Kept) -> None:
    kept.journal.commit(changes(accepted=ones(1)), kept.turns.heard, urgent=True)
    kept.journal.commit(changes(held=[delivery(1)]), kept.turns.heard, urgent=False)
    closed: list[int] = []
    kept.journal.close(lambda: closed.append(len(kept.turns.done)))
    kept.turns.until(lambda: closed)
    kept.is_closed = True
    assert closed == [2]


def test_empty_batch_is_answered_too(kept: Kept) -> None:
    assert kept.keep(changes()) is None
    with kept.failing():
        assert kept.keep(changes()) is not None


# When it fails.


def test_batch_that_fails_changes_nothing_and_may_be_told_again(kept: Kept) -> None:
    (one, other), receipt = ones(1, 2), delivery(1)
    kept.keep(changes(accepted=[one], held=[receipt]))
    batch = changes(accepted=[other], taken=[attempt(one)], settled=[one], acknowledged=[receipt])
    with kept.failing():
        assert kept.keep(batch) is not None
    assert numbers_of(kept.waiting()) == [1]
    assert kept.sent() == kept.recalled(b"id-1") == []
    assert [found.router_id for found in kept.held()] == [1]
    assert kept.keep(batch) is None
    assert numbers_of(kept.waiting()) == [2]
    assert kept.held() == []


def test_what_was_asked_for_before_a_failure_was_told_fails_too(kept: Kept) -> None:
    """A batch may follow from the one that failed, though the disk has room again."""
    (one,) = ones(1)
    kept.set_broken(broken=True)
    heard: list[JournalError | None] = []

    def told(_: Changes, error: JournalError | None) -> None:
        if not heard:
            kept.set_broken(broken=False)
        heard.append(error)

    kept.journal.commit(changes(accepted=[one]), told, urgent=True)
    kept.journal.commit(changes(settled=[one]), told, urgent=True)
    kept.turns.until(lambda: len(heard) == 2)
    assert None not in heard
    assert kept.keep(changes(accepted=[one])) is None


def test_journal_that_fails_gives_out_no_numbers(kept: Kept) -> None:
    heard: list[tuple[int, JournalError | None]] = []
    with kept.failing():
        kept.journal.reserve_ids(10, lambda *answer: heard.append(answer))
        kept.turns.until(lambda: heard)
    ((first, error),) = heard
    assert (first, error is not None) == (0, True)
    assert kept.turns.reserve(kept.journal, 10) == 1000


def test_journal_that_fails_hands_out_nothing_it_holds(kept: Kept) -> None:
    (one, other), receipt = ones(1, 2), delivery(1)
    kept.keep(changes(accepted=[one, other], held=[receipt]))
    kept.keep(changes(taken=[attempt(one)]))
    heard: list[tuple[object, ...]] = []
    with kept.failing():
        ask_all(kept, heard)
        kept.turns.until(lambda: len(heard) == ASKED)
    assert all(isinstance(answer[-1], JournalError) for answer in heard)
    answers = [answer[:-1] for answer in heard]
    expected: list[tuple[object, ...]] = [("kept",), (0,), (Recovered(),), (LookedUp(),)]
    assert [answers.count(nothing) for nothing in expected] == [1, 1, 1, 1]
    assert answers.count(([], None)) == 2
    assert answers.count(([],)) == 3
    assert numbers_of(kept.waiting()) == [2]


def test_numbers_never_come_twice(kept: Kept) -> None:
    assert kept.turns.reserve(kept.journal, 10) == 1000
    assert kept.turns.reserve(kept.journal, 500) == 1010
    kept.restart()
    assert kept.turns.reserve(kept.journal, 10) >= 1510


# Fetch.


def test_fetch_brings_the_next_messages_after_an_id(kept: Kept) -> None:
    kept.keep(changes(accepted=ones(1, 2, 3, 4, 5)))
    assert numbers_of(kept.waiting(count=2)) == [1, 2]
    assert numbers_of(kept.waiting(after=2, count=2)) == [3, 4]
    assert numbers_of(kept.waiting(after=4, count=2)) == [5]
    assert numbers_of(kept.waiting(after=5, count=2)) == []


def test_fetch_brings_what_was_fetched_before(kept: Kept) -> None:
    kept.keep(changes(accepted=ones(1, 2, 3)))
    assert numbers_of(kept.waiting(after=2)) == [3]
    assert numbers_of(kept.waiting(after=1)) == [2, 3]
    assert numbers_of(kept.waiting()) == [1, 2, 3]


def test_fetch_brings_the_oldest_first_in_whichever_order_they_came(kept: Kept) -> None:
    kept.keep(changes(accepted=ones(*range(20, 0, -1))))
    assert numbers_of(kept.waiting(after=5, count=3)) == [6, 7, 8]
    assert numbers_of(kept.waiting()) == list(range(1, 21))


@pytest.mark.parametrize(
    ("plan", "lane", "account", "numbers"),
    [
        (TO_TELIA, OTP, BANK, [1, 5]),
        (TO_ELISA, OTP, BANK, [2]),
        (TO_TELIA, ALERT, BANK, [3]),
        (TO_TELIA, OTP, SHOP, [4]),
        (TO_ELISA, ALERT, SHOP, []),
    ],
)
def test_fetch_brings_only_what_is_in_its_queue(
    kept: Kept, plan: Plan, lane: LaneName, account: AccountName, numbers: list[int]
) -> None:
    others = [
        message(2, plan=TO_ELISA),
        message(3, lane=ALERT),
        message(4, account=SHOP),
        message(5),
    ]
    kept.keep(changes(accepted=[message(1), *others]))
    found = kept.waiting(plan=plan, lane=lane, account=account)
    assert numbers_of(found) == numbers
    assert all((one.plan, one.lane, one.account) == (plan, lane, account) for one in found)


def test_fetch_leaves_out_what_was_taken_or_settled(kept: Kept) -> None:
    all_five = ones(1, 2, 3, 4, 5)
    kept.keep(changes(accepted=all_five))
    kept.keep(changes(taken=[attempt(all_five[1])], settled=all_five[3:4]))
    assert numbers_of(kept.waiting(count=2)) == [1, 3]
    assert numbers_of(kept.waiting(after=3)) == [5]


def test_what_is_fetched_is_made_anew_with_all_that_outlives_a_process(kept: Kept) -> None:
    (one,) = ones(1)
    one.not_before_utc, one.hold_receipt = one.accepted_utc + 60.0, True
    kept.keep(changes(accepted=[one]))
    (found,) = kept.waiting()
    assert found is not one
    for name in (
        *("client_id", "command_id", "octets", "source_octets", "destination_octets"),
        *("registered_delivery", "accepted_utc", "expires_utc", "not_before_utc", "hold_receipt"),
        *("state", "writes"),
    ):
        assert getattr(found, name) == getattr(one, name), name
    assert found.row.queue == one.row.queue


# What is asked for one message.


def test_message_that_waits_is_looked_up_with_all_that_it_has(kept: Kept) -> None:
    three = ones(1, 2, 3)
    three[1].not_before_utc = three[1].accepted_utc + 60.0
    kept.keep(changes(accepted=three))
    found = kept.looked_up(2, 2, 4)
    (one,) = found.waiting
    assert (one.router_id, one.octets, one.plan, one.lane, one.account) == (
        *(2, three[1].octets, TO_TELIA, OTP, BANK),
    )
    assert (one.not_before_utc, one.row.queue) == (three[1].not_before_utc, three[1].row.queue)
    assert one is not three[1]
    assert found.sent == []


def test_messages_that_came_in_one_pdu_are_looked_up_by_the_first(kept: Kept) -> None:
    messages = ones(1, 2, 3, 4, 1 + CALLED_WITHIN, 2 + CALLED_WITHIN)
    for one in (messages[1], messages[3], *messages[4:]):
        one.client_id = ClientId(b"1")
    kept.keep(changes(accepted=messages))
    kept.keep(changes(taken=[attempt(messages[3])]))
    heard: list[tuple[LookedUp, JournalError | None]] = []
    called = {RouterId(1): [ClientId(b"1"), ClientId(b"A")]}
    kept.journal.look_up([RouterId(1)], lambda *answer: heard.append(answer), called=called)
    kept.turns.until(lambda: heard)
    ((found, _),) = heard
    assert numbers_of(found.waiting) == [1, 2, 1 + CALLED_WITHIN]
    assert [one.message.router_id for one in found.sent] == [4]


def test_message_that_operators_took_is_looked_up_with_all_its_attempts(kept: Kept) -> None:
    once, twice = ones(1, 2)
    kept.keep(changes(accepted=[once, twice]))
    once.writes, twice.writes = 1, 2
    kept.keep(changes(taken=[attempt(once), attempt(twice)]))
    kept.keep(changes(taken=[attempt(twice, ELISA, b"other", 6.0)]))
    found = kept.looked_up(2)
    assert [(one.operator, one.operator_id) for one in found.sent] == [
        (TELIA, b"id-2"),
        (ELISA, b"other"),
    ]
    assert {one.message.router_id for one in found.sent} == {2}
    assert found.sent[0].message is found.sent[1].message
    assert found.waiting == []
    assert [one.operator_id for one in kept.looked_up(1).sent] == [b"id-1"]


def test_nothing_is_kept_of_a_message_that_is_over(kept: Kept) -> None:
    (one,) = ones(1)
    kept.keep(changes(accepted=[one]))
    kept.keep(changes(settled=[one]))
    found = kept.looked_up(1)
    assert (found.waiting, found.sent) == ([], [])


def test_what_waits_for_a_number_is_found_in_pieces(kept: Kept) -> None:
    others = [
        message(2, destination=b"37255512346"),
        message(4, account=SHOP),
        message(6, lane=ALERT, plan=TO_ELISA),
    ]
    taken = message(8)
    kept.keep(changes(accepted=[*ones(1, 3, 5, 7), *others, taken]))
    kept.keep(changes(taken=[attempt(taken)]))
    for count in (2, 3, 1000):
        assert numbers_of(kept.searched(NUMBER, count=count)) == [1, 3, 5, 6, 7]
    assert numbers_of(kept.searched(NUMBER, account=SHOP)) == [4]
    assert kept.searched(p.address(1, 1, b"3725551234")) == []
    assert kept.searched(p.address(0, 1, b"37255512345")) == []


def test_all_that_an_account_has_waiting_is_found_a_few_at_a_time(kept: Kept) -> None:
    other_number = message(2, destination=b"37255512346")
    kept.keep(changes(accepted=[*ones(1, 3, 5, 7), other_number, message(4, account=SHOP)]))
    for most in (1, 2, 1000):
        assert numbers_of(kept.searched(b"", most=most)) == [1, 2, 3, 5, 7]
        assert numbers_of(kept.searched(b"55512346\0", most=most)) == [2]
        assert numbers_of(kept.searched(b"", account=SHOP, count=2, most=most)) == [4]


def test_message_that_was_replaced_is_the_other_one_for_whoever_reads_it(kept: Kept) -> None:
    one, untouched = ones(1, 2)
    kept.keep(changes(accepted=[one, untouched]))
    before = one.octets
    one.octets = message(1, destination=b"37255512345").octets[:-4] + b"Adjo"
    one.registered_delivery, one.expires_utc = 2, one.accepted_utc + 60.0
    one.not_before_utc = one.accepted_utc + 5.0
    wanted = changes(replaced=[one])
    replaced, one.octets = one.octets, b""  # As when an operator takes it before the commit.
    kept.keep(wanted)
    for found in (kept.waiting()[0], kept.looked_up(1).waiting[0]):
        assert (found.octets, found.registered_delivery) == (replaced, 2)
        assert found.expires_utc == one.expires_utc
        assert found.not_before_utc == one.not_before_utc
    assert kept.waiting()[1].octets == untouched.octets == before
    recovered = kept.recovered()
    assert [backlog.count for backlog in recovered.waiting] == [2]
    assert kept.waiting()[0].octets == replaced


def test_message_that_is_over_or_was_taken_cannot_be_replaced(kept: Kept) -> None:
    taken, over = ones(1, 2)
    kept.keep(changes(accepted=[taken, over]))
    kept.keep(changes(taken=[attempt(taken)], settled=[over]))
    kept.keep(changes(replaced=[taken, over]))
    assert kept.waiting() == []
    assert kept.recovered().waiting == []


# What operators took.


def test_message_is_recalled_without_its_text_by_what_the_operator_calls_it(kept: Kept) -> None:
    five = ones(1, 2, 3, 4, 5)
    kept.keep(changes(accepted=five))
    kept.keep(changes(taken=map(attempt, five[:3])))
    found = kept.recalled(b"id-3", b"id-1", b"id-4", b"nobody's")
    assert sorted(one.operator_id for one in found) == [b"id-1", b"id-3"]
    assert {(one.message.state, one.message.octets) for one in found} == {(SENT, b"")}
    assert not any(one.message is of for one in found for of in five)
    assert kept.recalled(b"id-3", operator=ELISA) == []
    assert kept.recalled() == []


def test_with_one_part_come_the_others_that_its_operator_took(kept: Kept) -> None:
    seven = ones(*range(1, 8))
    whole, other = Group(TO_TELIA, 5), Group(TO_TELIA, 2)
    whole.number, other.number = 1, 6
    for one in seven[:5]:
        one.group = whole
    seven[5].group = other
    seven[2].writes = 2
    kept.keep(changes(accepted=seven))
    of_telia = [attempt(one) for one in (*seven[:3], *seven[4:])]
    again = attempt(seven[2], ELISA, b"again", at_utc=6.0)  # Perhaps it has this one, too.
    kept.keep(changes(taken=[*of_telia, attempt(seven[3], ELISA), again]))
    kept.keep(changes(settled=seven[:1]))
    kept.restart()
    found = kept.recalled(b"id-5")
    assert sorted(one.operator_id for one in found) == [b"again", b"id-2", b"id-3", b"id-5"]
    groups = [one.message.group for one in found]
    assert {0 if group is None else group.number for group in groups} == {1}
    assert [one.message.router_id for one in kept.recalled(b"id-6")] == [6]
    (last,) = kept.recalled(b"id-7")
    assert last.message.group is None
    found = kept.recalled(b"id-4", operator=ELISA)
    assert sorted(one.operator_id for one in found) == [b"again", b"id-3", b"id-4"]


def test_what_operators_took_is_read_in_pieces(kept: Kept) -> None:
    ten = ones(*range(1, 11))
    kept.keep(changes(accepted=ten))
    kept.keep(changes(taken=[attempt(m, (TELIA, ELISA)[m.router_id % 2]) for m in ten]))
    for count in (1, 3, 10, 11):
        found = kept.sent(count=count)
        assert sorted(one.message.router_id for one in found) == [2, 4, 6, 8, 10]
    assert kept.sent(before_utc=5.0) == []


def test_attempts_of_one_message_share_it_come_in_their_order_and_go_at_once(kept: Kept) -> None:
    one = message(1, plan=TO_ELISA)
    kept.keep(changes(accepted=[one]))
    one.writes = 2  # Else there is no second attempt.
    kept.keep(changes(taken=[attempt(one, TELIA, at_utc=8.0)]))
    kept.keep(changes(taken=[attempt(one, ELISA, b"abc", at_utc=7.0)]))
    found = kept.recovered()
    assert (found.waiting, found.sent) == ([], {TELIA: 1, ELISA: 1})
    for attempts in (kept.sent(), kept.sent(ELISA), kept.recalled(b"id-9", b"id-1")):
        assert [(a.operator, a.at_utc) for a in attempts] == [(ELISA, 7.0), (TELIA, 8.0)]
        assert attempts[0].message is attempts[1].message
        assert (attempts[0].message.operator, attempts[0].message.writes) == (TELIA, 2)
    assert kept.recalled(b"abc") == []  # That is what another operator calls it.
    kept.keep(changes(settled=[one]))
    assert kept.recalled(b"id-1") == kept.sent() == []
    assert kept.recovered() == Recovered()


def test_attempt_that_is_told_again_with_its_failure_takes_the_place_of_the_first(
    kept: Kept,
) -> None:
    (one,) = ones(1)
    one.writes = 2
    kept.keep(changes(accepted=[one]))
    first, second = attempt(one, at_utc=6.0), attempt(one, ELISA, at_utc=7.0)
    kept.keep(changes(taken=[first, second]))
    kept.keep(changes(taken=[told_again(first, b"UNDELIV")]))
    kept.restart()
    assert [(a.operator, a.failure) for a in kept.recalled(b"id-1")] == [
        (TELIA, b"UNDELIV"),
        (ELISA, None),
    ]
    # Before its time too: it has failed.
    assert [a.operator for a in kept.sent(before_utc=1.0)] == [TELIA, ELISA]
    assert kept.sent(ELISA, before_utc=1.0) == []


# Deliveries.


def test_deliveries_of_an_account_are_read_in_pieces_in_the_order_they_were_made(
    kept: Kept,
) -> None:
    for number in (7, 1, 3, 2, 6, 4, 5):
        one = delivery(number)
        if number % 3 == 0:
            one.account = SHOP
        kept.keep(changes(held=[one]))
    first = kept.held(count=3)
    rest = kept.held(first[-1].kept_as, count=3)
    assert [one.router_id for one in first + rest] == [7, 1, 2, 4, 5]
    assert kept.held(rest[-1].kept_as) == []
    assert kept.recovered().held == {BANK: Held(5, 1, 7), SHOP: Held(2, 3, 5)}


def test_delivery_is_held_until_it_is_acknowledged_and_made_anew_until_then(kept: Kept) -> None:
    deliveries = [delivery(number) for number in (3, 1, 2)]
    deliveries[0].final = False
    kept.keep(changes(held=deliveries))
    kept.keep(changes(acknowledged=deliveries[1:2]))
    assert kept.recovered().held == {BANK: Held(2, 1, 3)}
    found = kept.held()
    assert [(one.router_id, one.final) for one in found] == [(3, False), (2, True)]
    assert not any(one is other for one in found for other in deliveries)
    assert (found[0].octets, found[0].made_utc) == (deliveries[0].octets, deliveries[0].made_utc)
    kept.keep(changes(acknowledged=found))
    assert kept.held() == []


def test_delivery_takes_no_number_of_an_earlier_one(kept: Kept) -> None:
    for number in (1, 2, 3):
        kept.keep(changes(held=[delivery(number)]))
        kept.restart()
    assert [one.router_id for one in kept.held()] == [1, 2, 3]


# Receipts whose message is not known.


def orphan(number: int) -> Orphan:
    return Orphan(TELIA, OperatorId(b"id-%d" % number), b"\1\1372\0", b"pdu %d" % number, 5.0)


def orphans_of(kept: Kept) -> list[tuple[object, ...]]:
    return [
        (one.operator, one.operator_id, one.source_octets, one.octets, one.at_utc)
        for one in kept.recovered().orphans
    ]


def test_orphans_are_kept_until_they_are_claimed(kept: Kept) -> None:
    one, other, third = orphan(1), orphan(2), orphan(3)
    kept.keep(changes(orphaned=[one, other]))
    kept.keep(changes(orphaned=[third], claimed=[one]))
    kept.restart()
    assert orphans_of(kept) == [
        (TELIA, b"id-2", b"\1\1372\0", b"pdu 2", 5.0),
        (TELIA, b"id-3", b"\1\1372\0", b"pdu 3", 5.0),
    ]
    kept.keep(changes(orphaned=[orphan(4)], claimed=kept.recovered().orphans))
    kept.restart()
    assert [row[1] for row in orphans_of(kept)] == [b"id-4"]


def test_an_orphan_that_is_claimed_in_the_same_commit_is_not_left(kept: Kept) -> None:
    one = orphan(1)
    kept.keep(changes(orphaned=[one], claimed=[one]))
    assert orphans_of(kept) == []


# Submits whose answer the client may not have seen.


def unseen_of(kept: Kept) -> list[tuple[object, ...]]:
    return [
        (one.account, one.router_id, one.client_id, one.fingerprint, one.accepted_utc)
        for one in kept.recovered().unseen_answers
    ]


def test_unseen_answers_are_known_to_the_next_process_until_they_are_seen(kept: Kept) -> None:
    one, other, third = ones(1, 2, 3)
    other.client_id = ClientId(b"0000002A")
    batch = changes(accepted=[one, other, third], unseen=[(one, b"f"), (other, b"f")])
    assert kept.keep(batch) is None
    rows = [
        (BANK, 1, b"1", b"f", ACCEPTED_UTC),
        (BANK, 2, b"0000002A", b"f", ACCEPTED_UTC),
    ]
    assert unseen_of(kept) == rows
    assert kept.keep(changes(settled=kept.waiting())) is None  # However the message ends.
    assert unseen_of(kept) == rows
    assert kept.keep(changes(seen=[1, 7])) is None
    assert unseen_of(kept) == rows[1:]
    assert kept.keep(changes(seen=[1, 2])) is None
    assert unseen_of(kept) == []


def test_answer_that_is_seen_before_its_message_is_kept_is_not_left(kept: Kept) -> None:
    one = message(1)
    assert kept.keep(changes(accepted=[one], unseen=[(one, b"f")], seen=[1])) is None
    assert unseen_of(kept) == []


def test_unseen_answer_of_a_message_that_was_not_kept_is_not_there(kept: Kept) -> None:
    one = message(1)
    with kept.failing():
        assert kept.keep(changes(accepted=[one], unseen=[(one, b"f")])) is not None
    assert unseen_of(kept) == []


# Long messages of which an operator has taken parts.


def started_of(kept: Kept) -> list[tuple[object, ...]]:
    return [
        (
            *(one.account, one.source_octets, one.destination_octets, one.reference, one.total),
            *(one.plan, one.operator, one.taken, one.came, one.part_of),
            *(one.first_utc, one.latest_utc, one.number),
        )
        for one in kept.recovered().started
    ]


def test_long_message_is_known_to_the_next_process_as_it_was_last(kept: Kept) -> None:
    first, second = Group(TO_TELIA, 3), Group(TO_TELIA, 3)
    kept.keep(changes(accepted=[message(1)]))
    kept.keep(changes(started=[started(7, taken=1, of=first), started(8, taken=1, of=second)]))
    kept.keep(changes(started=[started(7, taken=2, of=first)]))
    kept.restart()
    addresses = b"\5\0BANK\0", b"\1\1372\0"
    came = {1: 0xFFFF_FFFF, 255: 7}
    assert started_of(kept) == [
        (BANK, *addresses, 7, 3, TO_TELIA, TELIA, 2, came, 9, 5.0, 6.0, 1),
        (BANK, *addresses, 8, 3, TO_TELIA, TELIA, 1, came, 9, 5.0, 6.0, 2),
    ]
    kept.keep(changes(started=[started(9, taken=1)]))
    assert [one.number for one in kept.recovered().started] == [1, 2, 3]


def test_long_message_is_forgotten_when_all_parts_are_taken(kept: Kept) -> None:
    group, at_once = Group(TO_TELIA, 3), Group(TO_TELIA, 3)
    kept.keep(changes(accepted=[message(1)]))
    kept.keep(changes(started=[started(7, taken=1, of=group)]))
    kept.keep(changes(started=[started(8, taken=taken, of=at_once) for taken in (1, 2, 3)]))
    assert len(started_of(kept)) == 1
    kept.keep(changes(started=[started(7, taken=3, of=group)]))
    assert started_of(kept) == []


def test_long_message_that_failed_to_be_kept_is_kept_when_it_is_told_again(kept: Kept) -> None:
    kept.keep(changes(accepted=[message(1)]))
    batch = changes(started=[started(7, taken=1)])
    with kept.failing():
        assert kept.keep(batch) is not None
    assert kept.keep(batch) is None
    kept.restart()
    assert [row[3] for row in started_of(kept)] == [7]


# What a new process finds.


def test_new_process_finds_what_is_not_over(kept: Kept) -> None:
    one, taken, over, other = (*ones(1, 2, 3), message(4, account=SHOP))
    first, second, third = (delivery(number) for number in (1, 2, 3))
    kept.keep(changes(accepted=[one, taken, over, other], held=[first, second, third]))
    kept.keep(changes(taken=[attempt(taken), attempt(over)], settled=[over], acknowledged=[second]))
    found = kept.recovered()
    of_bank, of_shop = (QueueKey(TO_TELIA, OTP, account) for account in (BANK, SHOP))
    assert found.waiting == [Backlog(of_bank, 1), Backlog(of_shop, 1)]
    assert found.sent == {TELIA: 1}
    assert found.held == {BANK: Held(2, 1, 3)}
    assert numbers_of(kept.waiting()) == [1]
    (sent,) = kept.sent()
    assert (sent.message.router_id, sent.operator_id, sent.at_utc) == (2, b"id-2", 5.0)
    assert kept.sent(ELISA) == []


def test_new_process_weighs_what_it_has_found_whatever_has_come_since(kept: Kept) -> None:
    waits, taken, other = (*ones(1, 2), message(4, account=SHOP))
    held = [delivery(number, b"x" * number) for number in (1, 2, 30)]
    kept.keep(changes(accepted=[waits, taken, other], held=held))
    kept.keep(changes(taken=[attempt(taken)], acknowledged=held[:1]))
    kept.recovered()
    kept.keep(changes(accepted=ones(5), held=[delivery(5)], settled=[waits], acknowledged=held[1:]))
    of_bank, of_shop = (QueueKey(TO_TELIA, OTP, account) for account in (BANK, SHOP))
    weights = kept.turns.weighed(kept.journal)
    assert weights.waiting == {of_bank: waits.size, of_shop: other.size}
    assert weights.held == {BANK: sum(len(one.octets) for one in held[1:])}


def test_new_process_can_fetch_what_the_one_before_had_fetched(kept: Kept) -> None:
    kept.keep(changes(accepted=ones(1, 2, 3)))
    assert numbers_of(kept.waiting(count=2)) == [1, 2]
    assert numbers_of(kept.waiting(after=2)) == [3]
    assert kept.recovered().waiting == [Backlog(QueueKey(TO_TELIA, OTP, BANK), 3)]
    assert numbers_of(kept.waiting()) == [1, 2, 3]


def test_new_process_can_fetch_every_message_that_it_was_told_of(kept: Kept) -> None:
    moved, stays = ones(1, 2)
    kept.keep(changes(accepted=[moved, stays, message(3, plan=TO_ELISA)]))
    moved.plan = TO_ELISA
    counts = {backlog.queue.plan: backlog.count for backlog in kept.recovered().waiting}
    assert counts == {TO_TELIA: 2, TO_ELISA: 1}  # It is kept where it was accepted to.
    assert numbers_of(kept.waiting(plan=TO_ELISA)) == [3]
    assert numbers_of(kept.waiting(plan=TO_TELIA)) == [1, 2]


def test_one_batch_may_hold_a_message_from_beginning_to_end(kept: Kept) -> None:
    (one,), receipt = ones(1), delivery(1)
    kept.keep(
        changes(
            accepted=[one],
            taken=[attempt(one)],
            settled=[one],
            held=[receipt],
            acknowledged=[receipt],
        )
    )
    assert kept.recovered() == Recovered()
    assert kept.waiting() == []


def test_time_that_was_told_last_is_known_to_the_next_process(kept: Kept) -> None:
    assert kept.recovered().known_utc == 0.0
    first, second = changes(), changes(accepted=ones(1))
    first.at_utc, second.at_utc = 1e9, 1e9 + 60.0
    kept.keep(first)
    kept.keep(second)
    kept.keep(changes(accepted=ones(2)))
    assert kept.recovered().known_utc == 1e9 + 60.0


def test_what_an_earlier_process_may_have_written_is_in_doubt(kept: Kept) -> None:
    five, marked = ones(1, 2, 3, 4, 5), message(10)
    five[2].not_before_utc = 9.0  # It goes when its time comes, not in its turn.
    kept.keep(changes(accepted=five))
    five[3].operator = ELISA
    batch = changes(accepted=[marked])
    batch.written[five[3].row.queue] = five[3]
    five[0].mark, marked.mark = Mark.CLEARED, Mark.MARKING
    batch.unmarked.append(five[0])
    batch.marked.append(marked)
    kept.keep(batch)
    assert not any(one.in_doubt for one in kept.waiting())  # Not by this process.
    kept.recovered()
    kept.keep(changes(accepted=ones(20)))
    found = kept.waiting()
    assert [one.router_id for one in found if one.in_doubt] == [2, 4, 10]
    marks = {one.router_id: one.mark for one in found if one.mark is not Mark.UNMARKED}
    assert marks == {1: Mark.CLEARED, 10: Mark.MARKED}
    assert [(one.operator, one.writes) for one in found[:2]] == [(None, 0), (ELISA, 1)]


def test_no_more_is_read_at_once_than_so_many_octets(kept: Kept) -> None:
    messages = ones(1, 2, 3, 4)
    held = [delivery(number, b"x" * 100) for number in (1, 2, 3)]
    kept.keep(changes(accepted=messages, held=held))
    queue = QueueKey(TO_TELIA, OTP, BANK)
    for octets, count in ((1, 1), (messages[0].size, 1), (messages[0].size + 1, 2), (10**6, 4)):
        found = kept.turns.waiting(kept.journal, Wanted(queue, RouterId(0), 9, octets))
        assert numbers_of(found) == [1, 2, 3, 4][:count]
    size = len(held[0].octets)
    for octets, count in ((1, 1), (size, 1), (size + 1, 2), (10**6, 3)):
        assert len(kept.turns.held(kept.journal, octets=octets)) == count


# Renamed.

NEW_BANK, NEW_TELIA = AccountName("bank2"), OperatorName("telia2")


def renamed_both() -> Renames:
    return Renames({BANK: NEW_BANK}, {TELIA: NEW_TELIA})


def renamed_back() -> Renames:
    return Renames({NEW_BANK: BANK}, {NEW_TELIA: TELIA})


def filled_for_renaming(kept: Kept) -> list[Message]:
    """Two that wait, two that telia took, a delivery, and an orphan."""
    every = ones(1, 2, 3, 4)
    orphan = Orphan(TELIA, OperatorId(b"1"), b"\1\1372\0", b"pdu", 5.0)
    assert kept.keep(changes(accepted=every)) is None
    taken = [attempt(one) for one in every[2:]]
    assert kept.keep(changes(taken=taken, held=[delivery(9)], orphaned=[orphan])) is None
    return every


def held_by(kept: Kept, account: AccountName) -> list[tuple[int, AccountName]]:
    found: list[tuple[int, AccountName]] = []
    answers: list[object] = []

    def fetched(deliveries: list[Delivery], error: JournalError | None) -> None:
        assert error is None
        found.extend((one.router_id, one.account) for one in deliveries)
        answers.append(error)

    kept.journal.fetch_held(account, 0, 10, 10**6, fetched)
    kept.turns.until(lambda: answers)
    return found


def test_all_that_is_kept_is_handed_over_at_once(kept: Kept) -> None:
    filled_for_renaming(kept)
    kept.journal.rename(renamed_both())

    waiting = kept.waiting(account=NEW_BANK)
    assert [(one.router_id, one.account) for one in waiting] == [(1, NEW_BANK), (2, NEW_BANK)]
    assert held_by(kept, NEW_BANK) == [(9, NEW_BANK)]
    (recalled,) = kept.recalled(b"id-3", operator=NEW_TELIA)
    assert (recalled.operator, recalled.message.account) == (NEW_TELIA, NEW_BANK)
    assert recalled.message.operator == NEW_TELIA
    sent = kept.sent(NEW_TELIA)
    assert {(one.message.router_id, one.operator) for one in sent} == {
        (3, NEW_TELIA),
        (4, NEW_TELIA),
    }


def test_the_old_names_have_nothing_any_more(kept: Kept) -> None:
    filled_for_renaming(kept)
    kept.journal.rename(renamed_both())
    assert kept.waiting() == []
    assert held_by(kept, BANK) == []
    assert kept.recalled(b"id-3") == []
    assert kept.sent() == []


@pytest.mark.parametrize("restarts", [1, 2])
def test_a_new_process_finds_it_under_the_new_names(kept: Kept, restarts: int) -> None:
    filled_for_renaming(kept)
    for _ in range(restarts):
        kept.restart()
        kept.journal.rename(renamed_both())  # As long as the configuration says so.
        found = kept.turns.recovered(kept.journal)
        assert found.waiting == [Backlog(QueueKey(TO_TELIA, OTP, NEW_BANK), 2)]
        assert found.sent == {NEW_TELIA: 2}
        assert found.held == {NEW_BANK: Held(1, 1, 1)}
        assert [one.operator for one in found.orphans] == [NEW_TELIA]
    weights = kept.turns.weighed(kept.journal)
    size = len(message(1).octets)
    assert weights.waiting == {QueueKey(TO_TELIA, OTP, NEW_BANK): 2 * size}
    assert weights.held == {NEW_BANK: len(delivery(9).octets)}


def test_it_stays_handed_over_when_nothing_says_so_any_more(kept: Kept) -> None:
    filled_for_renaming(kept)
    kept.journal.rename(renamed_both())
    assert kept.keep(changes(accepted=ones(5))) is None
    found = kept.recovered()
    assert found.sent == {NEW_TELIA: 2}
    assert found.held == {NEW_BANK: Held(1, 1, 1)}


def test_what_comes_under_both_names_is_one(kept: Kept) -> None:
    filled_for_renaming(kept)
    more = message(5, account=NEW_BANK)
    assert kept.keep(changes(accepted=[more])) is None
    other = message(6, account=NEW_BANK)
    assert kept.keep(changes(accepted=[other])) is None
    assert kept.keep(changes(taken=[attempt(other, NEW_TELIA)])) is None
    assert kept.keep(changes(held=[delivery(10, account=NEW_BANK)])) is None
    kept.journal.rename(renamed_both())
    assert numbers_of(kept.waiting(account=NEW_BANK)) == [1, 2, 5]
    assert held_by(kept, NEW_BANK) == [(9, NEW_BANK), (10, NEW_BANK)]
    assert {one.message.router_id for one in kept.sent(NEW_TELIA)} == {3, 4, 6}
    kept.restart()
    kept.journal.rename(renamed_both())
    found = kept.turns.recovered(kept.journal)
    assert found.sent == {NEW_TELIA: 3}
    assert found.held == {NEW_BANK: Held(2, 1, 2)}


def test_an_old_name_may_be_another_s_afterwards(kept: Kept) -> None:
    filled_for_renaming(kept)
    kept.journal.rename(renamed_both())
    fresh = [message(7), message(8)]
    assert kept.keep(changes(accepted=fresh)) is None
    assert kept.keep(changes(taken=[attempt(fresh[1])], held=[delivery(11)])) is None
    for _ in range(2):
        assert numbers_of(kept.waiting()) == [7]
        assert numbers_of(kept.waiting(account=NEW_BANK)) == [1, 2]
        assert held_by(kept, BANK) == [(11, BANK)]
        assert held_by(kept, NEW_BANK) == [(9, NEW_BANK)]
        assert [one.message.router_id for one in kept.recalled(b"id-8")] == [8]
        assert kept.recalled(b"id-8", operator=NEW_TELIA) == []
        assert {one.message.router_id for one in kept.sent(NEW_TELIA)} == {3, 4}
        found = kept.recovered()
        assert found.sent == {TELIA: 1, NEW_TELIA: 2}
        assert found.held == {BANK: Held(1, 2, 2), NEW_BANK: Held(1, 1, 1)}


def test_renamed_there_and_back_is_as_before(kept: Kept) -> None:
    every = filled_for_renaming(kept)
    kept.journal.rename(renamed_both())
    kept.journal.rename(renamed_back())
    assert numbers_of(kept.waiting()) == [1, 2]
    assert {one.message.router_id for one in kept.sent()} == {3, 4}
    assert held_by(kept, BANK) == [(9, BANK)]
    assert kept.keep(changes(settled=every)) is None
    found = kept.recovered()
    assert (found.waiting, found.sent) == ([], {})
    assert found.held == {BANK: Held(1, 1, 1)}


def test_what_was_asked_before_it_was_renamed_is_found(kept: Kept) -> None:
    filled_for_renaming(kept)
    heard: list[list[int]] = []
    journal = kept.journal
    wanted = Wanted(QueueKey(TO_TELIA, OTP, BANK), RouterId(0), 9)
    journal.fetch(wanted, lambda found, _: heard.append(numbers_of(found)))
    journal.fetch_held(BANK, 0, 9, 10**6, lambda found, _: heard.append([len(found)]))
    journal.recall(TELIA, [OperatorId(b"id-3")], lambda found, _: heard.append([len(found)]))
    journal.fetch_sent(TELIA, 9.0, BEGINNING, 9, lambda found, *_: heard.append([len(found)]))
    journal.rename(renamed_both())
    kept.turns.until(lambda: len(heard) == 4)
    assert sorted(heard) == sorted([[1, 2], [1], [1], [2]])


def test_a_long_message_that_had_begun_is_handed_over(kept: Kept) -> None:
    assert kept.keep(changes(accepted=[message(1)])) is None
    assert kept.keep(changes(started=[started(7, taken=1)])) is None
    kept.journal.rename(renamed_both())
    assert kept.keep(changes(accepted=ones(5))) is None
    assert [one.account for one in kept.recovered().started] == [NEW_BANK]


def test_unseen_answers_are_handed_over(kept: Kept) -> None:
    one = message(1)
    assert kept.keep(changes(accepted=[one], unseen=[(one, b"f")])) is None
    kept.journal.rename(renamed_both())
    assert kept.keep(changes(accepted=ones(5))) is None
    assert [row[0] for row in unseen_of(kept)] == [NEW_BANK]


def test_what_was_handed_in_before_is_kept_under_either_name(kept: Kept) -> None:
    """Also where the loop renames it before the journal has written it."""
    filled_for_renaming(kept)
    batch = changes(accepted=[message(5)], held=[delivery(10)])
    landed: list[JournalError | None] = []
    kept.journal.commit(batch, lambda _, error: landed.append(error), urgent=True)
    batch.accepted[0].account = batch.held[0].account = NEW_BANK
    kept.journal.rename(renamed_both())
    kept.turns.until(lambda: landed)
    assert kept.keep(changes(accepted=[message(6, account=NEW_BANK)])) is None
    for _ in range(2):
        assert numbers_of(kept.waiting(account=NEW_BANK)) == [1, 2, 5, 6]
        assert held_by(kept, NEW_BANK) == [(9, NEW_BANK), (10, NEW_BANK)]
        kept.restart()
    found = kept.recovered()
    assert found.held == {NEW_BANK: Held(2, 1, 2)}
    assert sum(backlog.count for backlog in found.waiting) == 4
