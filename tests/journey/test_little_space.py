"""router/steps/commits.py, intake.py, inbound.py: on a disk that is nearly full receipts go on."""

from typing import Final

from router.smpp import vocabulary as v
from router.terms.limits import Rate
from router.terms.outcome import Outcome
from router.terms.settings import Settings
from tests.doubles import Router, World, with_account

KEEP: Final = 1000


def test_with_little_space_only_receipts_are_taken(world: World, router: Router) -> None:
    telia, client = router.operator("telia"), router.client()
    accepted = client.submit()
    world.run(1.0)
    commits = router.journey.commits
    assert commits.found_space(KEEP - 1, KEEP)
    refused = client.submit()
    inbound = telia.deliver(b"hello", (1, 1, b"37255512345"), (3, 0, b"12302"))
    telia.report_all()
    world.run(2.0)
    assert client.status_of(accepted) == v.ESME_ROK
    assert client.status_of(refused) == v.ESME_RMSGQFUL
    assert telia.answer_to(inbound) == v.ESME_RX_T_APPN
    assert len(client.receipts) == 1
    assert router.outcomes == [Outcome.DELIVERED]
    assert router.journey.counters.refused_pdus == {"disk_nearly_full": 1}
    router.assert_all_is_over()


def test_what_is_held_when_space_ends_is_refused_and_leaves_no_room_taken(
    world: World, contract: Settings
) -> None:
    router = Router(world, with_account(contract, "bank", rate=Rate(10, 1.0), burst=5))
    client = router.client()
    numbers = [client.submit() for _ in range(12)]
    world.run(0.01)
    assert router.journey.commits.found_space(KEEP - 1, KEEP)
    world.run(2.0)
    told = [client.status_of(number) for number in numbers]
    assert v.ESME_RMSGQFUL in told
    assert router.room_taken() == told.count(v.ESME_ROK)


def test_space_is_back_when_there_is_a_tenth_more(world: World, router: Router) -> None:
    commits = router.journey.commits
    assert not commits.found_space(KEEP, KEEP)
    assert commits.found_space(KEEP - 1, KEEP)
    assert not commits.found_space(KEEP + KEEP // 10 - 1, KEEP)
    assert commits.is_short_of_space
    assert commits.found_space(KEEP + KEEP // 10 + 1, KEEP)
    client = router.client()
    number = client.submit()
    world.run(1.0)
    assert client.status_of(number) == v.ESME_ROK
