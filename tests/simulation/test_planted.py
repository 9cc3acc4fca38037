"""tests/simulation: it finds bugs. Each of those that can be planted breaks a promise soon."""

import re

import pytest

from tests.simulation.planted import BUGS, first_to_find, planted, with_seeds
from tests.simulation.planting import bug
from tests.simulation.simulation import simulate

NEARBY = 20
"""So many further seeds are tried: a change of the router moves what happens in a seed."""
ENOUGH_SEEDS = 800
"""Most bugs show in one of the first ten."""
REFRESH = "python -m tests.simulation planted --write finds the seeds anew"


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    seed = BUGS[name].seed
    found = first_to_find(name, range(seed, seed + NEARBY + 1))
    assert found is not None, f"neither {seed} nor the {NEARBY} seeds after it; {REFRESH}"
    assert found.broken is not None
    # Else not the bug was found, but a stand-in that does not fit the router any more.
    assert not re.search(r"raised (Type|Attribute|Name|Key)Error", found.broken), found.broken
    if found.seed != seed:
        with capsys.disabled():
            print(f"\n{name}: found by seed {found.seed}, and no longer by {seed}; {REFRESH}")


@pytest.mark.long
@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found_wherever_the_search_begins(name: str) -> None:
    assert first_to_find(name, range(ENOUGH_SEEDS)) is not None


def test_a_bug_is_gone_when_it_is_no_longer_planted() -> None:
    for name in BUGS:
        with planted(name):
            pass
    assert simulate(0).broken is None


def test_there_are_bugs_of_every_kind() -> None:
    assert len(BUGS) >= 10


def test_two_bugs_of_one_name_are_refused() -> None:
    name = next(iter(BUGS))
    make, before = BUGS[name].make, dict(BUGS)
    with pytest.raises(ValueError, match=re.escape(name)):
        bug(seed=1)(make)
    assert before == BUGS


def test_a_refreshed_seed_is_written_to_its_decorator_only() -> None:
    text = "@bug(seed=0)\ndef one() -> None:\n    two()\n\n\n@bug(seed=7)\ndef two() -> None:\n"
    assert with_seeds(text, {"two": 12}) == text.replace("seed=7", "seed=12")
    assert with_seeds(text, {"three": 12}) == text
