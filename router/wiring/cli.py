"""The command `smpp-router`: run the daemon, check and explain a configuration, ask a router.

Messages for people go to standard error, results to standard output. Exit status: 0 success, 1 a
problem was found or the router did not answer, 2 wrong usage.
"""

import argparse
import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from router.accept.passwords import hash_password
from router.settings import units
from router.settings.load import SettingsError, load, warnings
from router.telemetry import core
from router.terms.names import AccountName
from router.terms.settings import Settings
from router.wiring import cli_queue, cli_records

if TYPE_CHECKING:
    from router.wiring.trace_view import View

WELL, NOT_WELL, WRONG_USAGE = 0, 1, 2
DEFAULT_URL: Final = "http://127.0.0.1:9465"
QUESTION_S: Final = 100.0
"""How long a question to the router may take: a hundred thousand prefixes are read in seconds."""
LONGEST_PASSWORD: Final = 8
"""Octets of a password that SMPP allows (3.4, 4.1.1)."""
LONGEST_TEXT: Final = 10_000
"""Characters of a text to explain; 255 segments would hold 39,015 septets."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status. Wrong usage exits through argparse, with 2."""
    if isinstance(sys.stdout, TextIOWrapper):
        # As on standard error: show a letter that the terminal does not have as \xe4.
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        status = command(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _discard_output()  # The reader has ended (`| head`).
        return NOT_WELL
    except OSError as error:
        try:
            print(flush=True)  # One line more does no harm to what breaks off here.
        except OSError:  # It is the output that fails, such as on a full disk.
            print(f"smpp-router: the output cannot be written: {error.strerror}", file=sys.stderr)
            _discard_output()
            return NOT_WELL
        raise
    except KeyboardInterrupt:
        return 128 + 2  # As a shell reports SIGINT.


def _discard_output() -> None:
    """Let what is still to be written go nowhere: Python would complain again at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="smpp-router",
        description="An SMPP aggregator and router.",
        epilog="Exit status: 0 success; 1 problem found or no answer; 2 wrong usage.",
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, does: str, command: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.")
        one.set_defaults(command=command, parser=one)
        return one

    run = add("run", "run the router; SIGTERM drains and stops it", _run)
    run.add_argument(
        "--accept-loss",
        action="store_true",
        help="start although the journal lacks what was accepted (`journal.lost` in the log)",
    )
    check = add("check", "show all mistakes of a configuration, and warnings", _check)
    explain = add("explain", "show how a message would be routed or refused, and why", _explain)
    for one in (run, check):
        one.add_argument("config", metavar="CONFIG", type=Path, help="a file, or a folder")
    against = check.add_mutually_exclusive_group()
    against.add_argument(
        "--against", metavar="CONFIG2", type=Path, help="show what CONFIG changes in CONFIG2"
    )
    against.add_argument(
        "--against-running",
        action="store_true",
        help="have the running router read CONFIG, and show what it changes in what runs",
    )
    routes = add("routes", "show who may carry what, and for whom", _routes)
    for one in (explain, routes):
        one.add_argument(
            "config", metavar="CONFIG", type=Path, nargs="?", help="a file, or a folder"
        )
        one.add_argument("--running", action="store_true", help="ask the router that runs")
    plan = add("plan", "replay traffic, and show what moves from one operator to another", _plan)
    plan.add_argument("config", metavar="CONFIG", type=Path, help="what would run")
    plan.add_argument(
        "--against", metavar="CONFIG2", type=Path, required=True, help="what runs, or another"
    )
    plan.add_argument(
        "--traffic",
        metavar="FILE",
        type=Path,
        required=True,
        help="a journal, whose records are replayed, or CSV with a header: account,to,from,count",
    )
    _add_question(explain)
    routes.add_argument(
        "--to", metavar="PREFIX", type=_digits, help="only for numbers that begin so"
    )
    routes.add_argument("--account", metavar="A", help="only what holds for this account")
    cli_records.add_commands(add, _url, DEFAULT_URL)
    length = add("length", "tell how many parts a text has, and why", _length)
    length.add_argument("text", metavar="TEXT", help="the text; `-`: read it from standard input")
    length.add_argument("--account", metavar="A", help="show what this account's texts become")
    length.add_argument(
        "--config", metavar="CONFIG", type=Path, help="a file, or a folder, that has the account"
    )
    add("schema", "print the JSON Schema of a configuration, for editors", _schema)
    add("hash-password", "read a password, and print its hash", _hash_password)
    status = add("status", "show the state of a running router, and what is not well", _status)
    status.add_argument(
        "what", metavar="OPERATOR[/BIND]", nargs="?", help="all about one operator, or one bind"
    )
    status.add_argument("--account", metavar="A", help="all about one account")
    status.add_argument(
        "--all", action="store_true", help="every row, also where they do not fit the terminal"
    )
    status.add_argument(
        "--watch", action="store_true", help="show it each second, with keys to sort and filter"
    )
    drain = add("drain", "send no more messages on a bind, or on all binds of an operator", _drain)
    resume = add("resume", "send messages again on what was drained", _resume)
    clock = add("clock", "end a doubt about the machine's clock: `clock believe`", _clock)
    clock.add_argument("what", choices=["believe"], help="the machine's clock is right")
    cli_queue.add_commands(add, _url, _field, DEFAULT_URL)
    reload = add("reload", "have a running router follow its configuration files", _reload)
    reload.add_argument(
        "--partly", action="store_true", help="apply what needs no restart, although something does"
    )
    trace = add("trace", "show PDUs of a running router, as they come and go", _trace)
    _add_trace(trace)
    rescue = add("rescue", "make a journal of what can be read of a damaged one", _rescue)
    rescue.add_argument("damaged", metavar="FROM", type=Path, help="the damaged one; only read")
    rescue.add_argument("rescued", metavar="TO", type=Path, help="the new one")
    for one in (check, explain, routes, plan, length, status, reload, drain, resume, clock, rescue):
        one.add_argument(
            "--json", action="store_true", help="print the result as one JSON document"
        )
    for one in (drain, resume):
        one.add_argument("what", metavar="OPERATOR[/BIND]", help="an operator, or one bind of it")
    for one in (check, explain, routes, status, reload, drain, resume, clock, trace):
        one.add_argument(
            "--url",
            type=_url,
            default=DEFAULT_URL,
            help=f"where the router takes commands, its control.listen; default: {DEFAULT_URL}",
        )
    return parser


def _add_trace(trace: argparse.ArgumentParser) -> None:
    whose = trace.add_mutually_exclusive_group()
    whose.add_argument("--account", metavar="A", help="of a client, by system_id")
    whose.add_argument("--bind", metavar="[OPERATOR/]BIND", help="of a bind to an operator")
    whose.add_argument("--operator", metavar="O", help="of all binds to an operator")
    whose.add_argument("--peer", metavar="IP", help="of all connections with this address")
    trace.add_argument(
        "--to",
        metavar="NUMBER",
        help="only of messages to this number, receipts for it, and messages from it",
    )
    trace.add_argument(
        "--for",
        metavar="TIME",
        dest="for_s",
        type=_duration,
        default=60.0,
        help="how long; default: 60s, at most 1h. Ctrl-C ends it sooner",
    )
    trace.add_argument("--count", metavar="N", type=_count, help="end after so many PDUs")
    trace.add_argument(
        "--reveal",
        action="store_true",
        help="show texts and whole numbers to users that control.reveal names; it is in the log",
    )
    trace.add_argument(
        "--pcap", metavar="FILE", help="write a capture for Wireshark too; `-`: to standard output"
    )
    trace.add_argument("--json", action="store_true", help="print a line of JSON for each PDU")


def _add_question(explain: argparse.ArgumentParser) -> None:
    explain.add_argument("--account", required=True, metavar="A", help="system_id of the client")
    explain.add_argument(
        "--to", required=True, metavar="NUMBER", type=_field, help="destination number"
    )
    explain.add_argument(
        "--from", default="", metavar="SENDER", dest="sender", type=_field, help="source address"
    )
    explain.add_argument("--text", default="", metavar="T", type=_text, help="text of the message")
    explain.add_argument(
        "--priority", default=0, metavar="N", type=_octet, help="priority_flag; default: 0"
    )
    explain.add_argument(
        "--service-type", default="", metavar="S", type=_field, help="service_type; default: empty"
    )
    explain.add_argument(
        "--at",
        metavar="TIME",
        type=cli_records.moment,
        help="for rules with hours: accepted when, such as 2026-11-29T23:30; default: now",
    )


class _Version(argparse.Action):
    """Prints the version and which core runs, which are looked up only when they are asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and the core")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the version and exit."""
        from router.telemetry.status import version

        print(f"smpp-router {version()} ({core.running()} core, {core.interpreter()})")
        _exit_unless_demanded(parser)
        parser.exit()


def _exit_unless_demanded(parser: argparse.ArgumentParser) -> None:
    """Exit with a message if the environment demands another core than the one that runs."""
    refusal = core.refusal(os.environ.get(core.DEMAND))
    if refusal is not None:
        parser.exit(NOT_WELL, f"{parser.prog}: {refusal}\n")


# What can be written on the command line.


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # A port that is no number, or an open bracket.
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL such as {DEFAULT_URL}")
    return text


def _field(text: str) -> str:
    try:
        octets = text.encode("latin-1")
    except UnicodeEncodeError:
        octets = b"\0"
    if b"\0" in octets:
        raise argparse.ArgumentTypeError(f"{text!r} cannot stand in a field of SMPP")
    return text


def _digits(text: str) -> str:
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no beginning of a number")
    return digits


def _duration(text: str) -> float:
    try:
        return units.duration(text)
    except units.NotUnderstoodError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10**9):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of PDUs")
    return int(text)


