"""The policies of a configuration: the checks of each account, in the order of the pass."""

from collections.abc import Mapping

from router.check.heard import HeardParts
from router.check.numbers import NumberCheck
from router.check.places import Places
from router.check.policy import Policy
from router.check.texts import TextChecks
from router.terms.names import AccountName
from router.terms.settings import AccountSettings, Settings


def policies_of(
    settings: Settings,
    numbers: Mapping[AccountName, NumberCheck],
    heard: HeardParts | None = None,
) -> Mapping[AccountName, Policy]:
    """Return the policies by account; an account without any check has none.

    `heard` are the parts of long messages that have come, which outlive a configuration.
    """
    found: dict[AccountName, Policy] = {}
    texts = TextChecks(settings, heard)
    for name, account in settings.accounts.items():
        # In the order of the pass.
        checks, number = texts.of(account), numbers.get(name)
        if checks or number is not None:
            found[name] = Policy(checks, account=name, number=number)
    return found


def number_checks_of(settings: Settings, places: Places) -> Mapping[AccountName, NumberCheck]:
    """Return the checks of numbers, of accounts that need one."""
    countries_ask = any(one.signature is not None for one in settings.countries.values())
    return {
        name: NumberCheck(account, places)
        for name, account in settings.accounts.items()
        if countries_ask or _asks_number(account)
    }


def _asks_number(account: AccountSettings) -> bool:
    """Return whether a check of the account looks at the number or at its place."""
    return bool(account.numbers.country or account.numbers.refuse or account.countries)


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
