"""Limits of what is kept in memory; the rest is left to the journal, refused, or forgotten.

The settings say what is contracted; these limits are the router's own. A router or a stage can be
built with other limits: tests use small ones, so that a few messages are too many.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The limits of one router."""

    queue_messages: int = 2000
    """Messages of one queue; with PDUs of 200 octets that is about a megabyte."""
    queue_octets: int = 1_000_000
    """Octets of the PDUs of one queue; also of what is fetched at once. With half of them left the
    next are fetched."""
    queue_refill_below: int = 1000
    """Messages of one queue below which the next are fetched: at 5,000/s the journal then has a
    fifth of a second."""
    queue_fetch: int = 1000
    """Messages of one queue that are fetched at once."""

    pending_receipts: int = 100_000
    """Attempts of all operators that await a receipt in memory, about 80 MB: at 2,000/s those of
    the last 50 seconds. Only the journal has the others."""
    receipts_asking: int = 10_000
    """Receipts that wait for the journal to find their message; the operator is asked to send
    further ones again."""
    orphans: int = 100_000
    """Receipts per operator that wait for the submit_sm_resp with their id, some 50 MB; of more the
    oldest is given up."""
    orphan_octets: int = 32_000_000
    """Octets of those receipts per operator: of 100,000 usual ones they are some 20 MB."""
    ids_remembered: int = 50_000
    """Ids per operator whose final receipt has come, so that a repeated receipt is recognised; and
    as many of messages that want none."""

    outbox_deliveries: int = 1000
    """Deliveries of one account that may go next: about 600 KB."""
    outbox_octets: int = 1_000_000
    """Octets of one account's deliveries that may go next; of those that the client refused for
    now; and of what is read at once. With half of the first left the next are read."""
    outbox_refill_below: int = 500
    """Deliveries of one account below which the next are read: at 5,000/s the journal then has a
    tenth of a second."""
    outbox_away: int = 100
    """Deliveries in memory of an account that is not bound."""
    outbox_fetch: int = 500
    """Deliveries that are read at once."""
    outbox_retrying: int = 500
    """Deliveries of one account that the client refused for now and that wait in memory."""
    outbox_per_turn: int = 200
    """Deliveries that one account is given in one turn of the loop, so that other accounts are not
    held up."""
    deliveries_read_per_s: int = 10_000
    """Deliveries of all accounts that are read per second; each costs 25 us until the client has it
    and the journal has forgotten it."""

    long_messages: int = 50_000
    """Long messages of which further parts may come, some 40 MB, or 70 MB where each reference is
    used again; the one whose last part came longest ago is forgotten first."""
    inbound_waiting: int = 1000
    """Parts of subscribers' long messages per operator that wait for their first part."""
    long_inbound: int = 20_000
    """Long messages from subscribers whose account is known for their further parts, some 15 MB:
    those of ten minutes at 30 a second. The one whose last part came longest ago goes first."""

    numbers_remembered: int = 500_000
    """Numbers per operator with a recent message, for `destination_rate`: eight minutes of a
    thousand messages a second to different numbers; some 150 MB at most."""
    retries: int = 20_000
    """Submits of one account that its client may send again, some 10 MB: those of 5 s at 4,000/s.
    Of more the oldest is forgotten: come again, it would be another message."""

    messages_doubted: int = 100_000
    """Messages that wait until it is known what time it is; further ones, and what stands behind
    them, wait in their lanes."""
    messages_aside: int = 20_000
    """Messages per operator that wait aside until their number may get another message; further
    ones wait in their lanes."""
