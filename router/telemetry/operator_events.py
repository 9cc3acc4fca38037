"""Logs the events of operators, which the pure pools only note."""

from collections.abc import Iterable

import structlog

from router.forward.pool import Operator, OperatorEvent

log = structlog.get_logger()


def log_operator_events(operators: Iterable[Operator]) -> None:
    """Log the events since the last call."""
    for operator in operators:
        while operator.events:
            _tell(operator, operator.events.popleft())


def _tell(operator: Operator, news: OperatorEvent) -> None:
    about: dict[str, str] = {"operator": operator.name}
    if news.bind is not None:
        about["bind"] = news.bind
    match news.what:
        case "slowed":
            log.warning("bind.slowed", **about, why=news.why, per_second=round(news.per_second, 3))
        case "opened":
            log.warning("breaker.opened", **about, rest_s=news.rest_s)
        case "closed":
            log.info("breaker.closed", **about)
        case "data_sm":
            log.warning("operator.lacks_data_sm", **about, again_after_s=news.rest_s)
        case "suspected":
            waits = {"wait_s": news.rest_s} if news.rest_s else {}
            log.warning("message.suspected", **about, **news.about, then=news.why, **waits)
        case "unanswered":
            log.warning("message.unanswered", **about, **news.about, wait_s=news.rest_s)
