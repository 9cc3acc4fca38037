"""Reload of the real process: what changed is followed, what did not is not touched, or nothing is.

The router of most tests is shared. Each test writes its own configuration, and begins with the one
that the router was started with.
"""

import json
import os
import re
import signal
import socket
import ssl
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from fcntl import ioctl
from pathlib import Path
from termios import FIONREAD
from typing import Final

import pytest

from benchmarks import stand
from benchmarks.certificates import OPENSSL, self_signed
from benchmarks.processes import Child, until
from benchmarks.stand import Router
from router.settings.load import load
from router.smpp import vocabulary as v
from router.wiring.reload import MOST_TOLD, STOPPING
from router.wiring.reload_view import Told, reload
from tests.e2e.scene import Peer, changed, configuration, free_port, smpp_router

T1: Final = '{name: t1, address: "127.0.0.1:PORT", system_id: a, password: b, rate: 500/s,'
OTHER: Final = """\
  elisa:
    reconnect: {first: 100ms, longest: 500ms}
    binds:
      - {name: e1, address: "127.0.0.1:PORT", system_id: a, password: b, rate: 500/s, window: 50}
routes: [{destination: "", to: [telia]}"""
MORE: Final = "  more: {password: secret01, lane: bulk}\n"
ACCOUNTS: Final = ("accounts:\n", f"accounts:\n{MORE}")


class Scene:
    """A router, its operator, and the file of its configuration."""

    def __init__(self, stack: ExitStack, folder: Path, *changes: tuple[str, str]) -> None:
        self.operator = stand.operator(stack, "--receipt-delay", "10ms")
        self.first = configuration(self.operator.port, *changes)
        self.file = folder / "router.yaml"
        self.router: Router = stand.router(stack, self.first, folder)
        self.router.until_bound(3)

    def write(self, *changes: tuple[str, str]) -> None:
        """Write the configuration of the start, with these changes."""
        port = str(self.operator.port)
        told = ((old.replace("PORT", port), new.replace("PORT", port)) for old, new in changes)
        self.file.write_text(changed(self.first, *told), encoding="utf-8")
        a_while_ago = time.time() - 10  # So that nobody waits until it is surely whole.
        os.utime(self.file, (a_while_ago, a_while_ago))

    def reload(self, *changes: tuple[str, str], partly: bool = False) -> Told:
        """Write it, and have the router follow."""
        self.write(*changes)
        return reload(f"http://{self.router.control}", partly=partly)

    def result(self, *changes: tuple[str, str]) -> str:
        """What came of that, in a word."""
        return str(self.reload(*changes).document["result"])

    def status(self) -> dict[str, list[dict[str, object]]]:
        """The status document."""
        document = json.loads(self.router.http("/v1/status"))
        assert isinstance(document, dict)
        return document

    def rates(self) -> dict[object, object]:
        """The rates of telia's binds."""
        binds = self.of("operators", "telia")["binds"]
        assert isinstance(binds, list)
        return {bind["name"]: bind["rate"] for bind in binds}

    def of(self, what: str, name: str) -> dict[str, object]:
        """The status of an operator or an account."""
        (found,) = (one for one in self.status()[what] if one["name"] == name)
        return found

    def bound(self) -> list[dict[str, object]]:
        """What the log says of binds that came up or ended."""
        child = self.router.child
        return [*child.events("bind.bound"), *child.events("bind.unbound"),
                *child.events("bind.lost")]  # fmt: skip


