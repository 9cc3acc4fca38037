"""query_sm, cancel_sm and replace_sm of clients: the message is found, and the client answered.

A request is about messages of the client's own account: of others it hears the same as of messages
that there are not. What is asked for is found first in the journal, so an answer takes a turn or
two; answers to a cancel_sm and a replace_sm also wait until the journal has the change.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from router.enqueue.ids import Ids, in_receipt
from router.enqueue.journal import BEGINNING, Place
from router.smpp import vocabulary as v
from router.smpp.pdu import BodyError, Pdu, Sm, response
from router.smpp.requests import (
    CancelSm,
    QuerySm,
    ReplaceSm,
    cannot_be_replaced,
    has_address,
    is_from,
    query_sm_resp,
)
from router.smpp.session import Note
from router.smpp.states import State
from router.steps.cancelling import Cancelling
from router.steps.commits import Commits
from router.steps.intake import wanted
from router.steps.operator_requests import OperatorRequests
from router.steps.peers import Client
from router.steps.querying import Querying, Standing, state_for
from router.steps.replacing import Replacing
from router.steps.turn import Turn
from router.steps.whereabouts import Found, Waiting, Whereabouts
from router.terms.counters import Counters
from router.terms.message import Message
from router.terms.names import AccountName, ClientId, RouterId
from router.terms.outcome import Refusal
from router.terms.settings import AccountSettings

MOST_WAITING: Final = 100
"""Requests of one account that may wait for the journal; further ones are answered
ESME_RTHROTTLED, so that no account's questions hold up those of others."""
PIECE: Final = 50
"""Messages that a cancel_sm without a message_id cancels in one turn: a few milliseconds."""
MOST_UNSAFE: Final = 20
"""Such pieces of one cancel_sm that the journal has not answered for, beyond which it waits."""

Answer = Callable[[int], None]
"""Answers a request with a command_status."""


