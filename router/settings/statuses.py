"""Writes the page about operators' statuses: `python -m router.settings.statuses docs/STATUSES.md`.

What a status means stands in `terms/outcome.py`; the page says the same, and a test sees to that.
"""

import sys
from pathlib import Path

from router.settings.units import show_duration
from router.smpp import vocabulary as v
from router.terms.outcome import DEFAULT_ACTIONS, OTHERWISE, WRONG_SET_UP
from router.terms.settings import StatusAction


def meaning(action: StatusAction) -> str:
    """Return an action in words."""
    match action.do:
        case "fail":
            return "the message fails; its client hears of it"
        case "next" if action.times == 1:
            return "one other operator is tried, then the message fails"
        case "next":
            return "every other operator of its plan is tried"
        case "rebind":
            return "the bind is bound anew; the message goes first again, 3 times, then later"
        case "pause":
            rest = show_duration(action.for_s)
            return (
                f"the bind rests for {rest} and is slowed, or the message waits so long alone;"
                " it goes first again"
            )
        case "retry":
            wait = show_duration(action.after_s)
            times = "once" if action.times == 1 else f"{action.times} times"
            then = "another operator" if action.then == "next" else "the end"
            return f"again after {wait}, {times} at most, then {then}; nobody waits for it"


def page() -> str:
    """Return the page."""
    rows = "".join(
        f"| `0x{status:02X}` | {v.STATUS_NAMES.get(status, '')} | {meaning(action)} |"
        f" {'yes' if status in WRONG_SET_UP else ''} |\n"
        for status, action in sorted(DEFAULT_ACTIONS.items())
    )
    return f"""\
# What an operator's status means

<!-- Written by `python -m router.settings.statuses docs/STATUSES.md`, not by hand. -->

What becomes of a message that an operator does not take, where the operator's `on_status` in the
configuration says nothing else. Every action ends with the message's validity, and the parts of a
long message stay together.

- A status that is in no row: {meaning(OTHERWISE)}.
- A generic_nack with our sequence_number is an answer with its status; with ESME_ROK it counts as
  ESME_RUNKNOWNERR. After `ESME_RINVCMDID` a data_sm goes to every other operator of its plan, since
  some do not serve it. For an hour the next ones go to others first (log `operator.lacks_data_sm`);
  where no other is left in the plan, they are tried all the same. A data_sm that the operator takes
  ends that.
- ESME_RMSGQFUL for five different numbers in a row, with nothing taken in between, is about the
  operator and not about the numbers: it is then treated as ESME_RTHROTTLED.
- ESME_RTHROTTLED costs no retry. After 20 minutes of it another operator may have the message. A
  bind rests, and is slowed, when more than two and more than 5 % of its latest answers are that:
  those of the last second, or a hundred if that is more. Else the message waits alone. With another
  status whose action is `pause` the bind rests at once.
- No answer at all is neither: the lane's `in_doubt` decides.
- *Look*: the answer says less of the message than of how the router is set up with this operator.
  It is logged (`message.objected`), and there is an alert for it.

| status | name | what becomes of the message | look |
|---|---|---|---|
{rows}"""


def main() -> None:
    """Write the page that is named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m router.settings.statuses docs/STATUSES.md")
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
