"""What clients ask about messages that they submitted: query_sm, cancel_sm, replace_sm; and orders.

A client asks one thing about a message after the other. What it asks is drawn from a generator of
its own, so that all else is the same history as without, up to the first question.
"""

from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Literal

from router.smpp import pdu as p
from router.smpp import vocabulary as v
from router.smpp.pdu import Pdu
from tests.simulation.ledger import Submitted, Version, body_of

if TYPE_CHECKING:
    from tests.simulation.clients import Client, Visit

Kind = Literal["query", "cancel", "cancel all", "replace"]
COMMANDS: dict[Kind, int] = {
    "query": v.QUERY_SM,
    "cancel": v.CANCEL_SM,
    "cancel all": v.CANCEL_SM,
    "replace": v.REPLACE_SM,
}
NO_ADDRESS = p.address(0, 0, b"")
ASKS_AGAIN_S = 0.5
"""How soon a client that is not bound looks again whether it is."""
MOST_LOOKS = 60


@dataclass(slots=True, eq=False)
class Request:
    """One question or order of a client's."""

    kind: Kind
    message: Submitted
    about: list[Submitted] = field(default_factory=list)
    """All messages that it may be about."""
    is_known: bool = True
    """The message was accepted, as its client had heard."""
    version: Version | None = None
    """What the message is to be, of a replace_sm."""


class Asker:
    """One client system's questions."""

    def __init__(self, client: "Client", rng: Random, share: float) -> None:
        """Ask about this share of the messages."""
        self._client = client
        self._rng = rng
        self._share = share

    def submitted(self, message: Submitted) -> None:
        """The client has submitted a message, and perhaps regrets it at once."""
        if self._rng.random() < self._share / 3:
            self._after(0.02, message, ["cancel all"])

    def told(self, message: Submitted) -> None:
        """The client has got the id of a message."""
        rng = self._rng
        if rng.random() >= self._share:
            return
        kinds: list[Kind] = ["cancel", "cancel", "cancel all", "replace", "replace", "query"]
        script = [rng.choice(kinds) for _ in range(rng.choice((1, 1, 2, 3)))]
        self._after(rng.choice((0.0, 0.05, 1.0, 4.0)), message, script)

    def _after(self, mean_s: float, message: Submitted, script: list[Kind]) -> None:
        delay_s = self._rng.expovariate(1.0 / mean_s) if mean_s else 0.0
        self._client.loop.after(delay_s, partial(self._ask, message, script, MOST_LOOKS))

    def _ask(self, message: Submitted, script: list[Kind], looks: int) -> None:
        client = self._client
        able = [
            port.visit
            for port in client.ports
            if port.type != "receiver" and port.visit is not None and port.visit.is_bound
        ]
        if not able:
            if looks:
                again = partial(self._ask, message, script, looks - 1)
                client.loop.after(ASKS_AGAIN_S, again)
            return
        self._send(self._rng.choice(able), message, script)

    def _send(self, visit: "Visit", message: Submitted, script: list[Kind]) -> None:
        kind, loop = script[0], self._client.loop
        request = Request(kind, message, [message], message.answer == v.ESME_ROK)
        message_id = b"%d\0" % (message.router_id or 0)
        source = self._rng.choice((message.source, NO_ADDRESS))
        match kind:
            case "query":
                body = message_id + source
            case "cancel":
                to = self._rng.choice((message.destination, NO_ADDRESS))
                body = b"\0" + message_id + source + to
                message.cancel_asked = True
            case "cancel all":
                to = message.destination
                # Also those whose answer is on its way.
                request.about = [
                    one
                    for one in dict.fromkeys(self._client.promises.by_body.values())
                    if (one.account, one.destination) == (message.account, to)
                ]
                for one in request.about:
                    one.cancel_asked = True
                body = b"\0" * 2 + source + to
            case _:
                text = b"%b, as it is after %d" % (message.text, len(message.versions) + 1)
                request.version = Version(with_text(message, text))
                message.versions.append(request.version)
                self._client.promises.by_body[request.version.body] = message
                body = message_id + source + b"\0\0" + bytes((message.registered_delivery, 0))
                body += bytes((len(text),)) + text
        visit.sequence += 1
        visit.asked[visit.sequence] = request, script
        if loop.telling:
            loop.tell(f"{self._client.mood.account:9} asks to {kind} {message.name}")
        visit.connection.send(p.build(COMMANDS[kind], 0, visit.sequence, body))

    def answered(self, visit: "Visit", pdu: Pdu) -> None:
        """An answer has come."""
        request, script = visit.asked.pop(pdu.sequence_number, (None, []))
        if request is not None and script[1:]:
            self._after(0.5, request.message, script[1:])

    def lost(self, visit: "Visit") -> None:
        """A connection is gone: nobody knows what has become of what was asked on it.

        So nothing but a cancel_sm may follow: the router may do it before or after the other.
        """
        unanswered, visit.asked = visit.asked, {}
        for request, script in unanswered.values():
            rest: list[Kind] = [kind for kind in script[1:] if kind == "cancel"]
            if rest:
                self._after(1.0, request.message, rest)


def with_text(message: Submitted, text: bytes) -> bytes:
    """The body of a message with another text, where its text is a short_message.

    Of others, octets that no message has.
    """
    octets = message.octets
    at = octets.find(message.text)
    if octets[4:8] != v.SUBMIT_SM.to_bytes(4, "big") or octets[at - 1] != len(message.text):
        return octets + text
    octets = octets[: at - 1] + bytes((len(text),)) + text + octets[at + len(message.text) :]
    return body_of(len(octets).to_bytes(4, "big") + octets[4:])
