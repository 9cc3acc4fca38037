"""router/report/receipts.py, terms/dialects.py: what each library's own rules make of a receipt.

The rules of libraries that are not run in tests/interop are written here again, in few lines, from
what their sources do.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from router.enqueue.ids import client_id_of, in_receipt
from router.report.receipts import MADE_HERE, Told, from_operator, made_by_router, not_before
from router.settings.dialects_page import points_of
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.downgrade import without_tlvs
from router.smpp.pdu import Framer, Pdu, Sm
from router.smpp.receipt import Receipt, State
from router.terms.dialects import READY, WHY
from router.terms.message import Delivery, Message
from router.terms.names import RouterId
from router.terms.outcome import Outcome
from router.terms.settings import Dialect, DialectName, MessageIdForms
from tests.unit.messages import ACCEPTED_UTC, message

ID: Final = RouterId(91_907_151_950_907)
STANDARD: Final = READY["standard"]
ZONE: Final = ZoneInfo("Europe/Tallinn")


def pdu_of(one: Delivery) -> Pdu:
    (pdu,) = Framer(1000).feed(one.octets)
    return pdu


def sent(dialect: Dialect) -> Message:
    """A message whose response was in this dialect."""
    one = message(ID)
    one.client_id = client_id_of(ID, dialect.message_id.response)
    return one


def told(one: Message, dialect: Dialect) -> Told:
    return Told(dialect, in_receipt(one.client_id, one.router_id, dialect.message_id))


def delivery(
    dialect: Dialect,
    state: State = State.DELIVERED,
    receipt: Receipt | None = None,
    *,
    final: bool = True,
) -> Delivery:
    """The operator's word, as the client is told it ten minutes and five seconds later."""
    one = sent(dialect)
    receipt = receipt or Receipt(b"x", state, b"012", b"", None)
    now_utc = ACCEPTED_UTC + 605.0
    return from_operator(one, receipt, state, final=final, now_utc=now_utc, told=told(one, dialect))


def sm(dialect: Dialect, state: State = State.DELIVERED, *, final: bool = True) -> Sm:
    return Sm(pdu_of(delivery(dialect, state, final=final)))


def text(dialect: Dialect) -> bytes:
    return sm(dialect).message


# The rules of libraries. Each returns the id, the word for the state and the two dates.

Read = tuple[str, str, datetime, datetime]
OF_3_4: Final = ("ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN")


def date(digits: str) -> datetime:
    """A date of ten or twelve digits, in UTC."""
    form = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S"}[len(digits)]
    return datetime.strptime(digits, form).replace(tzinfo=UTC)


def jsmpp(said: str) -> Read:
    """A field goes from its label to the next blank."""

    def field(label: str) -> str:
        return said[said.index(f"{label}:") + len(label) + 1 :].partition(" ")[0]

    int(field("sub")), int(field("dlvrd"))
    word = field("stat")
    if word not in (*OF_3_4, "REJECTD"):
        raise ValueError(word)
    of_receipt = "%X" % int(field("id"))  # noqa: UP031
    return of_receipt, word, date(field("submit date")), date(field("done date"))


def cloudhopper(said: str) -> Read:
    """A field goes from its label to the next label that is known; none may be missing."""
    labels = ("id:", "sub:", "dlvrd:", "submit date:", "done date:", "stat:", "err:", "text:")
    lowered = said.lower()
    starts = sorted((lowered.index(label), label) for label in labels)
    found: dict[str, str] = {}
    for at, (start, label) in enumerate(starts):
        end = starts[at + 1][0] if at + 1 < len(starts) else len(said)
        found[label] = said[start + len(label) : end].strip()
    int(found["sub:"]), int(found["dlvrd:"]), int(found["err:"])
    if len(found["err:"]) > 3 or found["stat:"] not in (*OF_3_4, "REJECTD"):
        raise ValueError(said)
    return found["id:"], found["stat:"], date(found["submit date:"]), date(found["done date:"])


PHP_SMPP: Final = re.compile(
    r"(?si)^id:([^ ]+) sub:(\d{1,3}) dlvrd:(\d{3}) submit date:(\d{10,12}) done date:(\d{10,12}) "
    r"stat:([A-Z ]{7}) err:(\d{2,3}) text:(.*)$"
)


def php_smpp(said: str) -> Read:
    found = PHP_SMPP.match(said)
    assert found is not None, said
    return found[1], found[6], date(found[4]), date(found[5])