@pytest.fixture(scope="module")
def started(shared: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(shared, tmp_path_factory.mktemp("reload"))


@pytest.fixture
def scene(started: Scene) -> Iterator[Scene]:
    yield started
    assert started.reload().refusal == ""
    started.router.until_bound(3)


def test_configuration_in_force_is_unchanged(scene: Scene) -> None:
    before = scene.router.samples().sum("config_reloads_total", result="unchanged")
    told = scene.reload(("lanes:", "# Only a comment.\nlanes:"))
    assert (told.document["result"], told.lines) == (
        "unchanged",
        ["the configuration is the one in force"],
    )
    after = scene.router.samples().sum("config_reloads_total", result="unchanged")
    assert after == before + 1


def test_rate_and_route_and_account_change_and_no_bind_drops(scene: Scene) -> None:
    bound = scene.bound()
    with Peer(scene.router.port) as client, Peer(scene.router.port) as other:
        assert client.bind("bank").command_status == v.ESME_ROK
        assert other.bind("more").command_status == v.ESME_RINVPASWD
        told = scene.reload(
            (T1, T1.replace("500/s", "80/s")),
            ACCOUNTS,
            ('{destination: "", to: [telia]}', '{destination: "372", to: [telia]}'),
        )
        assert told.lines == [
            "accounts.more: added",
            "operators.telia.binds.t1.rate: 500/s -> 80/s",
            f"routes[destination any]: removed: to telia ({scene.file}:16)",
            f"routes[destination 372]: added: to telia ({scene.file}:17)",
            "applied",
        ]
        samples = scene.router.samples()
        assert samples.sum("config_info", hash=load(scene.file, {}).digest) == 1
        assert samples.sum("config_stale") == 0
        assert client.submit("37255500001").command_status == v.ESME_ROK
        assert client.submit("35855500001").command_status != v.ESME_ROK
        with Peer(scene.router.port) as new:
            assert new.bind("more").command_status == v.ESME_ROK
            told = scene.reload((T1, T1.replace("500/s", "80/s")))
            assert told.lines == [
                "accounts.more: removed",
                f"routes[destination 372]: removed: to telia ({scene.file}:17)",
                f"routes[destination any]: added: to telia ({scene.file}:16)",
                "account more: one bind stays until it leaves; no new ones may come",
                "applied",
            ]
            assert new.submit("37255500001").command_status == v.ESME_ROK
        with Peer(scene.router.port) as late:
            assert late.bind("more").command_status == v.ESME_RINVPASWD
        assert client.submit("35855500001").command_status == v.ESME_ROK
    assert scene.bound() == bound
    assert scene.rates() == {"t1": "80/s", "t2": "500/s", "t3": "500/s"}


def test_limit_of_binds_is_lowered_and_who_is_over_it_stays(scene: Scene) -> None:
    with Peer(scene.router.port) as one, Peer(scene.router.port) as two:
        for client in (one, two):
            assert client.bind("shop").command_status == v.ESME_ROK
        told = scene.reload(("max_binds: 20}\noperators", "max_binds: 1}\noperators"))
        assert told.lines == [
            "accounts.shop.max_binds: 20 -> 1",
            "account shop: one bind over the new limit stays until it leaves",
            "applied",
        ]
        assert two.submit("37255500001").command_status == v.ESME_ROK


def test_operator_comes_and_goes(scene: Scene, stack: ExitStack) -> None:
    elisa = stand.operator(stack)
    with_elisa = OTHER.replace("PORT", str(elisa.port)).replace("[telia]}", "[elisa]}")
    told = scene.reload(('routes: [{destination: "", to: [telia]}', with_elisa))
    assert told.lines == [
        "operators.elisa: added",
        f"routes[destination any]: to telia -> to elisa ({scene.file}:20)",
        f"warning: {scene.file}:13: operators.telia: no route leads to this operator, so it "
        "carries nothing; if it is there to receive, make its binds receivers or name it in a rule "
        "of `inbound`",
        "applied",
    ]
    scene.router.until_bound(4)
    with Peer(scene.router.port) as client:
        client.bind("bank")
        assert client.submit("37255500001", registered_delivery=1).command_status == v.ESME_ROK
        until("it is sent", lambda: scene.of("operators", "elisa")["receipts_outstanding"] == 0)
        client.hears_all(1)
        told = scene.reload()
        assert told.lines[:2] == [
            "operators.elisa: removed",
            f"routes[destination any]: to elisa -> to telia ({scene.file}:16)",
        ]
        until("elisa is gone", lambda: len(scene.status()["operators"]) == 1)
    assert elisa.totals()["binds"] != {}


def test_bind_with_another_address_binds_anew_and_the_others_stay(
    scene: Scene, stack: ExitStack
) -> None:
    new = stand.operator(stack)
    child = scene.router.child
    bound, unbound = len(child.events("bind.bound")), len(child.events("bind.unbound"))
    told = scene.reload((T1, T1.replace("PORT", str(new.port))))
    assert told.lines[1] == "operator telia: t1 will be bound anew"
    until("t1 is bound", lambda: len(child.events("bind.bound")) == bound + 1)
    assert child.events("bind.bound")[-1]["bind"] == "t1"
    assert [line["bind"] for line in child.events("bind.unbound")[unbound:]] == ["t1"]


def test_operator_that_calls_from_now_on_binds_there(scene: Scene, stack: ExitStack) -> None:
    port = free_port(stack)
    outbind = f'outbind: {{listen: "127.0.0.1:{port}", system_id: smsc, password: pw}}'
    calls = T1.replace('address: "127.0.0.1:PORT"', outbind)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        there = f"127.0.0.1:{taken.getsockname()[1]}"
        told = scene.reload((T1, calls.replace(f"127.0.0.1:{port}", there)))
    assert told.document["result"] == "rejected"
    (mistake,) = told.lines
    assert re.search(r"router.yaml:13:\d+: operators.telia.binds\[0\].outbind.listen: ", mistake)
    assert "in use" in mistake
    assert scene.reload((T1, calls)).refusal == ""
    call = ("--call", f"127.0.0.1:{port}", "--call-as", "smsc:pw")
    operator = stand.operator(stack, *call)
    scene.router.until_bound(3)
    until("it is t1", lambda: scene.router.child.events("bind.bound")[-1]["bind"] == "t1")
    assert scene.reload().refusal == ""
    scene.router.until_bound(3)
    operator.child.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_credentials_that_the_operator_refuses_cost_one_bind(
    scene: Scene, stack: ExitStack
) -> None:
    strict = stand.operator(stack, "--system-id", "a", "--password", "b")
    first = [(one, one.replace("PORT", str(strict.port)))
             for one in (T1, T1.replace("t1", "t2"), T1.replace("t1", "t3"))]  # fmt: skip
    assert scene.reload(*first).refusal == ""
    child = scene.router.child
    scene.router.until_bound(3)
    until("none is left", lambda: _addresses(scene) == {f"127.0.0.1:{strict.port}"})
    refused = len(child.events("bind.refused"))
    wrong = [(old, new.replace("password: b", "password: x")) for old, new in first]
    assert scene.reload(*wrong).refusal == ""
    until("it is refused", lambda: len(child.events("bind.refused")) > refused)
    assert scene.router.samples().sum("bind_up") == 2
    assert scene.reload(*first).refusal == ""  # At once, although it would wait for minutes.
    scene.router.until_bound(3)


def _addresses(scene: Scene) -> set[object]:
    binds = scene.of("operators", "telia")["binds"]
    assert isinstance(binds, list)
    return {bind["address"] for bind in binds if bind["up"]}


def test_faulty_files_change_nothing_and_every_mistake_is_told(scene: Scene) -> None:
    told = scene.reload(("rate: 500/s, window: 50}\n      - {name: t2",
                         "rate: quick, window: 50}\n      - {name: t2"),
                        ("to: [telia]", "to: [talia]"))  # fmt: skip
    assert told.document["result"] == "rejected"
    assert told.refusal == "the files have 2 mistakes"
    rate, route = told.lines
    assert "router.yaml:13" in rate
    assert "operators.telia.binds[0].rate" in rate
    assert "did you mean 'telia'?" in route
    with Peer(scene.router.port) as client:
        client.bind("bank")
        assert client.submit("37255500001").command_status == v.ESME_ROK


def test_of_very_many_mistakes_or_warnings_the_first_are_told(scene: Scene) -> None:
    routes = 'routes: [{destination: "", to: [telia]}'
    child = scene.router.child
    logged = len(child.events("config.mistake"))
    faulty = "".join(f', {{destination: "{number}", to: [x]}}' for number in range(1000, 2200))
    told = scene.reload((routes, routes + faulty))
    assert told.refusal == "the files have 1200 mistakes"
    assert (len(told.lines), told.lines[-1]) == (MOST_TOLD + 1, "and 1100 more")
    warned = len(child.events("config.warned"))
    shadowed = ', {destination: "", to: [telia]}' * 150
    told = scene.reload((routes, routes + shadowed))
    assert told.lines[-2:] == ["and 50 more warnings", "applied"]
    for event, before in (("config.mistake", logged), ("config.warned", warned)):
        until("it is told", lambda: len(child.events(event)) == before + MOST_TOLD + 1)  # noqa: B023


def test_what_needs_a_restart_is_named_and_the_rest_applied_only_if_asked(scene: Scene) -> None:
    changes = (("bind_timeout: 2s", "bind_timeout: 3s"), ('"memory:"', '"sqlite:///x.db"'))
    told = scene.reload(*changes)
    assert told.document["result"] == "needs_restart"
    assert told.document["needs_restart"] == ["journal.url"]
    assert "journal.url" in told.refusal
    told = scene.reload(*changes, partly=True)
    timeout, journal, applied = told.lines
    assert timeout == "session.bind_timeout: 2s -> 3s"
    assert journal.startswith("journal.url: memory: -> sqlite:///")
    assert journal.endswith("x.db (after a restart)")
    assert applied == "applied, but for what needs a restart"
    samples = scene.router.samples()
    assert samples.sum("config_stale") == 1, "the rest of the files is not what runs"
    assert samples.sum("config_info") == 1
    assert samples.sum("config_info", hash=load(scene.file, {}).digest) == 0


def test_lane_that_is_not_there_before_a_restart_can_not_be_named_before(scene: Scene) -> None:
    told = scene.reload(
        ("lanes: [{name: bulk}]", "lanes: [{name: bulk}, {name: slow}]"),
        ("shop: {password: secret01, lane: bulk", "shop: {password: secret01, lane: slow"),
        partly=True,
    )
    assert told.document["result"] == "rejected"
    assert "accounts.shop.lane: the lane 'slow' is there only after a restart" in told.lines[0]


def test_hangup_reloads_and_the_log_says_what_changed(scene: Scene) -> None:
    scene.write((T1, T1.replace("500/s", "70/s")))
    scene.router.child.signal(signal.SIGHUP)
    words = "operators.telia.binds.t1.rate: 500/s -> 70/s"
    until("it is told", lambda: words in _told(scene.router))
    until("it is applied", lambda: scene.router.child.events("config.reloaded"))


def test_hangups_end_neither_a_start_nor_a_stop(stack: ExitStack, tmp_path: Path) -> None:
    file = tmp_path / "router.yaml"
    file.write_text(configuration(1), encoding="utf-8")
    child = stack.enter_context(Child("router", ["-m", "router.wiring.start", "run", str(file)]))
    until("the program is ours, and no more Python's", lambda: _ignores_hangups(child.pid))

    def is_reached(reached: Callable[[], object]) -> bool:
        if reached():
            return True
        child.signal(signal.SIGHUP)
        return not child.running

    until("it has started", lambda: is_reached(lambda: child.events("router.ready")))
    assert child.running
    child.signal(signal.SIGTERM)
    until("it has ended", lambda: is_reached(lambda: not child.running))
    assert child.ends() == 0
    assert child.events("router.stopped")


def _ignores_hangups(process: int) -> bool:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    ignored = re.search(r"^SigIgn:\s*(\w+)$", status, re.MULTILINE)
    assert ignored is not None
    return bool(int(ignored[1], 16) >> signal.SIGHUP - 1 & 1)


def _told(router: Router) -> list[object]:
    return [line["change"] for line in router.child.events("config.changed")]


def test_log_follows_its_settings(scene: Scene) -> None:
    settled = len(scene.router.child.events("message.settled"))
    shares = ("messages: 0%", "messages: 100%")
    scene.reload(shares)
    with Peer(scene.router.port) as client:
        client.bind("bank")
        client.submit("37255500001")
        until(
            "the message has its line",
            lambda: len(scene.router.child.events("message.settled")) == settled + 1,
        )
    scene.reload((shares[0], "messages: 100%, level: warning"))
    bound = len(scene.router.child.events("client.bound"))
    with Peer(scene.router.port) as client:
        client.bind("bank")
        client.submit("37255500001")
    scene.reload((shares[0], "messages: 0%, format: console"))
    until("it is no JSON", lambda: any("config.reloaded" in line and line[0] != "{"
                                       for line in scene.router.child.lines))  # fmt: skip
    assert len(scene.router.child.events("client.bound")) == bound
    assert len(scene.router.child.events("message.settled")) == settled + 1


def test_command_prints_what_came_of_it(scene: Scene) -> None:
    url = f"http://{scene.router.control}"
    scene.write((T1, T1.replace("500/s", "60/s")))
    done = smpp_router("reload", "--url", url)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "operators.telia.binds.t1.rate: 500/s -> 60/s\napplied\n",
        "",
    )
    scene.write(
        ("lane: bulk, window: 1000, deliver_window: 100, max_binds: 20}\n  shop", "x}\n  shop")
    )
    done = smpp_router("reload", "--url", url)
    assert done.returncode == 1
    assert "router.yaml:7" in done.stdout
    assert done.stderr.startswith("the files have ")
    assert "\nnothing was applied: the configuration of 20" in done.stderr


