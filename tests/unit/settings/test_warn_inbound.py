"""router/settings/warn_inbound.py: rules for subscribers' messages that take too much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.report.inbound import keyword_of
from router.settings.load import warnings
from router.settings.warn_inbound import inbound_warnings
from router.terms.names import AccountName, OperatorName
from router.terms.settings import InboundSettings
from tests.unit.settings.configurations import CONTRACT, changed, loaded

ELISA = "{destination: '12302', operator: elisa, to: bank}"
STOP = "{destination: '12302', keyword: STOP, to: shop}"
REST = "{destination: '12302', to: bank}"


def told(*rules: str) -> list[tuple[int, str]]:
    """The rule and the message of each warning about inbound rules."""
    text = CONTRACT[: CONTRACT.index("inbound:")]
    text += "inbound:\n" + "".join(f"  - {rule}\n" for rule in rules)
    found = [one for one in warnings(loaded(text)) if one.path.startswith("inbound[")]
    first = text[: text.index("inbound:")].count("\n") + 2
    assert [one.path for one in found] == [f"inbound[{one.line - first}]" for one in found]
    return [(one.line - first, one.message) for one in found]


def test_catch_all_of_one_operator_before_a_keyword_of_all_is_one_warning_with_both() -> None:
    ((index, message),) = told(ELISA, STOP, STOP.replace("STOP", "HELP"), REST)
    assert index == 0
    assert message.startswith("it takes all messages to its number from elisa, so inbound[1] (")
    assert message.endswith(
        ") never gets one from there, whatever its keyword; put this rule behind that one"
    )
    assert "router.yaml:" in message


@pytest.mark.parametrize(
    "later",
    [
        "{keyword: STOP, to: shop}",
        "{operator: elisa, keyword: STOP, to: shop}",
    ],
)
def test_keyword_for_every_number_is_missed_at_that_number(later: str) -> None:
    assert [index for index, _ in told(ELISA, later)] == [0]


def test_keyword_for_every_number_is_missed_behind_all_of_an_operator() -> None:
    ((_, message),) = told("{operator: elisa, to: bank}", "{keyword: STOP, to: shop}")
    assert message.startswith("it takes all messages from elisa, so inbound[1] (")


@pytest.mark.parametrize(
    "rules",
    [
        (STOP, ELISA, REST),
        (ELISA, REST),
        (ELISA, STOP.replace("12302", "12303")),
        (ELISA, STOP.replace("keyword", "operator: telia, keyword")),
        # Another operator's numbers may all be of one account, whatever those of the others.
        ("{operator: elisa, to: bank}", STOP),
        # The same account gets them.
        (ELISA, STOP.replace("shop", "bank")),
        # This keyword has a rule of its own there.
        (STOP.replace("keyword", "operator: elisa, keyword"), ELISA, STOP),
        ("{keyword: stop, operator: elisa, to: shop}", ELISA, STOP),
        # A number of one account, beside a keyword for all others.
        (REST, "{keyword: STOP, to: shop}"),
    ],
)
def test_order_that_may_be_meant_is_no_warning(rules: tuple[str, ...]) -> None:
    assert told(*rules) == []


def test_rule_that_can_never_match_is_told_as_such_only() -> None:
    found = told(REST, ELISA, STOP)
    assert [(index, message[:26]) for index, message in found] == [
        (1, "this rule can never match:"),
        (2, "this rule can never match:"),
    ]
    found = told(ELISA, STOP.replace("keyword", "operator: elisa, keyword"))
    assert [(index, message[:26]) for index, message in found] == [
        (1, "this rule can never match:")
    ]


def test_each_operator_with_such_a_rule_has_its_warning() -> None:
    telia = ELISA.replace("elisa", "telia")
    assert [index for index, _ in told(ELISA, telia, STOP, REST)] == [0, 1]


def test_example_of_the_contract_is_as_it_is_meant() -> None:
    assert "inbound:" in changed(CONTRACT)
    found = [one for one in warnings(loaded(CONTRACT)) if one.path.startswith("inbound[")]
    assert found == []


names = st.sampled_from(["a", "b"])
rules = st.builds(
    InboundSettings,
    to=st.sampled_from(["x", "y", "z"]).map(AccountName),
    operator=st.none() | names.map(OperatorName),
    destination=st.none() | st.sampled_from(["1", "2"]),
    keyword=st.none() | st.sampled_from(["S", "H"]),
)


@given(st.lists(rules, max_size=8))
def test_what_a_warning_says_is_so(found: list[InboundSettings]) -> None:
    for warning in inbound_warnings(found, {}):
        at = int(warning.path[len("inbound[") : -1])
        later = int(warning.message.partition("inbound[")[2].partition("]")[0])
        rule, other = found[at], found[later]
        assert at < later
        # The message that the later one would take is taken by this one, for another account.
        number = rule.destination or "3"
        message = (rule.operator, number, keyword_of(other))
        assert _first(found, message) == at
        assert _holds(other, message)
        assert rule.to != other.to


def _first(rules: list[InboundSettings], message: tuple[str | None, str, str | None]) -> int:
    return next(index for index, rule in enumerate(rules) if _holds(rule, message))


def _holds(rule: InboundSettings, message: tuple[str | None, str, str | None]) -> bool:
    operator, number, keyword = message
    return (
        rule.operator in (None, operator)
        and rule.destination in (None, number)
        and keyword_of(rule) in (None, keyword)
    )
