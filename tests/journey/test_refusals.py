"""router/steps/intake.py: each submit that is refused is counted, by account and reason."""

from router.enqueue.journal import JournalError
from router.smpp import vocabulary as v
from router.terms.names import AccountName
from router.terms.settings import Settings
from tests.doubles import Router, World

BANK = AccountName("bank")


def test_refused_submits_are_counted_with_the_reason_that_all_refusals_have(
    world: World, contract: Settings
) -> None:
    router = Router(world, contract)
    router.operator("telia")
    client = router.client()
    client.submit(destination=b"4670123456")  # No route.
    client.submit(destination=b"nobody")
    world.run(1.0)
    refusals = router.journey.intake.refusals
    assert refusals.counts() == {(BANK, "no_route"): 1, (BANK, "wrong_destination"): 1}
    counted = router.journey.counters.refused_pdus
    assert {reason: counted[reason] for _, reason in refusals.counts()} == {
        "no_route": 1,
        "wrong_destination": 1,
    }
    latest = refusals.of(BANK)[-1]
    assert latest.client == client.link.address
    assert latest.status == v.ESME_RINVDSTADR


def test_submit_that_the_journal_does_not_take_is_counted(world: World, contract: Settings) -> None:
    router = Router(world, contract)
    router.operator("telia")
    client = router.client()
    router.journal.failing = JournalError("the disk is full")
    client.submit()
    world.run(1.0)
    assert router.journey.intake.refusals.counts() == {(BANK, "journal_down"): 1}
