"""router/check/signature.py: where a signature must stand, and what becomes of texts without."""

import pytest

from router.check.policy import Note
from router.check.replace import DefaultAlphabet
from router.check.signature import DOES_NOT_FIT, MISSING, Signature, Where
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.terms.place import NOWHERE
from tests.unit.check.submitted import FRANCE, NOW_UTC, candidate, octets_of, of_text, part, sm

SIGNATURE = "Shop OU"


def signature(where: Where = "end", said: str | None = SIGNATURE) -> Signature:
    alphabet = DefaultAlphabet(None, (None,))
    return Signature(said, {"FR": where}, alphabet, is_latin_1=False)


@pytest.mark.parametrize(
    ("where", "came", "goes"),
    [
        ("end", "Tere", "Tere Shop OU"),
        ("end", "Tere\n", "Tere\nShop OU"),
        ("start", "Tere", "Shop OU Tere"),
        ("end", "Tere shop ou ", "Tere shop ou "),
        ("start", "Shop OU: tere", "Shop OU: tere"),
        ("end", "Shop OU: tere", "Shop OU: tere Shop OU"),
        ("end", "Жы", "Жы Shop OU"),
        ("end", "a" * 152, "a" * 152 + " Shop OU"),
        ("end", "a" * 240, "a" * 240 + " Shop OU"),
    ],
)
def test_signature_is_added_where_it_is_missing(where: Where, came: str, goes: str) -> None:
    one = of_text(came, place=FRANCE)
    before = one.sm
    assert signature(where).judge(one, NOW_UTC) is None
    assert (one.sm.short_message, one.sm.data_coding) == octets_of(goes)
    assert one.notes == (
        [] if came == goes else [Note("signature", "changed", f"added at the {where}")]
    )
    assert (one.sm is before) is (came == goes)


@pytest.mark.parametrize(
    ("text", "is_payload", "fits"),
    [
        ("a" * 153, False, False),  # One part, which would be two.
        ("a" * 247, False, False),  # More octets than a short_message has.
        ("Ж" * 63, False, False),
        ("a" * 153, True, True),
        ("a" * 65_528, True, False),
    ],
)
def test_signature_that_does_not_fit_refuses(text: str, is_payload: bool, fits: bool) -> None:
    message, data_coding = octets_of(text)
    one = candidate(sm(message, data_coding, is_payload=is_payload), place=FRANCE)
    assert signature().judge(one, NOW_UTC) == (None if fits else DOES_NOT_FIT)


def test_signature_is_written_in_the_alphabet_of_the_text() -> None:
    for said, message, data_coding, goes in (
        ("Õli", b"Tere", 0, None),
        ("Õli", b"Tere", 3, "Tere Õli".encode("latin-1")),
        ("Žurnal", b"Tere", 3, None),
        ("Õli", b"\0T", 8, "T Õli".encode("utf-16-be")),
        ("Käo", b"Tere", 0, b"Tere K\x7bo"),
        ("Õli", b"Tere", 1, None),
    ):
        one = candidate(sm(message, data_coding), place=FRANCE)
        refusal = signature(said=said).judge(one, NOW_UTC)
        assert (refusal, one.sm.short_message) == (
            (DOES_NOT_FIT, message) if goes is None else (None, goes)
        )


def test_payload_gets_it_in_its_place() -> None:
    one = candidate(sm(b"Tere", is_payload=True, tlvs=p.tlv(0x1400, b"x")), place=FRANCE)
    signature().judge(one, NOW_UTC)
    assert list(one.sm.tlvs()) == [(v.MESSAGE_PAYLOAD, b"Tere Shop OU"), (0x1400, b"x")]


def test_only_countries_that_ask_for_one_and_texts_matter() -> None:
    ports = b"\6\5\4\x0b\x84\x23\xf0"
    for one in (
        of_text("Tere", place=NOWHERE),
        candidate(sm(b"data", 4), place=FRANCE),
        candidate(sm(ports + b"data", esm_class=0x40), place=FRANCE),
        candidate(sm(b""), place=FRANCE),
    ):
        came = one.sm
        assert signature().judge(one, NOW_UTC) is None
        assert one.sm is came


def test_account_without_a_signature_is_refused_there() -> None:
    assert signature(said=None).judge(of_text("Tere", place=FRANCE), NOW_UTC) == MISSING
    assert signature(said=None).judge(of_text("Tere"), NOW_UTC) is None


@pytest.mark.parametrize("by_tlvs", [False, True])
@pytest.mark.parametrize(
    ("where", "texts", "refused"),
    [
        ("end", ("Hello ", "bye Shop OU"), (False, False)),
        ("end", ("Hello Sh", "op OU"), (False, False)),
        ("end", ("Hello Shop OU ", "bye"), (False, True)),
        ("start", ("Shop OU hello", "bye"), (False, False)),
        ("start", ("hello", "Shop OU"), (True, False)),
    ],
)
def test_of_a_long_message_the_part_that_must_have_it_is_looked_at(
    where: Where, texts: tuple[str, str], refused: tuple[bool, bool], by_tlvs: bool
) -> None:
    ones = [
        part(text, number, 2, by_tlvs=by_tlvs, place=FRANCE) for number, text in enumerate(texts, 1)
    ]
    came = [one.sm for one in ones]
    found = [signature(where).judge(one, NOW_UTC) for one in ones]
    assert found == [MISSING if one else None for one in refused]
    assert [one.sm for one in ones] == came


def test_text_behind_another_header_is_not_written_anew() -> None:
    one = candidate(sm(b"\3\x24\1\1Tere", esm_class=0x40), place=FRANCE)
    assert signature().judge(one, NOW_UTC) == MISSING
    signed = candidate(sm(b"\3\x24\1\1Tere Shop OU", esm_class=0x40), place=FRANCE)
    assert signature().judge(signed, NOW_UTC) is None
