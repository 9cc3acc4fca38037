"""Routes and inbound rules in words: under which conditions they hold, and what they do."""

from router.smpp.vocabulary import status_name
from router.terms.settings import InboundSettings, RouteSettings


def conditions_of(rule: RouteSettings | InboundSettings) -> str:
    """Return the conditions of a rule, such as `destination 372; account shop`."""
    if isinstance(rule, RouteSettings):
        first = f"destination {rule.destination or 'any'}"
        others: dict[str, object] = {
            "account": rule.account,
            "sender": rule.sender,
            "priority": rule.priority,
            "service_type": rule.service_type,
        }
    else:
        first = f"destination {rule.destination or 'any'}"
        others = {"operator": rule.operator, "keyword": rule.keyword}
    return "; ".join(
        [first, *(f"{name} {value}" for name, value in others.items() if value is not None)]
    )


def does_of(rule: RouteSettings | InboundSettings) -> str:
    """Return what a rule does, such as `to telia, elisa; lane otp` or `to telia 3, elisa 1`."""
    if isinstance(rule, InboundSettings):
        return f"to {rule.to}"
    if rule.refuse is not None:
        does = f"refuse {status_name(rule.refuse)}"
    elif rule.weights:
        shares = zip(rule.to, rule.weights, strict=True)
        does = "to " + ", ".join(f"{name} {weight}" for name, weight in shares)
    else:
        does = "to " + ", ".join(rule.to)
    return does if rule.lane is None else f"{does}; lane {rule.lane}"


def place_of(rule: RouteSettings) -> str:
    """Return `file:line` of a route; empty where it is not known."""
    return f"{rule.file}:{rule.line}" if rule.file else ""