def test_command_prints_json_and_applies_a_part_only_if_asked(scene: Scene) -> None:
    url = f"http://{scene.router.control}"
    scene.write(("bind_timeout: 2s", "bind_timeout: 4s"), ("lanes:", "node: 7\nlanes:"))
    done = smpp_router("reload", "--json", "--url", url)
    assert (done.returncode, json.loads(done.stdout)["result"]) == (1, "needs_restart")
    done = smpp_router("reload", "--json", "--partly", "--url", url)
    document = json.loads(done.stdout)
    assert (done.returncode, document["result"]) == (0, "partly")
    assert document["needs_restart"] == ["node"]
    assert done.stderr == ""


def test_many_reloads_at_once_all_end(scene: Scene) -> None:
    scene.write((T1, T1.replace("500/s", "90/s")))
    for _ in range(20):
        scene.router.child.signal(signal.SIGHUP)
    assert scene.reload((T1, T1.replace("500/s", "91/s"))).refusal == ""
    assert scene.rates()["t1"] == "91/s"


@pytest.mark.skipif(OPENSSL is None, reason="needs openssl to make a certificate")
def test_certificate_is_read_again(stack: ExitStack, tmp_path: Path) -> None:
    tls = 'listen: [{address: "127.0.0.1:0", tls: {certificate: server.crt, key: server.key}}]'
    first = self_signed(tmp_path)
    old = ssl.create_default_context(cafile=first)
    scene = Scene(stack, tmp_path, ('listen: [{address: "127.0.0.1:0"}]', tls))
    with Peer(scene.router.port, old) as client:
        assert client.bind("bank").command_status == v.ESME_ROK
        new = ssl.create_default_context(cafile=self_signed(tmp_path))
        told = scene.reload()
        files = [f"file {tmp_path}/server.{end}: changed" for end in ("crt", "key")]
        assert told.lines == [*files, "applied"]
        with pytest.raises(ssl.SSLError):
            Peer(scene.router.port, old)
        with Peer(scene.router.port, new) as other:
            assert other.bind("bank").command_status == v.ESME_ROK
        assert client.submit("37255500001").command_status == v.ESME_ROK
        (tmp_path / "server.key").write_text("no key")
        told = scene.reload()
        assert told.document["result"] == "rejected"
        assert "listen[0].tls: " in told.lines[0]
        with Peer(scene.router.port, new) as other:
            assert other.bind("bank").command_status == v.ESME_ROK


