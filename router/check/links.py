"""Finds the links of a text, as telephones make them to be touched, and tells the host of each.

A link is what has a scheme (`https://host`), or a bare host: one that begins with `www.`, has a
path behind it, is an address of IPv4, or ends in a top-level domain. Those are the domains of
countries and the general ones below; of others, which are made every year, a bare host is no link
here, since every missing space behind a full stop would be one (`arrived.Please`).

The host is what a browser would go to: behind user and password (`http://shop.example@evil.example`
leads to evil.example), before port, path, query and backslash, with the dots of other scripts, in
any case, as Punycode where it is not ASCII. What no browser could read has the host UNREADABLE, and
is allowed nowhere. Letters that look alike are not alike here: another letter is another host.

An address of mail is no link.

Source: RFC 3986 (URI), RFC 3492 (Punycode), UTS 46 (dots); ISO 3166 for the domains of countries.
"""

import re
from collections.abc import Iterator
from typing import Final
from unicodedata import normalize

from router.check.folding import INVISIBLE

UNREADABLE: Final = ""
"""The host of a link that has none which can be read."""
LONGEST_HOST: Final = 253
LONGEST_LABEL: Final = 63
MOST_LINKS: Final = 100
"""Of one text; one with more is no text for people, and has a host that is allowed nowhere."""

_SCHEME: Final = "://"
_COUNTRIES: Final = (
    "ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs "
    "bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec "
    "ee eg er es et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy "
    "hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz "
    "la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx "
    "my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re "
    "ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th "
    "tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw"
)
_GENERAL: Final = (
    "academy agency ai app art asia auction bank bar beauty best bet biz blog buzz cab cafe cam "
    "careers casa cash casino cat center chat church city click clinic cloud club coach codes "
    "coffee com community company coop credit cyou dance date deals delivery design dev digital "
    "direct directory discount download earth edu education email energy events example exchange "
    "expert express fail faith family fans farm finance financial fit fitness football forum "
    "foundation fun fund futbol fyi gallery game games gift gifts gives global gold golf gov "
    "gratis green group guide guru hair health help homes host hosting hotel house icu immo info "
    "ink institute int international investments jobs kim land lat legal life limited link live "
    "loan loans lol ltd luxury makeup management market marketing mba media men menu mil mobi "
    "moda moe mom money monster movie museum name net network news ninja now nyc one online org "
    "page partners party pay photo photography photos pics pink pizza plus poker porn post press "
    "pro promo properties pub quest racing realestate recipes red rehab rent report rest "
    "restaurant review reviews rip rocks rsvp run sale salon sbs school science services sex sexy "
    "shop shopping show site ski skin soccer social software solutions space store stream studio "
    "style sucks support surf systems tax taxi team tech technology tel tennis tickets tips today "
    "tokyo tools top tours town toys trade training travel university vacations vegas vet viajes "
    "video vin vip vision vodka vote watch webcam website wiki win wine work works world wtf xin "
    "xxx xyz yoga zip zone"
)
_NOT_ASCII: Final = (
    "рф рус укр бел срб мкд мон қаз бг ею ευ ελ հայ გე ישראל "  # noqa: RUF001
    "онлайн сайт орг дети москва ком 中国 中國 香港 台湾 台灣 澳門 新加坡 公司 网络 网址 在线 "  # noqa: RUF001
    "商城 我爱你 한국 닷컴 닷넷 みんな コム भारत ভারত ไทย الامارات السعودية مصر قطر تونس عمان"
)
TOP_LEVEL: Final = frozenset(f"{_COUNTRIES} {_GENERAL} {_NOT_ASCII}".split())

_DOTS: Final = {ord(one): "." for one in "\u3002\uff0e\uff61"}
_DOT_WITHIN: Final = re.compile(r"\.\w")
_ANY_DOT_WITHIN: Final = re.compile(r"[.\u3002\uff0e\uff61]\S")
_TOKEN: Final = re.compile(r"[^\s<>\"'()\[\]{},;!|\\\u2018-\u201f\u2026\u00ab\u00bb]+")
"""What stands together; none of what is left out can stand in a host."""
_AUTHORITY: Final = re.compile(r"[^\s/?#<>\"]*")
_AUTHORITY_ENDS: Final = re.compile(r"[/?#]")
_NAMES: Final = re.compile(r"[\w.-]+")
_DOTTED: Final = re.compile(r"\.{2,}")
_ASCII_LABEL: Final = re.compile(r"[a-z0-9-]+")
_NO_LABEL: Final = re.compile(r"[./?#\\:@%\[\]\s]")
_NO_HOST: Final = re.compile(r"[^a-z0-9_.-]")
_NUMBER: Final = re.compile(r"[0-9]{1,3}")


class LinkRules:
    """The hosts that links may have."""

    __slots__ = ("_below", "_only")

    def __init__(self, only: tuple[str, ...]) -> None:
        """No hosts: no link is allowed."""
        hosts = [ascii_host(one) for one in only]
        self._only: Final = frozenset(hosts)
        self._below: Final = tuple(f".{host}" for host in hosts)

    def others_in(self, text: str, *, open_begin: bool = False, open_end: bool = False) -> set[str]:
        """Return the hosts of links that are not allowed.

        `open_begin` and `open_end` are whether something unknown stands before or behind the text:
        a host that touches that may be a piece of another, and is left out.
        """
        if not may_have_link(text):
            return set()
        found: set[str] = set()
        hosts = hosts_in(text, open_begin=open_begin, open_end=open_end)
        for number, host in enumerate(hosts):
            if number >= MOST_LINKS:
                found.add(UNREADABLE)
                break
            if host not in self._only and not host.endswith(self._below):
                found.add(host)
        return found


