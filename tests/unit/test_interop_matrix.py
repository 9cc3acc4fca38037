"""The interop matrix tells what the tests have shown, and the page names tests that there are."""

import ast
import re
from collections.abc import Iterator

from benchmarks.processes import ROOT
from tests.interop.matrix import LIBRARIES, MARK, PAGE, Matrix, Outcome

INTEROP = ROOT / "tests" / "interop"
OF_THE_TESTS = INTEROP / "test_recorder.py"
"""The one file there that has no peer."""
SMPPLIB = ["smpplib", "client", "submit", "receipts"]


def with_peers() -> Iterator[tuple[str, str]]:
    """Each test with a peer (file::function), and the source of its decorators."""
    for path in sorted(INTEROP.glob("test_*.py")):
        if path == OF_THE_TESTS:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                name = f"{path.relative_to(ROOT)}::{node.name}"
                yield name, " ".join(map(ast.unparse, node.decorator_list))


def test_every_test_with_a_peer_says_what_it_shows() -> None:
    says = (f"pytest.mark.{MARK}(", "scripts.each(")
    assert [name for name, said in with_peers() if not any(word in said for word in says)] == []


def test_page_names_each_test_that_there_is_and_no_other() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"`(tests/interop/\S+)`", page)) == {name for name, _ in with_peers()}
    assert "FAILED" not in page
    libraries = set(re.findall(r"^\| (.+?) \| ", page, re.MULTILINE)) - {"library"}
    assert libraries == set(LIBRARIES)


def test_no_router_of_these_tests_runs_unrecorded() -> None:
    assert [
        path.name
        for path in INTEROP.glob("*.py")
        if "stand.router(" in path.read_text(encoding="utf-8") and path.name != "recorder.py"
    ] == []


def test_feature_counts_where_every_test_that_ran_and_shows_it_has_passed() -> None:
    matrix = Matrix()
    matrix.add("a", [SMPPLIB], Outcome.PASSED, "")
    matrix.add("a", [[*SMPPLIB, "UCS-2"]], Outcome.SKIPPED, "not there")
    ((library, _, role, features),) = matrix.table()
    assert (library, role, features) == ("smpplib", "client", "receipts, submit")
    assert list(matrix.left_out()) == [("smpplib", "a", "not there")]
    matrix.add("b", [SMPPLIB[:3]], Outcome.FAILED, "")
    matrix.add("c", [SMPPLIB[:3]], Outcome.PASSED, "")
    ((*_, features),) = matrix.table()
    assert features == "receipts, FAILED: submit"


def test_library_of_which_all_was_skipped_has_shown_nothing() -> None:
    matrix = Matrix()
    matrix.add("a", [["aiosmpplib", "client", "receipts"]], Outcome.SKIPPED, "not installed")
    ((*_, features),) = matrix.table()
    assert features == "-"
    assert "- aiosmpplib: `a`: not installed" in list(matrix.page())
