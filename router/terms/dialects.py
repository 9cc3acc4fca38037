"""The ready-made dialects: what each sets otherwise than `standard`, and why.

`docs/dialects.md` shows the same as a table, which `settings/dialects_page.py` writes.
"""

from collections.abc import Mapping
from typing import Final

from router.terms.settings import Dialect, DialectName, MessageIdForms

READY: Final[Mapping[DialectName, Dialect]] = {
    "standard": Dialect(),
    "kannel": Dialect(like="kannel"),
    "jasmin": Dialect(like="jasmin", states="3.4", hold_s=1.0),
    "jsmpp": Dialect(
        like="jsmpp",
        message_id=MessageIdForms(response="hex", receipt="decimal"),
        states="3.4",
        intermediate="0x04",
        hold_s=1.0,
    ),
    "cloudhopper": Dialect(like="cloudhopper", states="3.4", hold_s=1.0),
    "php-smpp": Dialect(like="php-smpp", intermediate="0x04"),
}
"""By the word in `dialect`."""

WHY: Final[Mapping[DialectName, Mapping[str, str]]] = {
    "standard": {},
    "kannel": {},
    "jasmin": {
        "states": "Its parser has no number 0 or 9 for a state, and refuses the whole PDU.",
        "hold": (
            "It learns the id from the submit_sm_resp by way of a queue and Redis. A receipt that"
            " it looks up before is looked up again after 10 s, twice, and then lost."
        ),
    },
    "jsmpp": {
        "message_id": (
            "Its examples, which most clients grew from, read the id of a receipt as a decimal"
            " number and look for that number in hexadecimal capitals."
        ),
        "states": "Its parser throws for other words than those of 3.4: the receipt is lost.",
        "intermediate": "Its examples take esm_class 0x20 for a message from a subscriber.",
        "hold": (
            "One thread waits for the submit_sm_resp, others read receipts: the client needs a"
            " moment to keep the id."
        ),
    },
    "cloudhopper": {
        "states": "Its parser throws for other words than those of 3.4: the receipt is lost.",
        "hold": (
            "One thread waits for the submit_sm_resp, another reads receipts: the client needs a"
            " moment to keep the id."
        ),
    },
    "php-smpp": {
        "intermediate": (
            "It looks for the bit 0x04 alone, and takes 0x20 for a message from a subscriber."
        ),
    },
}
"""The reason for each key that a ready-made dialect sets."""
