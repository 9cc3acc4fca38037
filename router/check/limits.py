"""How much an account may send, to whom, in which time: sliding windows of two counters.

A window counts messages by key: a number, a block of numbers, a country ... Time goes in periods as
long as the window. What was accepted in the last `in` is estimated by what this period has counted,
and by the share of the last period that still lies in the window, as if its messages had been
spread evenly over it. So a key costs two counters, however many messages it has:

- Messages that come evenly are held to `most` in any stretch of `in`.
- In no stretch of `in` are ever more than 2 x `most` - 1 accepted: `most` at the end of a period,
  and the others one by one while that period leaves the window.
- None is refused before `most` were accepted within twice `in`.

Texts are known by a hash of 64 bits, with a secret of its own in every process (Python's SipHash):
nobody can make two of them collide, and of a million keys two do by chance once in ten million
processes.

A window keeps at most `MOST_KEYS`, in two generations, so memory is bounded: some 95 MB a limit.
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

from router.check.policy import Candidate, Check, Note
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
REPEATED: Final = "repeated"
LIMITED: Final = "limited"
_STATUS: Final = 0x45

Key = int | str
"""A number, the beginning of one, a country: as text, which costs least; else a hash."""
Counter = dict[Key, int]
"""How often each key was counted."""


class Window:
    """How often each key was counted in the last `in_s` seconds.

    `LimitCheck.judge` reads the fields itself: three calls for each limit would cost more than all
    that it does.
    """

    __slots__ = (
        "_half",
        "before",
        "began_utc",
        "ends_utc",
        "forgotten",
        "going",
        "in_s",
        "mask",
        "most_in_shard",
        "now",
        "period_s",
    )

    def __init__(self, in_s: float, most_keys: int = MOST_KEYS) -> None:
        self.in_s: Final = in_s
        self._half: Final = max(1, most_keys // 2)
        self.began_utc = 0.0
        self.ends_utc = 0.0
        """When this period began, and when it ends."""
        self.period_s = in_s
        """How long the last one was; less than `in_s` where it was full."""
        self.mask = 0
        """The bits of a key that say in which shard it is."""
        self.now: list[Counter] = [{}]
        self.before: list[Counter] = [{}]
        """The counters of this period and of the last one, by shard."""
        self.most_in_shard = min(SPLIT_AT, self._half)
        """With so many keys a counter makes room for no new one."""
        self.going: list[Counter] = []
        """Large counters that are over: freed one by one as new keys come, which takes a while."""
        self.forgotten = 0
        """Keys that went before their time, because there were too many."""

    @property
    def keys(self) -> int:
        """How many keys it has."""
        return sum(map(len, self.now)) + sum(map(len, self.before))

    def used(self, key: Key, now_utc: float) -> float:
        """Return about how often a key was counted in the last `in_s` seconds; change nothing."""
        at = hash(key) & self.mask
        count, before = self.now[at].get(key, 0), self.before[at].get(key, 0)
        age_s = now_utc - self.began_utc
        if -self.in_s < age_s < self.in_s:
            return count + self.left(before, now_utc)
        over_s = age_s - self.in_s  # Since its period has ended.
        return 0.0 if over_s >= self.in_s else count * min(1.0, 1.0 - over_s / self.in_s)

    def firsts(self) -> tuple[Counter, Counter]:
        """Return the counters of this period and of the last one, where there are no shards."""
        return self.now[0], self.before[0]

    def take_back(self, key: Key) -> None:
        """Count a key that was counted just now once less."""
        counter = self.now[hash(key) & self.mask]
        count = counter.get(key, 0) - 1
        if count > 0:
            counter[key] = count
        else:
            counter.pop(key, None)

    def left(self, counted: int, now_utc: float) -> float:
        """Return how much of what the last period has counted still lies in the window."""
        inside_s = self.ends_utc - now_utc  # It is as long as this one is to go on.
        if inside_s >= self.period_s:
            return counted
        return counted * inside_s / self.period_s

    def go_on(self, now_utc: float) -> None:
        """Begin the period of now, if it is not the present one."""
        in_s, age_s = self.in_s, now_utc - self.began_utc
        if -in_s < age_s < in_s:  # A clock that has gone back a little has it last longer.
            return
        if in_s <= age_s < 2 * in_s:
            self._begin(self.ends_utc)
        else:
            self._begin(now_utc)
            if age_s > 0.0:  # All of that is over.
                self._begin(now_utc)
        self.period_s = in_s

    def room_for(self, key: Key, now_utc: float) -> Counter:
        """Return where a new key is counted whose counter is full."""
        if not self.mask and self._half > SPLIT_AT:
            self.most_in_shard = self._half // SHARDS
            self.now, self.before = _split(self.now[0]), _split(self.before[0])
            self.mask = SHARDS - 1  # Last: an explanation may look on from another thread.
        else:
            self.forgotten += sum(map(len, self.before))
            period_s = now_utc - self.began_utc
            self._begin(max(now_utc, self.began_utc))
            self.period_s = max(0.0, period_s)
        return self.now[hash(key) & self.mask]

    def _begin(self, at_utc: float) -> None:
        """Begin a generation; the older one goes, a shard at a time where it is large."""
        if self.mask:
            self.going += filter(None, self.before)
        self.before, self.now = self.now, [{} for _ in self.now]
        self.began_utc = at_utc
        self.ends_utc = at_utc + self.in_s


def _split(counter: Counter) -> list[Counter]:
    """Return a counter as shards."""
    shards: list[Counter] = [{} for _ in range(SHARDS)]
    for key, count in counter.items():
        shards[hash(key) & (SHARDS - 1)][key] = count
    return shards


class Limit:
    """One limit of an account."""

    __slots__ = ("countries", "lanes", "most", "per", "refusal", "refuses", "settings", "window")

    def __init__(self, settings: LimitSettings, window: Window | None = None) -> None:
        """With the `window` of a limit that this one replaces, it goes on from there."""
        self.settings: Final = settings
        self.per: Final[LimitPer] = settings.per
        self.lanes: Final = frozenset(settings.lanes)
        self.countries: Final = frozenset(settings.countries)
        self.most: Final = settings.most
        self.refuses: Final = settings.do == "refuse"
        reason = REPEATED if settings.per == "text" else LIMITED
        self.refusal: Final = Refusal(reason, _STATUS, words_of(settings))
        self.window: Final = Window(settings.in_s) if window is None else window

    def is_for(self, one: Candidate) -> bool:
        """Whether a message counts for this limit."""
        return (not self.lanes or one.lane in self.lanes) and (
            not self.countries or one.place.country in self.countries
        )


def key_of(per: LimitPer, one: Candidate) -> Key:
    """Return the key under which a message is counted."""
    if per == "number":
        return one.number
    if per == "block":
        return one.number[:-BLOCK_DIGITS]
    if per == "text":
        sm = one.sm
        text = sm.octets[sm.short_message_at : sm.tlvs_at] or sm.message
        if sm.esm_class & UDHI:  # In which every long message has another reference.
            text = without_udh(text, sm.esm_class)
        return hash((sm.source_addr, one.number, text))
    return one.place.country if per == "country" else ""


Row = tuple[Limit, LimitPer, bool, int, Window, Counter, Counter]


class _LongMessage:
    """A long message of which a part was judged: the others follow."""

    __slots__ = ("_at_utc", "_came", "refusal")

    def __init__(self, refusal: Refusal | None, now_utc: float) -> None:
        self._came = 0
        """The numbers of the parts that have come, as bits."""
        self._at_utc = now_utc
        self.refusal: Final = refusal

    def takes(self, number: int, now_utc: float) -> bool:
        """Whether a part with this number belongs to it, and to no later message."""
        is_alive = -LIVES_S <= now_utc - self._at_utc <= LIVES_S
        if not is_alive or self._came >> number & 1:
            return False
        self._came |= 1 << number
        self._at_utc = now_utc
        return True


class LimitCheck:
    """The limits of one account. A message counts for all of them, or for none.

    The parts of a long message are judged by the part that comes first, and count as one message:
    none is cut in the middle.
    """

    __slots__ = ("_long", "_rows", "_since_utc", "_until_utc", "limits", "name")

    def __init__(self, limits: Iterable[Limit]) -> None:
        self.name: Final = "limit"
        self.limits: Final = tuple(limits)
        self._rows: tuple[Row, ...] = ()
        """What a message needs of each limit, in the period of now."""
        self._since_utc = self._until_utc = 0.0
        """Between these no window goes on. Not before the first message: until then what these
        limits replace may count in the same windows."""
        self._long: Final[Latest[int, _LongMessage]] = Latest(MOST_LONG)

    def judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        """Return the refusal of the first limit that is reached; None if none is.

        A limit that only counts adds a note, and does not count the message: as if it had refused
        it.
        """
        sm = one.sm
        if sm.esm_class & UDHI or sm.tlvs_at != len(sm.octets):
            part = part_of(sm)
            if part is not None and not one.is_trial:
                return self._judge_part(one, sm, part, now_utc)
        return self._judge(one, now_utc)

    def _judge(self, one: Candidate, now_utc: float) -> Refusal | None:
        if one.is_trial:
            return self._try(one, now_utc)
        if not self._since_utc < now_utc < self._until_utc:
            self._go_on(now_utc)
        for limit, per, is_for_some, most, window, counter, counter_before in self._rows:
            if is_for_some and not limit.is_for(one):
                continue
            key = one.number if per == "number" else key_of(per, one)
            if window.mask:
                at = hash(key) & window.mask
                counter, counter_before = window.now[at], window.before[at]
            count, before = counter.get(key, 0), counter_before.get(key)
            if before is None:
                is_full = count >= most
            else:
                is_full = count + window.left(before, now_utc) + 1.0 > most
            if is_full:
                if limit.refuses:
                    self._take_back(one, limit)
                    return limit.refusal
                self._passes(one, limit)
                continue
            if not count:
                if window.going:
                    window.going.pop()
                if len(counter) >= window.most_in_shard:
                    counter = window.room_for(key, now_utc)
                    self._until_utc = now_utc  # The counters are others.
            counter[key] = count + 1
        one.counted_by = self
        return None

    def _try(self, one: Candidate, now_utc: float) -> Refusal | None:
        """Judge a message that nobody sends: it changes nothing here."""
        for limit in self.limits:
            if not limit.is_for(one):
                continue
            if limit.window.used(key_of(limit.per, one), now_utc) + 1 > limit.most:
                if limit.refuses:
                    return limit.refusal
                self._passes(one, limit)
        return None

    def _passes(self, one: Candidate, limit: Limit) -> None:
        """Let a message pass that has exceeded a limit which only counts."""
        one.not_counted |= 1 << self.limits.index(limit)
        one.notes.append(Note(self.name, "counted", limit.refusal.why))

    def take_back(self, one: Candidate) -> None:
        """Count a message no more: what comes behind has refused it."""
        self._take_back(one, None)

    def _take_back(self, one: Candidate, refusing: Limit | None) -> None:
        """Count a message no more in those limits that stand before the one that refuses it."""
        for place, limit in enumerate(self.limits):
            if limit is refusing:
                break
            if limit.is_for(one) and not one.not_counted >> place & 1:
                limit.window.take_back(key_of(limit.per, one))

    def _go_on(self, now_utc: float) -> None:
        """Have every window in the period of now, and note how long that holds."""
        windows = [limit.window for limit in self.limits]
        for window in windows:
            window.go_on(now_utc)
        # Of a window that has shards these say nothing.
        self._rows = tuple(
            (one, one.per, bool(one.lanes or one.countries), one.most, window, *window.firsts())
            for one, window in zip(self.limits, windows, strict=True)
        )
        self._since_utc = max(window.ends_utc - 2 * window.in_s for window in windows)
        self._until_utc = min(window.ends_utc for window in windows)

    def _judge_part(self, one: Candidate, sm: Sm, part: Part, now_utc: float) -> Refusal | None:
        key = hash((sm.source_addr, one.number, part.reference, part.total))
        message = self._long.get(key)
        if message is None or not message.takes(part.number, now_utc):
            message = _LongMessage(self._judge(one, now_utc), now_utc)
            message.takes(part.number, now_utc)
            self._long.put(key, message)
        return message.refusal

    def explain(self, one: Candidate, now_utc: float) -> list[str]:
        """Return in words how far each limit is used that is for a message."""
        return [
            f"{limit.refusal.why}: {limit.window.used(key_of(limit.per, one), now_utc):.4g} used"
            for limit in self.limits
            if limit.is_for(one)
        ]

    @property
    def keys(self) -> int:
        """How many keys are kept."""
        return sum(limit.window.keys for limit in self.limits)

    @property
    def forgotten(self) -> int:
        """How many keys went before their time, because there were too many."""
        return sum(limit.window.forgotten for limit in self.limits)


def words_of(limit: LimitSettings) -> str:
    """Return a limit in words, such as `at most 10 per number in 10m (lane otp)`."""
    words = f"at most {limit.most} per {limit.per} in {_span(limit.in_s)}"
    of = [
        f"{what} {' or '.join(names)}"
        for what, names in (("lane", limit.lanes), ("country", limit.countries))
        if names
    ]
    return f"{words} ({', '.join(of)})" if of else words


def _span(seconds: float) -> str:
    """Return a time as it is written, in the largest unit that goes into it."""
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length_s == 0.0:
            return f"{seconds / length_s:g}{unit}"
    return f"{seconds:g}s"


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
