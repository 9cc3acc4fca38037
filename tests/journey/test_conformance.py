"""docs/CONFORMANCE.md: what it says is what the router does."""

from tests.conformance import PAGE, missing_tests, page


def test_page_is_not_stale() -> None:
    assert PAGE.read_text() == page(), (
        "docs/CONFORMANCE.md is stale: run `python -m tests.conformance`"
    )


def test_every_test_that_the_page_names_is_there() -> None:
    assert list(missing_tests()) == []
