"""Likely duplicates: pairs of contacts that may be one person, how likely, and why in words.

Nobody is compared with everybody: only those are who have a key in common, such as a name's word with the initial of
another, a company's domain with a word of the name, or the end of a phone number.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, permutations
from uuid import UUID

from msgspec import Struct
from rapidfuzz import fuzz

from domain import privacy
from domain.letters import without_accents

MOST_WORDS = 12  # of a name that are put together in pairs: no person has more
LARGEST = 150  # people with one key in common; a key that more have tells nothing
LEAST = 0.5  # of the score of a pair that is suggested
LOCAL_PART = 5  # letters before an @ that say something by themselves
HANDLE = 4
PHONE = 8  # digits at its end, whatever country code or zero stands before them

# Addresses of an office, not of a person.
OFFICE = frozenset(
    "admin billing booking bookings contact hallo hello help info kontakt mail marketing me news newsletter noreply "
    "no-reply office orders post postmaster press sales service shop support team webmaster welcome".split()
)
TITLES = frozenset("dr prof mr mrs ms miss herr frau mag ing sir dipl".split())
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})
_WORDS = re.compile(r"[^\W_]+")


class Known(Struct, frozen=True):
    """What is known of a standing contact, with all that it stands for. `imports` named it; `channels` are where it
    was ever met."""

    contact_id: UUID
    names: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    localities: tuple[str, ...] = ()
    identities: tuple[tuple[str, str], ...] = ()
    channels: frozenset[str] = frozenset()
    imports: frozenset[UUID] = frozenset()


class Likeness(Struct, frozen=True):
    """How likely two are one, 0 to 1, and why."""

    score: float
    reasons: tuple[str, ...]


NOTHING = Likeness(0.0, ())


class Duplicate(Struct, frozen=True):
    """Two contacts, the smaller id first."""

    pair: tuple[UUID, UUID]
    score: float
    reasons: tuple[str, ...]


class _Traits(Struct, frozen=True):
    """What two are compared by, worked out once for each."""

    known: Known
    names: tuple[tuple[str, ...], ...]  # the words of each name, folded and sorted
    read: tuple[tuple[str, ...], ...]  # names read from addresses and handles, where there is none
    domains: Mapping[str, str]  # of companies, with an address there
    local_parts: frozenset[str]
    handles: Mapping[str, str]  # with a platform
    phones: Mapping[str, str]  # by their end


def likely(people: Iterable[Known], apart: Collection[tuple[UUID, UUID]], *, least: float = LEAST) -> list[Duplicate]:
    """The pairs, most likely first, without those told `apart` and those that one source's export names both."""
    traits = {one.contact_id: _traits(one) for one in people}
    found = []
    for pair in _pairs(traits.values()) - set(apart):
        one, other = traits[pair[0]], traits[pair[1]]
        if one.known.imports.isdisjoint(other.known.imports):
            like = _likeness(one, other)
            if like.score >= least:
                found.append(Duplicate(pair, like.score, like.reasons))
    return sorted(found, key=lambda one: (-one.score, one.pair))


def with_shared(found: Duplicate, shared: int, *, together: bool) -> Duplicate:
    """With how many people both were met with. Who was there `together` with the other is hardly the same."""
    score, reasons = found.score, found.reasons
    if shared:
        score = 1 - (1 - score) * (1 - min(0.3, 0.1 * shared))
        reasons = (*reasons, f"both were met with {shared} other {'person' if shared == 1 else 'people'} you know")
    return Duplicate(found.pair, round(score * 0.6 if together else score, 3), reasons)


def folded(text: str) -> tuple[str, ...]:
    """The words of a name without case, accents, titles and order."""
    plain = without_accents(text.casefold())
    words = _WORDS.findall(plain.translate(_LETTERS))
    return tuple(sorted(word for word in words if word not in TITLES)) or tuple(sorted(words))


def _traits(known: Known) -> _Traits:
    emails = [handle for platform, handle in known.identities if platform == "email"]
    handles = {h: p for p, h in known.identities if p not in ("email", "phone") and len(h) >= HANDLE}
    locals_ = {address.partition("@")[0].partition("+")[0] for address in emails}
    personal = {part for part in locals_ if part not in OFFICE}
    names = tuple(dict.fromkeys(words for words in map(folded, known.names) if words))
    read = () if names else tuple(dict.fromkeys(_read((*sorted(personal), *handles))))
    domains = {address.rpartition("@")[2]: address for address in emails}
    digits = {re.sub(r"\D", "", h.partition(";")[0]): h for p, h in known.identities if p == "phone"}
    return _Traits(
        known=known,
        names=names,
        read=read,
        domains={domain: address for domain, address in domains.items() if not privacy.is_freemail(domain)},
        local_parts=frozenset(part for part in personal if len(part) >= LOCAL_PART),
        handles=handles,
        phones={number[-PHONE:]: handle for number, handle in digits.items() if len(number) >= PHONE},
    )