class ClientRequests:
    """The door for what clients ask about messages that they submitted before."""

    __slots__ = (
        "_cancelling",
        "_commits",
        "_counters",
        "_ids",
        "_operator_requests",
        "_querying",
        "_replacing",
        "_turn",
        "_waiting",
        "_whereabouts",
    )

    def __init__(
        self,
        ids: Ids,
        whereabouts: Whereabouts,
        querying: Querying,
        cancelling: Cancelling,
        replacing: Replacing,
        operator_requests: OperatorRequests,
        commits: Commits,
        counters: Counters,
        turn: Turn,
    ) -> None:
        self._ids: Final = ids
        self._whereabouts: Final = whereabouts
        self._querying: Final = querying
        self._cancelling: Final = cancelling
        self._replacing: Final = replacing
        self._operator_requests: Final = operator_requests
        self._commits: Final = commits
        self._counters: Final = counters
        self._turn: Final = turn
        self._waiting: Final[defaultdict[AccountName, int]] = defaultdict(int)

    def came(self, client: Client, pdu: Pdu, now: float) -> None:
        """Deal with a query_sm, cancel_sm or replace_sm."""
        client.session.useless += 1  # It costs a reading, and brings no message.
        account = client.account.name
        if self._waiting[account] >= MOST_WAITING:
            self._answer(client, pdu, v.ESME_RTHROTTLED)
            return
        self._waiting[account] += 1

        def answer(status: int, octets: bytes = b"") -> None:
            self._waiting[account] -= 1
            self._answer(client, pdu, status, octets)

        try:
            if pdu.command_id == v.QUERY_SM:
                self._query(client, QuerySm(pdu), pdu.sequence_number, answer)
            elif pdu.command_id == v.CANCEL_SM:
                self._cancel(client, CancelSm(pdu), now, answer)
            else:
                self._replace(client, ReplaceSm(pdu), answer)
        except BodyError as error:
            client.tell(Note("pdu.refused", pdu.command_id, error.status, why=str(error)))
            answer(error.status)
        else:
            self._turn.end_soon()

    def _answer(self, client: Client, pdu: Pdu, status: int, octets: bytes = b"") -> None:
        account = client.account.name
        self._counters.client_requests[account, pdu.command_id, status] += 1
        session = client.session
        if session.state is not State.CLOSED:
            session.respond(octets or response(pdu.command_id, pdu.sequence_number, status))
            self._turn.write(client)

    def _refuse_if_over(
        self, client: Client, asked: CancelSm | ReplaceSm, status: int, answer: Answer
    ) -> None:
        """Refuse with this status if the message is over, and as unknown if there was none."""

        def done(standings: Sequence[Standing] | None) -> None:
            over = [one for one in standings or () if one.final_date]
            is_over = any(_is_asked(client, asked, one) for one in over)
            answer(status if is_over else v.ESME_RINVMSGID)

        self._querying.ask(self._ids.may_be(asked.message_id), done)
        self._turn.end_soon()

    # query_sm.

    def _query(
        self,
        client: Client,
        query: QuerySm,
        sequence_number: int,
        answer: Callable[[int, bytes], None],
    ) -> None:
        def done(standings: Sequence[Standing] | None) -> None:
            if standings is None:
                answer(v.ESME_RQUERYFAIL, b"")
                return
            for one in standings:
                if _is_asked(client, query, one):
                    state = state_for(one.state, client.session.interface_version)
                    answer(
                        v.ESME_ROK,
                        query_sm_resp(
                            sequence_number,
                            query.message_id,
                            one.final_date,
                            state,
                            one.error_code,
                        ),
                    )
                    return
            answer(v.ESME_RINVMSGID, b"")

        self._querying.ask(self._ids.may_be(query.message_id), done)

    # cancel_sm.

    def _cancel(self, client: Client, cancel: CancelSm, now: float, answer: Answer) -> None:
        account = client.account
        latest = self._ids.latest  # What the client submits after this is another matter.

        def is_meant(message: Message) -> bool:
            if message.account != account.name:
                return False
            if message.router_id > latest and not cancel.message_id:
                return False
            if not is_from(cancel.source_octets, message.source_octets):
                return False
            destination = cancel.destination_octets
            if has_address(destination) and destination[2:] != message.destination_octets[2:]:
                return False  # TON and NPI do not count, as in `is_from`.
            if cancel.message_id:
                return is_called(
                    message.client_id, message.router_id, cancel.message_id, account.settings
                )
            return not cancel.service_type or (
                bool(message.octets) and _view(message).service_type == cancel.service_type
            )

        def done(found: Found) -> None:
            if found.error is not None or not self._commits.up:
                answer(v.ESME_RSYSERR)
                return
            waiting = [one for one in found.waiting.values() if is_meant(one.message)]
            sent = [one[-1] for one in found.sent.values() if is_meant(one[-1].message)]
            if not (waiting or sent):
                if any(map(is_meant, found.out.values())):
                    answer(v.ESME_RCANCELFAIL)
                else:
                    self._refuse_if_over(client, cancel, v.ESME_RCANCELFAIL, answer)
                return
            answers = _Answers(len(sent) + bool(waiting), answer)
            for pending in sent:
                self._operator_requests.cancel(pending, now, answers.one)
            if waiting:
                self._cancelling.cancel(
                    waiting, lambda is_safe: answers.one(v.ESME_ROK if is_safe else v.ESME_RSYSERR)
                )

        if cancel.message_id:
            may_be = self._ids.may_be(cancel.message_id)
            self._whereabouts.look_up(may_be, done, with_others=True)
        else:
            to = cancel.destination_octets
            self._cancel_more(_CancelAll(account.name, to[2:], is_meant, answer))

    def _cancel_more(self, job: "_CancelAll") -> None:
        """Ask for the next messages to a number, or answer when all are over."""
        if job.is_asking:
            return
        if job.is_read or job.has_failed:
            if not job.unsafe:
                job.end()
        elif job.unsafe < MOST_UNSAFE:
            job.is_asking = True
            self._whereabouts.next_of(
                job.account, job.destination, job.place, PIECE, partial(self._found_more, job)
            )
            self._turn.end_soon()

    def _found_more(self, job: "_CancelAll", found: Found, place: Place | None) -> None:
        job.is_asking = False
        job.has_failed = job.has_failed or found.error is not None or not self._commits.up
        if not job.has_failed:
            waiting = [one for one in found.waiting.values() if job.is_meant(one.message)]
            job.is_known = job.is_known or any(map(job.is_meant, found.out.values()))
            job.is_read = place is None
            job.place = place or job.place

            def kept(is_safe: bool) -> None:
                job.unsafe -= 1
                job.has_failed = job.has_failed or not is_safe
                self._cancel_more(job)

            if waiting:
                job.has_cancelled = True
                job.unsafe += 1
                self._cancelling.cancel(waiting, kept)
        self._cancel_more(job)

    # replace_sm.

    def _replace(self, client: Client, replace: ReplaceSm, answer: Answer) -> None:
        account = client.account

        def is_meant(message: Message) -> bool:
            return (
                message.account == account.name
                and is_called(
                    message.client_id, message.router_id, replace.message_id, account.settings
                )
                and is_from(replace.source_octets, message.source_octets)
            )

        def done(found: Found) -> None:
            if found.error is not None or not self._commits.up:
                answer(v.ESME_RSYSERR)
                return
            waiting = [one for one in found.waiting.values() if is_meant(one.message)]
            if waiting:
                answers = _Answers(len(waiting), answer)
                for one in waiting:
                    self._replace_found(client, one, replace, answers.one)
                return
            others = [*found.out.values(), *(one[0].message for one in found.sent.values())]
            if any(map(is_meant, others)):
                answer(v.ESME_RREPLACEFAIL)
            else:
                self._refuse_if_over(client, replace, v.ESME_RREPLACEFAIL, answer)

        may_be = self._ids.may_be(replace.message_id)
        self._whereabouts.look_up(may_be, done, with_others=True)

    def _replace_found(
        self, client: Client, found: Waiting, replace: ReplaceSm, answer: Answer
    ) -> None:
        why = cannot_be_replaced(_view(found.message))
        if why:
            client.tell(Note("pdu.refused", v.REPLACE_SM, v.ESME_RREPLACEFAIL, why=why))
            answer(v.ESME_RREPLACEFAIL)
            return
        refused = self._replacing.replace(
            found,
            replace,
            client.account.settings,
            wanted(replace.registered_delivery, client.session),
            lambda is_safe: answer(v.ESME_ROK if is_safe else v.ESME_RSYSERR),
        )
        if isinstance(refused, Refusal):
            client.tell(Note("pdu.refused", v.REPLACE_SM, refused.status, why=refused.why))
            answer(refused.status)


