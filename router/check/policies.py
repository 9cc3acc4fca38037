"""The policies of a configuration: the checks of each account, in the order of the pass."""

from collections.abc import Mapping
from typing import Final

from router.check.heard import HeardParts
from router.check.limits import limit_checks
from router.check.numbers import NumberCheck
from router.check.places import Places
from router.check.policy import Policy
from router.check.senders import countries_of, sender_checks
from router.check.texts import TextChecks
from router.terms.names import AccountName
from router.terms.settings import AccountSettings, Settings

_NO_POLICIES: Final[Mapping[AccountName, Policy]] = {}


def policies_of(
    settings: Settings,
    numbers: Mapping[AccountName, NumberCheck],
    heard: HeardParts | None = None,
    before: Mapping[AccountName, Policy] = _NO_POLICIES,
) -> Mapping[AccountName, Policy]:
    """Return the policies by account; an account without any check has none.

    `heard` are the parts of long messages that have come, which outlive a configuration. `before`
    are the policies until now, of which limits go on with what was counted.
    """
    found: dict[AccountName, Policy] = {}
    countries, texts = countries_of(settings), TextChecks(settings, heard)
    for name, account in settings.accounts.items():
        was = before.get(name) or before.get(account.formerly or name)
        # In the order of the pass.
        checks = [
            *sender_checks(account, settings, countries),
            *texts.of(account),
            *limit_checks(account, settings, () if was is None else was.checks),
        ]
        number = numbers.get(name)
        if checks or number is not None:
            found[name] = Policy(checks, account=name, number=number)
    return found


def number_checks_of(settings: Settings, places: Places) -> Mapping[AccountName, NumberCheck]:
    """Return the checks of numbers, of accounts that need one."""
    countries_ask = any(
        one.senders is not None or one.signature is not None for one in settings.countries.values()
    )
    return {
        name: NumberCheck(account, places)
        for name, account in settings.accounts.items()
        if countries_ask or _asks_number(account)
    }


def _asks_number(account: AccountSettings) -> bool:
    """Return whether a check of the account looks at the number or at its place."""
    limits_ask = any(one.countries or one.per == "country" for one in account.limits)
    return bool(
        account.numbers.country or account.numbers.refuse or account.countries or limits_ask
    )


def places_of(settings: Settings, before: Places | None = None) -> Places:
    """Return the places of a configuration; those of before where they say the same.

    Those know many heads already, which would have to be asked for again.
    """
    files = settings.networks
    networks: Mapping[str, str] = files[0].networks if files else {}
    if len(files) > 1:
        networks = {prefix: one for file in files for prefix, one in file.networks.items()}
    zones = {
        country: str(one.zone)
        for country, one in settings.countries.items()
        if one.zone is not None
    }
    if before is not None and (before.networks, before.zones) == (networks, zones):
        return before
    return Places(networks, zones)