def _read(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Names that stand in addresses and handles: two or more words of letters, such as ana.bakes."""
    for text in texts:
        words = [word for word in re.split(r"[._\-]+", text) if word.isalpha()]
        if len(words) >= 2:
            yield folded(" ".join(words))


def _pairs(people: Iterable[_Traits]) -> set[tuple[UUID, UUID]]:
    blocks: dict[tuple[str, ...], list[UUID]] = {}
    for one in people:
        for key in set(_keys(one)):
            blocks.setdefault(key, []).append(one.known.contact_id)
    return {
        (min(pair), max(pair)) for block in blocks.values() if len(block) <= LARGEST for pair in combinations(block, 2)
    }


def _keys(one: _Traits) -> Iterator[tuple[str, ...]]:
    for words in (*one.names, *one.read):
        yield ("name", *words)
        yield from (("word", word, other[0]) for word, other in permutations(words[:MOST_WORDS], 2) if len(word) > 1)
        yield from (("company", domain, word) for domain in one.domains for word in words if len(word) > 1)
    for hint in one.known.hints:
        yield from (("hint", *folded(hint), word) for words in one.names for word in words if len(word) > 1)
    yield from (("local part", part) for part in one.local_parts)
    yield from (("local part", handle) for handle in one.handles)
    yield from (("phone", number) for number in one.phones)


def _likeness(one: _Traits, other: _Traits) -> Likeness:
    """Each thing in common leaves less room for chance: the chances that it is nothing are multiplied."""
    reasons: list[tuple[float, str]] = [*_by_name(one, other), *_by_address(one, other)]
    if not reasons:
        return NOTHING
    reasons += _by_circumstance(one, other)
    chance = 1.0
    for weight, _ in reasons:
        chance *= 1 - weight
    return Likeness(round((1 - chance) * _doubt(one, other), 3), tuple(reason for _, reason in reasons))


def _by_name(one: _Traits, other: _Traits) -> Iterator[tuple[float, str]]:
    if one.names and other.names:
        weight = max(_alike(a, b) for a in one.names for b in other.names)
        if weight >= SAME:
            yield weight, "the same name"
        elif weight:
            yield weight, f"names alike: {one.known.names[0]} and {other.known.names[0]}"
        return
    named, nameless = (one, other) if one.names else (other, one)
    for read in nameless.read:
        weight = max((_alike(words, read) for words in named.names), default=0.0)
        if weight >= CLOSE:
            yield weight * 0.9, f"an address or handle of the one reads as the name {named.known.names[0]}"
            return


SAME, CLOSE, NEAR = 0.62, 0.5, 0.35


def _alike(one: Sequence[str], other: Sequence[str]) -> float:
    """How much two names, as sorted words, weigh for one person; 0 for names that tell two apart."""
    if one == other:
        return SAME if len(one) > 1 else 0.3
    fewer, more = sorted((set(one), set(other)), key=len)
    if fewer < more:
        return CLOSE - 0.05 if len(fewer) > 1 else 0.2
    ratio = fuzz.ratio(" ".join(one), " ".join(other))
    if min(len(one), len(other)) < 2:
        return 0.2 if ratio >= 90 else 0.0
    return CLOSE if ratio >= 90 else NEAR if ratio >= 84 else 0.0


def _by_address(one: _Traits, other: _Traits) -> Iterator[tuple[float, str]]:
    for end in one.phones.keys() & other.phones.keys():
        if one.phones[end] != other.phones[end]:
            yield 0.7, f"the same phone number, written {one.phones[end]} and {other.phones[end]}"
    for part in one.local_parts & other.local_parts:
        yield 0.45, f"the same before the @: {part}"
    for handle in one.handles.keys() & other.handles.keys():
        yield 0.45, f"the same handle on {one.handles[handle]} and {other.handles[handle]}: {handle}"
    for handle in (one.handles.keys() & other.local_parts) | (other.handles.keys() & one.local_parts):
        yield 0.35, f"the handle of the one stands before the @ of the other: {handle}"


def _by_circumstance(one: _Traits, other: _Traits) -> Iterator[tuple[float, str]]:
    """What says little by itself."""
    for domain in sorted(one.domains.keys() & other.domains.keys()):
        yield 0.35, f"addresses of the same company: {domain}"
    if (hint := _common(one.known.hints, other.known.hints)) is not None:
        yield 0.3, f"the same hint: {hint}"
    if (locality := _common(one.known.localities, other.known.localities)) is not None:
        yield 0.15, f"both in {locality}"
    if channels := sorted(one.known.channels & other.known.channels):
        yield 0.03, f"both met in {', '.join(channels[:3])}"


def _common(some: Sequence[str], others: Sequence[str]) -> str | None:
    words = {folded(other) for other in others}
    return next((one for one in some if folded(one) in words), None)


def _doubt(one: _Traits, other: _Traits) -> float:
    """What tells them apart: other names, other hints (which are there for that), other places."""
    doubt = 1.0
    if one.names and other.names and not any(_alike(a, b) for a in one.names for b in other.names):
        doubt *= 0.4
    if one.known.hints and other.known.hints and _common(one.known.hints, other.known.hints) is None:
        doubt *= 0.6
    if (
        one.known.localities
        and other.known.localities
        and _common(one.known.localities, other.known.localities) is None
    ):
        doubt *= 0.85
    return doubt
