"""Receipts in any layout: a client reads its id and state, whatever else the text says."""

import re

from hypothesis import given
from hypothesis import strategies as st

from router.settings.values import LONGEST_RECEIPT_WORDS
from router.smpp import receipt as r
from router.smpp.pdu import LONGEST_SHORT_MESSAGE_OCTETS
from router.smpp.receipt import FIELDS, State, read_text, write_text_as
from router.terms.settings import USUAL_TEXT

LONGEST_ID = 36
DATE = b"270115080000"
ids = st.text("0123456789ABCDEFabcdef-", min_size=1, max_size=LONGEST_ID)
optional = st.permutations(sorted(set(FIELDS) - {"id", "stat"})).flatmap(
    lambda fields: st.integers(0, len(fields)).map(lambda count: fields[:count])
)
orders = optional.flatmap(lambda fields: st.permutations(["id", "stat", *fields]))
words = st.text(
    st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="{}"), max_size=12
)


def write(template: str, client_id: str, state: State, err: bytes, told: bytes) -> bytes:
    return write_text_as(template, client_id.encode(), state, err, DATE, DATE, told)


@given(
    orders.flatmap(lambda order: st.tuples(*(st.tuples(words, st.just(one)) for one in order))),
    ids,
    st.sampled_from(State),
    st.binary(max_size=300),
    st.binary(max_size=300),
)
def test_a_text_has_what_its_layout_asks_for_and_fits(
    parts: tuple[tuple[str, str], ...], client_id: str, state: State, err: bytes, told: bytes
) -> None:
    assert sum(len(word) for word, _ in parts) <= LONGEST_RECEIPT_WORDS
    text = write("".join(f"{word}{{{one}}}" for word, one in parts), client_id, state, err, told)
    assert len(text) <= LONGEST_SHORT_MESSAGE_OCTETS
    pattern = b"".join(
        re.escape(word.encode()) + (b"(?P<%b>.*)" % one.encode()) for word, one in parts
    )
    assert re.fullmatch(pattern, text, re.DOTALL)
    for word in (client_id.encode(), r.WORDS[state]):
        assert word in text


@given(orders, ids, st.sampled_from(State), st.integers(0, 999))
def test_labelled_fields_are_read_in_any_order(
    order: list[str], client_id: str, state: State, err: int
) -> None:
    labels = {"submit_date": "submit date", "done_date": "done date"}
    rest = [one for one in order if one != "text"]
    template = " ".join(f"{labels.get(one, one)}:{{{one}}}" for one in rest)
    code = b"%03d" % err
    read = read_text(write(template, client_id, state, code, b"id:666 stat:ACCEPTD"))
    assert (read.operator_id, read.state) == (client_id.encode(), state)
    assert read.err == (code if "err" in order else b"")
    assert read.done == (DATE[:10] if "done_date" in order else b"")


@given(ids, st.sampled_from(State), st.binary(max_size=20))
def test_the_usual_layout_is_the_usual_text(client_id: str, state: State, err: bytes) -> None:
    assert write(USUAL_TEXT, client_id, state, err, b"") == r.write_text(
        client_id.encode(), state, err, DATE, DATE
    )
