"""A simulated operator with a fault of each kind (`simulators/scenarios/unwell.yaml`)."""

from pathlib import Path
from random import Random

import pytest

from router.forward.bind import OperatorLink
from router.forward.pool import Bind
from router.smpp import receipt
from router.smpp.pdu import Sm
from router.smpp.receipt import State
from router.smpp.states import State as Session
from router.terms.names import OperatorName
from simulators import scenario
from simulators.cli import SCENARIOS
from simulators.outbox import Link
from simulators.smsc import SLACK_S, Smsc
from tests.doubles import START, START_UTC, Client, Router, World, contract_settings
from tests.peers import FarEnd

MESSAGES = 600
POISONED, MUTED = 150, 300
"""The messages at which it hangs up, and which it never answers."""
AGAIN_S = 1.0
"""When a bind that was lost comes again."""
HOUR_S = 3600.0


class Line(FarEnd):
    """One bind's session with the simulated operator."""

    def __init__(self, house: "House", bind: Bind) -> None:
        self.house = house
        self.bind = bind
        house.connections += 1
        self.theirs: Link = house.smsc.connected(house.connections, house.world.now)
        router = house.router
        super().__init__(
            house.world, OperatorLink(router, router.journey, bind, router.settings.session)
        )
        router.far_ends.append(self)

    def _receive(self, octets: bytes) -> None:
        if not self.closed:
            self.house.smsc.arrived(self.theirs, octets, self.world.now)
            self.house.flush()

    def _closed(self) -> None:
        if not self.closed:
            super()._closed()
            self.house.ended(self)


class House:
    """The simulated operator with the router's binds, on the router's clock."""

    def __init__(self, router: Router, story: scenario.Scenario, seed: int) -> None:
        self.router = router
        self.world = router.world
        self.smsc = Smsc(story, Random(seed), now=START, now_utc=START_UTC)
        self.lines: dict[Link, Line] = {}
        self.connections = self.hang_ups = 0
        for bind in router.journey.operators[OperatorName("telia")].binds:
            self._connect(bind)

    def _connect(self, bind: Bind) -> None:
        line = Line(self, bind)
        self.lines[line.theirs] = line
        self._arm()

    def ended(self, line: Line) -> None:
        del self.lines[line.theirs]
        self.smsc.lost(line.theirs, self.world.now)
        self.world.call_later(AGAIN_S, lambda: self._connect(line.bind))
        self.flush()

    def flush(self) -> None:
        """Carry what it has to say, and look at its clock."""
        while touched := self.smsc.touched:
            link = min(touched, key=lambda link: link.remote_port)  # In the same order each time.
            touched.remove(link)
            line = self.lines.get(link)
            if line is None:
                continue
            octets = link.session.take_octets()
            if link.cut:
                self.hang_ups += 1
                line.drop()
            elif octets:
                line.send(octets)
            elif link.session.state is Session.CLOSED:
                line.drop()
        self._arm()

    def _arm(self) -> None:
        self.world.call_later(max(0.0, self.smsc.wake_at() - self.world.now), self._wake)

    def _wake(self) -> None:
        if self.smsc.wake_at() <= self.world.now + SLACK_S:
            self.smsc.wake(self.world.now)
            self.flush()


@pytest.mark.parametrize("seed", [1, 2])
def test_every_message_has_its_outcome_and_every_receipt_comes_once_with_the_right_state(
    tmp_path: Path, seed: int
) -> None:
    story = (SCENARIOS / "unwell.yaml").read_text(encoding="utf-8")
    router = Router(World(), contract_settings(tmp_path))
    house = House(router, scenario.read(story, "unwell.yaml"), seed)
    world = router.world
    world.settle()
    bank, shop = router.client(), router.client(b"shop", b"secret02")

    sent: dict[int, State] = {}
    for index in range(MESSAGES):
        fails = index % 7 == 0
        number = b"3725%d%06d" % (9 if fails else 0, index)
        sent[bank.submit(number)] = State.UNDELIVERABLE if fails else State.DELIVERED
        if index in (POISONED, MUTED):
            shop.submit(b"37250999999", b"POISON" if index == POISONED else b"MUTE")
        world.run(0.05)
    world.run(10.0)

    assert states(bank) == sorted((bank.id_of(number), state) for number, state in sent.items())
    assert states(shop) == []
    world.run(HOUR_S)
    poison, mute = shop.receipt_texts()
    assert b"the operator ended the session" in poison
    assert b"no answer from the operator" in mute
    assert house.hang_ups > 1
    assert router.journey.counters.receipts_unmatched[OperatorName("telia")] > 0
    router.assert_all_is_over()


def states(client: Client) -> list[tuple[bytes, State | None]]:
    """All that the client was told of its messages, by their id."""
    told = (receipt.recognise(Sm(pdu)) for pdu in client.receipts)
    return sorted((one.operator_id, one.state) for one in told if one is not None)