def _text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise argparse.ArgumentTypeError(f"the text is longer than {LONGEST_TEXT} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("the text is not in the terminal's encoding") from None
    return text


def _octet(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 255):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 255")
    return int(text)


# The commands.


def _run(arguments: argparse.Namespace) -> int:
    _exit_unless_demanded(arguments.parser)
    path: Path = arguments.config
    settings = _loaded(path)
    if settings is None:
        return NOT_WELL
    import structlog  # Neither this nor the router is needed to check a configuration.

    from router.settings.apart import Reader
    from router.telemetry.log import configure_log
    from router.wiring.app import App

    configure_log(settings.telemetry.log, sys.stderr)
    log = structlog.get_logger()
    for warning in warnings(settings):
        place, message = str(warning.place), warning.message
        log.warning("config.warned", place=place, path=warning.path, meaning=message)
    accept_loss: bool = arguments.accept_loss
    with closing(Reader()) as reader:
        reread = partial(reader.read, path, os.environ)
        return App(settings, reread, tidy=reader.tidy, accept_loss=accept_loss).run()


def _loaded(path: Path) -> Settings | None:
    """Return the settings; None if they have mistakes, which are printed on standard error."""
    try:
        return load(path, os.environ)
    except SettingsError as error:
        for mistake in error.mistakes:
            _tell(str(mistake))
        _tell(f"{path}: {_counted(len(error.mistakes), 'mistake')}")
        return None


def _check(arguments: argparse.Namespace) -> int:
    from router.wiring.checking import Examined, examine, lines_of, total_of

    found: Examined | None

    if arguments.against_running:
        question = {"path": str(arguments.config.absolute())}
        found = cast("Examined | None", _asked(arguments, "/v1/compare", question, "ok"))
    else:
        against = None if arguments.against is None else _loaded(arguments.against)
        if arguments.against is not None and against is None:
            return NOT_WELL
        found = examine(arguments.config, os.environ, against)
    if found is None:
        return NOT_WELL
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        for line in lines_of(found):
            print(line)
        _tell(f"{arguments.config}: {total_of(found)}")
    return WELL if found["ok"] else NOT_WELL


def _explain(arguments: argparse.Namespace) -> int:
    from router.wiring.explain import Question, explain

    _either(arguments)
    question = Question(
        account=AccountName(arguments.account),
        to=arguments.to,
        sender=arguments.sender,
        text=arguments.text,
        priority=arguments.priority,
        service_type=arguments.service_type,
        at_utc=arguments.at,
    )
    if arguments.running:
        found = _asked(arguments, "/v1/explain", asdict(question), "accepted", "lines")
        if found is None:
            return NOT_WELL
        document = found
        lines = cast("list[tuple[str, str]]", found.pop("lines"))
    else:
        settings = _loaded(arguments.config)
        if settings is None:
            return NOT_WELL
        _find_account(arguments, settings)
        told = explain(settings, question, time.time())
        document, lines = told.as_json(), list(told.lines())
    if arguments.json:
        print(json.dumps(document, indent=2))
    else:
        for heading, line in lines:
            print(f"{heading:<10} {line}")
    return WELL if document["accepted"] else NOT_WELL


def _length(arguments: argparse.Namespace) -> int:
    from router.smpp.length import length_of
    from router.wiring import length_view

    if (arguments.account is None) != (arguments.config is None):
        arguments.parser.error("--account and --config say something only together")
    written: str = arguments.text
    if written == "-":
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(newline="")  # An end of line within the text counts as it is.
        try:
            written = sys.stdin.read(LONGEST_TEXT + 2)
        except UnicodeDecodeError:
            arguments.parser.error("argument TEXT: the text is not in the terminal's encoding")
        written = written.removesuffix("\n").removesuffix("\r")
    text, told = "", None
    try:
        text = _text(written)
    except argparse.ArgumentTypeError as error:
        arguments.parser.error(f"argument TEXT: {error}")
    if arguments.config is not None:
        settings = _loaded(arguments.config)
        if settings is None:
            return NOT_WELL
        _find_account(arguments, settings)
        account = settings.accounts[AccountName(arguments.account)]
        told = length_view.for_account(text, account, settings)
    length = length_of(text)
    if arguments.json:
        print(json.dumps(length_view.as_json(length, told), indent=2))
    else:
        for heading, line in length_view.lines(length, told):
            print(f"{heading:<10} {line}")
    return NOT_WELL if told is not None and told.refused else WELL


def _routes(arguments: argparse.Namespace) -> int:
    from router.wiring.routes_view import (
        ToldRefusal,
        ToldRoute,
        lines_of,
        refusals_of,
        routes_of,
    )

    _either(arguments)
    if arguments.running:
        question = {"to": arguments.to or ""}
        if arguments.account is not None:
            question["account"] = arguments.account
        found = _asked(arguments, "/v1/routes", question, "refuse", "routes", "of")
        if found is None:
            return NOT_WELL
        refusals = cast("list[ToldRefusal]", found["refuse"])
        routes, of = cast("list[ToldRoute]", found["routes"]), found["of"]
    else:
        settings = _loaded(arguments.config)
        if settings is None:
            return NOT_WELL
        if arguments.account is not None:
            _find_account(arguments, settings)
        refusals = refusals_of(settings, arguments.to or "", arguments.account)
        routes = routes_of(settings, arguments.to or "", arguments.account)
        of = len(settings.refuse) + len(settings.routes)
    if arguments.json:
        print(json.dumps({"refuse": refusals, "routes": routes, "of": of}, indent=2))
    else:
        for line in lines_of(refusals, routes):
            print(line)
        _tell(f"{len(refusals) + len(routes)} of {of} rules")
    return WELL


def _plan(arguments: argparse.Namespace) -> int:
    from router.wiring.traffic import TrafficError, traffic_of
    from router.wiring.what_if import lines_of, plan_of

    new, old = _loaded(arguments.config), _loaded(arguments.against)
    if new is None or old is None:
        return NOT_WELL
    try:
        plan = plan_of(new, old, traffic_of(arguments.traffic))
    except TrafficError as error:
        _tell(str(error))
        return NOT_WELL
    if arguments.json:
        print(json.dumps(plan, indent=2))
    else:
        for line in lines_of(plan):
            print(line)
    return WELL


def _either(arguments: argparse.Namespace) -> None:
    """Refuse a question about a file and about the running router at once, or about neither."""
    if (arguments.config is None) != arguments.running:
        arguments.parser.error("either CONFIG is asked, or the router that runs: --running")


def _find_account(arguments: argparse.Namespace, settings: Settings) -> None:
    from router.wiring.questions import unknown_account

    if arguments.account not in settings.accounts:
        unknown = unknown_account(arguments.account, settings)
        arguments.parser.error(f"argument --account: {unknown}")


def _asked(
    arguments: argparse.Namespace, path: str, question: object, *keys: str
) -> dict[str, object] | None:
    """Return the running router's answer, with these keys; None after saying that there is none."""
    from router.wiring.remote import NoAnswerError, UnknownNameError, ask

    parser: argparse.ArgumentParser = arguments.parser
    try:
        answer = json.loads(ask(arguments.url, path, question, wait_s=QUESTION_S))
        if isinstance(answer, dict) and all(key in answer for key in keys):
            return answer
    except UnknownNameError as error:
        parser.error(f"argument --account: {error}")
    except NoAnswerError as error:
        _tell(str(error))
        return None
    except ValueError:  # No JSON.
        pass
    _tell("the answer is not from a router of this version")
    return None


def _schema(_arguments: argparse.Namespace) -> int:
    from router.settings.schema import page

    print(page(), end="")
    return WELL


def _hash_password(_arguments: argparse.Namespace) -> int:
    try:
        password = _read_password()
    except (EOFError, UnicodeError):
        _tell("no password was given, or it is not text")
        return NOT_WELL
    if not password:
        return NOT_WELL
    octets = password.encode()
    if len(octets) > LONGEST_PASSWORD:
        _tell(f"longer than the {LONGEST_PASSWORD} octets of SMPP: many clients cannot send it")
    print(hash_password(octets, os.urandom(16)))
    return WELL


def _read_password() -> str:
    """Read a password, twice from a terminal or one line of standard input; empty if not usable."""
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            _tell("the two passwords differ")
            return ""
    if not password:
        _tell("the password is empty")
    return password


def _status(arguments: argparse.Namespace) -> int:
    parser: argparse.ArgumentParser = arguments.parser
    if arguments.watch and arguments.json:
        parser.error("--json prints one document; it does not go with --watch")
    if arguments.what is not None and arguments.account is not None:
        parser.error("either OPERATOR[/BIND] or --account")
    from router.wiring.remote import NoAnswerError
    from router.wiring.status_one import NoSuchNameError
    from router.wiring.status_view import Asked, console, look_for, shown, write
    from router.wiring.status_watch import watch

    asked = Asked(arguments.url, arguments.what, arguments.account)
    try:
        if arguments.watch:
            watch(asked, whole=arguments.all)
            return WELL
        found = shown(asked)
        if arguments.json:
            print(json.dumps(found.document, indent=2))
        else:
            screen = console()
            write(screen, found.lines(look_for(screen, whole=arguments.all)))
    except NoSuchNameError as error:
        parser.error(str(error))
    except NoAnswerError as error:
        _tell(str(error))
        return NOT_WELL
    return NOT_WELL if found.problems else WELL


def _drain(arguments: argparse.Namespace) -> int:
    return _command(arguments, "/v1/drain", _drain_lines)


def _resume(arguments: argparse.Namespace) -> int:
    return _command(arguments, "/v1/resume", _drain_lines)


def _clock(arguments: argparse.Namespace) -> int:
    return _command(arguments, "/v1/clock", _clock_lines)


def _reload(arguments: argparse.Namespace) -> int:
    from router.wiring.reload_view import reload
    from router.wiring.remote import NoAnswerError

    try:
        told = reload(arguments.url, partly=arguments.partly)
    except NoAnswerError as error:
        _tell(str(error))
        return NOT_WELL
    if arguments.json:
        print(json.dumps(told.document, indent=2))
    else:
        print("\n".join(told.lines))
        if told.refusal:
            _tell(told.refusal)
            _tell(told.goes_on)
    return NOT_WELL if told.refusal else WELL


def _trace(arguments: argparse.Namespace) -> int:
    """Show what passes until the time is over, so many PDUs were shown, or Ctrl-C."""
    whose = {name: getattr(arguments, name) for name in ("account", "operator", "bind", "peer")}
    if not (any(whose.values()) or arguments.to):
        arguments.parser.error("one of --account, --bind, --operator, --peer and --to says of what")
    from router.wiring.trace_view import View

    question = {**whose, "to": arguments.to, "for_s": arguments.for_s, "reveal": arguments.reveal}
    to_pipe = arguments.pcap == "-"
    view: View | None = None
    try:
        with ExitStack() as held:
            file: IO[bytes] | None = None
            if to_pipe:
                file = sys.stdout.buffer
            elif arguments.pcap:
                # Unbuffered: what did not fit on a full disk is not tried again when it is closed.
                number = os.open(arguments.pcap, os.O_WRONLY | os.O_CREAT, 0o600)
                file = held.enter_context(os.fdopen(number, "wb", buffering=0))
            show = None if to_pipe else partial(print, flush=True)
            view = View(show, as_json=arguments.json, pcap=file)
            return _follow_trace(arguments, question, view)
    except KeyboardInterrupt:
        _tell(_counted(0 if view is None else view.shown, "PDU"))
        return WELL
    except BrokenPipeError:
        raise
    except OSError as error:  # There is no such folder, or the disk of the capture is full.
        _tell(f"{arguments.pcap}: {error.strerror}")
        return NOT_WELL


def _follow_trace(arguments: argparse.Namespace, question: object, view: "View") -> int:
    from router.wiring.remote import NoAnswerError, UnknownNameError, follow

    parser: argparse.ArgumentParser = arguments.parser
    try:
        with closing(follow(arguments.url, "/v1/trace", question)) as lines:
            for line in lines:
                told = json.loads(line)
                match told["event"]:
                    case "began":
                        view.begin()  # Not before: an older capture stays if nothing comes.
                        for note in told["notes"]:
                            _tell(note)
                    case "over":
                        left_out = f", {told['dropped']} left out" if told["dropped"] else ""
                        _tell(f"{told['why']}: {_counted(view.shown, 'PDU')}{left_out}")
                        return WELL
                    case "pdu" | "octets" | "ended":
                        view.take(told)
                        if view.shown == arguments.count:
                            return WELL
                    case _:
                        pass
    except UnknownNameError as error:
        parser.error(str(error))
    except NoAnswerError as error:
        _tell(str(error))
        return NOT_WELL
    except (ValueError, KeyError, TypeError):
        _tell("the answer is not from a router of this version")
        return NOT_WELL
    _tell(f"the router has ended the trace: {_counted(view.shown, 'PDU')}")
    return NOT_WELL


def _rescue(arguments: argparse.Namespace) -> int:
    from router.enqueue.journal import JournalError, first_number_at
    from router.enqueue.rescue import rescue

    try:
        told = rescue(arguments.damaged, arguments.rescued, first_number_at(time.time()))
    except JournalError as error:
        _tell(str(error))
        return NOT_WELL
    if arguments.json:
        print(json.dumps({"tables": [one._asdict() for one in told]}, indent=2))
        return WELL
    for one in told:
        lost = f"{one.lost} or more" if one.lost else "an unknown number"
        missing = "" if one.is_whole else f"; {lost} could not be read"
        print(f"{one.table:<10} {_counted(one.rows, 'row')}{missing}")
    return WELL


def _clock_lines(answer: dict[str, float]) -> list[str]:
    if not answer["changed"]:
        return ["the clock was believed already"]
    way = "ahead of" if answer["ahead_s"] > 0 else "behind"
    return [f"the clock is believed; it was {abs(answer['ahead_s']):g} s {way} the router's time"]


def _drain_lines(answer: dict[str, list[dict[str, object]]]) -> list[str]:
    return [_line(bind) for bind in answer["binds"]]


def _command(arguments: argparse.Namespace, path: str, lines_of: Callable[..., list[str]]) -> int:
    """Send a command to the running router; print the result."""
    from router.wiring.remote import NoAnswerError, UnknownNameError, ask

    parser: argparse.ArgumentParser = arguments.parser
    try:
        answer = json.loads(ask(arguments.url, path, {"what": arguments.what}))
        lines = lines_of(answer)
    except UnknownNameError as error:
        parser.error(f"argument OPERATOR[/BIND]: {error}")
    except NoAnswerError as error:
        _tell(str(error))
        return NOT_WELL
    except (ValueError, KeyError, TypeError):
        _tell("the answer is not from a router of this version")
        return NOT_WELL
    print(json.dumps(answer, indent=2) if arguments.json else "\n".join(lines))
    return WELL


def _line(bind: Mapping[str, object]) -> str:
    """Return the result for one bind, for people."""
    word = "drained" if bind["drained"] else "resumed"
    line = f"{bind['operator']}/{bind['bind']}: {word}"
    if not bind["changed"]:
        line = (
            f"{bind['operator']}/{bind['bind']}: was {word if bind['drained'] else 'not drained'}"
        )
    return f"{line}, {bind['in_flight']} in flight" if bind["drained"] else line


def _tell(message: str) -> None:
    print(message, file=sys.stderr)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


if __name__ == "__main__":
    sys.exit(main())
