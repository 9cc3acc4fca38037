"""Explains what would happen to a message, with the router's own checks and route table.

Nothing here decides: `check/` and `decide/` do, with a submit_sm as a client would send it. So an
explanation cannot say something else than the router does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from aiosmpplib import GSM7BitCodec

from router.check.submit import Checks
from router.decide.prefixes import longest_prefix
from router.decide.refuse import RefusingRules
from router.decide.senders import SendersOfOperators, senders_of_operators
from router.decide.table import RouteTable, Rule, Up
from router.decide.words import destination_in_short
from router.settings.rule_words import conditions_of, does_of
from router.settings.units import show_duration
from router.smpp import pdu
from router.smpp.pdu import BodyError, Framer, Sm
from router.smpp.senders import SenderRules, entries_of
from router.smpp.text import segments_of
from router.smpp.vocabulary import MESSAGE_PAYLOAD, SUBMIT_SM, status_name
from router.terms.names import AccountName, OperatorName
from router.terms.outcome import NOT_CARRIED, Refusal
from router.terms.plan import Plans
from router.terms.settings import AccountSettings, RefuseSettings, RouteSettings, Settings

INTERNATIONAL: Final = (1, 1)
ALPHANUMERIC: Final = (5, 0)
UNKNOWN: Final = (0, 0)
"""TON and NPI, as clients write them."""
UCS2: Final = 0x08


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A message that a client might send."""

    account: AccountName
    to: str
    sender: str = ""
    text: str = ""
    priority: int = 0
    service_type: str = ""
    at_utc: float | None = None
    """When it is accepted, for rules with hours; None: now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRule:
    """One route, in words."""

    file: str
    line: int
    destination: str
    says: str
    """The conditions of the rule and what it does."""
    why_not: str | None = None
    """Why the rule lost; None for the winner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldPlan:
    """Operators in the order in which they are tried."""

    operators: tuple[str, ...]
    weight: int | None
    """The weight of the first operator; None if the rule names operators in order."""
    share: float
    """The share of the rule's messages that get this plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRefusal:
    """Why the message would be refused, and the status of the answer."""

    reason: str
    status: int
    status_name: str


@dataclass(slots=True, kw_only=True)
class Explanation:
    """What would happen to the message. Fields that a refusal leaves open are None or empty."""

    account: str
    to: str
    characters: int
    alphabet: str
    segments: int
    """The number of segments that a client makes of the text."""
    number: str | None = None
    """The routing key: the number in its normal form."""
    lane: str | None = None
    lane_by: str = ""
    """Which setting or field chose the lane."""
    validity_s: float | None = None
    """How long the message may wait; None is without limit."""
    failover_after_s: float | None = None
    """The wait after which the next operator may take the message too; None: only if one is
    down."""
    in_doubt: str | None = None
    """What happens to the message if it is written to an operator and never answered."""
    waits_for_schedule: bool = False
    """Whether the router honours a schedule_delivery_time, rather than passing it on."""
    told_what_remains: list[str] = field(default_factory=list)
    """Operators that get the rest of a validity_period, rather than the whole."""
    senders: list[str] = field(default_factory=list)
    """What operators of the rule do with the sender, where they do not let it through."""
    winner: ToldRule | None = None
    plans: list[ToldPlan] = field(default_factory=list)
    losers: list[ToldRule] = field(default_factory=list)
    """The other routes for this number, longest prefix first; and before
    them the rules under `refuse` that name this sender or number, and do not hold."""
    rules_for_other_numbers: int = 0
    not_refusing: int = 0
    """Rules that refuse messages, and name neither."""
    refusal: ToldRefusal | None = None

    def as_json(self) -> dict[str, object]:
        """Return the explanation as a JSON document."""
        return {"accepted": self.refusal is None, **asdict(self)}

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the explanation for people: a heading, empty on further lines, and a text."""
        yield "account", self.account
        yield "number", f"{self.number or 'none'} (from {self.to!r})"
        if self.characters:
            parts = f"{self.segments} segment{_s(self.segments)}"
            length = f"{self.characters} character{_s(self.characters)}"
            together = " that go to one operator" if self.segments > 1 else ""
            yield "text", f"{length}, {self.alphabet}, {parts}{together}"
        if self.lane is not None:
            yield "lane", f"{self.lane} ({self.lane_by})"
            forever = self.validity_s is None
            valid = "no end" if forever else f"{show_duration(self.validity_s or 0)} (of the lane)"
            yield "validity", f"{valid}, for a message that brings none of its own"
            if self.told_what_remains:
                yield "", f"what remains of its own is told to {', '.join(self.told_what_remains)}"
            honoured = "a message waits here until its time, and goes out without it"
            yield "schedule", honoured if self.waits_for_schedule else "goes out as it came"
        if self.winner is not None:
            yield "rule", _told(self.winner)
        for number, words in enumerate(self.senders):
            yield "" if number else "sender", words
        yield from self._ending()
        for number, rule in enumerate(self.losers):
            yield "" if number else "lost", f"{_told(rule)}: {rule.why_not}"
        if others := self.rules_for_other_numbers:
            yield "" if self.losers else "lost", f"{others} rule{_s(others)} for other numbers"
        if others := self.not_refusing:
            is_first = not (self.losers or self.rules_for_other_numbers)
            words = f"{others} rule{_s(others)} under `refuse` for other messages"
            yield "lost" if is_first else "", words

    def _ending(self) -> Iterator[tuple[str, str]]:
        if self.refusal is not None:
            status = f"{self.refusal.status_name} (0x{self.refusal.status:08X})"
            yield "refused", f"{self.refusal.reason}; the client hears {status}"
        for number, plan in enumerate(self.plans):
            share = f"{plan.share * 100:.4g} % (weight {plan.weight}): " if plan.weight else ""
            yield "" if number else "operators", share + ", then ".join(plan.operators)
        if self.plans:
            if len(self.plans[0].operators) > 1:
                yield "", "on to the next: " + self._when()
            yield "in doubt", f"{self.in_doubt}, where an operator never answers"

    def _when(self) -> str:
        when = "when one is down or fails, or its status says so"
        if self.failover_after_s is None:
            return when
        return f"{when}, or the message has waited {show_duration(self.failover_after_s)} for it"


