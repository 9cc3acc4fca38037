"""What decides about a message: one immutable whole, replaced in one assignment.

A new configuration is built whole, away from the loop where it likes, and then put in force: a
message is decided by the rules of one configuration, never by parts of two.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from typing import Self

from router.check.heard import HeardParts
from router.check.number import routing_key
from router.check.numbering import PLAN
from router.check.numbers import NumberCheck
from router.check.places import Places
from router.check.policies import number_checks_of, places_of, policies_of
from router.check.policy import Policy
from router.check.submit import Checks
from router.decide.refuse import RefusingRules
from router.decide.senders import SendersOfOperators, senders_of_operators
from router.decide.table import RouteTable, Up
from router.enqueue.ids import in_receipt
from router.enqueue.journal import Renames
from router.report.inbound import InboundRules
from router.report.receipts import Told
from router.smpp.receipt import STATES, State
from router.terms.message import Message
from router.terms.names import AccountName, OperatorName
from router.terms.plan import Plans
from router.terms.settings import AccountSettings, Dialect, Settings, StatusAction


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one configuration."""

    accounts: Mapping[AccountName, AccountSettings]
    dialects: Mapping[AccountName, Dialect]
    """How receipts are written for accounts that want them otherwise than usual."""
    checks: Checks
    """What an account may submit, and in which normal form."""
    places: Places
    policies: Mapping[AccountName, Policy]
    """Of the accounts that have one."""
    inland: Mapping[AccountName, NumberCheck]
    """How numbers are read of accounts that may write them as they are dialled in their country."""
    ask_place: bool
    """Whether a rule, of those that refuse or of the routes, asks for the place of a number."""
    refuse: RefusingRules | None
    """What is refused before any route is looked at; None: nothing."""
    routes: RouteTable
    senders: SendersOfOperators | None
    """Which operators let a sender through; None: all let every one through."""
    inbound: InboundRules
    """Whose a subscriber's message is."""
    statuses: Mapping[OperatorName, Mapping[int, StatusAction]]
    """What an operator's command_status means, over the default table."""
    by_text: Set[OperatorName]
    """Operators that do not mark their receipts."""
    words: Mapping[OperatorName, Mapping[bytes, State]]
    """The states by all words for them, of operators with words of their own."""
    renames: Renames
    """What accounts and operators are called now that the configuration names as renamed."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        plans: Plans,
        up: Up,
        heard: HeardParts | None = None,
        before: Self | None = None,
    ) -> Self:
        """Build the rules of a configuration. May run in another thread than the loop's.

        `plans`, `up` and `heard` belong to the router and not to the rules: they stay when the
        rules are replaced. The turns of operators with weights begin anew, in rules that have not
        changed too; shares are exact again after as many messages as the weights are together. Of
        the rules `before` is kept what they have learnt of places, if those say the same, and what
        their limits have counted.
        """
        places = places_of(settings, None if before is None else before.places)
        numbers = number_checks_of(settings, places)
        refuse = RefusingRules(settings.refuse, settings.prefixes) if settings.refuse else None
        routes = RouteTable(settings.routes, plans, up, settings.prefixes)
        ask_place = routes.asks_place or (refuse is not None and refuse.asks_place)
        if ask_place or numbers:
            PLAN.read_all()  # Not when a message waits.
        return cls(
            accounts=settings.accounts,
            dialects={
                name: dialect
                for name, one in settings.accounts.items()
                if (dialect := _unusual_dialect(one)) is not None
            },
            checks=Checks(settings.lanes),
            places=places,
            policies=policies_of(
                settings, numbers, heard, {} if before is None else before.policies
            ),
            inland={
                name: check
                for name, check in numbers.items()
                if settings.accounts[name].numbers.country
            },
            ask_place=ask_place,
            refuse=refuse,
            routes=routes,
            senders=senders_of_operators(settings.operators, plans),
            inbound=InboundRules(
                settings.inbound,
                latin_1={
                    name
                    for name, one in settings.operators.items()
                    if one.data_coding_0 == "latin-1"
                },
            ),
            statuses={name: one.on_status for name, one in settings.operators.items()},
            by_text={name for name, one in settings.operators.items() if one.receipts.by_text},
            words={
                name: STATES | {w.encode(): STATES[s.encode()] for w, s in words.items()}
                for name, one in settings.operators.items()
                if (words := one.receipts.words)
            },
            renames=Renames(
                {one.formerly: name for name, one in settings.accounts.items() if one.formerly},
                {one.formerly: name for name, one in settings.operators.items() if one.formerly},
            ),
        )


def _unusual_dialect(account: AccountSettings) -> Dialect | None:
    """Return how receipts are written for an account; None if as for most."""
    forms = account.message_ids
    dialect = replace(account.dialect, message_id=forms)
    is_usual = dialect == Dialect(like=dialect.like, message_id=forms)
    return None if is_usual and forms.receipt == forms.response else dialect


class Rulebook:
    """The rules that are in force."""

    __slots__ = ("rules",)

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def inland(self, account: AccountName, destination: bytes) -> bytes:
        """Return the digits of a number that its account wrote without its country code.

        `destination` is TON, NPI, number, NUL. Empty of all other numbers.
        """
        check = self.rules.inland.get(account)
        key = None if check is None else routing_key(destination[2:-1])
        if check is None or key is None:
            return b""
        read = check.read(key, destination[2:-1])
        return b"" if read == key else read.encode()

    def number_of(self, message: Message, key: str) -> str:
        """Return the routing key of a message as its account's policy reads it."""
        return self.inland(message.account, message.destination_octets).decode() or key

    def told(self, message: Message) -> Told | None:
        """Return how the receipts of a message are written; None: as usual."""
        dialects = self.rules.dialects
        dialect = dialects.get(message.account) if dialects else None
        if dialect is None:
            return None
        client_id = in_receipt(message.client_id, message.router_id, dialect.message_id)
        return Told(dialect, client_id)
