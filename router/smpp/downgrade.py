"""Deliveries in the form that clients of an older SMPP version can read."""

from router.smpp.pdu import LONGEST_SHORT_MESSAGE_OCTETS, Framer, Sm, build, deliver_sm_from_data_sm
from router.smpp.vocabulary import DATA_SM, DELIVER_SM


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
