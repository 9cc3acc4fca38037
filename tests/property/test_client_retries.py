"""router/steps/client_retries.py: a retry never makes a second message, nor two answers one.

Clients submit the same few texts, lose their sessions and bind again, while the journal is slow and
the router is killed. Beside the router stands the rule as plain as it can be said, which remembers
everything for ever: what was answered to whom, when, and when whose session ended.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from router.terms.settings import RetrySettings, Settings
from tests.doubles import Client, Router, World, contract_settings, with_account

RETRIES: Final = RetrySettings(within_s=40.0, answer_after_s=10.0)
LAST_S: Final = 5.0
SWEPT_S: Final = 7.0
"""After so long what was seen is forgotten in the journal, too."""
TEXTS: Final = (b"one", b"two")
STEP_S: Final = st.sampled_from([0.0, 0.3, 1.7, 4.1, 5.3, 11.3])


def _settings() -> Settings:
    with TemporaryDirectory() as folder:
        contract = contract_settings(Path(folder))
    return with_account(contract, "bank", retries=RETRIES, window=1000)


SETTINGS: Final = _settings()


@dataclass
class Session:
    """One session of the client, as it was."""

    client: Client
    ended_at: float | None = None


@dataclass
class Known:
    """A message, and who was last to be answered with its id."""

    text: bytes
    first_at: float
    session: Session
    asked_at: float
    """When that session sent the first that is not answered."""
    last_asked_at: float
    answered_at: float | None = None
    message_id: bytes | None = None


@dataclass
class Asked:
    """A submit that is not answered yet."""

    session: Session
    number: int
    of: Known


class Retrying(RuleBasedStateMachine):
    """One account, its sessions, and what was said on them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.router = Router(self.world, SETTINGS)
        self.open: list[Session] = []
        self.known: list[Known] = []
        self.asked: list[Asked] = []

    def unseen(self, one: Known) -> bool:
        """The rule: whether its client cannot have seen the answer."""
        now, ended_at = self.world.now, one.session.ended_at
        if one.answered_at is not None and one.answered_at - one.last_asked_at > 10.0:
            return True
        if ended_at is None:
            return one.answered_at is None and now - one.asked_at > 10.0
        return one.answered_at is None or ended_at - one.answered_at <= LAST_S

    @precondition(lambda self: len(self.open) < 3)
    @rule()
    def it_binds(self) -> None:
        self.open.append(Session(self.router.client()))

    @precondition(lambda self: self.open)
    @rule(place=st.integers(0, 2), text=st.sampled_from(TEXTS), count=st.integers(1, 2))
    def it_submits(self, place: int, text: bytes, count: int) -> None:
        session, now = self.open[place % len(self.open)], self.world.now
        for _ in range(count):
            alike = [one for one in self.known if one.text == text]
            repeated = next(
                (one for one in alike if now - one.first_at <= 40.0 and self.unseen(one)), None
            )
            if repeated is None:
                repeated = Known(text, now, session, now, now)
                self.known.append(repeated)
            elif repeated.session is not session or repeated.answered_at is not None:
                repeated.asked_at = now
            repeated.session, repeated.last_asked_at, repeated.answered_at = session, now, None
            self.asked.append(Asked(session, session.client.submit(text=text), repeated))
            self.world.settle()
            self.answers_are_the_right_ones()

    @precondition(lambda self: self.open)
    @rule(place=st.integers(0, 2))
    def it_loses_a_session(self, place: int) -> None:
        session = self.open.pop(place % len(self.open))
        session.ended_at = self.world.now
        session.client.far.drop()
        self.world.settle()

    @rule(is_stuck=st.booleans())
    def the_journal_is_slow(self, *, is_stuck: bool) -> None:
        if is_stuck:
            self.router.journal.writes_are_stuck = True
        else:
            self.router.journal.go_on()
            self.world.settle()

    @rule(step_s=STEP_S)
    def time_passes(self, step_s: float) -> None:
        self.world.run(step_s)

    @precondition(lambda self: not self.router.journal.writes_are_stuck)
    @rule()
    def the_router_is_killed(self) -> None:
        """What was just seen may not be forgotten in the journal yet: then it is not killed now."""
        now = self.world.now
        answered = [one.answered_at for one in self.known if one.answered_at is not None]
        if any(LAST_S < now - at <= SWEPT_S for at in answered):
            return
        for session in self.open:
            session.ended_at = now
        self.open.clear()
        self.router = self.router.restarted()

    @invariant()
    def answers_are_the_right_ones(self) -> None:
        left: list[Asked] = []
        for one in self.asked:
            answer = one.session.client.answers.get(one.number)
            known = one.of
            if answer is None:
                if one.session.ended_at is None:
                    left.append(one)
                continue
            assert answer.command_status == 0
            said = one.session.client.id_of(one.number)
            assert known.message_id in (None, said)
            known.message_id = said
            if known.session is one.session and known.answered_at is None:
                known.answered_at = one.session.client.answered_at[one.number]
        self.asked = left
        ids = [one.message_id for one in self.known if one.message_id is not None]
        assert len(set(ids)) == len(ids)

    def teardown(self) -> None:
        """There is a message for each, and nothing is remembered for ever."""
        self.the_journal_is_slow(is_stuck=False)
        assert len(self.router.journal.messages) == len(self.known)
        self.world.run(60.0)
        assert len(self.router.journey.client_retries) == 0
        assert not self.router.journal.unseen_answers


TestRetrying = Retrying.TestCase
# What goes wrong here needs several things to happen in a row.
TestRetrying.settings = settings(max_examples=4 * settings().max_examples)
