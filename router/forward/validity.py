"""What an operator is told of a message's validity, where it is told what remains of it.

A relative period counts from when it is read: of five minutes that a message has half waited here,
an operator would make five more. An absolute one says the same whenever it is read. The default of
a lane is the router's own affair and no operator's.
"""

from router.smpp.pdu import Pdu, Sm, relay_with
from router.smpp.times import is_relative, relative
from router.terms.message import Message


def with_what_remains(message: Message, now_utc: float) -> bytes:
    """The message's PDU, with as much of a relative validity_period as is left of it now."""
    octets = message.octets
    sm = Sm(Pdu(message.command_id, 0, 0, octets))
    if not is_relative(sm.validity_period):
        return octets
    return relay_with(sm, 0, validity_period=relative(message.expires_utc - now_utc))
