"""router/wiring/http_server.py and `smpp-router status` on loopback: slow, many, absent peers."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final

import pytest

from router.terms.settings import Address
from router.wiring.cli import main
from router.wiring.control import TelemetrySite, control_server, telemetry_server
from router.wiring.http_server import KEPT_PEERS, MOST_PEERS, HttpServer, Refusals
from tests.unit.settings.configurations import CONTRACT, changed
from tests.unit.telemetry.running import TELIA, FakeRouter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

PATIENCE_S: Final = 10.0
ANY_PORT: Final = changed(CONTRACT, ('listen: "127.0.0.1:9464"', 'listen: "127.0.0.1:0"'))


@pytest.fixture
def router() -> FakeRouter:
    found = FakeRouter(ANY_PORT)
    for name, operator in found.journey.operators.items():
        for number in range(len(operator.binds)):
            found.bring_up(name, number)
    return found


def refusals(router: FakeRouter) -> Refusals:
    return Refusals(router.journey.counters.http_refused)


@pytest.fixture
def telemetry(router: FakeRouter) -> Iterator[HttpServer]:
    found = telemetry_server(router, refusals(router))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def serving(router: FakeRouter) -> Iterator[HttpServer]:
    """The one that takes commands."""
    found = control_server(router, refusals(router))
    found.start()
    yield found
    found.stop()


def port_of(serving: HttpServer) -> int:
    return int(serving.address.rpartition(":")[2])


def get(serving: HttpServer, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port_of(serving), timeout=PATIENCE_S)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def connect(serving: HttpServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(serving)), timeout=PATIENCE_S)


def test_every_path_answers_and_nothing_is_printed(
    telemetry: HttpServer, serving: HttpServer, capfd: pytest.CaptureFixture[str]
) -> None:
    found = {path: get(telemetry, path) for path in ("/metrics", "/healthz", "/readyz")}
    found["/v1/status"] = get(serving, "/v1/status")
    assert {status for status, _ in found.values()} == {200}
    assert b'smpp_router_bind_up{bind="telia-1",operator="telia"} 1.0\n' in found["/metrics"][1]
    assert json.loads(found["/v1/status"][1])["operators"][0]["available"] is True
    assert get(telemetry, "/v1/status")[0] == get(serving, "/metrics")[0] == 404
    assert get(telemetry, "/metrics", "POST")[0] == 405
    assert capfd.readouterr() == ("", "")


def test_port_is_told_and_free_again_after_a_stop(router: FakeRouter) -> None:
    serving = control_server(router, refusals(router))
    serving.start()
    port = port_of(serving)
    assert (serving.address, port > 0) == (f"127.0.0.1:{port}", True)
    serving.stop()
    with pytest.raises(OSError, match="refused"):
        connect(serving)


@pytest.mark.parametrize(
    ("key", "server"),
    [("telemetry.listen", telemetry_server), ("control.listen", control_server)],
)
def test_port_in_use_is_an_error_that_names_the_setting(
    key: str, server: Callable[[FakeRouter, Refusals], HttpServer], serving: HttpServer
) -> None:
    if key == "telemetry.listen":
        text = changed(CONTRACT, ("127.0.0.1:9464", serving.address))
    else:
        text = f'{CONTRACT}\ncontrol: {{listen: "{serving.address}"}}\n'
    router = FakeRouter(text)
    with pytest.raises(OSError, match=f"{key}: {serving.address}: Address already in use"):
        server(router, refusals(router)).start()


def test_path_that_may_take_long_is_not_cut_while_others_are(router: FakeRouter) -> None:
    released = threading.Event()

    def site(_environ: object, start_response: "StartResponse") -> list[bytes]:
        released.wait(PATIENCE_S)
        start_response("200 OK", [])
        return [b"done"]

    here = Address(host="127.0.0.1", port=0)
    slow = {"/slow": 60.0}
    serving = HttpServer("x", here, lambda _: site, refusals(router), longest_s=0.05, slow=slow)
    serving.start()
    try:
        with connect(serving) as patient, connect(serving) as other:
            patient.sendall(b"GET /slow HTTP/1.0\r\n\r\n")
            other.sendall(b"GET /other HTTP/1.0\r\n\r\n")
            assert other.recv(4096) == b""  # Cut off.
            released.set()
            assert patient.recv(4096).startswith(b"HTTP/1.0 200")
    finally:
        serving.stop()


def test_mistake_of_ours_is_500_and_the_next_request_is_served(
    router: FakeRouter, serving: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    operators = dict(router.journey.pending.correlators)
    router.journey.pending.correlators.clear()
    assert get(serving, "/v1/status")[0] == 500
    assert "control.failed" in capsys.readouterr().out  # structlog's default, not set up here.
    router.journey.pending.correlators.update(operators)
    assert get(serving, "/v1/status")[0] == 200


@pytest.mark.parametrize(
    "octets",
    [
        b"\0\0\0\x10\0\0\0\x15\0\0\0\0\0\0\0\1\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"x" * 9000,
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    ],
)
def test_what_is_no_http_ends_one_connection_only(
    telemetry: HttpServer, octets: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(telemetry) as peer:
        peer.sendall(octets)
        with suppress(ConnectionResetError):  # Closed with some of it unread.
            while peer.recv(4096):
                pass
    assert get(telemetry, "/healthz")[0] == 200
    assert "Traceback" not in capfd.readouterr().err


def test_peers_that_say_nothing_take_a_bounded_number_of_threads(router: FakeRouter) -> None:
    here = Address(host="127.0.0.1", port=0)
    serving = HttpServer("x", here, lambda _: TelemetrySite(router), refusals(router))
    serving.start()
    before = set(threading.enumerate())  # Some of an earlier test may still be ending.
    peers = [connect(serving) for _ in range(MOST_PEERS + 5)]
    try:
        # The last ones are closed unread; the first keep their threads.
        assert peers[-1].recv(1) == b""
        assert len(set(threading.enumerate()) - before) == MOST_PEERS
        assert router.journey.counters.http_refused == {"too_many": 5}
    finally:
        for peer in peers:
            peer.close()
        serving.stop()


def test_status_is_told_whoever_takes_up_the_places(
    router: FakeRouter, serving: HttpServer
) -> None:
    peers = [connect(serving) for _ in range(MOST_PEERS + 5)]
    try:
        assert [get(serving, "/v1/status")[0] for _ in range(3)] == [200, 200, 200]
        # Nothing is posted, and that is what they say.
        asked = [get(serving, f"/v1/{path}", "POST")[0] for path in ("drain", "resume", "clock")]
        assert asked == [400, 400, 503]
    finally:
        for peer in peers:
            peer.close()


def test_health_is_told_whoever_takes_up_the_places(
    router: FakeRouter, telemetry: HttpServer
) -> None:
    peers = [connect(telemetry) for _ in range(MOST_PEERS + 5)]
    try:
        for _ in range(3):
            assert [get(telemetry, path)[0] for path in ("/healthz", "/readyz")] == [200, 200]
        assert peers[-2].recv(1) == b""  # It gave way: it had asked for nothing.
        peers[MOST_PEERS - KEPT_PEERS - 1].settimeout(0.0)
        with pytest.raises(BlockingIOError):  # The last of the others still has its place.
            peers[MOST_PEERS - KEPT_PEERS - 1].recv(1)
        assert get(telemetry, "/metrics")[0] == 503
        assert router.journey.counters.http_refused == {"too_many": 1}
    finally:
        for peer in peers:
            peer.close()


def test_peer_that_is_slow_for_too_long_is_cut_off(router: FakeRouter) -> None:
    serving = telemetry_server(router, refusals(router), longest_s=0.3)
    serving.start()
    try:
        with connect(serving) as peer:
            peer.settimeout(0.05)
            # Never silent for long, and never done.
            for octet in b"GET /metrics HTTP/1.0\r\nA: " + b"x" * 1000:
                try:
                    peer.sendall(bytes([octet]))
                    if peer.recv(1) == b"":
                        break
                except TimeoutError:
                    continue
                except ConnectionError:  # Cut off between the two.
                    break
            else:
                pytest.fail("it may go on for ever")
        assert get(serving, "/healthz")[0] == 200
    finally:
        serving.stop()


def test_peer_that_leaves_before_its_answer_is_no_news(
    telemetry: HttpServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        with connect(telemetry) as peer:
            peer.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert get(telemetry, "/healthz")[0] == 200
    assert capfd.readouterr() == ("", "")


# smpp-router status


def test_status_draws_what_the_router_says(
    serving: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--url", f"http://{serving.address}/"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert "telia-1" in output.out
    assert "bound_trx" in output.out


def test_status_of_one_has_what_the_configuration_says_of_it(
    serving: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = ("--url", f"http://{serving.address}")
    main(["status", "telia", *url])
    assert "address 127.0.0.1:27751, system_id agg1" in capsys.readouterr().out
    assert main(["status", "--account", "shop", "--json", *url]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["account"]["name"], found["problems"]) == ("shop", [])
    assert found["settings"]["settings"]["lane"] == "bulk"
    with pytest.raises(SystemExit) as wrong:
        main(["status", "telai", *url])
    assert wrong.value.code == 2
    assert "did you mean 'telia'?" in capsys.readouterr().err


def test_status_that_is_watched_in_a_pipe_is_blocks_of_lines(
    serving: HttpServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def second(_seconds: float) -> None:
        if capsys.readouterr().out.count("--- ") != 1:
            raise AssertionError("a block begins with one line that says when it was")
        blocks.append(1)
        if len(blocks) == 2:
            raise KeyboardInterrupt

    blocks: list[int] = []
    monkeypatch.setattr("router.wiring.status_watch.time.sleep", second)
    assert main(["status", "--watch", "--url", f"http://{serving.address}"]) == 0
    assert len(blocks) == 2


def test_status_as_json_is_what_the_router_says(
    serving: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--json", "--url", f"http://{serving.address}"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(get(serving, "/v1/status")[1])


def test_status_of_a_router_that_is_not_ready_exits_with_1(
    router: FakeRouter, serving: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    router.journey.commits.up = False
    assert main(["status", "--url", f"http://{serving.address}"]) == 1
    assert "not ready: journal is down" in capsys.readouterr().out


def test_status_says_why_the_router_did_not(
    router: FakeRouter, serving: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    router.loop.closed = True
    assert main(["status", "--url", f"http://{serving.address}"]) == 1
    assert "503: the router is stopping" in capsys.readouterr().err


def test_status_of_a_router_that_does_not_run_says_where_it_looked(
    router: FakeRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = control_server(router, refusals(router))
    serving.start()
    serving.stop()
    assert main(["status", "--url", f"http://{serving.address}"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"http://{serving.address}: no answer: ")


def test_status_is_not_asked_of_a_proxy(
    serving: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert main(["status", "--json", "--url", f"http://{serving.address}"]) == 0


def test_drain_and_resume_say_what_they_did(
    serving: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> list[str]:
        assert main([*words, "--url", f"http://{serving.address}"]) == 0
        # The router of this test lives in the same process: its log is there too.
        return [line for line in capsys.readouterr().out.splitlines() if "bind." not in line]

    assert said("drain", "telia/telia-1") == ["telia/telia-1: drained, 0 in flight"]
    assert said("drain", "telia") == [
        "telia/telia-1: was drained, 0 in flight",
        "telia/telia-2: drained, 0 in flight",
        "telia/telia-3: drained, 0 in flight",
    ]
    (bind,) = json.loads("".join(said("resume", "telia/telia-1", "--json")))["binds"]
    assert (bind["drained"], bind["changed"]) == (False, True)
    assert said("resume", "telia") == [
        "telia/telia-1: was not drained",
        "telia/telia-2: resumed",
        "telia/telia-3: resumed",
    ]


def test_drain_of_nothing_that_there_is_is_wrong_usage(
    serving: HttpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["drain", "elissa", "--url", f"http://{serving.address}"])
    assert exit_.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "there is no operator 'elissa'; did you mean 'elisa'?" in said.err


def test_drain_of_a_router_that_does_not_run_fails(
    router: FakeRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    serving = control_server(router, refusals(router))
    serving.start()
    serving.stop()
    assert main(["drain", "telia", "--url", f"http://{serving.address}"]) == 1
    assert "no answer" in capsys.readouterr().err


def test_page_whose_name_was_made_to_stand_for_this_machine_commands_nothing(
    router: FakeRouter, serving: HttpServer
) -> None:
    connection = HTTPConnection("127.0.0.1", port_of(serving), timeout=PATIENCE_S)
    page = f"evil.example:{port_of(serving)}"
    headers = {"Host": page, "Origin": f"http://{page}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/drain", b'{"what": "telia"}', headers)
    assert connection.getresponse().status == 421
    connection.close()
    assert not any(bind.drained for bind in router.journey.operators[TELIA].binds)
