"""How much is kept in memory; the rest is left to the journal, refused or forgotten.

The settings say what is contracted; these are the router's own limits. Whoever builds a router or a
stage may hand in others: tests hand in small ones, so that a few messages are too many.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The limits of one router."""

    queue_messages: int = 2000
    """Messages of one queue; with PDUs of 200 octets that is about a megabyte."""
    queue_refill_below: int = 1000
    """Messages of one queue below which the next are fetched: at 5,000/s that leaves the journal a
    fifth of a second."""
    queue_fetch: int = 1000
    """Messages of one queue per fetch."""

    pending_receipts: int = 100_000
    """Attempts of all operators whose receipt may come, about 80 MB; at 2,000/s those of the last
    50 seconds. The journal has the others."""
    receipts_asking: int = 10_000
    """Receipts that may wait for the journal; more are sent back to come again."""
    receipts_early: int = 1000
    """Receipts per operator that may wait for their submit_sm_resp; more are sent back to come
    again."""
    ids_remembered: int = 50_000
    """Ids per operator whose final receipt has come: a repeated one is then no mystery."""

    outbox_deliveries: int = 1000
    """Deliveries of one account that may go next: about 600 KB."""
    outbox_refill_below: int = 500
    """Deliveries of one account below which the next are read: at 5,000/s that leaves the journal a
    tenth of a second."""
    outbox_away: int = 100
    """Deliveries of an account that is not there to be given any."""
    outbox_fetch: int = 500
    """Deliveries per reading."""
    outbox_retrying: int = 500
    """Deliveries of one account that wait in memory to be tried again."""
    outbox_per_turn: int = 200
    """Deliveries that one account is given in one turn of the loop, so that others have theirs."""
    deliveries_read_per_s: int = 10_000
    """Deliveries of all accounts read in a second; to give one to its client and have it forgotten
    costs 25 us."""

    long_messages: int = 50_000
    """Long messages that parts may yet come of: some 30 MB; the one that has been quiet for longest
    is forgotten first."""

    numbers_remembered: int = 500_000
    """Numbers per operator that were sent to of late: a thousand messages a second, to as many
    numbers, for eight minutes; some 150 MB at the most."""
    messages_aside: int = 20_000
    """Messages per operator that wait until their number may be sent to again; more wait in their
    lanes."""
