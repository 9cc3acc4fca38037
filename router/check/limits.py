"""How much an account may send, to whom, in which time: sliding windows of two counters.

A window counts messages by key: a number, a block of numbers, a country ... Time goes in periods as
long as the window. What was accepted in the last `in` is estimated by what this period has counted,
and by the share of the last period that still lies in the window, as if its messages had been
spread evenly over it. So a key costs two counters, however many messages it has:

- Messages that come evenly are held to `most` in any stretch of `in`.
- In no stretch of `in` are ever more than 2 x `most` - 1 accepted: `most` at the end of a period,
  and the others one by one while that period leaves the window.
- None is refused before `most` were accepted within twice `in`.

A key is 60 bits of a hash that has another key in every process (Python's SipHash), so nobody can
make two numbers collide, and of a million keys two do by chance once in a million processes.

A window keeps at most `MOST_KEYS`, in two generations, so memory is bounded: some 80 MB a limit.
When the newer generation is full, it becomes the older one before its period is over, and the older
one goes: what that had counted is forgotten, and its keys are counted in `forgotten`. For each
generation that went within the last `in`, up to `most` more may be accepted. Neither growth nor
forgetting takes more than a millisecond or two at a time: a large generation has its keys in
`SHARDS` dictionaries.

A clock that goes ahead empties the window; one that goes back by less than `in` has the period last
longer by as much, and where it goes back further, what the period has counted counts as of now. A
restart forgets everything. A reload forgets what belongs to limits that it changes in more than
`most` and `do`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from router.check.policy import Candidate, Check
from router.smpp.pdu import Sm
from router.smpp.segments import Part, part_of
from router.smpp.text import UDHI, without_udh
from router.terms.latest import Latest
from router.terms.outcome import Refusal
from router.terms.settings import AccountSettings, LimitPer, LimitSettings, Settings

MOST_KEYS: Final = 1_000_000
"""Of one limit."""
SHARDS: Final = 64
SPLIT_AT: Final = 8_192
"""Keys of a generation from which on it has shards: to move so many takes a millisecond or two."""
MOST_LONG: Final = 1_000
"""Long messages of an account whose later parts are known, and twice as many for a while."""
LIVES_S: Final = 60.0
"""How long after a part of a long message the next one may come; as in decide/segments.py."""
BLOCK_DIGITS: Final = 3
_KEY: Final = (1 << 60) - 1
"""Numbers up to here take 32 octets, longer ones 48."""
REPEATED: Final = "repeated"
LIMITED: Final = "limited"
_STATUS: Final = 0x45


class _Generation:
    """How often keys were counted from one moment on."""

    __slots__ = ("began_utc", "keys", "mask", "shards")

    def __init__(self, began_utc: float) -> None:
        self.began_utc = began_utc
        self.keys = 0
        self.mask = 0
        self.shards: list[dict[int, int]] = [{}]

    def get(self, key: int) -> int:
        """Return how often a key was counted."""
        return self.shards[key & self.mask].get(key, 0)

    def add(self, key: int) -> None:
        """Count a key once more."""
        shard = self.shards[key & self.mask]
        count = shard.get(key)
        if count is not None:
            shard[key] = count + 1
            return
        shard[key] = 1
        self.keys += 1
        if self.keys == SPLIT_AT:
            self.mask = SHARDS - 1
            self.shards = [{} for _ in range(SHARDS)]
            for one, times in shard.items():
                self.shards[one & self.mask][one] = times


class Window:
    """How often each key was counted in the last `in_s` seconds."""

    __slots__ = ("_before", "_going", "_half", "_in_s", "_now", "forgotten")

    def __init__(self, in_s: float, most_keys: int = MOST_KEYS) -> None:
        self._in_s: Final = in_s
        self._half: Final = max(1, most_keys // 2)
        self._now = _Generation(0.0)
        self._before = _Generation(-in_s)
        self._going: list[dict[int, int]] = []
        """What has been forgotten, and takes a while to be freed."""
        self.forgotten = 0
        """Keys that went before their time, because there were too many."""

    @property
    def keys(self) -> int:
        """How many keys it has."""
        return self._now.keys + self._before.keys

    def count(self, key: int, now_utc: float) -> float:
        """Return about how often a key was counted in the last `in_s` seconds."""
        now = self._now
        age_s = now_utc - now.began_utc
        if not 0.0 <= age_s < self._in_s:
            age_s = self._go_on(now_utc)
            now = self._now
        count = now.shards[key & now.mask].get(key, 0)
        before = self._before
        counted = before.shards[key & before.mask].get(key)
        if counted is None:
            return count
        # The share of its period that still lies in the window.
        period_s, inside_s = now.began_utc - before.began_utc, self._in_s - age_s
        return count + (counted if inside_s >= period_s else counted * inside_s / period_s)

    def add(self, key: int, now_utc: float) -> None:
        """Count a key once more."""
        age_s = now_utc - self._now.began_utc
        if not 0.0 <= age_s < self._in_s:
            self._go_on(now_utc)
        if self._now.keys >= self._half and not self._now.get(key):
            self.forgotten += self._before.keys
            self._begin(max(now_utc, self._now.began_utc))
        self._now.add(key)
        if self._going:
            self._going.pop()

    def _go_on(self, now_utc: float) -> float:
        """Begin the period of now; return its age."""
        in_s, now = self._in_s, self._now
        age_s = now_utc - now.began_utc
        if -in_s < age_s < 0.0:
            return 0.0
        if in_s <= age_s < 2 * in_s:
            self._begin(now.began_utc + in_s)
            return age_s - in_s
        self._begin(now_utc)
        if age_s >= 2 * in_s:  # All of that is over.
            self._begin(now_utc)
        self._before.began_utc = now_utc - in_s
        return 0.0

    def _begin(self, at_utc: float) -> None:
        """Begin a generation; the older one goes."""
        if self._before.mask:
            self._going += self._before.shards
        self._before, self._now = self._now, _Generation(at_utc)


class Limit:
    """One limit of an account."""

    __slots__ = ("_countries", "_lanes", "_per", "most", "refusal", "refuses", "settings", "window")

    def __init__(self, settings: LimitSettings, window: Window | None = None) -> None:
        """With the `window` of a limit that this one replaces, it goes on from there."""
        self.settings: Final = settings
        self._per: Final[LimitPer] = settings.per
        self._lanes: Final = frozenset(settings.lanes)
        self._countries: Final = frozenset(settings.countries)
        self.most: Final = settings.most
        self.refuses: Final = settings.do == "refuse"
        reason = REPEATED if settings.per == "text" else LIMITED
        self.refusal: Final = Refusal(reason, _STATUS, words_of(settings))
        self.window: Final = Window(settings.in_s) if window is None else window

    def key_of(self, one: Candidate) -> int:
        """Return the key under which a message is counted; -1 where the limit is not for it."""
        if (self._lanes and one.lane not in self._lanes) or (
            self._countries and one.place.country not in self._countries
        ):
            return -1
        per = self._per
        if per == "number":
            return hash(one.number) & _KEY
        if per == "text":
            sm = one.sm
            text = sm.message
            if sm.esm_class & UDHI:  # In which every long message has another reference.
                text = without_udh(text, sm.esm_class)
            return hash((sm.source_addr, one.number, text)) & _KEY
        if per == "block":
            return hash(one.number[:-BLOCK_DIGITS]) & _KEY
        return hash(one.place.country) & _KEY if per == "country" else 0

    def is_full(self, key: int, now_utc: float) -> bool:
        """Whether one message more would be too many."""
        return self.window.count(key, now_utc) + 1.0 > self.most


class _LongMessage:
    """A long message of which a part was judged: the others follow."""

    __slots__ = ("_at_utc", "_came", "_known", "refusal")

    def __init__(self, known: "Latest[int, _LongMessage]", refusal: Refusal | None) -> None:
        self._known: Final = known
        self._came = 0
        """The numbers of the parts that have come, as bits."""
        self._at_utc = 0.0
        self.refusal: Final = refusal

    def has_part(self, number: int, now_utc: float) -> bool:
        """Whether a part with this number belongs to it, and to no later message."""
        is_alive = -LIVES_S <= now_utc - self._at_utc <= LIVES_S
        return is_alive and not self._came >> number & 1

    def came(self, key: int, number: int, now_utc: float) -> None:
        """Note that a part has come and was accepted, or refused as the first was."""
        self._came |= 1 << number
        self._at_utc = now_utc
        self._known.put(key, self)


class _Part:
    """What notes that a part was accepted: under the key of its long message."""

    __slots__ = ("_message", "_number")

    def __init__(self, message: _LongMessage, number: int) -> None:
        self._message: Final = message
        self._number: Final = number

    def add(self, key: int, now_utc: float) -> None:
        """Note it."""
        self._message.came(key, self._number, now_utc)


class LimitCheck:
    """The limits of one account. A message counts for all of them, or for none.

    The parts of a long message are judged by the part that comes first, and count as one message:
    none is cut in the middle.
    """

    __slots__ = ("_long", "limits", "name")

    def __init__(self, limits: Iterable[Limit]) -> None:
        self.name = "limit"
        self.limits: Final = tuple(limits)
        self._long: Final[Latest[int, _LongMessage]] = Latest(MOST_LONG)

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        """Return the refusal of the first limit that is reached; None if none is.

        A limit that only counts adds a note, and does not count the message: as if it had refused
        it.
        """
        sm = one.sm
        if sm.esm_class & UDHI or sm.tlvs_at != len(sm.octets):
            part = part_of(sm)
            if part is not None:
                return self._judge_part(one, sm, part, now_utc)
        return self._judge(one, now_utc)

    def _judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        tallies = one.tallies
        for limit in self.limits:
            key = limit.key_of(one)
            if key < 0:
                continue
            if limit.is_full(key, now_utc):
                if limit.refuses:
                    return limit.refusal
                one.notes.append(("limit", f"counted: {limit.refusal.why}"))
            elif not one.is_trial:
                tallies.append((limit.window, key))
        return None

    def _judge_part(self, one: Candidate, sm: Sm, part: Part, now_utc: float) -> Refusal | None:
        known = self._long
        key = hash((sm.source_addr, one.number, part.reference, part.total)) & _KEY
        message = known.get(key)
        if message is None or not message.has_part(part.number, now_utc):
            message = _LongMessage(known, self._judge(one, now_utc))
        if not one.is_trial:
            if message.refusal is None:
                one.tallies.append((_Part(message, part.number), key))
            else:
                message.came(key, part.number, now_utc)
        return message.refusal

    def explain(self, one: Candidate, now_utc: float) -> list[str]:
        """Return in words how far each limit is used that is for a message."""
        found = []
        for limit in self.limits:
            key = limit.key_of(one)
            if key >= 0:
                used = limit.window.count(key, now_utc)
                found.append(f"{limit.refusal.why}: {used:.4g} used")
        return found

    @property
    def keys(self) -> int:
        """How many keys are kept."""
        return sum(limit.window.keys for limit in self.limits)

    @property
    def forgotten(self) -> int:
        """How many keys went before their time, because there were too many."""
        return sum(limit.window.forgotten for limit in self.limits)


def words_of(limit: LimitSettings) -> str:
    """Return a limit in words, such as `at most 10 per number in 600s (lanes otp)`."""
    words = f"at most {limit.most} per {limit.per} in {limit.in_s:g}s"
    of = [
        f"{what} {' or '.join(names)}"
        for what, names in (("lane", limit.lanes), ("country", limit.countries))
        if names
    ]
    return f"{words} ({', '.join(of)})" if of else words


def limit_checks(
    account: AccountSettings, settings: Settings, former: Sequence[Check] = ()
) -> list[Check]:
    """Return what judges the limits of an account; nothing where it has none.

    `former` are the checks of the account until now: limits that stay, with whatever `most` and
    `do`, go on with what was counted.
    """
    del settings  # As the other factories have it; money and conversion will need it.
    if not account.limits:
        return []
    left: list[Limit] = []
    for check in former:
        if isinstance(check, LimitCheck):
            left += check.limits
    found = []
    for one in account.limits:
        same = next((limit for limit in left if _goes_on(limit.settings, one)), None)
        if same is not None:
            left.remove(same)
        found.append(Limit(one, None if same is None else same.window))
    return [LimitCheck(found)]


def _goes_on(before: LimitSettings, now: LimitSettings) -> bool:
    """Whether a limit counts as one before it did."""
    return (before.per, before.in_s, set(before.lanes), set(before.countries)) == (
        now.per, now.in_s, set(now.lanes), set(now.countries)
    )  # fmt: skip
