"""Which senders an account may use, and which of them in the country of the number.

A sender has to be in the list of the account and in that of the country, where there are lists, and
of a kind that the country's networks carry. Entries may hold until a day: what counts is when the
message is accepted. A message without a sender gets the account's default.
"""

from collections.abc import Mapping
from typing import Final

from router.check.policy import Candidate, Check, Note
from router.smpp.pdu import Pdu, Sm, relay_with
from router.smpp.senders import FOREVER, SenderRules, entries_of, source_octets
from router.smpp.vocabulary import DATA_SM, SUBMIT_SM
from router.terms.latest import Latest
from router.terms.outcome import SENDER_NOT_ALLOWED, WRONG_SENDER, Refusal
from router.terms.settings import AccountSenders, AccountSettings, Settings

MOST_SOURCES: Final = 1_000
"""Senders of an account, by country, whose verdict is remembered, and twice as many for a while:
some 0.4 MB. Whoever has a new one for each message pays for the look-up, 2 us."""

Countries = Mapping[str, SenderRules]
"""The rules of countries that have any for senders."""

NO_SENDER: Final = Refusal(
    SENDER_NOT_ALLOWED, WRONG_SENDER, "it has none, and the account has no default"
)
OF_ACCOUNT: Final = Refusal(
    SENDER_NOT_ALLOWED, WRONG_SENDER, "it is not among the senders of the account"
)
OF_COUNTRY: Final = Refusal(
    SENDER_NOT_ALLOWED, WRONG_SENDER, "it is no sender that the country allows"
)


class SenderCheck:
    """The senders of one account, and those that countries allow."""

    __slots__ = ("_account", "_countries", "_default", "_needs_one", "_until_utc", "name")

    def __init__(self, account: AccountSenders | None, countries: Countries) -> None:
        self.name: Final = "sender"
        self._account: Final = (
            None
            if account is None or not (account.only or account.only_files)
            else SenderRules((), entries_of(account))
        )
        self._needs_one: Final = account is not None
        self._default: Final = (
            None if account is None or account.default is None else source_octets(account.default)
        )
        self._countries: Final = countries
        self._until_utc: Final[Latest[tuple[bytes, str], float]] = Latest(MOST_SOURCES)
        """Until when a sender may be used for a country; countries without rules are one."""

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        """Return why a message is refused for its sender; give it the default if it has none."""
        source = one.sm.source_addr
        if not source and self._needs_one:
            default = self._default
            if default is None:
                return NO_SENDER
            self._write(one, default)
            source = one.sm.source_addr
        country = one.place.country
        if country not in self._countries:
            country = ""
        until_utc = self._until_utc.get((source, country))
        if until_utc is None:
            until_utc = self._look_up(source, country)
        if now_utc < until_utc:
            return None
        account = self._account
        if account is not None and now_utc >= account.until_utc(source):
            return OF_ACCOUNT
        return OF_COUNTRY

    def _look_up(self, source: bytes, country: str) -> float:
        until_utc = FOREVER if self._account is None else self._account.until_utc(source)
        rules = self._countries.get(country)
        if rules is not None:
            until_utc = min(until_utc, rules.until_utc(source))
        self._until_utc.put((source, country), until_utc)
        return until_utc

    def explain(self, one: Candidate, now_utc: float) -> str:
        """Return in words what this check says of a message, after it has judged it."""
        source, country = one.sm.source_addr, one.place.country
        shown = source.decode("ascii", "backslashreplace")
        if not source and self._needs_one:
            return "it has no sender, and the account has no default"
        if self._account is not None and (why := self._account.why_not(source, now_utc)):
            return f"{shown} {why} (senders of the account)"
        rules = self._countries.get(country)
        if rules is not None and (why := rules.why_not(source, now_utc)):
            return f"{shown} {why} (senders of {country})"
        return f"{shown or 'no sender'} may be used"

    def _write(self, one: Candidate, octets: bytes) -> None:
        """Give a message a sender: TON, NPI, address and NUL."""
        before = one.sm
        source = octets[0], octets[1], octets[2:-1]
        # A view does not know its command, but the octets do.
        command_id = DATA_SM if before.octets[4:8] == DATA_SM.to_bytes(4, "big") else SUBMIT_SM
        one.sm = Sm(Pdu(command_id, 0, 0, relay_with(before, 0, source=source)))
        words = f"none -> {octets[2:-1].decode('ascii')}"
        one.notes.append(Note(self.name, "changed", words))


def sender_checks(
    account: AccountSettings, settings: Settings, countries: Countries | None = None
) -> list[Check]:
    """Return what judges the senders of an account; nothing where no list or country asks.

    `countries` is what `countries_of` has made of the settings, once for all accounts: lists may
    have a million entries.
    """
    if countries is None:
        countries = countries_of(settings)
    if account.senders is None and not countries:
        return []
    return [SenderCheck(account.senders, countries)]


def countries_of(settings: Settings) -> Countries:
    """Return the rules of the countries that have any for senders."""
    return {
        name: SenderRules(rules.kinds, entries_of(rules), rules.exempt)
        for name, one in settings.countries.items()
        if (rules := one.senders) is not None
    }
