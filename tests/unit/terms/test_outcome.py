"""router/terms/outcome.py: what a status means, and that our numbers are the specification's."""

import pytest

from router.smpp import vocabulary as v
from router.terms import outcome
from router.terms.names import OperatorName
from router.terms.outcome import DEFAULT_ACTIONS, TEMPORARY_FOR_CLIENTS, Outcome, Refusal, judge
from router.terms.settings import OperatorSettings, StatusAction

ONCE = StatusAction(do="next", times=1)
REFUSALS = {name: one for name, one in vars(outcome).items() if isinstance(one, Refusal)}


def named(*names: str) -> list[int]:
    return [v.STATUS_BY_NAME[name] for name in names]


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (outcome.WRONG_CREDENTIALS, v.ESME_RINVPASWD),
        (outcome.FOREIGN_ADDRESS, v.ESME_RINVPASWD),
        (outcome.TOO_MANY_CHECKS, v.ESME_RBINDFAIL),
        (outcome.TOO_MANY_BINDS, v.ESME_RBINDFAIL),
        (outcome.BIND_WHILE_DRAINING, v.ESME_RBINDFAIL),
        (outcome.DRAINING, v.ESME_RSYSERR),
        (outcome.THROTTLED, v.ESME_RTHROTTLED),
        (outcome.QUEUE_FULL, v.ESME_RMSGQFUL),
        (outcome.JOURNAL_DOWN, v.ESME_RSYSERR),
        (outcome.NO_ROUTE, v.ESME_RINVDSTADR),
        (outcome.WRONG_DESTINATION, v.ESME_RINVDSTADR),
        (outcome.UNREADABLE_VALIDITY, v.ESME_RINVEXPIRY),
        (outcome.VALIDITY_IS_OVER, v.ESME_RINVEXPIRY),
        (outcome.UNREADABLE_SCHEDULE, v.ESME_RINVSCHED),
        (outcome.SCHEDULE_TOO_FAR, v.ESME_RINVSCHED),
        (outcome.TEMPORARY, v.ESME_RX_T_APPN),
        (outcome.NOT_FOR_US, v.ESME_RX_P_APPN),
    ],
)
def test_refusal_has_the_status_of_its_name(refusal: Refusal, status: int) -> None:
    assert refusal.status == status


def test_every_refusal_says_something_that_the_specification_knows() -> None:
    assert REFUSALS
    for refusal in REFUSALS.values():
        assert refusal.status in v.STATUS_NAMES
        assert refusal.status not in (v.ESME_ROK, v.ESME_RALYBND)
        assert refusal.reason.replace("_", "").isalpha()


def test_client_may_send_again_what_was_refused_only_for_now() -> None:
    for refusal in (outcome.DRAINING, outcome.THROTTLED, outcome.QUEUE_FULL, outcome.JOURNAL_DOWN):
        assert refusal.status in TEMPORARY_FOR_CLIENTS
    for refusal in (outcome.NO_ROUTE, outcome.WRONG_DESTINATION, outcome.VALIDITY_IS_OVER):
        assert refusal.status not in TEMPORARY_FOR_CLIENTS


def test_statuses_after_which_a_delivery_is_tried_again_are_the_temporary_ones() -> None:
    names = ("ESME_RSYSERR", "ESME_RMSGQFUL", "ESME_RTHROTTLED", "ESME_RX_T_APPN")
    assert frozenset(named(*names)) == TEMPORARY_FOR_CLIENTS


@pytest.mark.parametrize(
    ("names", "action"),
    [
        (
            (
                *("ESME_RINVMSGLEN", "ESME_RINVCMDLEN", "ESME_RINVCMDID", "ESME_RINVPRTFLG"),
                *("ESME_RINVREGDLVFLG", "ESME_RINVDSTADR", "ESME_RINVSERTYP", "ESME_RINVNUMDESTS"),
                *("ESME_RINVESMCLASS", "ESME_RINVREPFLAG", "ESME_RINVSCHED", "ESME_RINVEXPIRY"),
                *("ESME_RINVDSTTON", "ESME_RINVDSTNPI", "ESME_RX_P_APPN", "ESME_RX_R_APPN"),
                *("ESME_RINVOPTPARSTREAM", "ESME_RINVOPTPARAMVAL"),
            ),
            StatusAction(do="fail"),
        ),
        (
            (
                *("ESME_RINVSRCADR", "ESME_RINVSRCTON", "ESME_RINVSRCNPI", "ESME_RSUBMITFAIL"),
                *("ESME_RDELIVERYFAILURE", "ESME_RUNKNOWNERR"),
            ),
            ONCE,
        ),
        (
            (
                *("ESME_RINVBNDSTS", "ESME_RALYBND", "ESME_RBINDFAIL", "ESME_RINVPASWD"),
                *("ESME_RINVSYSID", "ESME_RINVSYSTYP"),
            ),
            StatusAction(do="rebind"),
        ),
        (
            ("ESME_RSYSERR", "ESME_RX_T_APPN"),
            StatusAction(do="retry", after_s=30.0, times=2, then="next"),
        ),
        (("ESME_RMSGQFUL",), StatusAction(do="retry", after_s=30.0, times=3, then="next")),
        (("ESME_RTHROTTLED",), StatusAction(do="pause", for_s=1.0)),
    ],
)
def test_status_means_by_default_what_its_name_says(
    names: tuple[str, ...], action: StatusAction
) -> None:
    assert {name: judge(v.STATUS_BY_NAME[name], {}) for name in names} == dict.fromkeys(
        names, action
    )


@pytest.mark.parametrize("status", [0x09, 0x46, 0x105, 0x400, 0x4FF, 0x500, 0xFFFFFFFF])
def test_status_in_no_list_goes_to_one_other_operator(status: int) -> None:
    assert status not in DEFAULT_ACTIONS
    assert judge(status, {}) == ONCE


def test_ok_is_no_failure_in_the_table() -> None:
    assert v.ESME_ROK not in DEFAULT_ACTIONS


@pytest.mark.parametrize("status", [v.ESME_RTHROTTLED, 0x0B, 0x400])
def test_operators_own_table_goes_before_the_default(status: int) -> None:
    action = StatusAction(do="retry", after_s=7.0, times=5, then="fail")
    settings = OperatorSettings(name=OperatorName("telia"), binds=(), on_status={status: action})
    assert judge(status, settings.on_status) is action
    assert judge(v.ESME_RSYSERR, settings.on_status) == judge(v.ESME_RSYSERR, {})


def test_every_outcome_keeps_its_number() -> None:
    """They are in the journal's file and on the status page."""
    assert [(one.name, int(one)) for one in Outcome] == [
        ("DELIVERED", 0),
        ("FAILED", 1),
        ("EXPIRED", 2),
        ("REJECTED", 3),
        ("SENT", 4),
        ("UNKNOWN", 5),
    ]
