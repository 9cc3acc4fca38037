"""A behaviour made ready to act on: every matter of chance is one draw from one generator.

Seeded alike, two operators that get the same messages in the same order do the same.
"""

from random import Random
from typing import Final

from router.smpp import vocabulary as v
from router.smpp.receipt import State
from simulators.behaviour import Behaviour, ReceiptText
from simulators.counting import Weighted

# What becomes of a submit_sm; a positive number is the command_status that refuses it.
TAKE: Final = 0
SILENT: Final = -1
ANSWER_LOST: Final = -2
NACK: Final = -3


class Mood:
    """How the operator is just now."""

    __slots__ = (
        "_bind",
        "_fates",
        "_prefixes",
        "_random",
        "_receipt_prefixes",
        "_states",
        "_texts",
        "behaviour",
        "calm",
        "mixes_ids",
    )

    def __init__(self, behaviour: Behaviour, rng: Random) -> None:
        self.behaviour = behaviour
        self._random = rng.random
        faults: list[tuple[int, float]] = [
            (SILENT, behaviour.silent),
            (ANSWER_LOST, behaviour.answer_lost),
            (NACK, behaviour.nack),
            *behaviour.status,
        ]
        self._fates = Weighted(_with_rest(TAKE, faults))
        self._states = Weighted(behaviour.receipts)
        self._texts = Weighted(behaviour.receipt_texts)
        self._bind = Weighted(_with_rest(v.ESME_ROK, behaviour.bind_status))
        self._prefixes = tuple(prefix for prefix, _ in behaviour.status_by_destination)
        self._receipt_prefixes = tuple(prefix for prefix, _ in behaviour.receipts_by_destination)
        self.calm = not self._prefixes and not any(part for _, part in faults)
        """Whether every submit_sm is taken, so that the others need not be judged."""
        self.mixes_ids = behaviour.ids_reused > 0.0 or behaviour.ids_crossed > 0.0
        """Whether messages may have to do with the id of another one."""

    def fate(self, destination: bytes) -> int:
        """Return what becomes of a submit_sm to this number."""
        if self._prefixes and destination.startswith(self._prefixes):
            return next(
                status
                for prefix, status in self.behaviour.status_by_destination
                if destination.startswith(prefix)
            )
        return self._fates.pick(0.0 if self._fates.certain else self._random())

    def bind_status(self) -> int:
        """Return how a bind request is answered."""
        return self._bind.pick(0.0 if self._bind.certain else self._random())

    def receipt_state(self, destination: bytes) -> State | None:
        """Return the final state of a message to this number; None: its receipt never comes."""
        if self._receipt_prefixes and destination.startswith(self._receipt_prefixes):
            return next(
                state
                for prefix, state in self.behaviour.receipts_by_destination
                if destination.startswith(prefix)
            )
        return self._states.pick(0.0 if self._states.certain else self._random())

    def receipt_text(self) -> ReceiptText:
        """Return how the text of this receipt is written."""
        return self._texts.pick(0.0 if self._texts.certain else self._random())

    def reuses_id(self) -> bool:
        """Return whether this message gets the id of the one before it."""
        return self._random() < self.behaviour.ids_reused

    def crosses_id(self) -> bool:
        """Return whether the TLV of this receipt has the id of the message before."""
        return self._random() < self.behaviour.ids_crossed

    def latency_s(self) -> float:
        """Wait before an answer."""
        wait = self.behaviour.latency
        return wait.shortest_s if wait.fixed else wait.at(self._random())

    def receipt_wait_s(self) -> float:
        """Wait before a receipt."""
        wait = self.behaviour.receipt_delay
        return wait.shortest_s if wait.fixed else wait.at(self._random())

    def receipt_first(self) -> bool:
        """Return whether this receipt goes before the answer to its submit_sm."""
        part = self.behaviour.receipt_first
        return part > 0.0 and self._random() < part

    def grants_cancel(self) -> bool:
        """Return whether to grant a cancel_sm."""
        part = self.behaviour.cancel_sm
        return part > 0.0 and self._random() < part

    def receipt_twice(self) -> bool:
        """Return whether this receipt is sent twice."""
        part = self.behaviour.receipts_twice
        return part > 0.0 and self._random() < part


def _with_rest(
    rest: int, parts: list[tuple[int, float]] | tuple[tuple[int, float], ...]
) -> list[tuple[int, float]]:
    """Return the parts, and what they leave of the whole."""
    return [(rest, max(1.0 - sum(part for _, part in parts), 0.0)), *parts]
