"""`smpp-simulator operator` and `smpp-simulator client`.

Messages for people go to standard error, results to standard output. Exit status: 0 well, 1 not
well, 2 wrong usage.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar, get_args

from router.smpp import vocabulary as v
from router.terms.settings import Address
from simulators import behaviour, client, foreign, loops, operator, scenario, units
from simulators.client import ClientError, ClientSettings
from simulators.esme import BindType, EsmeSettings
from simulators.messages import MessageSettings, NumberPattern, number_pattern
from simulators.operator import OperatorSettings
from simulators.scenario import Scenario, ScenarioError
from simulators.units import UnitError

T = TypeVar("T")

SCENARIOS: Final = Path(__file__).parent / "scenarios"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        if given.command == "operator":
            return _operator(given)
        return _client(given)
    except UnitError as error:
        parser.error(str(error))
    except ScenarioError as error:
        for mistake in error.mistakes:
            print(f"smpp-simulator: {mistake}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="smpp-simulator",
        description="A simulated operator (SMSC) and a simulated client (ESME).",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _operator_arguments(
        commands.add_parser(
            "operator",
            help="an SMSC that throttles, delays, sends receipts, and misbehaves on request",
            description="A simulated operator. Every option from --binds-rate on is also a key of "
            "a scenario file; simulators/README.md explains them.",
        )
    )
    _client_arguments(
        commands.add_parser(
            "client",
            help="an ESME that submits, counts, and checks every answer and receipt",
            description="A simulated client. Exit status 1 if an answer or receipt is missing.",
        )
    )
    return parser


def _operator_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_below(65536), required=True, help="port; 0 lets the kernel choose")
    add(
        "--scenario",
        metavar="FILE",
        help="a YAML file, or the name of a scenario that is included: "
        + ", ".join(_scenario_names()),
    )
    add("--duration", type=_unit(units.duration_s), metavar="TIME", help="end after this time")
    add("--seed", type=int, help="seed of all random choices, to repeat a run")
    add("--system-id", help="the only system_id that may bind (default: any)")
    add("--password", help="the password for --system-id")
    add(
        "--certificate",
        type=Path,
        metavar="FILE",
        help="certificate, PEM: speak TLS, together with --key",
    )
    add("--key", type=Path, metavar="FILE", help="private key of --certificate, PEM")
    add(
        "--call",
        type=_address,
        metavar="HOST:PORT",
        help="connect to this address and send outbind",
    )
    add(
        "--call-as",
        default=":",
        metavar="SYSTEM_ID:PASSWORD",
        help="system_id and password of the outbind",
    )
    add(
        "--receipt-times",
        type=Path,
        metavar="FILE",
        help="write there at the end when each receipt was sent: number, monotonic seconds",
    )
    for key, reader in behaviour.READERS.items():
        add(
            f"--{key.replace('_', '-')}",
            dest=f"key_{key}",
            type=_unit(reader),
            metavar="VALUE",
            # An option that is not given must be missing: `off` is read as None.
            default=argparse.SUPPRESS,
            help=EXAMPLES[key],
        )


EXAMPLES: Final = {
    "binds_rate": "submit_sm accepted in any sliding second on one bind: 50/s",
    "operator_rate": "submit_sm accepted in any sliding second on all binds: 100/s",
    "latency": "wait before an answer: 20ms, or 5ms..80ms",
    "answers_every": "answers to submit_sm wait and go out together, once in this time: 1s",
    "ids": "decimal, hex (decimal in receipts), text, or hex/hex",
    "receipts": "states by weight: delivered:98,failed:2; none sends no receipt",
    "receipts_by_destination": "state of receipts by prefix: 372599:failed",
    "receipt_delay": "wait before a receipt: 100ms..2s",
    "receipt_form": "both, text or tlvs",
    "receipt_texts": "ways to write the text, by weight: usual:90,full:5,quotes:5",
    "ids_reused": "share of messages with the id of the message before them: 1%%",
    "ids_crossed": "share of receipts whose TLV has the id of the message before: 1%%",
    "receipt_bind": "bind for a receipt: any, same (as the submit_sm) or other",
    "receipt_first": "share of receipts that go before the answer: 5%%",
    "receipts_twice": "share of receipts that are sent twice: 1%%",
    "receipt_retry": "wait before a receipt that was refused for now is sent again: 1s",
    "deliver_window": "deliver_sm unanswered on one bind: 1000",
    "status": "share of submit_sm refused with a status: ESME_RSYSERR:1%%",
    "status_by_destination": "submit_sm refused by prefix: 372599:ESME_RINVDSTADR",
    "silent": "share of submit_sm neither answered nor taken: 1%%",
    "answer_lost": "share of submit_sm taken and never answered: 1%%",
    "nack": "share of submit_sm answered with a generic_nack: 1%%",
    "nack_status": "command_status of these generic_nack: ESME_RSYSERR",
    "silent_at": "messages with this text are neither answered nor taken: MUTE",
    "hang_up_at": "a bind is cut as soon as a message with this text is read: POISON",
    "disconnect_every": "number of submit_sm after which a bind is cut: 500",
    "read_pause": "wait after each read: 50ms",
    "bind_latency": "wait before a bind is answered: 2s",
    "bind_status": "share of binds refused with a status: ESME_RBINDFAIL:50%%",
    "cancel_sm": "share of cancel_sm granted, with a receipt that says DELETED: 100%%",
    "orphans": "receipts of messages that nobody has submitted: 5/s",
    "inbound": "messages from subscribers: rate:5/s,destination:12302,text:HELLO",
}
"""The help of each key of a behaviour."""


def _client_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--to", type=_address, required=True, metavar="HOST:PORT", help="address to bind to")
    add("--system-id", required=True)
    add("--password", required=True)
    add(
        "--accounts",
        type=_unit(units.count),
        default=1,
        help="with 3, binds log in as SYSTEM_ID1, SYSTEM_ID2 and SYSTEM_ID3 in turns "
        "(default: %(default)s)",
    )
    add("--tls", type=Path, metavar="FILE", help="certificates to trust, PEM: speak TLS")
    add(
        "--binds", type=_unit(units.count), default=1, help="number of binds (default: %(default)s)"
    )
    add(
        "--bind-type",
        choices=get_args(BindType),
        default="transceiver",
        help="pair is a transmitter and a receiver for each bind (default: %(default)s)",
    )
    add(
        "--interface-version",
        type=_below(256),
        default=v.VERSION_3_4,
        metavar="VERSION",
        help="0x33, 0x34 or 0x50 (default: 0x34)",
    )
    add(
        "--window",
        type=_unit(units.count),
        default=50,
        help="submit_sm unanswered on one bind (default: %(default)s)",
    )
    add(
        "--count",
        type=int,
        help="number of messages (default: 1000; without limit if --duration is given)",
    )
    add(
        "--rate",
        type=_unit(units.rate),
        metavar="N/s",
        help="submit at this rate whatever the answers do (default: as the window allows)",
    )
    add("--duration", type=_unit(units.duration_s), metavar="TIME", help="submit for this time")
    add(
        "--destination",
        type=_unit(_patterns),
        default=_patterns("3725{7}"),
        metavar="PATTERN",
        help="3725{7} is a prefix and 7 random digits; several are separated by commas",
    )
    add(
        "--sender", default="BANK", help="source address, a number or a name (default: %(default)s)"
    )
    add(
        "--text",
        default=MessageSettings(destinations=()).text,
        help="text of messages; {token} is replaced by a token (default: token at the end)",
    )
    add(
        "--registered-delivery",
        type=_below(256),
        default=1,
        metavar="N",
        help="0 asks for no receipts, 1 for final ones, 17 for intermediate ones too (default: 1)",
    )
    add("--priority", type=_below(256), default=0, metavar="N", help="priority_flag")
    add("--service-type", default="")
    add(
        "--segments",
        type=_segments,
        default=1,
        metavar="N",
        help="so many submit_sm in a row are parts of one long message (default: %(default)s)",
    )
    add("--validity", default="", metavar="TIME", help="validity_period as SMPP writes it")
    add(
        "--wait-receipts",
        type=_unit(units.duration_s),
        default=30.0,
        metavar="TIME",
        help="how long to wait for receipts after the last submit_sm (default: 30s)",
    )
    add(
        "--response-timeout",
        type=_unit(units.duration_s),
        default=30.0,
        metavar="TIME",
        help="time after which a submit_sm counts as unanswered (default: 30s)",
    )
    add(
        "--deliver-status",
        type=_unit(behaviour.statuses),
        default=(),
        metavar="STATUS:SHARE",
        help="refuse a share of deliver_sm: ESME_RMSGQFUL:5%%",
    )
    add(
        "--reconnect",
        action="store_true",
        help="bind again when a bind is lost; nothing is submitted twice",
    )
    add(
        "--engine",
        choices=("raw", "aiosmpplib"),
        default="raw",
        help="raw, or the independent client aiosmpplib, which is slower (default: %(default)s)",
    )
    add(
        "--progress",
        type=_unit(units.count),
        metavar="N",
        help="say after so many messages, in a line of JSON, how many have their receipt (or "
        "their answer, where no receipts are asked for)",
    )
    add(
        "--receipt-times",
        type=Path,
        metavar="FILE",
        help="write there at the end when each receipt came: number, monotonic seconds",
    )
    add("--seed", type=int, help="seed of all random choices, to repeat a run")


def _unit(read: Callable[[object], T]) -> Callable[[str], T]:
    """Return a reader for argparse, which shows the text of a UnitError."""

    def convert(text: str) -> T:
        try:
            return read(text)
        except UnitError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _below(end: int) -> Callable[[str], int]:
    """A reader for whole numbers from 0, decimal or 0x; one that does not fit must not be cut."""

    def convert(text: str) -> int:
        try:
            number = int(text, 0)
        except ValueError:
            number = -1
        if not 0 <= number < end:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to {end - 1}")
        return number

    return convert


def _segments(text: str) -> int:
    segments = _below(256)(text)
    if not segments:
        raise argparse.ArgumentTypeError("a message has at least one part")
    return segments


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, for example 127.0.0.1:2775")
    return host, int(port)


def _patterns(value: object) -> list[NumberPattern]:
    return [number_pattern(part) for part in str(value).split(",")]


def _scenario_names() -> list[str]:
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def _scenario(given: argparse.Namespace) -> Scenario:
    flags = {
        name.removeprefix("key_"): value
        for name, value in vars(given).items()
        if name.startswith("key_")
    }
    if given.scenario is None:
        return scenario.build({}, "", flags)
    path = Path(given.scenario)
    if not path.exists():
        path = SCENARIOS / f"{path.name.removesuffix('.yaml')}.yaml"
    if not path.exists():
        known = ", ".join(_scenario_names())
        raise ScenarioError([f"{given.scenario}: no such file; these come along: {known}"])
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError([f"{given.scenario}: {error}"]) from None
    return scenario.read(text, given.scenario, flags)


def _operator(given: argparse.Namespace) -> int:
    calls_as = given.call_as.partition(":")
    settings = OperatorSettings(
        host=given.host,
        port=given.port,
        scenario=_scenario(given),
        seed=given.seed,
        duration_s=given.duration,
        system_id=given.system_id,
        password=given.password,
        certificate=given.certificate,
        key=given.key,
        calls=None if given.call is None else Address(host=given.call[0], port=given.call[1]),
        calls_as=(calls_as[0], calls_as[2]),
        receipt_times=given.receipt_times,
    )
    try:
        totals = loops.run(operator.operate(settings))
    except OSError as error:
        print(
            f"smpp-simulator: cannot listen on {given.host}:{given.port}: {error.strerror}",
            file=sys.stderr,
        )
        return 1
    print(json.dumps(totals), flush=True)
    return 0


NOT_WITH_AIOSMPPLIB: Final = (
    "interface_version",
    "validity",
    "deliver_status",
    "accounts",
    "tls",
    "segments",
    "progress",
    "receipt_times",
)
"""Options that aiosmpplib's ESME leaves no room for (it binds as 3.4 and answers by itself), and
those that are there to measure."""


def _client(given: argparse.Namespace) -> int:
    settings = _client_settings(given)
    if given.engine == "aiosmpplib":
        defaults = _parser().parse_args(["client", "--to=h:1", "--system-id=a", "--password=b"])
        for option in NOT_WITH_AIOSMPPLIB:
            if getattr(given, option) != getattr(defaults, option):
                raise UnitError(f"--{option.replace('_', '-')} is not for --engine aiosmpplib")
    try:
        if given.engine == "aiosmpplib":
            totals = loops.run(foreign.run(settings))
        else:
            totals = loops.run(client.run(settings))
    except ClientError as error:
        print(f"smpp-simulator: {error}", file=sys.stderr)
        return 1
    print(json.dumps(totals), flush=True)
    for says in what_is_wrong(totals):
        print(f"smpp-simulator: {says}", file=sys.stderr)
    return 0 if totals["well"] is True else 1


def _client_settings(given: argparse.Namespace) -> ClientSettings:
    count = given.count
    if given.bind_type == "receiver":
        count = 0
    elif count is None and given.duration is None:
        count = 1000
    elif count is not None and count < 0:
        raise UnitError(f"--count {count}: there are no negative messages")
    host, port = given.to
    return ClientSettings(
        host=host,
        port=port,
        esme=EsmeSettings(
            system_id=given.system_id,
            password=given.password,
            interface_version=given.interface_version,
            accounts=given.accounts,
            binds=given.binds,
            bind_type=given.bind_type,
            window=given.window,
            count=count,
            rate=given.rate,
            duration_s=given.duration,
            response_timeout_s=given.response_timeout,
            wait_receipts_s=given.wait_receipts,
            deliver_status=given.deliver_status,
        ),
        messages=MessageSettings(
            destinations=given.destination,
            sender=given.sender,
            text=given.text,
            registered_delivery=given.registered_delivery,
            priority_flag=given.priority,
            service_type=given.service_type,
            validity_period=given.validity,
            segments=given.segments,
        ),
        reconnect=given.reconnect,
        tls=given.tls,
        progress=given.progress,
        receipt_times=given.receipt_times,
        seed=given.seed,
    )


def what_is_wrong(totals: dict[str, object]) -> list[str]:
    """Return a client's totals in sentences for people; none where all is well."""
    says = {
        "unanswered": "submit_sm were never answered",
        "missing": "messages have no final receipt",
        "unknown": "receipts are for no message of this run",
        "mismatched": "receipts have other addresses than their message",
        "conflicting": "messages had two different final states",
        "unasked": "receipts were not asked for",
        "against_protocol": "PDUs were against the protocol",
        "unreadable": "PDUs could not be read",
        "same_id": "messages were given no id, or that of another",
    }
    found = [f"{totals[key]} {text}" for key, text in says.items() if totals[key]]
    if totals["failure"]:
        found.append(str(totals["failure"]))
    refused = totals["refused"]
    if isinstance(refused, dict) and refused:
        found.append("refused: " + ", ".join(f"{n} x {name}" for name, n in refused.items()))
    if isinstance(totals["faults"], list):
        found += [f"for example: {fault}" for fault in totals["faults"][:3]]
    return found


if __name__ == "__main__":
    sys.exit(main())
