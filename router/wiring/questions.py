"""What a running router is asked over HTTP that takes it some time, and changes nothing.

    /v1/compare  POST {"path": "/etc/smpp-router"}: what that configuration would change
    /v1/explain  POST {"account": ..., "to": ...}: what would become of a message now
    /v1/routes   POST {"to": PREFIX, "account": A}: who may carry what
    /v1/settings POST {"operator": NAME} or {"account": A}: what the configuration says of it
    /v1/find     POST {"what": NUMBER|ID, ...}: what became of messages

Answered in the thread of the request, one question at a time: to compare a hundred thousand
prefixes takes seconds, which the loop shares with it. They are read by another process. Messages
are looked for one question at a time, too, beside the others: SQLite does that, and the interpreter
is free meanwhile.
"""

import math
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, cast

from router.settings.apart import Reader, ReaderError
from router.settings.environment import withheld
from router.settings.mistakes import listed, nearest
from router.settings.summary import summary
from router.telemetry.findings import Question as Search
from router.telemetry.findings import SearchError, is_asked
from router.telemetry.log import masked
from router.telemetry.records import path_of
from router.telemetry.running import Running
from router.telemetry.search import search
from router.terms.names import AccountName, OperatorName
from router.terms.settings import Settings
from router.wiring.callers import name_of
from router.wiring.checking import examine, without_secrets
from router.wiring.drains import UnknownNameError
from router.wiring.explain import Question, explain
from router.wiring.explain_running import Now, lines_of, now_of
from router.wiring.gently import gently
from router.wiring.reload import log_trace
from router.wiring.routes_view import refusals_of, routes_of

LATEST_UTC: Final = 4_102_444_800.0
"""The end of the century, beyond which nobody plans."""
PATHS: Final = ("/v1/compare", "/v1/explain", "/v1/routes", "/v1/settings", "/v1/find")
SEARCH: Final = "/v1/find"
SLOW_S: Final = 100.0
"""How much longer than another an answer may take, with its wait for others."""
WAIT_S: Final = 60.0
"""How long a question waits for the one before it."""

SEARCH_WAIT_S: Final = 5.0
"""How long a search waits: those that wait hold places that `status` and `drain` need."""
MOST_FOUND: Final = 500
"""Of one search: to write more as JSON would hold up the loop."""

Asked = Mapping[str, object]
Answer = tuple[int, object]
"""A status of HTTP, and a document."""
Ask = Callable[[Callable[[], object]], Answer]
"""Makes a call in the loop's thread."""


class Questions:
    """The answers, by path. For any thread."""

    def __init__(self, app: Running, ask: Ask) -> None:
        self._app: Final = app
        self._ask: Final = ask
        self._one_at_a_time: Final = threading.Lock()
        self._one_search: Final = threading.Lock()
        answers = (self._compare, self._explain, self._routes, self._summary, self._find)
        self.by_path: Final[dict[str, Callable[[Asked], Answer]]] = dict(
            zip(PATHS, answers, strict=True)
        )

    def answer(self, path: str, asked: Asked) -> Answer:
        """Answer one question. Raises UnknownNameError."""
        is_search = path == SEARCH
        lock = self._one_search if is_search else self._one_at_a_time
        wait_s = SEARCH_WAIT_S if is_search else WAIT_S
        if not lock.acquire(timeout=wait_s):
            return 503, {"error": f"other questions have taken more than {wait_s:g} s"}
        try:
            return self.by_path[path](asked)
        except _WrongQuestionError as error:
            return 400, {"error": str(error)}
        except ReaderError as error:
            log_trace(error)
            return 503, {"error": str(error)}
        finally:
            lock.release()

    @property
    def _settings(self) -> Settings:
        return self._app.config.settings

    def _compare(self, asked: Asked) -> Answer:
        """Read a configuration as a reload would, and compare it with what runs."""
        path = Path(_text(asked, "path"))
        if not path.is_absolute():
            return 400, {"error": f"{path} is no absolute path"}
        running = self._settings
        own = own_name(path, running)
        secret = not_for_everybody(path, running)
        if secret is not None:
            return 403, {"error": f"{secret}: {_NOT_SHOWN}"}
        with closing(Reader()) as reader:
            environment = withheld(os.environ) if own is None else os.environ
            found = gently(lambda: examine(own or path, environment, running, read=reader.read))
        found["read_by"] = name_of(os.geteuid())
        if own is None:
            without_secrets(found)
        return 200, found

    def _explain(self, asked: Asked) -> Answer:
        settings = self._settings
        question = Question(
            account=_account(asked, settings),
            to=_field(asked, "to"),
            sender=_field(asked, "sender", ""),
            text=_text(asked, "text", ""),
            priority=_octet(asked, "priority"),
            service_type=_field(asked, "service_type", ""),
            at_utc=_moment(asked, "at_utc"),
        )
        told = explain(settings, question, time.time(), self._app.journey.rulebook.rules)
        if told.refusal is not None or told.at_utc is not None:
            return 200, {**told.as_json(), "now": None, "lines": list(lines_of(told, None))}
        status, now = self._ask(lambda: now_of(self._app, told))
        if status != 200:
            return status, now
        return 200, {**told.as_json(), "now": now, "lines": list(lines_of(told, cast("Now", now)))}

    def _routes(self, asked: Asked) -> Answer:
        settings = self._settings
        account = _account(asked, settings) if "account" in asked else None
        to = _text(asked, "to", "")
        return 200, {
            "refuse": refusals_of(settings, to, account),
            "routes": routes_of(settings, to, account),
            "of": len(settings.refuse) + len(settings.routes),
        }

    def _summary(self, asked: Asked) -> Answer:
        settings = self._settings
        if "account" in asked:
            account = settings.accounts[_account(asked, settings)]
            return 200, {"settings": summary(account), "binds": {}}
        operator = settings.operators.get(OperatorName(_text(asked, "operator")))
        if operator is None:  # Removed by a reload, while its binds stay for receipts.
            return 200, {"settings": {}, "binds": {}}
        binds = {bind.name: summary(bind) for bind in operator.binds}
        return 200, {"settings": summary(operator), "binds": binds}

    def _find(self, asked: Asked) -> Answer:
        """Look for messages; mask the numbers that were not asked for."""
        question = Search(
            what=_field(asked, "what", ""),
            operator_id=_field(asked, "operator_id", ""),
            account=_text(asked, "account", ""),
            reason=_text(asked, "reason", ""),
            from_utc=_number(asked, "from_utc", 0.0),
            until_utc=_number(asked, "until_utc", float("inf")),
            most=int(min(max(_number(asked, "most", 20.0), 1.0), MOST_FOUND)),
        )
        settings = self._settings
        if settings.journal.url == "memory:":
            return 503, {"error": "the journal is in memory, which keeps no records"}
        journal = Path(settings.journal.url.removeprefix("sqlite:///")).resolve()
        try:
            found = search(question, path_of(journal) if settings.records.keep_s else None, journal)
        except SearchError as error:
            return 400, {"error": str(error)}
        for one in found["found"]:
            if not is_asked(question.what, str(one["destination"])):
                one["destination"] = masked(str(one["destination"]))
        return 200, found


