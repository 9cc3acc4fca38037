"""Messages in the form that peers of SMPP 3.3 can read, which has no TLVs."""

from router.smpp.pdu import LONGEST_SHORT_MESSAGE_OCTETS, Framer, Sm, build, deliver_sm_from_data_sm
from router.smpp.segments import part_of
from router.smpp.text import UDHI
from router.smpp.vocabulary import DATA_SM, DELIVER_SM, SUBMIT_SM


def without_tlvs(octets: bytes) -> bytes:
    """Return a deliver_sm without TLVs, for version 3.3: a text in message_payload moves out of it.

    A text that is too long for a short_message stays where it is, rather than nowhere. A data_sm,
    which that version does not have, becomes a deliver_sm.
    """
    pdu = Framer(len(octets)).feed(octets)[0]
    if pdu.command_id == DATA_SM:
        octets = deliver_sm_from_data_sm(Sm(pdu))
        pdu = Framer(len(octets)).feed(octets)[0]
    sm = Sm(pdu)
    text = sm.message
    if len(text) > LONGEST_SHORT_MESSAGE_OCTETS:
        return octets
    head = octets[16 : sm.short_message_at - 1]
    return build(DELIVER_SM, 0, 0, head + bytes((len(text),)) + text)


def submit_without_tlvs(octets: bytes) -> bytes:
    """Return a submit_sm without TLVs, sequence_number 0, as `without_tlvs` does it.

    Left as they are: a data_sm, which 3.3 does not know at all, and a part of a long message whose
    number stands in TLVs: without them it would be a message of its own.
    """
    pdu = Framer(len(octets)).feed(octets)[0]
    if pdu.command_id != SUBMIT_SM:
        return octets
    sm = Sm(pdu)
    if sm.tlvs_at == len(sm.octets):
        return octets
    text = sm.message
    if len(text) > LONGEST_SHORT_MESSAGE_OCTETS:
        return octets
    if not sm.esm_class & UDHI and part_of(sm) is not None:
        return octets
    head = sm.octets[16 : sm.short_message_at - 1]
    return build(SUBMIT_SM, 0, 0, head + bytes((len(text),)) + text)
