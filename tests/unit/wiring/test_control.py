"""router/wiring/control.py: what each path answers, in which state of the router."""

import io
import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from router.terms.settings import Address
from router.wiring.control import MOST_WAITING, ControlSite, TelemetrySite
from router.wiring.http_server import Refusals, Site
from router.wiring.reload import Reloaded, Result
from tests.unit.telemetry.running import TELIA, FakeRouter

Answer = tuple[int, dict[str, str], bytes]
PATHS = ("/metrics", "/healthz", "/readyz")
COMMANDS = (
    *("/v1/drain", "/v1/resume", "/v1/clock", "/v1/reload"),
    *("/v1/compare", "/v1/explain", "/v1/routes"),
)
HERE = Address(host="127.0.0.1", port=9465)


def control_of(router: FakeRouter, here: Address = HERE, answer_s: float = 2.0) -> ControlSite:
    """What `control.listen` answers."""
    refusals = Refusals(router.journey.counters.http_refused)
    return ControlSite(router, here, refusals, answer_s=answer_s)


def ask(site: Site, path: str, method: str = "GET", **environ: object) -> Answer:
    """Status, headers and body of one answer."""
    said: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], _exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        said.append((status, headers))
        return lambda _: None

    asked = {
        "PATH_INFO": path,
        "REQUEST_METHOD": method,
        "QUERY_STRING": "",
        "HTTP_HOST": "127.0.0.1:9465",
        **environ,
    }
    body: Iterable[bytes] = site(asked, start_response)
    ((status, headers),) = said
    return int(status.split()[0]), dict(headers), b"".join(body)


def told(site: Site, path: str) -> tuple[int, dict[str, object]]:
    """Status and document of one answer."""
    status, headers, body = ask(site, path)
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(body))
    document = json.loads(body)
    assert isinstance(document, dict)
    return status, document