def explain(settings: Settings, question: Question, now_utc: float) -> Explanation:
    """Explain a message by the checks and the route table. Its account must be in the settings."""
    account = settings.accounts[question.account]
    if question.at_utc is not None:
        now_utc = question.at_utc
    alphabet, segments = segments_of(question.text)
    told = Explanation(
        account=account.name,
        to=question.to,
        characters=len(question.text),
        alphabet=alphabet,
        segments=segments,
    )
    try:
        sm = Sm(Framer(2**32).feed(_submit_sm(question, alphabet))[0])
    except BodyError as error:
        told.refusal = _refusal(Refusal(f"malformed: {error}", error.status))
        return told
    checks = Checks(settings.lanes)
    checked = checks.check(sm, account, now_utc)
    if isinstance(checked, Refusal):
        told.refusal = _refusal(checked)
        return told
    told.number = checked.number
    number, lane = checked.number, checked.lane
    asked = number, account.name, lane, sm, now_utc
    refusing = RefusingRules(settings.refuse, settings.prefixes)
    told.not_refusing = len(settings.refuse)
    for rule, why in refusing.explain(*asked):
        told.not_refusing -= 1
        if why is None:
            told.winner = _rule(rule, None)
            told.refusal = _refusal(Refusal(rule.reason, rule.status))
            return told
        told.losers.append(_rule(rule, why))
    # Of a hundred thousand routes a table takes a second; of those that can matter it is the same.
    groups = settings.prefixes
    fitting = [one for one in settings.routes if longest_prefix(one, number, groups) is not None]
    table = RouteTable(fitting, Plans(), Up(), groups)
    verdicts = table.explain(*asked)
    told.losers += [_rule(route, why) for route, why in verdicts if why is not None]
    told.rules_for_other_numbers = len(settings.routes) - len(verdicts)
    winner = next((route for route, why in verdicts if why is None), None)
    if winner is not None:
        told.winner = _rule(winner, None)
    decided = table.decide(*asked)
    if isinstance(decided, Refusal):
        told.refusal = _refusal(decided)
        return told
    lane = lane if decided.lane is None else decided.lane
    by_rule = decided.lane is not None
    told.lane = lane
    told.lane_by = "by the rule" if by_rule else _lane_by(question, account)
    end_utc = checks.expires_utc(checked, lane, now_utc)
    told.validity_s = None if end_utc == float("inf") else round(end_utc - now_utc, 6)
    lane_settings = next(one for one in settings.lanes if one.name == lane)
    told.failover_after_s = lane_settings.failover_after_s
    told.in_doubt = lane_settings.in_doubt
    told.waits_for_schedule = account.schedule_delivery_time == "honour"
    senders = senders_of_operators(settings.operators, Plans())
    told.senders = _senders(settings, decided.settings.to, sm.source_addr, now_utc)
    if senders is not None and not senders.any_takes(decided.settings.to, sm.source_addr, now_utc):
        told.refusal = _refusal(NOT_CARRIED)
        return told
    told.plans = _plans(decided)
    if senders is not None:
        told.plans = _carried(told.plans, senders, sm.source_addr, now_utc)
    told.told_what_remains = [
        name
        for name in decided.settings.to
        if settings.operators[name].validity_period == "remaining"
    ]
    return told


