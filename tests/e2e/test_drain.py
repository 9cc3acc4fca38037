"""`smpp-router drain` and `resume` under load: nothing is lost, nothing is sent twice."""

from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks import stand
from benchmarks.processes import Child, number, until
from benchmarks.stand import Router
from tests.e2e.scene import PASSWORD, changed, configuration, smpp_router

CAMPAIGN: Final = 300
"""Messages of one campaign: some seconds of load."""
ACCOUNTS: Final = ("one", "two", "three", "four")
"""One for each campaign, because a receipt comes on any bind of its account."""
TWO_OPERATORS = """\
  elisa:
    binds:
      - {name: e1, address: "127.0.0.1:OTHER", system_id: a, password: b, rate: 500/s, window: 50}
routes: [{destination: "", to: [telia, elisa]}]
"""


def command(router: Router, *words: str) -> str:
    done = smpp_router(*words, "--url", f"http://{router.control}")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def sent(router: Router, operator: str) -> float:
    return router.samples().sum("sends_total", operator=operator)


def test_operator_is_drained_and_resumed_under_load(stack: ExitStack, tmp_path: Path) -> None:
    behaviour = ("--latency", "50ms", "--receipt-delay", "10ms..500ms")
    telia, elisa = stand.operator(stack, *behaviour), stand.operator(stack, *behaviour)
    other = changed(TWO_OPERATORS, ("OTHER", str(elisa.port)))
    routes = 'routes: [{destination: "", to: [telia]}]\n'
    accounts = "".join(f"  {name}: {{password: {PASSWORD}, lane: bulk}}\n" for name in ACCOUNTS)
    changes = ((routes, other), ("operators:\n", f"{accounts}operators:\n"))
    router = stand.router(stack, configuration(telia.port, *changes), tmp_path)
    router.until_bound(4)
    campaigns: list[Child] = []

    def load() -> None:
        """Begin a campaign. Each wait has its own: a slow machine may have finished the others."""
        account = ACCOUNTS[len(campaigns)]
        options = ("--count", str(CAMPAIGN), "--rate", "200/s")
        campaigns.append(stand.client(stack, router.port, *options, system_id=account))

    load()
    until("some are sent", lambda: sent(router, "telia") >= 50)
    assert command(router, "drain", "telia").count("drained") == 3
    load()
    until("the other takes over", lambda: sent(router, "elisa") >= 50)
    command(router, "drain", "telia/t1")  # Again: nothing changes.
    in_flight = "bind_window_in_use"
    until("all is answered", lambda: router.samples().sum(in_flight, operator="telia") == 0)
    before, taken_over = sent(router, "telia"), sent(router, "elisa")
    assert router.samples().sum("bind_up", operator="telia") == 3
    assert router.samples().sum("bind_drained") == 3
    load()
    until("more are sent", lambda: sent(router, "elisa") >= taken_over + 50)
    assert sent(router, "telia") == before
    assert command(router, "resume", "telia/t2") == "telia/t2: resumed\n"
    load()
    until("it sends again", lambda: sent(router, "telia") > before)

    for client in campaigns:
        totals = stand.totals_of(client)
        stand.well(client, totals)
        assert totals["receipted"] == CAMPAIGN
    seen = [telia.totals(), elisa.totals()]
    assert sum(number(one, "distinct") for one in seen) == CAMPAIGN * len(campaigns)
    assert [number(one, "repeated") for one in seen] == [0, 0]
    assert len(router.child.events("bind.drained")) == 3
    assert len(router.child.events("bind.resumed")) == 1