def test_metrics_are_those_of_the_router_and_of_its_process() -> None:
    status, headers, body = ask(TelemetrySite(FakeRouter()), "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    for name in (b"smpp_router_journal_up", b"process_cpu_seconds_total", b"python_info"):
        assert b"\n" + name in body


def test_metrics_come_as_openmetrics_for_who_asks_for_that() -> None:
    accept = "application/openmetrics-text;version=1.0.0"
    _, headers, body = ask(TelemetrySite(FakeRouter()), "/metrics", HTTP_ACCEPT=accept)
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_metrics_and_health_are_answered_while_the_loop_stands_still() -> None:
    router = FakeRouter()
    router.loop.answers = False
    site = TelemetrySite(router)
    assert [ask(site, path)[0] for path in PATHS] == [200, 200, 200]
    assert router.loop.asked == 0


@pytest.mark.parametrize(("silent_s", "status"), [(0.0, 200), (4.9, 200), (5.0, 503), (60.0, 503)])
def test_router_is_healthy_while_its_loop_beats(silent_s: float, status: int) -> None:
    router = FakeRouter()
    router.now += silent_s
    assert told(TelemetrySite(router), "/healthz")[0] == status


def test_router_that_is_not_healthy_says_for_how_long() -> None:
    router = FakeRouter()
    router.now += 12.34
    assert told(TelemetrySite(router), "/healthz") == (
        503,
        {"healthy": False, "reason": "the event loop has not turned for 12.3 s"},
    )


def test_router_is_ready_although_no_operator_is_up() -> None:
    assert told(TelemetrySite(FakeRouter()), "/readyz") == (200, {"ready": True})


def test_router_is_not_ready_before_clients_are_served() -> None:
    router = FakeRouter()
    router.ready = False
    assert told(TelemetrySite(router), "/readyz") == (503, {"ready": False, "reason": "starting"})


def test_router_is_not_ready_while_it_drains() -> None:
    router = FakeRouter()
    router.journey.intake.draining = True
    assert told(TelemetrySite(router), "/readyz") == (503, {"ready": False, "reason": "draining"})


def test_router_is_not_ready_while_its_journal_is_down() -> None:
    router = FakeRouter()
    site = TelemetrySite(router)
    router.journey.commits.up = False
    assert told(site, "/readyz") == (503, {"ready": False, "reason": "journal is down"})
    router.journey.commits.up = True
    assert told(site, "/readyz")[0] == 200


def test_router_that_drains_is_healthy() -> None:
    router = FakeRouter()
    router.journey.intake.draining, router.ready = True, False
    assert told(TelemetrySite(router), "/healthz")[0] == 200


def test_status_is_made_by_the_loop() -> None:
    router = FakeRouter()
    status, document = told(control_of(router), "/v1/status")
    assert (status, document["listeners"], router.loop.asked) == (200, ["127.0.0.1:2775"], 1)


def test_status_is_not_made_again_for_who_asks_right_after() -> None:
    router = FakeRouter()
    site = control_of(router)
    assert told(site, "/v1/status") == told(site, "/v1/status")
    assert router.loop.asked == 1


def test_status_of_a_loop_that_does_not_answer_is_503() -> None:
    router = FakeRouter()
    router.loop.answers = False
    site = control_of(router, answer_s=0.01)
    assert told(site, "/v1/status") == (
        503,
        {"error": "the event loop did not answer within 0.01 s"},
    )
    router.loop.answers = True
    assert told(site, "/v1/status")[0] == 200


def test_status_of_a_loop_that_is_closed_is_503() -> None:
    router = FakeRouter()
    router.loop.closed = True
    assert told(control_of(router), "/v1/status") == (503, {"error": "the router is stopping"})


def test_mistake_in_the_status_goes_to_who_asked_and_not_to_the_loop() -> None:
    router = FakeRouter()
    del router.journey.deliveries
    with pytest.raises(AttributeError):
        ask(control_of(router), "/v1/status")
    assert router.loop.errors == []


@pytest.mark.parametrize("path", ["/", "", "/metrics/", "/v1", "/v1/status", "/METRICS", "*"])
def test_other_paths_of_telemetry_are_404_and_told_what_there_is(path: str) -> None:
    status, document = told(TelemetrySite(FakeRouter()), path)
    assert status == 404
    assert "/readyz; /v1/status and commands are served on control.listen" in str(document["error"])


@pytest.mark.parametrize("path", COMMANDS)
def test_nothing_is_commanded_where_anybody_may_look(path: str) -> None:
    router = FakeRouter()
    assert command(TelemetrySite(router), path, b'{"what": "telia"}')[0] == 404
    assert router.loop.asked == 0


@pytest.mark.parametrize("path", ["/", "", "/v1", "/v1/status/x", "/metrics", "/healthz", "*"])
def test_other_paths_of_control_are_404_and_told_what_there_is(path: str) -> None:
    status, document = told(control_of(FakeRouter()), path)
    assert status == 404
    assert "/v1/status, /v1/drain" in str(document["error"])


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", [*PATHS, "/v1/status"])
def test_other_methods_are_405(path: str, method: str) -> None:
    site = TelemetrySite(FakeRouter()) if path in PATHS else control_of(FakeRouter())
    status, headers, _ = ask(site, path, method)
    assert (status, headers["Allow"]) == (405, "GET")


# Commands.


def command(site: Site, path: str, body: bytes, **environ: object) -> tuple[int, dict[str, object]]:
    """Status and document of the answer to a command."""
    asked = {
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    status, _, answer = ask(site, path, "POST", **asked)
    document = json.loads(answer)
    assert isinstance(document, dict)
    return status, document


def test_drain_and_resume_tell_what_has_become_of_each_bind() -> None:
    router = FakeRouter()
    site = control_of(router)
    for path, drained in (("/v1/drain", True), ("/v1/resume", False)):
        assert command(site, path, b'{"what": "telia/telia-2"}') == (
            200,
            {
                "binds": [
                    {
                        "operator": "telia",
                        "bind": "telia-2",
                        "drained": drained,
                        "changed": True,
                        "in_flight": 0,
                    }
                ]
            },
        )
        assert router.journey.operators[TELIA].binds[1].drained == drained


class Silent(io.BytesIO):
    """A body of which no more comes."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise TimeoutError("timed out")


@pytest.mark.parametrize("path", COMMANDS)
@pytest.mark.parametrize("body", [io.BytesIO(b"{}"), Silent()])
def test_body_that_is_shorter_than_it_says_is_400_in_words(path: str, body: io.BytesIO) -> None:
    body.seek(0)
    more = {"CONTENT_LENGTH": "50", "wsgi.input": body}
    status, document = command(control_of(FakeRouter()), path, b"", **more)
    assert (status, document) == (400, {"error": "Content-Length is 50, and fewer octets came"})


def test_status_after_a_command_is_a_new_one() -> None:
    site = control_of(FakeRouter())
    before = told(site, "/v1/status")
    command(site, "/v1/drain", b'{"what": "telia"}')
    assert told(site, "/v1/status") != before


def test_clock_that_is_doubted_is_believed_when_a_person_says_so() -> None:
    router = FakeRouter()
    steady = router.journey.clocks.steady
    steady.go_on_from(router.journey.clocks.utc() + 7200.0, router.now)
    site = control_of(router)
    assert command(site, "/v1/clock", b'{"what": "doubt"}')[0] == 422
    assert steady.is_in_doubt
    believe = b'{"what": "believe"}'
    answer = {"changed": True, "ahead_s": -7200.0}
    assert command(site, "/v1/clock", believe) == (200, answer)
    assert not steady.is_in_doubt
    answer = {"changed": False, "ahead_s": 0.0}
    assert command(site, "/v1/clock", believe) == (200, answer)


def test_command_about_nothing_that_there_is_is_422_and_names_the_nearest() -> None:
    status, document = command(control_of(FakeRouter()), "/v1/drain", b'{"what": "tella"}')
    assert status == 422
    assert "did you mean 'telia'?" in str(document["error"])


@pytest.mark.parametrize(
    ("body", "environ"),
    [
        (b'{"what": "telia"}', {"CONTENT_TYPE": "text/plain"}),
        (b'{"what": "telia"}', {"CONTENT_TYPE": "application/x-www-form-urlencoded"}),
        (b'{"what": "telia"}', {"CONTENT_LENGTH": "x"}),
        (b'{"what": "telia"}', {"CONTENT_LENGTH": "4097"}),
        (b'{"what": "telia"}', {"CONTENT_LENGTH": "-1"}),
        (b"", {}),
        (b'{"what": "telia"', {}),
        (b"\xff\xfe", {}),
        (b"[" * 4000, {}),
        (b'["telia"]', {}),
        (b'{"what": 1}', {}),
        (b'{"who": "telia"}', {}),
    ],
)
def test_command_that_is_none_is_400_and_does_nothing(
    body: bytes, environ: dict[str, object]
) -> None:
    router = FakeRouter()
    status, document = command(control_of(router), "/v1/drain", body, **environ)
    assert (status, list(document)) == (400, ["error"])
    assert not any(bind.drained for bind in router.journey.operators[TELIA].binds)


def test_command_that_the_loop_did_not_hear_in_time_is_not_done_later() -> None:
    router = FakeRouter()
    router.loop.answers = False
    site = control_of(router, answer_s=0.01)
    assert command(site, "/v1/drain", b'{"what": "telia"}')[0] == 503
    for call in router.loop.unheard:
        call()
    assert not router.journey.operators[TELIA].binds[0].drained


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", COMMANDS)
def test_commands_are_posted(path: str, method: str) -> None:
    status, headers, _ = ask(control_of(FakeRouter()), path, method)
    assert (status, headers["Allow"]) == (405, "POST")


# Who asks.

OTHER_NAMES = [
    "",
    "evil.example",
    "evil.example:9465",
    "127.0.0.1",
    "127.0.0.1:80",
    "127.0.0.1:9465.evil.example",
    "127.0.0.1:9465,evil.example:9465",
    "127.0.0.2:9465",
    "localhost.:9465",
    "::1:9465",
]


@pytest.mark.parametrize("host", OTHER_NAMES)
def test_request_that_does_not_name_us_is_refused_and_counted(host: str) -> None:
    router = FakeRouter()
    site = control_of(router)
    status, document = command(site, "/v1/drain", b'{"what": "telia"}', HTTP_HOST=host)
    assert status == 421
    assert "Host has to be one of 127.0.0.1:9465, [::1]:9465, localhost:9465" in str(document)
    assert ask(site, "/v1/status", HTTP_HOST=host)[0] == 421
    assert not any(bind.drained for bind in router.journey.operators[TELIA].binds)
    assert router.loop.asked == 0
    assert router.journey.counters.http_refused == {"foreign_host": 2}


@pytest.mark.parametrize(
    "foreign",
    [
        {"HTTP_ORIGIN": "http://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": ""},
        {"HTTP_ORIGIN": "https://127.0.0.1:9465"},
        {"HTTP_ORIGIN": "http://127.0.0.1:8080"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_ORIGIN": "http://127.0.0.1:9465", "HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_ORIGIN": "http://evil.example", "HTTP_SEC_FETCH_SITE": "same-origin"},
    ],
)
def test_request_of_a_foreign_web_page_is_refused_and_counted(foreign: dict[str, str]) -> None:
    router = FakeRouter()
    status, document = command(control_of(router), "/v1/drain", b'{"what": "telia"}', **foreign)
    assert (status, "web page" in str(document["error"])) == (403, True)
    assert router.loop.asked == 0
    assert router.journey.counters.http_refused == {"foreign_origin": 1}


@pytest.mark.parametrize(
    ("here", "own"),
    [
        (HERE, {"HTTP_HOST": "LOCALHOST:9465"}),
        (HERE, {"HTTP_HOST": "[::1]:9465"}),
        (HERE, {"HTTP_ORIGIN": "http://localhost:9465", "HTTP_SEC_FETCH_SITE": "same-origin"}),
        (HERE, {"HTTP_SEC_FETCH_SITE": "none"}),
        (Address(host="127.0.0.9", port=1), {"HTTP_HOST": "127.0.0.9:1"}),
        (Address(host="::1", port=1), {"HTTP_HOST": "[::1]:1"}),
    ],
)
def test_request_that_names_us_is_served(here: Address, own: dict[str, str]) -> None:
    site = control_of(FakeRouter(), here)
    assert command(site, "/v1/drain", b'{"what": "telia"}', **own)[0] == 200


# Reload.


def reloaded(result: Result, reason: str = "") -> Reloaded:
    """What came of a reload."""
    return Reloaded(
        result=result,
        reason=reason,
        changes=["accounts.shop.max_binds: 4 -> 2"],
        changes_left_out=0,
        needs_restart=[],
        stays=[],
        mistakes=[],
        mistakes_left_out=0,
        warnings=[],
        warnings_left_out=0,
        took_s=0.1,
        in_force_since_utc=1e9,
    )


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("unchanged", 200),
        ("applied", 200),
        ("partly", 200),
        ("needs_restart", 409),
        ("rejected", 409),
        ("failed", 500),
        ("refused", 503),
    ],
)
def test_reload_says_what_came_of_it(result: Result, status: int) -> None:
    router = FakeRouter()
    router.reloader.told = reloaded(result, "a reason")
    answer = command(control_of(router), "/v1/reload", b"{}")
    assert answer == (status, {**reloaded(result, "a reason"), "error": "a reason"})
    assert router.reloader.asked == [False]


def test_part_is_applied_only_if_asked() -> None:
    router = FakeRouter()
    router.reloader.told = reloaded("partly")
    assert command(control_of(router), "/v1/reload", b'{"partly": true}')[0] == 200
    assert router.reloader.asked == [True]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"partly": 1}', b'{"partly": "yes"}', b'{"part": true}']
)
def test_reload_that_is_none_is_400_and_does_nothing(body: bytes) -> None:
    router = FakeRouter()
    status, document = command(control_of(router), "/v1/reload", body)
    assert (status, list(document)) == (400, ["error"])
    assert router.reloader.asked == []


def test_reload_that_takes_long_goes_on_and_that_is_said() -> None:
    router = FakeRouter()
    refusals = Refusals(router.journey.counters.http_refused)
    site = ControlSite(router, HERE, refusals, reload_s=0.01)
    status, document = command(site, "/v1/reload", b"{}")
    assert status == 503
    assert "goes on" in str(document["error"])
    assert router.reloader.asked == [False]


@pytest.mark.parametrize("path", ["/v1/reload", "/v1/compare"])
def test_so_many_may_wait_and_the_next_is_refused_at_once(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = FakeRouter()
    site = control_of(router)
    waiting, released = threading.Semaphore(0), threading.Event()

    def waits(*_: object) -> tuple[int, object]:
        waiting.release()
        released.wait(20.0)
        return 200, {}

    monkeypatch.setattr(site, "_reload" if path == "/v1/reload" else "_question", waits)
    with ThreadPoolExecutor(MOST_WAITING) as others:
        try:
            asked = [others.submit(command, site, path, b"{}") for _ in range(MOST_WAITING)]
            for _ in asked:
                waiting.acquire()
            status, document = command(site, path, b"{}")
            assert (status, document) == (503, {"error": "4 others wait already; ask again later"})
            assert router.journey.counters.http_refused == {"too_many": 1}
            assert told(site, "/v1/status")[0] == 200
        finally:
            released.set()
    assert [one.result()[0] for one in asked] == [200] * MOST_WAITING
    assert command(site, path, b"{}") == (200, {})


def test_reload_of_a_router_that_ends_is_503() -> None:
    router = FakeRouter()
    router.loop.closed = True
    assert command(control_of(router), "/v1/reload", b"{}")[0] == 503


def test_status_after_a_reload_is_a_new_one() -> None:
    router = FakeRouter()
    router.reloader.told = reloaded("applied")
    site = control_of(router)
    before = told(site, "/v1/status")
    router.now += 1.0
    command(site, "/v1/reload", b"{}")
    assert told(site, "/v1/status") != before
