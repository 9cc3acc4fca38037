"""router/wiring/connectors.py: binds are bound anew one after the other, and leave when dry.

Nothing connects by itself here: a test says when an operator accepts a bind.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import TypeVar, cast

import pytest
from structlog.testing import capture_logs

from router.forward.outbind import OutbindConnector
from router.forward.pool import Bind
from router.terms.names import OperatorName
from router.terms.settings import Address, OutbindSettings, Settings
from router.wiring.connectors import RENEWED_S, Connectors
from tests.doubles import Operator, Router, World, with_operator, without_operator
from tests.journey.scenes import submitted

T = TypeVar("T")
TELIA = OperatorName("telia")


class Scene:
    """A router whose binds to telia are kept bound."""

    def __init__(self, world: World, contract: Settings) -> None:
        self.world = world
        self.router = Router(world, contract)
        self.connectors = Connectors(self.router, contract.session)
        self.connectors.start(_begin)
        self.far: dict[str, Operator] = {}

    @property
    def binds(self) -> tuple[Bind, ...]:
        return self.router.journey.operators[TELIA].binds

    def bind(self, *names: str, status: int = 0) -> None:
        """Have the operator accept, or refuse, what a connector would connect."""
        for bind in self.binds:
            if bind.settings.name in names:
                connector = self.connectors._kept[bind].connector
                assert connector.is_over, "it has a connection already"
                far = Operator(self.world, self.router, bind, bind_status=status)
                far.next_id = 1 + 1000 * len(self.router.far_ends)  # Of all its binds.
                connector._link = far.link
                far.link.on_ended = partial(setattr, connector, "_link", None)
                self.far[bind.settings.name] = far
        self.world.settle()

    def adopt(self, settings: Settings) -> None:
        """Reload."""
        changes = self.router.adopt(settings)
        self.connectors.adopt(settings, changes)
        self.run()

    def run(self, seconds: float = 1.0) -> None:
        """Let time pass, and connectors look at what they have to do."""
        for _ in range(round(seconds / 0.1)):
            self.world.run(0.1)
            self.connectors.look()

    def bound(self) -> list[str]:
        """The binds that are bound, with the password of each."""
        kept = self.connectors._kept
        return [
            f"{name[-1]} {with_.password}"
            for bind in self.binds
            if (name := bind.settings.name)
            and bind in kept
            and (with_ := kept[bind].connector.bound_with) is not None
        ]

    @property
    def waiting(self) -> list[str]:
        renewal = self.connectors.renewals.get(TELIA)
        return [] if renewal is None else [str(name)[-1] for name in renewal.waiting]


class Ended:
    """Stands for a task that never runs."""

    def cancel(self) -> None:
        """There is nothing to end."""

    def done(self) -> bool:
        """It is."""
        return True


def _begin(work: Coroutine[object, object, T]) -> asyncio.Task[T]:
    work.close()
    return cast("asyncio.Task[T]", Ended())


def with_password(settings: Settings, password: str) -> Settings:
    binds = tuple(replace(one, password=password) for one in settings.operators[TELIA].binds)
    return with_operator(settings, "telia", binds=binds)


@pytest.fixture
def scene(world: World, contract: Settings) -> Scene:
    scene = Scene(world, with_password(contract, "old"))
    scene.bind("telia-1", "telia-2", "telia-3")
    return scene


def test_binds_are_bound_anew_one_after_the_other(scene: Scene) -> None:
    scene.adopt(with_password(scene.router.settings, "new"))
    assert scene.bound() == ["2 old", "3 old"]
    scene.run(5.0)
    assert scene.bound() == ["2 old", "3 old"]
    scene.bind("telia-1")
    scene.run()
    assert scene.bound() == ["1 new", "3 old"]
    scene.bind("telia-2")
    scene.run()
    assert scene.bound() == ["1 new", "2 new"]
    scene.bind("telia-3")
    scene.run()
    assert scene.bound() == ["1 new", "2 new", "3 new"]
    assert scene.connectors.renewals == {}


def test_session_ends_when_its_messages_are_answered_and_takes_no_more(scene: Scene) -> None:
    for far in scene.far.values():
        far.latency_s = 3.0
    client = scene.router.client()
    for _ in range(30):
        client.submit()
    scene.world.run(0.5)
    first = scene.far["telia-1"]
    before = len(first.submits)
    assert before > 0
    scene.adopt(with_password(scene.router.settings, "new"))
    for _ in range(30):
        client.submit()
    assert scene.bound() == ["1 old", "2 old", "3 old"]
    scene.run(5.0)
    assert scene.bound() == ["2 old", "3 old"]
    assert len(first.submits) == before
    assert scene.router.journey.counters.repeated == {}
    scene.run(5.0)
    for far in scene.far.values():
        for operator_id in far.ids:
            far.report(operator_id, over=scene.far["telia-2"])
    scene.world.run(1.0)
    assert sum(len(far.submits) for far in scene.far.values()) == 60
    scene.router.assert_all_is_over()


def test_others_wait_for_one_that_does_not_come_up_and_say_so(scene: Scene) -> None:
    with capture_logs() as lines:
        scene.adopt(with_password(scene.router.settings, "new"))
        scene.bind("telia-1", status=0x0E)
        scene.run(RENEWED_S - 2.0)
        assert scene.waiting == []
        scene.run(3.0)
        assert scene.waiting == ["2", "3"]
        assert scene.connectors.renewals[TELIA].why == "telia-1 ESME_RINVPASWD"
        scene.run(100.0)
        assert scene.bound() == ["2 old", "3 old"]
        assert [line["event"] for line in lines if "await" in line["event"]] == ["bind.awaited"]
        scene.bind("telia-1")  # The operator has put it right.
        scene.run()
        assert scene.waiting == []
        assert scene.bound() == ["1 new", "3 old"]
        scene.bind("telia-2")
        scene.run()
        scene.bind("telia-3")
        scene.run()
    assert "bind.renewed" in [line["event"] for line in lines]


def test_what_goes_back_to_what_it_was_keeps_its_session(scene: Scene) -> None:
    before = scene.router.settings
    scene.adopt(with_password(before, "wrong"))
    scene.bind("telia-1", status=0x0E)
    scene.run(50.0)
    scene.adopt(before)
    assert scene.bound() == ["2 old", "3 old"]
    scene.bind("telia-1")
    scene.run(5.0)
    assert scene.bound() == ["1 old", "2 old", "3 old"]
    assert not any(scene.far[name].far.closed for name in ("telia-2", "telia-3"))


def test_bind_that_is_down_tries_its_new_settings_at_once_and_first(scene: Scene) -> None:
    scene.far["telia-3"].far.drop()
    scene.world.settle()
    down = scene.binds[2]
    connector = scene.connectors._kept[down].connector
    scene.adopt(with_password(scene.router.settings, "new"))
    assert scene.connectors._kept[down].connector is not connector  # Its wait is over.
    assert scene.bound() == ["1 old", "2 old"]
    scene.bind("telia-3")
    scene.run()
    assert scene.bound() == ["2 old", "3 new"]


def test_session_that_falls_while_it_waits_is_bound_with_the_new_settings(scene: Scene) -> None:
    scene.adopt(with_password(scene.router.settings, "new"))
    scene.far["telia-2"].far.drop()
    scene.run()
    scene.bind("telia-1", "telia-2")
    scene.run()
    assert scene.bound() == ["1 new", "2 new"]


def test_later_reload_begins_afresh(scene: Scene) -> None:
    scene.adopt(with_password(scene.router.settings, "wrong"))
    scene.bind("telia-1", status=0x0E)
    scene.run(50.0)
    scene.adopt(with_password(scene.router.settings, "right"))
    assert scene.waiting == []
    scene.bind("telia-1")
    scene.run()
    assert scene.bound() == ["1 right", "3 old"]


def test_what_did_not_change_keeps_its_connector(scene: Scene) -> None:
    before = dict(scene.connectors._kept)
    first, *others = scene.router.settings.operators[TELIA].binds
    binds = (replace(first, window=7), *others)
    scene.adopt(with_operator(scene.router.settings, "telia", binds=binds))
    assert scene.connectors._kept == before
    assert scene.bound() == ["1 old", "2 old", "3 old"]


def test_bind_that_is_removed_ends_when_it_is_answered(scene: Scene) -> None:
    scene.far["telia-1"].latency_s = 3.0
    client = scene.router.client()
    for _ in range(3):
        client.submit(registered_delivery=0)
    scene.world.run(0.1)
    gone = scene.binds[0]
    assert gone.in_use == 1
    binds = scene.router.settings.operators[TELIA].binds[1:]
    scene.adopt(with_operator(scene.router.settings, "telia", binds=binds))
    assert not scene.far["telia-1"].far.closed
    scene.run(5.0)
    assert scene.far["telia-1"].far.closed
    assert gone not in scene.connectors._kept
    scene.router.assert_all_is_over()


def test_operator_that_is_removed_stays_until_its_receipts_are_in(scene: Scene) -> None:
    client = scene.router.client()
    submitted(scene.router, scene.far["telia-1"], client)
    telia = scene.binds
    scene.adopt(without_operator(scene.router.settings, "telia"))
    scene.run(100.0)
    assert not any(far.far.closed for far in scene.far.values())
    scene.far["telia-1"].report_all()
    scene.run(5.0)
    assert all(far.far.closed for far in scene.far.values())
    assert not set(telia) & set(scene.connectors._kept)
    assert TELIA not in scene.router.journey.operators
    assert len(client.receipts) == 1


def test_operator_that_is_forgotten_between_two_looks_is_over(scene: Scene) -> None:
    gone = scene.binds
    changes = scene.router.adopt(without_operator(scene.router.settings, "telia"))
    scene.connectors.adopt(scene.router.settings, changes)
    for far in scene.far.values():
        far.far.drop()
    scene.world.run(3.0)
    assert TELIA not in scene.router.journey.operators
    scene.run()
    assert not set(gone) & set(scene.connectors._kept)


def test_operator_that_comes_back_while_it_unbinds_is_bound_again(scene: Scene) -> None:
    before = scene.router.settings
    for far in scene.far.values():
        far.far.on_pdu = lambda _: None  # It does not answer our unbind yet.
    scene.adopt(without_operator(before, "telia"))
    scene.adopt(before)
    assert scene.bound() == []
    for far in scene.far.values():
        far.far.drop()
    scene.run()
    scene.bind("telia-1", "telia-2", "telia-3")
    assert len(scene.bound()) == 3
    assert not any(one.connector.is_stopping for one in scene.connectors._kept.values())


def test_another_reload_leaves_what_is_bound_anew_to_go_on(scene: Scene) -> None:
    scene.adopt(with_password(scene.router.settings, "new"))
    scene.adopt(with_operator(scene.router.settings, "elisa", ramp_s=1.0))
    scene.bind("telia-1")
    scene.run()
    assert scene.bound() == ["1 new", "3 old"]


def test_time_to_come_up_begins_when_the_old_session_has_ended(scene: Scene) -> None:
    scene.far["telia-1"].latency_s = 25.0
    client = scene.router.client()
    for _ in range(3):
        client.submit(registered_delivery=0)
    scene.world.run(0.1)
    scene.adopt(with_password(scene.router.settings, "new"))
    scene.run(RENEWED_S + 5.0)
    assert scene.waiting == []
    scene.run(RENEWED_S)
    assert scene.waiting == ["2", "3"]


def test_bind_that_is_removed_while_it_is_down_is_not_tried_again(scene: Scene) -> None:
    scene.far["telia-1"].far.drop()
    scene.world.settle()
    gone = scene.binds[0]
    connector = scene.connectors._kept[gone].connector
    binds = scene.router.settings.operators[TELIA].binds[1:]
    scene.adopt(with_operator(scene.router.settings, "telia", binds=binds))
    assert gone not in scene.connectors._kept
    assert connector.is_stopping


def test_session_that_ends_while_its_bind_gets_other_settings_is_not_cut(scene: Scene) -> None:
    scene.far["telia-1"].far.on_pdu = lambda _: None  # It does not answer our unbind yet.
    scene.adopt(with_password(scene.router.settings, "new"))
    connector = scene.connectors._kept[scene.binds[0]].connector
    assert connector.is_unbinding
    scene.adopt(with_password(scene.router.settings, "newer"))
    assert scene.connectors._kept[scene.binds[0]].connector is connector
    scene.far["telia-1"].far.drop()
    scene.world.settle()
    scene.bind("telia-1")
    scene.run()
    assert scene.bound() == ["1 newer", "3 old"]
    assert [bind.peer is not None for bind in scene.binds] == [True, False, True]


def test_operator_that_is_to_call_from_now_on_has_another_connector(scene: Scene) -> None:
    first, *others = scene.router.settings.operators[TELIA].binds
    listen = Address(host="127.0.0.1", port=1)
    outbind = OutbindSettings(listen=listen, system_id="smsc", password="theirs")
    binds = (replace(first, addresses=(), outbind=outbind), *others)
    scene.adopt(with_operator(scene.router.settings, "telia", binds=binds))
    connector = scene.connectors._kept[scene.binds[0]].connector
    assert isinstance(connector, OutbindConnector)
    assert scene.bound() == ["2 old", "3 old"]


def test_sessions_follow_the_timers_of_all_sessions(scene: Scene) -> None:
    session = replace(scene.router.settings.session, enquire_link_s=3.0, max_pdu_bytes=2_000)
    scene.adopt(replace(scene.router.settings, session=session))
    scene.run(4.0)
    for far in scene.far.values():
        assert far.link.session.timers.enquire_link_s == 3.0
        assert len(far.far.pdus(0x15)) == 1
        far.deliver(b"x" * 100, tlvs=b"\4\x24\x0b\xb8" + b"x" * 3_000)
    scene.world.run(1.0)
    assert all(far.far.closed for far in scene.far.values())