def reader_of(scene: Scene) -> int:
    """The process that reads the router's files."""
    threads = Path(f"/proc/{scene.router.child.pid}/task").iterdir()
    (reader,) = (one for thread in threads for one in (thread / "children").read_text().split())
    return int(reader)


def unread_by(process: int) -> int:
    """How many octets wait for it on its standard input."""
    count = array("i", [0])
    with Path(f"/proc/{process}/fd/0").open("rb") as pipe:
        ioctl(pipe, FIONREAD, count)
    return count[0]


def test_process_that_reads_may_be_killed(scene: Scene) -> None:
    assert scene.result(("rate: 500/s,", "rate: 501/s,")) == "applied"
    os.kill(reader_of(scene), signal.SIGKILL)
    assert scene.result(("rate: 500/s,", "rate: 502/s,")) == "applied"


def test_stop_does_not_wait_for_a_reload_that_reads_and_refuses_it(tmp_path: Path) -> None:
    with ExitStack() as stack:
        asking = stack.enter_context(ThreadPoolExecutor())
        scene = Scene(stack, tmp_path)
        assert scene.result(("rate: 500/s,", "rate: 501/s,")) == "applied"
        reader = reader_of(scene)
        os.kill(reader, signal.SIGSTOP)
        scene.write(("rate: 500/s,", "rate: 502/s,"))
        child = scene.router.child
        asked = asking.submit(reload, f"http://{scene.router.control}", partly=False)
        until("the reader is asked", lambda: unread_by(reader) or None)
        assert child.stop() == 0
        told = asked.result()
        assert (told.document["result"], told.refusal) == ("refused", STOPPING)
        assert not told.goes_on.startswith("nothing was applied: the configuration of 1970")
        assert [one["reason"] for one in child.events("config.refused")] == [STOPPING]
        assert child.events("router.stopped")
        assert not child.events("router.stop_forced")