def _lane_by(question: Question, account: AccountSettings) -> str:
    """Return what chose the lane, if the rule does not; in the order of `Checks`."""
    if question.service_type in account.lane_by_service_type:
        return f"by service_type {question.service_type}"
    if question.priority in account.lane_by_priority:
        return f"by priority_flag {question.priority}"
    return "the account's"


def _plans(rule: Rule) -> list[ToldPlan]:
    """Return the plans of a rule, as the rule hands them out, each with its share."""
    weights = dict(zip(rule.settings.to, rule.settings.weights, strict=False))
    if not weights:
        return [ToldPlan(operators=rule.next_plan().candidates, weight=None, share=1.0)]
    total = sum(weights.values())
    found: dict[str, ToldPlan] = {}
    # By the earliest deadline each comes first at the latest when the smallest weight is due.
    for _ in range(total):
        candidates = rule.next_plan().candidates
        weight = weights[candidates[0]]
        plan = ToldPlan(operators=candidates, weight=weight, share=weight / total)
        found.setdefault(candidates[0], plan)
        if len(found) == len(weights):
            break
    return sorted(found.values(), key=lambda plan: -plan.share)


def _senders(
    settings: Settings, operators: Sequence[OperatorName], source: bytes, now_utc: float
) -> list[str]:
    """Return what operators do with a sender that they do not let through, in words."""
    found = []
    shown = source.decode("ascii", "backslashreplace") or "no sender"
    for name in operators:
        senders = settings.operators[name].senders
        if senders is None:
            continue
        why = SenderRules(senders.kinds, entries_of(senders)).why_not(source, now_utc)
        if why:
            replacement = senders.otherwise
            then = "left out" if replacement is None else f"sent under {replacement.replace}"
            found.append(f"{name}: {shown} {why}: {then}")
    return found


def _carried(
    plans: Sequence[ToldPlan], senders: SendersOfOperators, source: bytes, now_utc: float
) -> list[ToldPlan]:
    """Return plans with those operators only that let a sender through; equal ones are one."""
    found: dict[tuple[str, ...], ToldPlan] = {}
    for plan in plans:
        left = tuple(
            name
            for name in plan.operators
            if senders.any_takes((OperatorName(name),), source, now_utc)
        )
        before = found.get(left)
        weight, share = plan.weight, plan.share
        if before is not None:
            weight = None if weight is None else weight + (before.weight or 0)
            share += before.share
        found[left] = ToldPlan(operators=left, weight=weight, share=share)
    return sorted(found.values(), key=lambda plan: -plan.share)


def _submit_sm(question: Question, alphabet: str) -> bytes:
    """Return the message as a client would send it."""
    if alphabet == "UCS-2":
        octets, data_coding = question.text.encode("utf-16-be"), UCS2
    else:
        octets, data_coding = bytes(GSM7BitCodec().encode(question.text)[0]), 0
    # Clients send a longer text in message_payload.
    long = len(octets) > pdu.LONGEST_SHORT_MESSAGE_OCTETS
    return pdu.sm(
        SUBMIT_SM,
        1,
        source=_address(question.sender),
        destination=_address(question.to),
        short_message=b"" if long else octets,
        service_type=question.service_type.encode("latin-1"),
        priority_flag=question.priority,
        data_coding=data_coding,
        tlvs=pdu.tlv(MESSAGE_PAYLOAD, octets) if long else b"",
    )


def _address(text: str) -> tuple[int, int, bytes]:
    if text.startswith("+"):
        kind = INTERNATIONAL
    else:
        kind = UNKNOWN if not text or text.isdigit() else ALPHANUMERIC
    return *kind, text.encode("latin-1")


def _rule(route: RouteSettings | RefuseSettings, why_not: str | None) -> ToldRule:
    return ToldRule(
        file=route.file,
        line=route.line,
        destination=destination_in_short(route),
        says=f"{conditions_of(route)}; {does_of(route)}",
        why_not=why_not,
    )


def _refusal(refusal: Refusal) -> ToldRefusal:
    return ToldRefusal(
        reason=refusal.reason, status=refusal.status, status_name=status_name(refusal.status)
    )


def _told(rule: ToldRule) -> str:
    place = f"{rule.file}:{rule.line}: " if rule.file else ""
    return place + rule.says


def _s(count: int) -> str:
    return "" if count == 1 else "s"
