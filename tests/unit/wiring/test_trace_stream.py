"""router/wiring/trace_stream.py: which questions are answered, and how a trace begins and ends."""

import io
import json

import pytest

from router.telemetry.trace import MOST_TRACES, Wanted
from tests.unit.telemetry.running import FakeRouter
from tests.unit.wiring.test_control import ask, command, control_of

TRACE = "/v1/trace"


def lines(router: FakeRouter, question: dict[str, object]) -> list[dict[str, object]]:
    """The answer, when its time is over."""
    body = json.dumps({"for_s": 0.001, **question}).encode()
    status, headers, answer = ask(
        control_of(router),
        TRACE,
        "POST",
        **{
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        },
    )
    assert (status, headers["Content-Type"]) == (200, "application/x-ndjson")
    assert headers["Cache-Control"] == "no-store"
    return [json.loads(line) for line in answer.splitlines()]


@pytest.mark.parametrize(
    ("question", "status", "says"),
    [
        ({}, 400, "a trace is of one account, operator, bind or peer, or to a number"),
        ({"account": "bank", "peer": "192.0.2.1"}, 400, "a trace is of one"),
        ({"account": 7}, 400, "a name is a text"),
        ({"account": "bank", "text": "x", "to": None}, 400, "a trace has no 'text'"),
        ({"account": "bank", "for_s": 0}, 400, "up to 3600 s"),
        ({"account": "bank", "for_s": 3601}, 400, "up to 3600 s"),
        ({"account": "bank", "for_s": "1"}, 400, "up to 3600 s"),
        ({"account": "bank", "for_s": float("nan")}, 400, "up to 3600 s"),
        ({"account": "bank", "reveal": "yes"}, 400, "true or false"),
        ({"to": "BANK"}, 400, "'BANK' is no number"),
        ({"to": 372}, 400, "372 is no number"),
        ({"peer": "somewhere"}, 400, "IPv4 or IPv6"),
        ({"operator": "tele"}, 422, "did you mean 'telia'?"),
        ({"bind": "telia-9"}, 422, "there is no bind 'telia-9'"),
        ({"bind": "elisa/telia-1"}, 422, "there is no bind 'telia-1'"),
        ({"account": "bank", "reveal": True}, 403, "control.reveal names nobody"),
    ],
)
def test_question_that_is_none_is_refused(
    question: dict[str, object], status: int, says: str
) -> None:
    router = FakeRouter()
    found, answer = command(control_of(router), TRACE, json.dumps(question).encode())
    assert (found, says in str(answer["error"])) == (status, True), answer
    assert router.traces.running == []
    assert router.journey.counters.http_refused == ({"reveal": 1} if status == 403 else {})


@pytest.mark.parametrize(
    "question",
    [
        {"account": "bank"},
        {"operator": "telia"},
        {"bind": "telia-1"},
        {"bind": "telia/telia-1"},
        {"peer": "192.0.2.1"},
        {"to": "+372 555"},
        {"account": "bank", "to": "372555", "operator": None},
    ],
)
def test_trace_begins_and_is_over_when_its_time_is(question: dict[str, object]) -> None:
    router = FakeRouter()
    began, over = lines(router, question)
    assert began == {"event": "began", "reveals": False, "notes": []}
    assert over == {"event": "over", "why": "its time is over", "seen": 0, "dropped": 0}
    assert router.traces.running == []


def test_account_that_is_not_there_is_told_and_traced_all_the_same() -> None:
    began, _ = lines(FakeRouter(), {"account": "bnk"})
    assert "there is no account 'bnk'; did you mean 'bank'?" in str(began["notes"])


def test_one_trace_too_many_is_refused() -> None:
    router = FakeRouter()
    for _ in range(MOST_TRACES):
        router.traces.begin(Wanted())
    status, answer = command(control_of(router), TRACE, b'{"account": "bank"}')
    assert (status, answer["error"]) == (503, "4 traces run already, or the router stops")


def test_loop_that_does_not_answer_begins_no_trace() -> None:
    router = FakeRouter()
    router.loop.answers = False
    status, _ = command(control_of(router, answer_s=0.01), TRACE, b'{"account": "bank"}')
    assert status == 503
    for late in router.loop.unheard:
        late()
    assert router.traces.running == []


def test_trace_is_a_command_of_control_alone() -> None:
    router = FakeRouter()
    assert ask(control_of(router), TRACE)[0] == 405
    assert TRACE in str(command(control_of(router), "/", b"{}")[1]["error"])