PARSERS: Final[Mapping[DialectName, Callable[[str], Read]]] = {
    "jsmpp": jsmpp,
    "cloudhopper": cloudhopper,
    "php-smpp": php_smpp,
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", PARSERS)
def test_a_library_reads_the_receipts_of_its_dialect(name: DialectName, state: State) -> None:
    dialect = READY[name]
    said = sm(dialect, state).short_message.decode()
    read_id, word, submitted, done = PARSERS[name](said)
    assert read_id == sent(dialect).client_id.decode()
    assert word in said
    assert (submitted, done) == (date("2701150800"), date("2701150810"))


@pytest.mark.parametrize("name", PARSERS)
def test_a_library_reads_what_the_router_says_itself(name: DialectName) -> None:
    dialect = READY[name]
    one = sent(dialect)
    made = made_by_router(
        one, Outcome.EXPIRED, "validity has passed", 0x400, now_utc=ACCEPTED_UTC + 600.0,
        told=told(one, dialect),
    )  # fmt: skip
    said = Sm(pdu_of(made)).short_message.decode()
    assert PARSERS[name](said)[:2] == (one.client_id.decode(), "EXPIRED")
    assert said.endswith("validity has passed (0x00000400)")


@pytest.mark.parametrize("state", [State.SCHEDULED, State.SKIPPED])
@pytest.mark.parametrize("name", ["jsmpp", "cloudhopper"])
def test_a_state_of_5_0_is_lost_on_a_library_without_its_dialect(
    name: DialectName, state: State
) -> None:
    dialect = replace(READY[name], states="5.0")
    with pytest.raises(ValueError, match=r"SKIPPED|SCHEDLD"):
        PARSERS[name](sm(dialect, state).short_message.decode())


def test_every_point_of_a_ready_made_dialect_has_its_reason() -> None:
    assert list(READY) == list(WHY)
    for name, dialect in READY.items():
        assert dialect.like == name
        assert points_of(dialect).keys() == WHY[name].keys()


def test_standard_and_kannel_are_what_an_account_without_a_dialect_gets() -> None:
    one = message(ID)
    receipt = Receipt(b"x", State.UNDELIVERABLE, b"0x45F", b"2701150802", b"\3\0\1")
    receipt.told_done = b"2701150805"
    for final in (True, False):
        usual = from_operator(
            one, receipt, State.UNDELIVERABLE, final=final, now_utc=ACCEPTED_UTC + 605.0
        )
        for name in ("standard", "kannel"):
            assert delivery(READY[name], State.UNDELIVERABLE, receipt, final=final).octets == (
                usual.octets
            )


def test_standard_says_of_a_message_given_up_what_is_said_without_a_dialect() -> None:
    one = message(ID)
    usual = made_by_router(one, Outcome.FAILED, "no route", 0x400, now_utc=ACCEPTED_UTC)
    made = made_by_router(
        one, Outcome.FAILED, "no route", 0x400, now_utc=ACCEPTED_UTC, told=told(one, STANDARD)
    )
    assert (made.octets, made.not_before) == (usual.octets, usual.not_before)


# Single points.


def test_ids_have_the_form_of_receipts_in_text_and_tlv() -> None:
    forms = MessageIdForms(response="hex", receipt="decimal")
    one = sm(replace(STANDARD, message_id=forms))
    assert one.short_message.startswith(b"id:%d " % ID)
    assert one.tlv(v.RECEIPTED_MESSAGE_ID) == b"%d\0" % ID


def test_the_text_has_the_layout_that_is_asked_for() -> None:
    short = "id:{id} {stat} 100% {err} {sub}/{dlvrd} {submit_date}-{done_date} Text:{text}"
    assert text(replace(STANDARD, text=short)) == (
        b"id:91907151950907 DELIVRD 100% 012 001/001 2701150800-2701150810 Text:"
    )


def test_a_text_ends_where_a_short_message_does() -> None:
    dialect = replace(STANDARD, text="stat:{stat} text:{text} id:{id}")
    one = sent(dialect)
    made = made_by_router(
        one, Outcome.FAILED, "x" * 300, 0, now_utc=ACCEPTED_UTC, told=told(one, dialect)
    )
    said = Sm(pdu_of(made)).short_message
    assert len(said) == p.LONGEST_SHORT_MESSAGE_OCTETS
    assert said.startswith(b"stat:UNDELIV text:" + MADE_HERE)
    assert said.endswith(b"x id:%d" % ID)


@pytest.mark.parametrize(
    ("digits", "zone", "submitted", "done"),
    [
        (10, None, b"2701150800", b"2701150810"),
        (12, None, b"270115080000", b"270115081005"),
        (10, ZONE, b"2701151000", b"2701151010"),
        (12, ZONE, b"270115100000", b"270115101005"),
    ],
)
def test_dates_have_their_digits_and_zone(
    digits: int, zone: ZoneInfo | None, submitted: bytes, done: bytes
) -> None:
    said = text(replace(STANDARD, date_digits=digits, time_zone=zone))  # type: ignore[arg-type]
    assert b"submit date:%b done date:%b stat" % (submitted, done) in said


def test_the_operators_done_date_is_told_in_the_clients_zone() -> None:
    receipt = Receipt(b"x", State.DELIVERED, b"", b"", None)
    receipt.told_done = b"2701150804"
    dialect = replace(STANDARD, time_zone=ZONE, date_digits=12)
    said = Sm(pdu_of(delivery(dialect, receipt=receipt))).short_message
    assert b"done date:270115100400 " in said


def test_a_done_date_is_never_before_the_submission() -> None:
    receipt = Receipt(b"x", State.DELIVERED, b"", b"", None)
    receipt.told_done = b"2701150759"
    said = Sm(pdu_of(delivery(replace(STANDARD, date_digits=12), receipt=receipt))).short_message
    assert b"submit date:270115080000 done date:270115080000 " in said


def test_a_client_that_wants_no_tlvs_gets_none() -> None:
    one = sm(replace(STANDARD, tlvs=False))
    assert one.short_message == text(STANDARD)
    assert one.tlvs_at == len(one.octets)


@pytest.mark.parametrize(("final", "esm_class"), [(True, 0x04), (False, 0x20)])
def test_a_receipt_as_data_sm_has_its_text_in_a_tlv(*, final: bool, esm_class: int) -> None:
    made = delivery(replace(STANDARD, receipts_as="data_sm"), final=final)
    pdu = pdu_of(made)
    one = Sm(pdu)
    usual = sm(STANDARD)
    assert (pdu.command_id, pdu.sequence_number, one.esm_class) == (v.DATA_SM, 0, esm_class)
    assert (one.source, one.destination) == (usual.source, usual.destination)
    assert one.tlv(v.MESSAGE_PAYLOAD) == usual.short_message
    for tag in (v.RECEIPTED_MESSAGE_ID, v.MESSAGE_STATE):
        assert one.tlv(tag) == usual.tlv(tag)


def test_a_client_of_version_3_3_gets_a_deliver_sm_all_the_same() -> None:
    made = delivery(replace(STANDARD, receipts_as="data_sm"))
    (pdu,) = Framer(1000).feed(without_tlvs(made.octets))
    assert pdu.octets == without_tlvs(delivery(STANDARD).octets)


@pytest.mark.parametrize(("intermediate", "esm_class"), [("0x20", 0x20), ("0x04", 0x04)])
def test_an_intermediate_notification_has_the_esm_class_that_is_asked_for(
    intermediate: str, esm_class: int
) -> None:
    dialect = replace(STANDARD, intermediate=intermediate)  # type: ignore[arg-type]
    assert sm(dialect, State.ENROUTE, final=False).esm_class == esm_class
    assert sm(dialect, State.DELIVERED).esm_class == 0x04


@pytest.mark.parametrize(
    ("state", "in_3_4"),
    [
        (State.SCHEDULED, State.ENROUTE),
        (State.SKIPPED, State.UNDELIVERABLE),
        (State.REJECTED, State.REJECTED),
    ],
)
def test_states_that_3_4_does_not_have_are_told_as_the_closest(state: State, in_3_4: State) -> None:
    old, new = sm(replace(STANDARD, states="3.4"), state), sm(STANDARD, state)
    assert old.tlv(v.MESSAGE_STATE) == bytes((in_3_4,))
    assert new.tlv(v.MESSAGE_STATE) == bytes((state,))
    assert old.short_message == sm(STANDARD, in_3_4).short_message


@pytest.mark.parametrize("hold_receipt", [True, False])
@pytest.mark.parametrize(
    ("hold_s", "held_s"), [(None, None), (0.0, None), (0.25, 0.25), (20.0, 20.0)]
)
def test_a_receipt_is_held_after_the_answer_as_long_as_is_asked_for(
    hold_s: float | None, held_s: float | None, *, hold_receipt: bool
) -> None:
    one = message(ID)
    one.hold_receipt, one.answered_at = hold_receipt, 5.0
    told_so = Told(replace(STANDARD, hold_s=hold_s), one.client_id)
    taken = Receipt(b"x", State.DELIVERED, b"", b"", None)
    made = from_operator(
        one, taken, State.DELIVERED, final=True, now_utc=ACCEPTED_UTC, told=told_so
    )
    given_up = made_by_router(one, Outcome.FAILED, "", 0, now_utc=ACCEPTED_UTC, told=told_so)
    if hold_s is None:
        expected = not_before(one)
        assert (expected > 5.0) == hold_receipt
    else:
        expected = 0.0 if held_s is None else 5.0 + held_s
    assert made.not_before == given_up.not_before == expected


def test_a_dialect_differs_from_standard_in_keys_that_there_are() -> None:
    keys = {one.name.removesuffix("_s") for one in fields(Dialect)} - {"like"}
    assert all(points_of(dialect).keys() <= keys for dialect in READY.values())