class _Answers:
    """One answer about several messages: of a submit_multi all have one id."""

    __slots__ = ("_answer", "_left", "_status")

    def __init__(self, left: int, answer: Answer) -> None:
        self._left = left
        self._answer: Final = answer
        self._status = -1

    def one(self, status: int) -> None:
        """Take the status of one; the last has the answer go out.

        That is the first status that came, but ESME_ROK if it was done to any, and ESME_RSYSERR if
        the journal could not keep it.
        """
        worse = status == v.ESME_RSYSERR or self._status == v.ESME_RSYSERR
        if worse:
            self._status = v.ESME_RSYSERR
        elif self._status < 0 or status == v.ESME_ROK:
            self._status = status
        self._left -= 1
        if not self._left:
            self._answer(self._status)


class _CancelAll:
    """A cancel_sm of all messages to a number, and how far it is."""

    __slots__ = (
        "account",
        "answer",
        "destination",
        "has_cancelled",
        "has_failed",
        "is_asking",
        "is_known",
        "is_meant",
        "is_read",
        "place",
        "unsafe",
    )

    def __init__(
        self,
        account: AccountName,
        destination: bytes,
        is_meant: Callable[[Message], bool],
        answer: Answer,
    ) -> None:
        self.account: Final = account
        self.destination: Final = destination
        """The address and its NUL, without TON and NPI: clients leave these 0."""
        self.is_meant: Final = is_meant
        self.answer: Final = answer
        self.place: Place = BEGINNING
        self.unsafe = 0
        """Pieces that the journal has not answered for."""
        self.is_asking = False
        """Whether a reading is under way."""
        self.is_read = False
        """Whether nothing more is to be looked for."""
        self.is_known = False
        """Whether an operator has such a message, or may have it."""
        self.has_cancelled = False
        self.has_failed = False
        """The journal could not tell, or could not keep it."""

    def end(self) -> None:
        """Answer the client."""
        if self.has_failed:
            self.answer(v.ESME_RSYSERR)
        elif self.has_cancelled:
            self.answer(v.ESME_ROK)
        else:
            self.answer(v.ESME_RCANCELFAIL if self.is_known else v.ESME_RINVMSGID)


def is_called(
    client_id: ClientId, router_id: RouterId, asked: bytes, settings: AccountSettings
) -> bool:
    """Return whether a client means the message that has these ids by what it asks for.

    It may know the id from the response or from a receipt. Zeros before the digits and the case of
    letters say nothing, for clients change both.
    """
    asked = asked.lstrip(b"0").upper()
    if client_id.lstrip(b"0").upper() == asked:
        return True
    of_receipt = in_receipt(client_id, router_id, settings.message_ids)
    return of_receipt.lstrip(b"0").upper() == asked


def _is_asked(client: Client, asked: QuerySm | CancelSm | ReplaceSm, one: Standing) -> bool:
    """Whether a message of which something is known is the one that a client asks for."""
    account = client.account
    return (
        one.account == account.name
        and is_called(one.client_id, one.router_id, asked.message_id, account.settings)
        and is_from(asked.source_octets, b"\0\0" + one.source + b"\0")
    )


def _view(message: Message) -> Sm:
    return Sm(Pdu(message.command_id, 0, 0, message.octets))
