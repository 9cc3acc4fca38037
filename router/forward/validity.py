"""The validity_period that an operator is sent, where it is to be what remains of the client's.

A relative period counts from the moment the operator reads it: a message valid for five minutes
that has waited three in the router would be valid for eight. An absolute time needs no change. The
default validity of a lane is never sent to operators.
"""

from router.smpp.pdu import Pdu, Sm, relay_with
from router.smpp.times import is_relative, relative
from router.terms.message import Message


def with_what_remains(message: Message, now_utc: float) -> bytes:
    """Return the message's PDU; a relative validity_period is shortened to what is left of it."""
    octets = message.octets
    sm = Sm(Pdu(message.command_id, 0, 0, octets))
    if not is_relative(sm.validity_period):
        return octets
    return relay_with(sm, 0, validity_period=relative(message.expires_utc - now_utc))
