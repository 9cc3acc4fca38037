"""The whole policy of an account in the journey: the order of its checks, and what limits count."""

from dataclasses import replace
from typing import Final

from router.smpp import vocabulary as v
from router.terms.names import AccountName, ScreenName
from router.terms.settings import (
    AccountNumberSettings,
    AccountSenders,
    AccountSettings,
    CountrySenders,
    CountrySettings,
    LimitSettings,
    OperatorSenders,
    RefuseSettings,
    ScreenSettings,
    Settings,
    TextSettings,
)
from tests.doubles import Router, World, with_account, with_operator

BANK: Final = AccountName("bank")
SCAM: Final = ScreenName("scam")
LIMIT: Final = LimitSettings(per="number", most=1, in_s=600.0)
LIMITED: Final = 0x45


def with_policy(contract: Settings) -> Settings:
    """Return the configuration with every check for the bank."""
    settings = with_account(
        contract,
        "bank",
        numbers=AccountNumberSettings(refuse=("invalid",)),
        senders=AccountSenders(default="Bank"),
        text=TextSettings(replace="full", most_parts=1),
        screens=(SCAM,),
        signature="Bank",
        limits=(LIMIT,),
    )
    return replace(
        settings,
        screens={SCAM: ScreenSettings(name=SCAM, phrases=("free money",))},
        countries={
            "EE": CountrySettings(
                senders=CountrySenders(kinds=("alphanumeric",)), signature="start"
            )
        },
        refuse=(RefuseSettings(service_type=("SPAM",)),),
    )


def test_checks_are_in_the_order_of_the_pass(world: World, contract: Settings) -> None:
    policy = Router(world, with_policy(contract)).journey.rulebook.rules.policies[BANK]
    assert policy.number is not None
    names = [policy.number.name, *(check.name for check in policy.checks)]
    assert names == ["number", "sender", "signature", "text", "parts", "screen", "limit"]


def answers(router: Router, *texts: bytes) -> list[int | None]:
    """Return what the bank is answered that sends these texts to one number."""
    client = router.client()
    sent = [client.submit(text=text) for text in texts]
    router.world.run(1.0)
    return [client.status_of(number) for number in sent]


def limited(settings: Settings) -> Settings:
    """Return a configuration in which the bank may write once to each number."""
    return with_account(settings, "bank", limits=(LIMIT,))


def test_what_a_later_step_refuses_counts_for_no_limit(world: World, contract: Settings) -> None:
    settings = limited(contract)
    router = Router(world, replace(settings, routes=()))
    router.operator("telia")
    assert answers(router, b"1", b"2") == [v.ESME_RINVDSTADR] * 2
    nobody = OperatorSenders(only=("Nobody",))
    for name in settings.operators:
        settings = with_operator(settings, name, senders=nobody)
    router.adopt(settings)
    assert answers(router, b"3", b"4") == [v.ESME_RINVSRCADR] * 2
    router.adopt(limited(contract))
    assert answers(router, b"5", b"6") == [v.ESME_ROK, LIMITED]


def test_reload_forgets_nothing_of_what_was_counted(world: World, contract: Settings) -> None:
    router = Router(world, limited(contract))
    router.operator("telia")
    assert answers(router, b"1") == [v.ESME_ROK]
    router.adopt(replace(limited(contract), refuse=(RefuseSettings(service_type=("SPAM",)),)))
    assert answers(router, b"2") == [LIMITED]
    bank = router.settings.accounts[BANK]
    new = AccountName("bank2")
    renamed = replace(bank, name=new, formerly=BANK)
    others: dict[AccountName, AccountSettings] = {
        name: one for name, one in router.settings.accounts.items() if name != BANK
    }
    router.adopt(replace(router.settings, accounts={new: renamed, **others}))
    client = router.client(b"bank2")
    sent = client.submit(text=b"3")
    world.run(1.0)
    assert client.status_of(sent) == LIMITED
