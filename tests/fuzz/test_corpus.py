"""Whatever the fuzzer has found ways with, and all that it has found faults with, still holds.

No atheris is needed: the kept inputs go through their targets once.
"""

import pytest

from tests.fuzz.targets import CORPUS, TARGETS, corpus

MOST_OCTETS = 5_000_000
"""Of all kept inputs."""


@pytest.mark.parametrize("name", TARGETS)
def test_target_holds_for_all_inputs_that_are_kept(name: str) -> None:
    inputs = corpus(name)
    assert inputs
    check = TARGETS[name].check
    for octets in inputs:
        check(octets)


def test_corpus_is_of_targets_and_small() -> None:
    files = list(CORPUS.iterdir())
    assert {file.stem for file in files} == set(TARGETS)
    assert sum(file.stat().st_size for file in files) < MOST_OCTETS
