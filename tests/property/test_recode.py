"""router/smpp/recode.py: whatever the text, whoever reads it reads the same; nothing raises."""

from hypothesis import given
from hypothesis import strategies as st

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.gsm import gsm_of_text, text_of_gsm
from router.smpp.pdu import Pdu, Sm
from router.smpp.recode import recoded
from router.terms.settings import Alphabet

ALPHABETS: list[Alphabet] = ["gsm", "latin-1"]
OCTET = st.integers(0, 255)


def read(octets: bytes, data_coding: int, default: Alphabet) -> str | None:
    """What somebody reads to whom data_coding 0 is this alphabet."""
    if data_coding == 8:
        return octets.decode("utf-16-be")
    if data_coding == 3 or default == "latin-1":
        return octets.decode("latin-1")
    return text_of_gsm(octets)


@given(
    came=st.sampled_from(ALPHABETS),
    message=st.binary(max_size=255) | st.text("@£$[]€Δaõ\x1b", max_size=120).map(
        lambda text: gsm_of_text(text) or text.encode("latin-1", "replace")
    ),
    payload=st.booleans(),
)  # fmt: skip
def test_both_read_the_same_text(came: Alphabet, message: bytes, payload: bool) -> None:
    goes: Alphabet = "latin-1" if came == "gsm" else "gsm"
    octets = p.sm(
        v.SUBMIT_SM,
        1,
        destination=(1, 1, b"37255512345"),
        short_message=b"" if payload else message,
        tlvs=p.tlv(v.MESSAGE_PAYLOAD, message) if payload else b"",
    )
    new, result = recoded(v.SUBMIT_SM, octets, came, goes)
    sm = Sm(Pdu(v.SUBMIT_SM, 0, 0, new))
    text = read(message, 0, came)
    if not message or text is None:
        assert new == octets
        assert result == (None if not message else "as_it_came")
    else:
        assert read(sm.message, sm.data_coding, goes) == text
        assert result != "as_it_came"


@given(
    came=st.sampled_from(ALPHABETS),
    message=st.binary(max_size=255),
    esm_class=OCTET,
    data_coding=st.sampled_from([0, 0, 0, 3, 8]),
    tlvs=st.lists(
        st.tuples(
            st.sampled_from([0x020A, 0x020C, 0x020E, 0x020F, v.MESSAGE_PAYLOAD, 0x1400]),
            st.binary(max_size=10),
        ),
        max_size=4,
    ),
)
def test_anything_is_written_as_a_pdu_that_can_be_read(
    came: Alphabet, message: bytes, esm_class: int, data_coding: int, tlvs: list[tuple[int, bytes]]
) -> None:
    goes: Alphabet = "latin-1" if came == "gsm" else "gsm"
    octets = p.sm(
        v.DELIVER_SM,
        1,
        destination=(1, 1, b"37255512345"),
        short_message=message,
        esm_class=esm_class,
        data_coding=data_coding,
        tlvs=b"".join(p.tlv(*one) for one in tlvs),
    )
    new, result = recoded(v.DELIVER_SM, octets, came, goes)
    before, after = Sm(Pdu(v.DELIVER_SM, 0, 0, octets)), Sm(Pdu(v.DELIVER_SM, 0, 0, new))
    assert after.destination == before.destination
    assert after.esm_class == before.esm_class
    if data_coding:
        assert (new, result) == (octets, None)
    kept = [one for one in after.tlvs() if one[0] != v.MESSAGE_PAYLOAD]
    assert kept == [one for one in before.tlvs() if one[0] != v.MESSAGE_PAYLOAD]
