"""Explains what would happen to a message, with the router's own checks and route table.

Nothing here decides: `check/` and `decide/` do, with a submit_sm as a client would send it. So an
explanation cannot say something else than the router does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from router.check.places import Places
from router.check.policies import number_checks_of, places_of, policies_of
from router.check.policy import Candidate, Check, Policy
from router.check.submit import Checks
from router.decide.prefixes import Groups, longest_prefix, prefixes_of
from router.decide.refuse import RefusingRules
from router.decide.senders import SendersOfOperators, senders_of_operators
from router.decide.table import RouteTable, Rule, Up
from router.decide.words import destination_in_short
from router.settings.rule_words import conditions_of, does_of
from router.settings.units import show_duration
from router.smpp import pdu
from router.smpp.gsm import gsm_of_text
from router.smpp.length import parts_of
from router.smpp.pdu import BodyError, Framer, Sm
from router.smpp.senders import SenderRules, entries_of
from router.smpp.vocabulary import MESSAGE_PAYLOAD, SUBMIT_SM, status_name
from router.steps.rules import Rules
from router.terms.names import NO_COUNTRY, AccountName, OperatorName
from router.terms.outcome import NOT_CARRIED, Refusal
from router.terms.place import Place
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
    prefix: str | None = None
    """The longest of its prefixes that the number has; None where it asks for none."""
    prefixes: int = 0
    """How many it has."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldPlace:
    """What the number says of where it is; empty where it does not."""

    country: str
    network: str
    """MCCMNC."""
    network_name: str
    kind: str
    is_valid: bool
    zone: str

    def __str__(self) -> str:
        if not self.is_valid:
            of = f" (of {self.country}, by its first digits)" if self.country != NO_COUNTRY else ""
            return f"no valid number{of}"
        network = f"network {self.network} {self.network_name}".rstrip() if self.network else ""
        kind = self.kind.replace("_", " ")
        return ", ".join(filter(None, (self.country, network, kind, self.zone)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldCheck:
    """What one check of the account's policy did."""

    check: str
    result: str
    """`passed`, `refused`, `counted` or `changed`."""
    words: str
    """What of the message it was."""

    def __str__(self) -> str:
        return ": ".join(filter(None, (f"{self.check} {self.result}", self.words)))


@dataclass(slots=True, kw_only=True)
class Explanation:
    """What would happen to the message. Fields that a refusal leaves open are None or empty."""

    account: str
    to: str
    characters: int
    alphabet: str
    segments: int
    """The number of segments that a client makes of the text."""
    at_utc: float | None = None
    """When the message is accepted; None: now."""
    number: str | None = None
    """The routing key: the number in its normal form."""
    place: ToldPlace | None = None
    policy: list[ToldCheck] = field(default_factory=list)
    """What the checks of the account did, in their order, up to the one that refuses."""
    lane: str | None = None
    lane_by: str = ""
    """Which setting or field chose the lane."""
    validity_s: float | None = None
    """How long the message may wait; None is without limit."""
    failover_after_s: float | None = None
    """The wait after which any other operator may take the message too; None: only if one is
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
        if self.at_utc is not None:
            at = datetime.fromtimestamp(self.at_utc, UTC)
            yield "time", f"{at:%a %Y-%m-%d %H:%M:%S} UTC, for rules with hours"
        if self.place is not None:
            yield "place", str(self.place)
        for number, check in enumerate(self.policy):
            yield "" if number else "policy", str(check)
        if self.characters:
            parts = f"{self.segments} segment{_s(self.segments)}"
            length = f"{self.characters} character{_s(self.characters)}"
            together = " that go to one operator" if self.segments > 1 else ""
            yield "text", f"{length}, {self.alphabet}, {parts}{together}"
        if self.lane is not None:
            yield "lane", f"{self.lane} ({self.lane_by})"
        if self.lane is not None and self.refusal is None:
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
                yield "", "on to the next: when one is down or fails, or its status says so"
                yield "", self._overflow()
            yield "in doubt", f"{self.in_doubt}, where an operator never answers"

    def _overflow(self) -> str:
        if self.failover_after_s is None:
            return "no other one takes what waits while the first is up"
        waited = show_duration(self.failover_after_s)
        return f"after {waited} without a slot any other one may take it, the nearest first"


def explain(
    settings: Settings, question: Question, now_utc: float, rules: Rules | None = None
) -> Explanation:
    """Explain a message by the checks and the route table. Its account must be in the settings.

    `rules` are those that run with these settings, whose policies know what was sent lately.
    """
    account = settings.accounts[question.account]
    if question.at_utc is not None:
        now_utc = question.at_utc
    alphabet, segments = parts_of(question.text)
    told = Explanation(
        account=account.name,
        to=question.to,
        characters=len(question.text),
        alphabet=alphabet,
        segments=segments,
        at_utc=question.at_utc,
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
    lane = checked.lane
    one = Candidate(account, sm, checked.number, lane, is_trial=True)
    one.not_before_utc = checked.not_before_utc
    places = places_of(settings) if rules is None else rules.places
    one.place = places.of(one.number)
    if rules is None:
        policy = _policy(settings, account, places)
    else:
        policy = rules.policies.get(account.name)
    if policy is not None and policy.number is not None:
        refusal = _judged(told, policy.number, one, now_utc)
    else:
        refusal = None
    told.number, told.place = one.number, _place(one.place, settings)
    if refusal is not None:
        told.refusal = _refusal(refusal)
        told.lane, told.lane_by = lane, _lane_by(question, account)
        return told
    number, groups = one.number, settings.prefixes

    def told_rule(rule: RouteSettings | RefuseSettings, why_not: str | None) -> ToldRule:
        return _rule(rule, why_not, longest_prefix(rule, number, groups), groups)

    asked = number, account.name, lane, sm, now_utc, one.place
    refusing = RefusingRules(settings.refuse, groups)
    told.not_refusing = len(settings.refuse)
    for rule, why in refusing.explain(*asked):
        told.not_refusing -= 1
        if why is None:
            told.winner = told_rule(rule, None)
            told.refusal = _refusal(Refusal(rule.reason, rule.status))
            told.lane, told.lane_by = lane, _lane_by(question, account)
            return told
        told.losers.append(told_rule(rule, why))
    for check in () if policy is None else policy.checks:
        refusal = _judged(told, check, one, now_utc)
        if refusal is not None:
            told.refusal = _refusal(refusal)
            told.lane, told.lane_by = lane, _lane_by(question, account)
            return told
    asked = number, account.name, lane, one.sm, now_utc, one.place
    # Of a hundred thousand routes a table takes a second; of those that can matter it is the same.
    fitting = [one for one in settings.routes if longest_prefix(one, number, groups) is not None]
    table = RouteTable(fitting, Plans(), Up(), groups)
    verdicts = table.explain(*asked)
    told.losers += [told_rule(route, why) for route, why in verdicts if why is not None]
    told.rules_for_other_numbers = len(settings.routes) - len(verdicts)
    winner = next((route for route, why in verdicts if why is None), None)
    if winner is not None:
        told.winner = told_rule(winner, None)
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
    source = one.sm.source_addr
    senders = senders_of_operators(settings.operators, Plans())
    told.senders = _senders(settings, decided.settings.to, source, now_utc)
    if senders is not None and not senders.any_takes(decided.settings.to, source, now_utc):
        told.refusal = _refusal(NOT_CARRIED)
        return told
    told.plans = _plans(decided)
    if senders is not None:
        told.plans = _carried(told.plans, senders, source, now_utc)
    told.told_what_remains = [
        name
        for name in decided.settings.to
        if settings.operators[name].validity_period == "remaining"
    ]
    return told


def _policy(settings: Settings, account: AccountSettings, places: Places) -> Policy | None:
    """Return the policy of an account as the router would make it, without what it has counted."""
    alone = replace(settings, accounts={account.name: account})
    numbers = number_checks_of(alone, places)
    return policies_of(alone, numbers).get(account.name)


def _judged(told: Explanation, check: Check, one: Candidate, now_utc: float) -> Refusal | None:
    """Ask one check, and tell what it did."""
    known = len(one.notes)
    refusal = check.judge(one, now_utc)
    for note in one.notes[known:]:
        told.policy.append(ToldCheck(check=note.check, result=note.result, words=note.words))
    if refusal is not None:
        words = refusal.why or refusal.reason
        told.policy.append(ToldCheck(check=check.name, result="refused", words=words))
    elif len(one.notes) == known:
        told.policy.append(ToldCheck(check=check.name, result="passed", words=""))
    return refusal


def _place(place: Place, settings: Settings) -> ToldPlace:
    names = (file.names.get(place.network) for file in reversed(settings.networks))
    return ToldPlace(
        country=place.country,
        network=place.network,
        network_name=next(filter(None, names), "") if place.network else "",
        kind=place.kind,
        is_valid=place.is_valid,
        zone=place.zone,
    )


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
        octets, data_coding = gsm_of_text(question.text) or b"", 0
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


def _rule(
    rule: RouteSettings | RefuseSettings, why_not: str | None, prefix: str | None, groups: Groups
) -> ToldRule:
    return ToldRule(
        file=rule.file,
        line=rule.line,
        destination=destination_in_short(rule),
        says=f"{conditions_of(rule)}; {does_of(rule)}",
        why_not=why_not,
        prefix=prefix,
        prefixes=len(prefixes_of(rule, groups)),
    )


def _refusal(refusal: Refusal) -> ToldRefusal:
    return ToldRefusal(
        reason=refusal.reason, status=refusal.status, status_name=status_name(refusal.status)
    )


def _told(rule: ToldRule) -> str:
    place = f"{rule.file}:{rule.line}: " if rule.file else ""
    by = (
        f" (by {rule.prefix or 'every number'})"
        if rule.prefixes > 1 and rule.why_not is None
        else ""
    )
    return place + rule.says + by


def _s(count: int) -> str:
    return "" if count == 1 else "s"
