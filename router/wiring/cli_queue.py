"""`smpp-router queue`: what waits in the queues of a running router, and cancelling it."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from typing import Final, cast

from router.check.number import routing_key
from router.wiring.remote import NoAnswerError, UnknownNameError, ask

WELL, NOT_WELL = 0, 1
CANCEL: Final = "/v1/queue/cancel"
MOST_IDS: Final = 1000
LONGEST_ID: Final = 64
LONGEST_REASON: Final = 200
OF_ANOTHER_VERSION: Final = "the answer is not from a router of this version"

Add = Callable[[str, str, Callable[[argparse.Namespace], int]], argparse.ArgumentParser]
Told = dict[str, object]
"""How far an order is, as the router tells it."""


def add_commands(
    add: Add,
    url: Callable[[str], str],
    field: Callable[[str], str],
    default_url: str,
) -> None:
    """Add the commands to the parser; `field` checks a text that is to stand in a field of SMPP."""
    queue = add("queue", "show what waits in the queues, or cancel it", _list)
    actions = queue.add_subparsers(required=True, metavar="ACTION")
    does = "cancel messages that wait: each ends as rejected, with a receipt if it was asked for"
    cancel = actions.add_parser("cancel", help=does, description=f"{does[0].upper()}{does[1:]}.")
    cancel.set_defaults(command=_cancel, parser=cancel)
    cancel.add_argument(
        "ids", metavar="ID", nargs="*", type=_id, help="a message, by the id that its client has"
    )
    cancel.add_argument("--account", metavar="A", help="all that this account has waiting now")
    cancel.add_argument(
        "--to", metavar="NUMBER", type=_number, help="of the account, only what goes to this number"
    )
    cancel.add_argument(
        "--from", metavar="SENDER", dest="sender", type=field,
        help="of the account, only what has this source address",
    )  # fmt: skip
    cancel.add_argument("--dry-run", action="store_true", help="only count; nothing is cancelled")
    cancel.add_argument("--reason", metavar="TEXT", type=_reason, help="why; it is in the log")
    does = "show how much waits, by account and lane, as `status` does"
    shown = actions.add_parser("list", help=does, description=f"{does[0].upper()}{does[1:]}.")
    shown.set_defaults(command=_list, parser=shown)
    shown.add_argument("--account", metavar="A", help="only of this account")
    for one in (cancel, shown):
        one.add_argument(
            "--json", action="store_true", help="print the result as one JSON document"
        )
        one.add_argument(
            "--url", type=url, default=default_url,
            help=f"where the router takes commands, its control.listen; default: {default_url}",
        )  # fmt: skip


# What can be written on the command line.


def _id(text: str) -> str:
    text = text.strip()
    if not (text.isascii() and text.isprintable() and 0 < len(text) <= LONGEST_ID):
        raise argparse.ArgumentTypeError(f"{text!r} is no id")
    return text


def _number(text: str) -> str:
    if routing_key(text.encode("latin-1", "replace")) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return text


def _reason(text: str) -> str:
    if len(text) > LONGEST_REASON:
        raise argparse.ArgumentTypeError(f"it has more than {LONGEST_REASON} characters")
    return text


# cancel.


def _cancel(arguments: argparse.Namespace) -> int:
    parser: argparse.ArgumentParser = arguments.parser
    if bool(arguments.ids) == (arguments.account is not None):
        parser.error("either one ID or more, or --account, say what is to be cancelled")
    if len(arguments.ids) > MOST_IDS:
        parser.error(f"more than {MOST_IDS} IDs")
    if arguments.ids and (arguments.to or arguments.sender):
        parser.error("--to and --from say which messages of --account")
    asked: dict[str, object] = {"dry_run": arguments.dry_run, "reason": arguments.reason}
    if arguments.ids:
        asked["ids"] = arguments.ids
    else:
        asked |= {"account": arguments.account, "to": arguments.to, "from": arguments.sender}
    try:
        told = _follow(arguments.url, asked)
        lines = _lines(told, arguments)
    except UnknownNameError as error:
        parser.error(str(error))
    except NoAnswerError as error:
        _tell(str(error))
        return NOT_WELL
    except (ValueError, KeyError, TypeError, AttributeError):
        _tell(OF_ANOTHER_VERSION)
        return NOT_WELL
    print(json.dumps(told, indent=2) if arguments.json else "\n".join(lines))
    if told["why"]:
        _tell(f"not all was done: {told['why']}")
    is_well = not told["why"] and set(_ids(told).values()) <= {"cancelled"}
    return WELL if is_well else NOT_WELL


def _follow(url: str, asked: dict[str, object]) -> Told:
    """Have an order carried out, and tell how far it is until it is over.

    Raises NoAnswerError. Ctrl-C stops the order.
    """
    told = _asked(url, asked)
    number = told["order"]
    try:
        while not told["over"]:
            _tell(f"{_done(told)} so far")
            told = _asked(url, {"order": number})
    except KeyboardInterrupt:
        told = _asked(url, {"order": number, "stop": True})
        while not told["over"]:
            told = _asked(url, {"order": number})
    except NoAnswerError as error:
        what = f"{error}; the order may go on: {_done(told)} when it was last heard of"
        raise NoAnswerError(what) from error
    return told


def _asked(url: str, asked: dict[str, object]) -> Told:
    told = json.loads(ask(url, CANCEL, asked))
    if not isinstance(told, dict):
        raise TypeError
    return told


def _ids(told: Told) -> dict[str, str]:
    return cast("dict[str, str]", told["ids"])


def _done(told: Told) -> str:
    cancelled = cast("int", told["cancelled"])
    would = "would be cancelled" if told["dry_run"] else "cancelled"
    return f"{cancelled} message{'' if cancelled == 1 else 's'} {would}"


_FATES: Final = {
    "with_operator": "not cancelled: an operator has it, or may have it",
    "not_found": "no such message waits: it is over, or there was none",
}


def _lines(told: Told, arguments: argparse.Namespace) -> list[str]:
    """Return what has become of an order, for people."""
    would = "would be cancelled" if told["dry_run"] else "cancelled"
    lines = [f"{one}: {_FATES.get(fate, would)}" for one, fate in _ids(told).items()]
    lines.append(_done(told))
    with_operator = cast("int", told["with_operator"])
    if with_operator and not arguments.ids:
        lines.append(f"{with_operator} not cancelled: an operator has them, or may have them")
    if told["not_kept"]:
        lines.append(f"{told['not_kept']} cancelled, and not safe in the journal yet")
    return lines


# list.


def _list(arguments: argparse.Namespace) -> int:
    parser: argparse.ArgumentParser = arguments.parser
    try:
        status = json.loads(ask(arguments.url, "/v1/status"))
        accounts = {str(one["name"]): one for one in status["accounts"]}
        if arguments.account is not None and arguments.account not in accounts:
            parser.error(f"argument --account: there is no account {arguments.account!r}")
        queues = [
            queue
            for name, one in accounts.items()
            if arguments.account in (None, name)
            for queue in _queues(name, one)
        ]
    except NoAnswerError as error:
        _tell(str(error))
        return NOT_WELL
    except (ValueError, KeyError, TypeError):
        _tell(OF_ANOTHER_VERSION)
        return NOT_WELL
    if arguments.json:
        print(json.dumps({"queues": queues}, indent=2))
        return WELL
    for queue in queues:
        nowhere = queue["nowhere"]
        none = f", {nowhere} for no operator that is up" if nowhere else ""
        where = f"{queue['account']}/{queue['lane']}"
        print(f"{where}: {queue['messages']} wait, the oldest for {queue['oldest_s']:g} s{none}")
    _tell(f"{sum(cast('int', one['messages']) for one in queues)} wait")
    return WELL


def _queues(name: str, account: Mapping[str, list[dict[str, object]]]) -> list[dict[str, object]]:
    nowhere = {one["lane"]: one["messages"] for one in account["nowhere"]}
    return [
        {"account": name, **one, "nowhere": nowhere.get(one["lane"], 0)} for one in account["lanes"]
    ]


def _tell(message: str) -> None:
    print(message, file=sys.stderr)
