"""Routes and other rules in words: under which conditions they hold, and what they do."""

from router.decide.words import conditions_in_short, destination_in_short
from router.smpp.vocabulary import status_name
from router.terms.settings import InboundSettings, RefuseSettings, RouteSettings


def conditions_of(rule: RouteSettings | RefuseSettings | InboundSettings) -> str:
    """Return the conditions of a rule, such as `destination 372; account shop`."""
    if isinstance(rule, InboundSettings):
        destination = rule.destination or "any"
        others = [("operator", rule.operator), ("keyword", rule.keyword)]
        told = [(name, value) for name, value in others if value is not None]
    else:
        destination = destination_in_short(rule) or "any"
        told = list(conditions_in_short(rule))
    words = [f"{name} {value}" for name, value in told]
    is_unsaid = isinstance(rule, RefuseSettings) and not (rule.destination or rule.groups)
    return "; ".join(words if is_unsaid else [f"destination {destination}", *words])


def does_of(rule: RouteSettings | RefuseSettings | InboundSettings) -> str:
    """Return what a rule does, such as `to telia, elisa; lane otp` or `to telia 3, elisa 1`."""
    if isinstance(rule, InboundSettings):
        return f"to {rule.to}"
    if isinstance(rule, RefuseSettings):
        return f"refuse {status_name(rule.status)} ({rule.reason})"
    if rule.refuse is not None:
        does = f"refuse {status_name(rule.refuse)}"
    elif rule.weights:
        shares = zip(rule.to, rule.weights, strict=True)
        does = "to " + ", ".join(f"{name} {weight}" for name, weight in shares)
    else:
        does = "to " + ", ".join(rule.to)
    return does if rule.lane is None else f"{does}; lane {rule.lane}"


def place_of(rule: RouteSettings | RefuseSettings) -> str:
    """Return `file:line` of a rule; empty where it is not known."""
    return f"{rule.file}:{rule.line}" if rule.file else ""
