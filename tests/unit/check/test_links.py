"""router/check/links.py: the host to which a link leads, whatever it looks like."""
# ruff: noqa: RUF001

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.check.links import MOST_LINKS, LinkRules, ascii_host, hosts_in, may_have_link


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("see https://shop.example/a?b=evil.test#c.", {"shop.example"}),
        ("HTTP://SHOP.EXAMPLE:8080", {"shop.example"}),
        ("shop.example.", {"shop.example"}),
        ("(www.anything.whatever)", {"www.anything.whatever"}),
        ("bit.ly/x and t.me/y, goo.gl!", {"bit.ly", "t.me", "goo.gl"}),
        ("host.internal/path", {"host.internal"}),
        ("http://shop.example@evil.example", {"evil.example"}),
        ("http://shop.example:80@evil.example/", {"evil.example"}),
        ("http://shop.example(@evil.example", {"evil.example", "shop.example"}),
        ("http://shop.example:1,x@evil.example", {"evil.example", "shop.example"}),
        ("http://shop.example\\@evil.example", {"evil.example", "shop.example"}),
        ("https://evil.example/shop.example", {"evil.example"}),
        ("https://shop.example.evil.example", {"shop.example.evil.example"}),
        ("http://3232235777/", {"3232235777"}),
        ("http://localhost", {"localhost"}),
        ("192.0.2.7", {"192.0.2.7"}),
        ("http://[::1]/", {""}),
        ("http://", {""}),
        ("http://shop%2eexample/", {""}),
        ("evil。com evil．com evil｡com", {"evil.com"}),
        ("bücher.example", {"xn--bcher-kva.example"}),
        ("xn--bcher-kva.example", {"xn--bcher-kva.example"}),
        ("ＳＨＯＰ.example", {"shop.example"}),
        ("ѕhop.example", {"xn--hop-ehd.example"}),
        ("http://shop.example／.evil.com", {""}),
        ("пример.рф", {"xn--e1afmkfd.xn--p1ai"}),
        ("请访问https://shop.example查看", {"shop.example"}),
        ("https://shop.example查看.evil.com", {"shop.xn--example-j46ow40i.evil.com"}),
        ("evil.com\u200b.shop.example", {"evil.com", "evil.com.shop.example", "shop.example"}),
        ("ev\xadil.com", {"evil.com", "il.com"}),
        ("url=evil.com&x", {"evil.com"}),
        ("wait...evil.com", {"evil.com"}),
        ("@evil.com x@evil.com:80 y@evil.com/z", {"evil.com"}),
        ("mail me@shop.example, or me@a.b.com.", set()),
        ("arrived.Please wait. 12.50 EUR, 11.12.2026 at 10.30am, e.g. p.m. i.e. v1.2.3", set()),
        ("Hello ... and so on.. 1.2.3.4.5 999.1.1.1", set()),
        ("", set()),
    ],
)
def test_host_is_where_a_browser_would_go(text: str, hosts: set[str]) -> None:
    assert set(hosts_in(text)) == hosts
    assert may_have_link(text) or not hosts


@pytest.mark.parametrize("host", ["shop.example", "www.shop.example", "a.b.shop.example"])
def test_host_and_what_is_below_it_is_allowed(host: str) -> None:
    rules = LinkRules(("Shop.example", "bücher.example"))
    assert rules.others_in(f"see https://{host}/x or {host} or BÜCHER.example.") == set()


@pytest.mark.parametrize("host", ["myshop.example", "shop.example.evil.com", "ѕhop.example"])
def test_host_that_only_looks_allowed_is_not(host: str) -> None:
    assert LinkRules(("shop.example",)).others_in(f"see https://{host}/x") == {ascii_host(host)}


def test_without_hosts_no_link_is_allowed() -> None:
    rules = LinkRules(())
    assert rules.others_in("see shop.example") == {"shop.example"}
    assert rules.others_in("http://[") == {""}
    assert rules.others_in("no link. none") == set()


@pytest.mark.parametrize("text", ["http://shop.exam", "go to shop.ex", "http://", "a.co"])
def test_host_that_may_go_on_is_left_open(text: str) -> None:
    assert set(hosts_in(text, open_end=True)) == set()
    assert set(hosts_in(text + "/x", open_end=True)) == set(hosts_in(text + "/x"))


def test_host_that_may_have_begun_before_is_left_open() -> None:
    assert set(hosts_in("shop.example and evil.com", open_begin=True)) == {"evil.com"}
    assert set(hosts_in("p://evil.com", open_begin=True)) == {"evil.com"}


@given(st.text(st.characters()))
def test_no_text_cannot_be_read(text: str) -> None:
    for host in hosts_in(text + "." + text + "://" + text + "@" + text):
        assert host.isascii()
        assert ascii_host(host) in (host, "")


def test_text_of_very_many_links_is_not_read_to_its_end() -> None:
    rules = LinkRules(("shop.example",))
    assert rules.others_in("shop.example " * MOST_LINKS) == set()
    assert rules.others_in("shop.example " * 10_000) == {""}


def test_label_that_is_too_long_is_none() -> None:
    assert ascii_host("é" * 64 + ".com") == ""
    assert ascii_host("é" * 30_000 + ".com") == ""