def may_have_link(text: str) -> bool:
    """Return whether a text may have a link; False is certain."""
    dot = _DOT_WITHIN if text.isascii() else _ANY_DOT_WITHIN
    return _SCHEME in text or dot.search(text) is not None


def hosts_in(text: str, *, open_begin: bool = False, open_end: bool = False) -> Iterator[str]:
    """Yield the host of each link, in ASCII; UNREADABLE where there is a link and no host."""
    if not text.isascii():
        text = text.translate(_DOTS)
        without = INVISIBLE.sub("", text)
        if without != text:  # A telephone may leave out what is invisible, or end a link there.
            yield from _hosts(without, open_begin=open_begin, open_end=open_end)
            text = INVISIBLE.sub(" ", text)
    yield from _hosts(text, open_begin=open_begin, open_end=open_end)


def _hosts(text: str, *, open_begin: bool, open_end: bool) -> Iterator[str]:
    length = len(text)
    at = text.find(_SCHEME)
    while at >= 0:
        at += len(_SCHEME)
        authority = _AUTHORITY.match(text, at)
        assert authority is not None
        if not (open_end and authority.end() == length):
            yield from _of_authority(authority[0])
        at = text.find(_SCHEME, at)
    for found in _TOKEN.finditer(text):
        token, scheme, _ = found[0].partition(_SCHEME)
        if "." in token:
            yield from _bare(
                token,
                open_begin=open_begin and found.start() == 0,
                open_end=open_end and not scheme and found.end() == length,
            )


def _of_authority(authority: str) -> Iterator[str]:
    """Yield the host that stands between a scheme and what ends it: perhaps two.

    Software does not agree on whether a bracket, comma or backslash ends a link or belongs to the
    name of a user.
    """
    user, at, host = authority.rpartition("@")
    yield _host_at(host)
    if at and not _TOKEN.fullmatch(user):
        yield _host_at(user)


def _host_at(written: str) -> str:
    """Return the host with which an authority without user begins."""
    found = _TOKEN.match(written)
    if found is None:
        return UNREADABLE
    host, colon, port = found[0].rpartition(":")
    if not colon or (port and not port.isdigit()):
        host = found[0]
    return ascii_host(host.rstrip(".:-_~*&="))


def _bare(token: str, *, open_begin: bool, open_end: bool) -> Iterator[str]:
    """Yield the hosts in what stands together and has no scheme."""
    end = _AUTHORITY_ENDS.search(token)
    head = token if end is None else token[: end.start()]
    user, at, behind = head.rpartition("@")
    if at:
        if user and end is None and ":" not in behind:
            return  # An address of mail.
        head, open_begin = behind, False
    last = len(head)
    for found in _NAMES.finditer(head):
        is_last = found.end() == last
        if (open_begin and found.start() == 0) or (open_end and end is None and is_last):
            continue
        names = [one.strip(".-_") for one in _DOTTED.split(found[0])]
        for number, name in enumerate(names, 1):
            has_path = end is not None and is_last and number == len(names)
            if "." in name and _is_host(name, has_path=has_path):
                yield ascii_host(name)


def _is_host(name: str, *, has_path: bool) -> bool:
    """Return whether a telephone takes a bare name with a dot for a host."""
    labels = name.lower().split(".")
    if not all(labels):
        return False
    last = labels[-1]
    if len(labels) == 4 and all(_NUMBER.fullmatch(one) and int(one) < 256 for one in labels):
        return True
    if labels[0] == "www" or last in TOP_LEVEL or last.startswith("xn--"):
        return True
    beginning = _ASCII_LABEL.match(last)
    if beginning is not None and beginning[0] != last and beginning[0] in TOP_LEVEL:
        return not last[beginning.end()].isascii()  # Another script follows without a space.
    return has_path and last.isascii() and last.isalpha() and len(last) > 1


def ascii_host(written: str) -> str:
    """Return a host as a browser asks for it, in ASCII; UNREADABLE if there is none."""
    labels = written.translate(_DOTS).rstrip(".").split(".")
    beginning = _ASCII_LABEL.match(labels[-1].lower())
    if beginning is not None and not labels[-1].isascii():
        labels[-1] = beginning[0]  # No domain mixes scripts: the text goes on without a space.
    # Label by label: what NFKC makes a dot or a slash of is no letter of a host.
    host = ".".join(map(_ascii_label, labels))
    if not all(labels) or len(host) > LONGEST_HOST or _NO_HOST.search(host):
        return UNREADABLE
    return host


def _ascii_label(label: str) -> str:
    """Return a label in ASCII, with a question mark if it is none."""
    if label.isascii():
        return label.lower()
    if len(label) > LONGEST_LABEL:
        return "?"
    plain = normalize("NFKC", INVISIBLE.sub("", label)).lower()
    if not plain or _NO_LABEL.search(plain):
        return "?"
    return plain if plain.isascii() else f"xn--{plain.encode('punycode').decode('ascii')}"
