"""router/check/replace.py: which texts are written anew, and how every operator reads them."""

import pytest

from router.check.policy import Note
from router.check.replace import DefaultAlphabet, ReplaceText
from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.gsm import read_gsm
from router.smpp.pdu import Sm
from router.terms.settings import Alphabet, Replace
from tests.unit.check.submitted import NOW_UTC, candidate, octets_of, of_text, part, sm

LONG = "šokolaad \u2013 " * 8
PLAIN = "sokolaad - " * 8
QUOTED = "\u201eTere\u201c " * 12


def replace(
    how: Replace = "full",
    account: Alphabet | None = None,
    operators: tuple[Alphabet | None, ...] = (None,),
) -> ReplaceText:
    return ReplaceText(how, DefaultAlphabet(account, operators))


def test_text_that_has_fewer_parts_then_goes_in_the_gsm_alphabet() -> None:
    one = of_text(LONG)
    came = one.sm
    assert replace().judge(one, NOW_UTC) is None
    assert (one.sm.short_message, one.sm.data_coding) == (PLAIN.encode(), 0)
    assert one.notes == [Note("text", "changed", "replaced (full): 2 parts become 1")]
    for name in ("source", "destination", "registered_delivery", "esm_class"):
        assert getattr(one.sm, name) == getattr(came, name)
    assert one.sm.octets[8:16] == came.octets[8:16]


def test_payload_stays_one_with_all_other_tlvs() -> None:
    message, _ = octets_of(LONG * 4)
    tlvs = p.tlv(0x1400, b"vendor") + p.tlv(0x0204, b"\0\7")
    one = candidate(sm(message, 8, is_payload=True, tlvs=tlvs))
    replace().judge(one, NOW_UTC)
    assert list(one.sm.tlvs()) == [
        (v.MESSAGE_PAYLOAD, (PLAIN * 4).encode()),
        (0x1400, b"vendor"),
        (0x0204, b"\0\7"),
    ]
    assert (one.sm.short_message, one.sm.data_coding) == (b"", 0)


def test_data_sm_is_written_anew_too() -> None:
    message, _ = octets_of(LONG)
    body = b"\0" + p.address(5, 0, b"Shop") + p.address(1, 1, b"372") + b"\0\1\x08"
    octets = p.build(v.DATA_SM, 0, 9, body + p.tlv(v.MESSAGE_PAYLOAD, message))
    one = candidate(Sm(p.Framer(2**20).feed(octets)[0]))
    replace().judge(one, NOW_UTC)
    assert (one.sm.message, one.sm.data_coding) == (PLAIN.encode(), 0)
    assert one.sm.octets[4:8] == octets[4:8]


@pytest.mark.parametrize(
    "came",
    [
        sm(*octets_of("šokolaad")),  # One part, which stays one.
        sm(*octets_of("\u2026" * 100)),  # Two, which stay two.
        sm(*octets_of(LONG + "😀")),
        sm(octets_of(LONG)[0], 0x18),
        sm(octets_of(LONG)[0] + b"\0", 8),
        sm(octets_of("a" * 90 + "š")[0][:-2] + b"\xd8\x00", 8),
        sm(octets_of(LONG)[0], 8, tlvs=p.tlv(0x020B, b"\0\1")),
        sm(octets_of(LONG)[0], 8, tlvs=p.tlv(0x020E, b"\2")),
        sm(PLAIN.encode() * 2),
        part(LONG[:60], 1, 2, is_ucs_2=True).sm,
        part(LONG * 2, 1, 2, by_tlvs=True, is_ucs_2=True).sm,
    ],
)
def test_all_other_messages_stay_as_they_came(came: Sm) -> None:
    one = candidate(came)
    assert replace().judge(one, NOW_UTC) is None
    assert one.sm is came
    assert one.notes == []


def test_punctuation_alone_is_replaced_where_only_that_is_wanted() -> None:
    for text, is_replaced in ((QUOTED, True), (LONG, False)):
        one = of_text(text)
        replace("punctuation").judge(one, NOW_UTC)
        assert (one.sm.data_coding == 0) is is_replaced


@pytest.mark.parametrize(
    ("account", "operators", "goes"),
    [
        (None, (None,), b"S{\x00" * 30),
        (None, ("gsm",), b"S{\x00" * 30),
        ("gsm", ("gsm", "latin-1", None), b"S{\x00" * 30),
        ("latin-1", ("gsm", "latin-1"), "Sä@".encode("latin-1") * 30),
        (None, ("latin-1",), None),
        (None, (None, "latin-1"), None),
        ("latin-1", (None,), None),
    ],
)
def test_octets_are_those_that_every_operator_reads_alike(
    account: Alphabet | None, operators: tuple[Alphabet | None, ...], goes: bytes | None
) -> None:
    one = of_text("Šä@" * 30)
    came = one.sm
    replace(account=account, operators=operators).judge(one, NOW_UTC)
    assert one.sm is came if goes is None else one.sm.short_message == goes
    plain = of_text(LONG)  # Octets that mean the same in both go to all.
    replace(account=account, operators=operators).judge(plain, NOW_UTC)
    assert plain.sm.short_message == PLAIN.encode()
    assert read_gsm(plain.sm.short_message) == plain.sm.short_message.decode("latin-1")


def test_character_that_latin_1_lacks_stays_ucs_2_where_that_is_meant() -> None:
    one = of_text("š€" * 40)
    came = one.sm
    replace(account="latin-1", operators=("gsm",)).judge(one, NOW_UTC)
    assert one.sm is came
