"""`smpp-router drain` and `resume` under load: nothing is lost, nothing is sent twice."""

from contextlib import ExitStack
from pathlib import Path

from benchmarks import stand
from benchmarks.processes import number, until
from benchmarks.stand import Router
from tests.e2e.scene import changed, configuration, smpp_router

TWO_OPERATORS = """\
  elisa:
    binds:
      - {name: e1, address: "127.0.0.1:OTHER", system_id: a, password: b, rate: 500/s, window: 50}
routes: [{destination: "", to: [telia, elisa]}]
"""


def command(router: Router, *words: str) -> str:
    done = smpp_router(*words, "--url", f"http://{router.telemetry}")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def sent(router: Router, operator: str) -> float:
    return router.samples().sum("sends_total", operator=operator)


def test_operator_is_drained_and_resumed_under_load(stack: ExitStack, tmp_path: Path) -> None:
    behaviour = ("--latency", "50ms", "--receipt-delay", "10ms..500ms")
    telia, elisa = stand.operator(stack, *behaviour), stand.operator(stack, *behaviour)
    other = changed(TWO_OPERATORS, ("OTHER", str(elisa.port)))
    routes = 'routes: [{destination: "", to: [telia]}]\n'
    router = stand.router(stack, configuration(telia.port, (routes, other)), tmp_path)
    router.until_bound(4)
    client = stand.client(stack, router.port, "--count", "900", "--rate", "200/s", system_id="bank")
    until("some are sent", lambda: sent(router, "telia") >= 50)
    assert command(router, "drain", "telia").count("drained") == 3
    until("the other takes over", lambda: sent(router, "elisa") >= 50)
    command(router, "drain", "telia/t1")  # Again: nothing changes.
    in_flight = "bind_window_in_use"
    until("all is answered", lambda: router.samples().sum(in_flight, operator="telia") == 0)
    before = sent(router, "telia")
    assert router.samples().sum("bind_up", operator="telia") == 3
    assert router.samples().sum("bind_drained") == 3
    until("more are sent", lambda: sent(router, "elisa") >= 150)
    assert sent(router, "telia") == before
    assert command(router, "resume", "telia/t2") == "telia/t2: resumed\n"
    until("it sends again", lambda: sent(router, "telia") > before)

    totals = stand.totals_of(client)
    stand.well(client, totals)
    assert totals["receipted"] == 900
    seen = [telia.totals(), elisa.totals()]
    assert sum(number(one, "distinct") for one in seen) == 900
    assert [number(one, "repeated") for one in seen] == [0, 0]
    assert len(router.child.events("bind.drained")) == 3
    assert len(router.child.events("bind.resumed")) == 1