_NOT_SHOWN: Final = (
    "not every user of this machine may read it, but every user may ask the router, so it reads"
    " nothing of the kind for a command, except the configuration that it runs. Compare it with the"
    " files of that one: `smpp-router check CONFIG --against CONFIG2`"
)


def own_name(path: Path, running: Settings) -> Path | None:
    """Return the file or folder that the running configuration was read from, as it names it.

    None if the path leads elsewhere. Read by this name: the one that was asked about may be a link
    of somebody who lets it lead elsewhere meanwhile. Files that the configuration only names are
    none of these, because others may write some: a list, for instance.
    """
    try:
        there = path.resolve()
    except (OSError, RuntimeError, ValueError):
        return None  # No file has this name; the reading says why.
    files = (file for file, seen in running.files.items() if seen.is_configuration)
    return next((file for file in files if file.resolve() == there), None)


def not_for_everybody(path: Path, running: Settings) -> Path | None:
    """Return a file of a configuration that not everybody may read, and that is none that runs.

    Mistakes and differences quote what stands in files.
    """
    try:
        files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        for file in files:
            if not (own_name(file, running) or file.stat().st_mode & stat.S_IROTH):
                return file
    except (OSError, ValueError):
        return None  # The reading says why.
    return None


class _WrongQuestionError(Exception):
    """What was sent is no question of this kind; the text says why."""


def _text(asked: Asked, name: str, default: str | None = None) -> str:
    value = asked.get(name, default)
    if not isinstance(value, str):
        raise _WrongQuestionError(f"{name!r} has to be a text")
    return value


def _field(asked: Asked, name: str, default: str | None = None) -> str:
    value = _text(asked, name, default)
    if "\0" in value or any(one > "\xff" for one in value):
        raise _WrongQuestionError(f"{name!r} cannot stand in a field of SMPP")
    return value


def _octet(asked: Asked, name: str) -> int:
    value = asked.get(name, 0)
    if not isinstance(value, int) or not 0 <= value <= 255:
        raise _WrongQuestionError(f"{name!r} has to be a number from 0 to 255")
    return value


def _moment(asked: Asked, name: str) -> float | None:
    """Return seconds since 1970; None where no time is asked about."""
    if asked.get(name) is None:
        return None
    moment = _number(asked, name, 0.0)
    if not 0.0 <= moment < LATEST_UTC:
        raise _WrongQuestionError(f"{name!r} has to be a time in this century or the last")
    return moment


def _number(asked: Asked, name: str, default: float) -> float:
    value = asked.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(min(max(value, -(2**53)), 2**53))
    if not isinstance(value, float) or math.isnan(value):
        raise _WrongQuestionError(f"{name!r} has to be a number")
    return value


def _account(asked: Asked, settings: Settings) -> AccountName:
    account = AccountName(_text(asked, "account"))
    if account not in settings.accounts:
        raise UnknownNameError(unknown_account(account, settings))
    return account


def unknown_account(account: str, settings: Settings) -> str:
    """Return that there is no such account, and which was probably meant."""
    meant = nearest(account, settings.accounts)
    known = f"did you mean {meant!r}? " if meant else ""
    known += listed("accounts", list(settings.accounts))
    return f"there is no account {account!r}; {known}"
