"""Reload: another configuration is followed without a restart, whole or not at all.

The files are read and checked by another process, and compared in a thread, which builds the rules.
Whatever can be refused has then been refused, with all its mistakes. What is left is one
synchronous call between two turns of the loop, so no message meets parts of two configurations.

One reload at a time. Those that are asked for meanwhile wait, and share the next one, which reads
the files after they were asked for.
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Final, Literal, Protocol, TypedDict, TypeVar

import structlog

from router.accept.accounts import Accounts, Bound
from router.accept.server import ClientLink
from router.journey import Journey
from router.settings.apart import ReaderError, let_go
from router.settings.difference import difference, new_names
from router.settings.load import Mistake, SettingsError, warnings, without_collector
from router.settings.mistakes import mistake_at
from router.settings.partly import without_restart
from router.steps.rules import Rules
from router.telemetry.log import MessageLog, adopt_log
from router.telemetry.records import Recorder, privacy_of
from router.terms.settings import Place, Settings
from router.wiring.connectors import Begin, Connectors
from router.wiring.gently import gently
from router.wiring.tls import Certificate, Loaded, loaded

MOST_TOLD: Final = 100
"""Changes, mistakes, warnings, and things that stay, that the log and the answer list; the others
are counted. A line of the log takes the loop a tenth of a millisecond."""
MANY_OBJECTS: Final = 50_000
"""New objects, from which on the garbage collector is told to leave them alone: to look through two
million of them would hold the loop up for seconds, through these for some milliseconds."""
AT_ONCE: Final = 200
"""Sessions that follow other timers in one turn."""

log = structlog.get_logger()

STOPPING: Final = "the router is stopping"

T = TypeVar("T")
_THREAD: Final = ThreadPoolExecutor(1, "reload")

Result = Literal["unchanged", "applied", "partly", "needs_restart", "rejected", "failed", "refused"]
APPLIED: Final = ("unchanged", "applied", "partly")
"""The results after which the router does what was asked."""


class Reloaded(TypedDict):
    """What came of a reload: one JSON document."""

    result: Result
    reason: str
    """Why nothing was applied, in a sentence; empty if something was, or nothing had changed."""
    changes: list[str]
    """What differs from the configuration that was in force, in words."""
    changes_left_out: int
    """How many more changes there are than are listed."""
    needs_restart: list[str]
    """Keys that differ and only a restart applies."""
    stays: list[str]
    """What goes on for a while as it was before, in words."""
    mistakes: list[dict[str, object]]
    """The mistakes of the files, each as `check --json` shows it, and as `text`."""
    mistakes_left_out: int
    """How many more mistakes there are than are listed."""
    warnings: list[str]
    """What is probably a mistake, and was not in the configuration before."""
    warnings_left_out: int
    """How many more warnings there are than are listed."""
    took_s: float
    in_force_since_utc: float
    """Since when the configuration is in force that is so now, whether or not it is the new one."""


class Applied(Protocol):
    """Who wants to know which configuration is in force."""

    @property
    def since_utc(self) -> float:
        """Since when it is."""

    def applied(self, settings: Settings, *, is_part: bool = False) -> None:
        """These settings are, from now on; `is_part`: the files say more, which needs a restart."""


class Reloadable(Protocol):
    """The running router, as a reload sees it."""

    settings: Settings
    """The configuration in force."""

    @property
    def config(self) -> Applied:
        """Who tells which configuration that is."""

    @property
    def ready(self) -> bool:
        """Whether clients are served."""

    @property
    def stopping(self) -> bool:
        """Whether the router is about to end."""

    def clock(self) -> float:
        """Return monotonic seconds."""

    @property
    def journey(self) -> Journey:
        """The steps of the router."""

    @property
    def accounts(self) -> Accounts:
        """The accounts and their binds."""

    @property
    def clients(self) -> set[ClientLink]:
        """The connections of clients."""

    @property
    def connectors(self) -> Connectors:
        """The binds that are kept bound."""

    @property
    def certificates(self) -> list[Certificate | None]:
        """The certificate of each listener, None where it has none."""

    @property
    def recorder(self) -> Recorder | None:
        """What keeps records; None where none are kept."""

    @property
    def message_log(self) -> MessageLog:
        """The writer of the lines about messages."""


@dataclass(slots=True)
class _Read:
    """A configuration that was read and compared, and what it takes to follow it."""

    settings: Settings
    words: list[str]
    needs_restart: tuple[str, ...]
    warnings: list[Mistake]
    rules: Rules | None = None
    """None where nothing is to be applied."""
    certificates: dict[int, Loaded] = field(default_factory=dict)
    """By the number of the listener."""


class Reloader:
    """Follows the configuration in its files when asked to."""

    def __init__(self, app: Reloadable, reread: Callable[[], Settings]) -> None:
        """`reread` loads the configuration again; it raises SettingsError."""
        self._app: Final = app
        self._reread: Final = reread
        self._begin: Begin = asyncio.create_task
        self._one_at_a_time: Final = asyncio.Lock()
        self._waiting: Final[dict[bool, asyncio.Task[Reloaded]]] = {}
        """The reloads that have not begun, by whether they may apply a part."""
        self._under_way: Final[set[asyncio.Task[Reloaded]]] = set()
        """All that are not over."""

    def start(self, begin: Begin) -> None:
        """Run reloads in tasks that `begin` begins."""
        self._begin = begin

    def cancel(self) -> None:
        """End reloads that go on, and those that wait: the router has stopped."""
        for task in self._under_way:
            task.cancel()

    def ask(self, answer: "Future[Reloaded] | None" = None, *, partly: bool = False) -> None:
        """Reload, or join a reload that has not begun. Call it in the loop.

        `partly`: apply what needs no restart although something does. `answer` gets the result.
        """
        if self._app.stopping:  # Tasks may not begin any more.
            told = self._stopping()
            self._log(told)
            if answer is not None:
                answer.set_result(told)
            return
        task = self._waiting.get(partly)
        if task is None:
            task = self._waiting[partly] = self._begin(self._after_others(partly))
            self._under_way.add(task)
            task.add_done_callback(self._over)
        if answer is not None:
            task.add_done_callback(lambda done: self._answer(answer, done))

    def _over(self, task: "asyncio.Task[Reloaded]") -> None:
        self._under_way.discard(task)
        if task.cancelled():
            self._log(self._stopping())

    def _answer(self, answer: "Future[Reloaded]", task: "asyncio.Task[Reloaded]") -> None:
        """Hand the result on. Nobody waits any more if it took too long."""
        if answer.set_running_or_notify_cancel():
            answer.set_result(self._stopping() if task.cancelled() else task.result())

    def _stopping(self) -> Reloaded:
        """Return what came of a reload for which the router stops too early."""
        told = _told("refused", STOPPING)
        told["in_force_since_utc"] = round(self._app.config.since_utc, 3)
        return told

    async def _after_others(self, partly: bool) -> Reloaded:
        async with self._one_at_a_time:
            del self._waiting[partly]  # Who asks from now on may have changed the files since.
            began_at = self._app.clock()
            try:
                told = self._refused() or await self._reload(partly)
            except Exception as error:
                log.error("config.failed", exc_info=error)
                told = _told("failed", "an error in the router; its log says more")
            told["took_s"] = round(self._app.clock() - began_at, 3)
            told["in_force_since_utc"] = round(self._app.config.since_utc, 3)
            self._log(told)
            return told

    def _refused(self) -> Reloaded | None:
        if self._app.stopping:
            return self._stopping()
        if not self._app.ready:
            return _told("refused", "the router is starting; reload when it is ready")
        return None

    async def _reload(self, partly: bool) -> Reloaded:
        app = self._app
        try:
            read = await in_thread(lambda: self._read(app.settings, partly))
        except SettingsError as error:
            return _rejected(error)
        except ReaderError as error:
            log_trace(error)
            return _told("failed", str(error))
        told = _told("applied", "", read)
        if read.rules is None:
            if not read.words:
                told["result"] = "unchanged"
                told["stays"] = _most(self._renewals())
                return told
            told["result"] = "needs_restart"
            told["reason"] = _needs_restart(read, partly)
            return told
        try:
            new = await app.connectors.listen(read.settings)
        except OSError as error:
            return _rejected(SettingsError([_about(error, read.settings)]))
        refused = self._refused()
        if refused is not None:
            app.connectors.close(new)
            return refused
        if read.needs_restart:
            told["result"] = "partly"
        before, rules_before = app.settings, app.journey.rulebook.rules
        stays = list(self._stays(before, read.settings))
        certificates = {
            number: one.now for number, one in enumerate(app.certificates) if one is not None
        }
        try:
            self._apply(read.settings, read.rules, read.certificates)
        except Exception as error:
            log.error("config.failed", exc_info=error)
            self._apply(before, rules_before, certificates)
            app.connectors.close(new)
            return _told("failed", "an error in the router, which went back; its log says more")
        app.config.applied(read.settings, is_part=bool(read.needs_restart))
        told["stays"] = _most([*stays, *self._renewals()])
        left = [before]
        del before, rules_before, read
        self._begin(in_thread(lambda: let_go(left)))
        return told

    # In a thread.

    def _read(self, old: Settings, partly: bool) -> _Read:
        """Read, check and compare; build the rules. Raises SettingsError, or ReaderError."""
        new = self._reread()
        with without_collector():
            try:
                return self._built(old, new, partly)
            finally:
                if gc.get_count()[0] > MANY_OBJECTS:
                    gc.freeze()

    def _built(self, old: Settings, new: Settings, partly: bool) -> _Read:
        app = self._app
        found = difference(old, new)
        words = [str(change) for change in found.changes]
        late = app.journey.not_handed_over(new.accounts)
        needs_restart = *found.needs_restart, *(f"accounts.{name}.formerly" for name in late)
        read = _Read(new, words, needs_restart, _new_warnings(old, new) if words else [])
        if needs_restart:
            if not partly:
                return read
            read.settings = without_restart(old, new, late)
        mistakes: list[Mistake] = []
        for number, (certificate, listen) in enumerate(
            zip(app.certificates, read.settings.listen, strict=True)
        ):
            if certificate is not None and listen.tls is not None:
                path = f"listen[{number}].tls"
                try:
                    one = loaded(listen.tls)
                except OSError as error:
                    place = new.places.get(path, Place(""))
                    mistakes.append(mistake_at(place, path, error.strerror or str(error)))
                    continue
                if one.digest != certificate.now.digest:
                    read.certificates[number] = one
        if mistakes:
            raise SettingsError(mistakes)
        if read.settings != old or read.certificates or (words and not needs_restart):
            journey = app.journey
            before = journey.rulebook.rules
            read.rules = Rules.of(read.settings, journey.plans, journey.up, journey.heard, before)
        return read

    # Between two turns.

    def _apply(self, settings: Settings, rules: Rules, certificates: dict[int, Loaded]) -> None:
        """Follow a configuration. Whatever can be refused has been refused before."""
        app = self._app
        now = app.clock()
        adopted = app.journey.adopt(settings, rules, now)
        former = [bind for one in adopted.renamed.items() for bind in app.accounts.rename(*one)]
        app.accounts.adopt(settings.accounts, now)
        app.accounts.follow(settings.session)
        app.connectors.adopt(settings, adopted.binds)
        for number, one in certificates.items():
            certificate = app.certificates[number]
            assert certificate is not None
            certificate.now = one
        app.message_log.adopt(settings.telemetry.log)
        if app.recorder is not None:
            app.recorder.adopt(settings.records.keep_s, privacy_of(settings))
        adopt_log(settings.telemetry.log, sys.stderr)
        follows = app.settings.session != settings.session
        app.settings = settings
        if follows:
            self._begin(self._follow_sessions())
        if former:
            self._begin(self._unbind(former))

    async def _follow_sessions(self) -> None:
        """Have the connections of clients follow the settings of sessions, a few in each turn."""
        links = list(self._app.clients)
        while links:
            for link in links[-AT_ONCE:]:
                if link in self._app.clients:
                    link.adopt(self._app.settings.session)
            del links[-AT_ONCE:]
            await asyncio.sleep(0)

    async def _unbind(self, binds: list[Bound]) -> None:
        """Have clients end binds that have a former name of their account, a few in each turn."""
        while binds:
            for bind in binds[-AT_ONCE:]:
                bind.unbind(self._app.clock())
            del binds[-AT_ONCE:]
            await asyncio.sleep(0)

    def _stays(self, old: Settings, new: Settings) -> Iterator[str]:
        """Say what goes on as it was although the configuration says otherwise."""
        app = self._app
        # What has another name now is handed over, and stays in nothing.
        renamed = {*new_names(old.accounts, new.accounts)}
        renamed_operators = {*new_names(old.operators, new.operators)}
        for name, account in app.accounts.by_name.items():
            bound, settings = len(account.binds), new.accounts.get(name)
            if settings is None:
                if bound and name not in renamed:
                    yield f"account {name}: {_stay(bound, '')}; no new ones may come"
            elif settings.max_binds < min(bound, old.accounts[name].max_binds):
                yield f"account {name}: {_stay(bound - settings.max_binds, ' over the new limit')}"
        for operator in app.journey.operators.values():
            gone = operator.name not in new.operators and operator.name not in renamed_operators
            if gone and not operator.is_leaving:
                owed = len(app.journey.pending.correlators[operator.name])
                if operator.in_flight or owed:
                    yield (
                        f"operator {operator.name}: its binds stay for {operator.in_flight} "
                        f"messages in flight and {owed} receipts outstanding"
                    )

    def _renewals(self) -> Iterator[str]:
        """Say which binds still have the session of an earlier configuration."""
        for name, renewal in self._app.connectors.renewals.items():
            if renewal.waiting:
                waiting = ", ".join(renewal.waiting)
                yield f"operator {name}: {waiting} keep the old session, because {renewal.why}"
            else:
                binds = ", ".join(bind.settings.name for bind in renewal.binds)
                yield f"operator {name}: {binds} will be bound anew"

    # What came of it.

    def _log(self, told: Reloaded) -> None:
        result = told["result"]
        if result == "refused":
            log.warning("config.refused", reason=told["reason"])
            return
        self._app.journey.counters.config_reloads[result] += 1
        if result == "unchanged":
            log.info("config.unchanged")
            return
        for mistake in told["mistakes"]:
            log.error("config.mistake", mistake=mistake["text"])
        if told["mistakes_left_out"]:
            log.error("config.mistake", mistake=f"and {told['mistakes_left_out']} more")
        for warning in told["warnings"]:
            log.warning("config.warned", meaning=warning)
        if told["warnings_left_out"]:
            log.warning("config.warned", meaning=f"and {told['warnings_left_out']} more")
        for change in told["changes"]:
            log.info("config.changed", change=change)
        counted = len(told["changes"]) + told["changes_left_out"]
        if result in APPLIED:
            log.info(
                "config.reloaded",
                result=result,
                changes=counted,
                needs_restart=_most(told["needs_restart"]),
                stays=told["stays"],
                took_s=told["took_s"],
            )
        else:
            log.warning("config.reread", result=result, reason=told["reason"])


def _told(result: Result, reason: str, read: _Read | None = None) -> Reloaded:
    words = [] if read is None else read.words
    found = [] if read is None else read.warnings
    return Reloaded(
        result=result,
        reason=reason,
        changes=words[:MOST_TOLD],
        changes_left_out=max(0, len(words) - MOST_TOLD),
        needs_restart=[] if read is None else list(read.needs_restart),
        stays=[],
        mistakes=[],
        mistakes_left_out=0,
        warnings=[str(one) for one in found[:MOST_TOLD]],
        warnings_left_out=max(0, len(found) - MOST_TOLD),
        took_s=0.0,
        in_force_since_utc=0.0,
    )


def _most(words: Iterable[str]) -> list[str]:
    """Return the first, and how many more there are."""
    listed = list(words)
    more = len(listed) - MOST_TOLD
    return [*listed[:MOST_TOLD], f"and {more} more"] if more > 0 else listed


def _new_warnings(old: Settings, new: Settings) -> list[Mistake]:
    known = {(warning.path, warning.message) for warning in warnings(old)}
    found = warnings(new)
    return [one for one in found if (one.path, one.message) not in known]


def _rejected(error: SettingsError) -> Reloaded:
    plural = "" if error.count == 1 else "s"
    told = _told("rejected", f"the files have {error.count} mistake{plural}")
    listed = error.mistakes[:MOST_TOLD]
    told["mistakes"] = [{**asdict(one), "text": str(one)} for one in listed]
    told["mistakes_left_out"] = error.count - len(listed)
    return told


def _needs_restart(read: _Read, partly: bool) -> str:
    keys = ", ".join(_most(read.needs_restart))
    if partly:
        return f"nothing else has changed than what needs a restart: {keys}"
    return f"{keys}: only a restart applies this; --partly applies the rest"


def _about(error: OSError, settings: Settings) -> Mistake:
    """Return the mistake that an address cannot be listened on; the error begins with its path."""
    path, _, what = (error.strerror or str(error)).partition(": ")
    return mistake_at(settings.places.get(path, Place("")), path, what)


def _stay(count: int, which: str) -> str:
    if count == 1:
        return f"one bind{which} stays until it leaves"
    return f"{count} binds{which} stay until they leave"


def log_trace(error: ReaderError) -> None:
    """Log the trace of an error of ours that another process met while it read."""
    if error.trace:
        log.error("config.failed", exc_info=error)


async def in_thread(work: Callable[[], T]) -> T:
    """Do the work in the thread of reloads: in those of the loop, names of hosts are looked up."""
    return await asyncio.get_running_loop().run_in_executor(_THREAD, gently, work)
