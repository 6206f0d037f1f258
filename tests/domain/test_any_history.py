"""A thousand histories of a few people, told in any order with repeats, strikes, late facts, mailings, complaints,
merges and unmerges: whatever way they came, the states are those of one clean replay, to the bit."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import groupby
from random import Random
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct, msgpack

from domain import merges, relationships, strength
from domain.bulk import Sent, bulk
from domain.merges import ContactMerged, ContactUnmerged, Link
from domain.model import STANDARD, Model, weights
from domain.relationships import NOBODY_YET, Experience, Relationship, day_of, day_start
from domain.strength import OutOfOrder, Strength
from domain.touches import KINDS, MARKERS, Touch, Weights
from tests.domain.worked_example import FIRST_DAY

HISTORIES = 1_000
# Hundreds of draws a history: from a seed, they take milliseconds.
CHANCES = st.integers(0, 2**32).map(Random)
PEOPLE = [UUID(int=n) for n in range(1, 7)]
BEGIN = day_start(FIRST_DAY)
WEIGHTS = weights(Model(STANDARD.kinds, STANDARD.half_lives, (0.1, 0.2, 0.9, 3.0), STANDARD.parts))


class Told(Struct, frozen=True):
    """A touchpoint with whom, when, and in which words of a mailing."""

    touch: Touch
    people: tuple[UUID, ...]
    hours: int
    words: int | None

    @property
    def experience(self) -> Experience:
        return Experience(self.touch, BEGIN + timedelta(hours=self.hours))


Merge = ContactMerged | ContactUnmerged


def told(number: int, chance: Random) -> Told:
    """One fact of any kind, on a crowded week or any day of two years."""
    hours = chance.choice([chance.randrange(7 * 24), chance.randrange(730 * 24)])
    mailing = chance.random() < 0.4
    touch = Touch(
        touchpoint_id=UUID(int=1_000 + number),
        day=day_of(BEGIN + timedelta(hours=hours)),
        kind="email" if mailing else chance.choice(sorted(KINDS | MARKERS)),
        direction="out" if mailing else chance.choice(["in", "out", "mutual"]),
        context=chance.choice(["cafe", "chamber", "email", "linkedin", "phone"]),
        act=chance.choice([None, "give", "ask", "promote", "thank", "neutral"]),
        depth=chance.choice([None, None, None, 0, 2, 3]),
        minutes=chance.choice([None, None, 3, 45, 200]),
        audience=chance.choice([1, 1, 4, 20]),
        automated=chance.random() < 0.1,
    )
    people = tuple(chance.sample(PEOPLE, chance.choice([1, 1, 1, 2, 3])))
    return Told(touch, people, hours, chance.randrange(2) if mailing else None)


def said(chance: Random) -> list[Merge]:
    """Merges and unmerges as a log may hold them: none of somebody merged already, none in a circle."""
    links: dict[UUID, Link] = {}
    events: list[Merge] = []
    for _ in range(chance.randrange(7)):
        into, who = chance.sample(PEOPLE, 2)
        event: Merge
        if who in links:
            event = ContactUnmerged(contact_id=links[who].into_id, merged_id=who)
        elif merges.standing(links, into) != who:
            event = ContactMerged(contact_id=into, merged_id=who)
        else:
            continue
        events.append(event)
        links = merges.moved(links, [(event, len(events))])
    return events


def clean(facts: Iterable[Told], links: dict[UUID, Link], using: Weights) -> dict[UUID, bytes]:
    """By standing contact: what counts at last, in order of occurrence, folded once."""
    mass = mailed(facts)
    found: dict[UUID, list[Experience]] = {who: [] for who in PEOPLE}
    for fact in sorted(facts, key=lambda fact: (fact.hours, fact.touch.touchpoint_id)):
        if fact.touch.touchpoint_id not in mass:
            for who in dict.fromkeys(merges.standing(links, who) for who in fact.people):
                found[who].append(fact.experience)
    return {
        who: packed(relationships.fold(experiences, weights=using))
        for who, experiences in found.items()
        if who not in links
    }


def packed(relationship: Relationship) -> bytes:
    return msgpack.encode(relationship)


def mailed(facts: Iterable[Told]) -> set[UUID]:
    """What went out in the same words to five within a day."""
    in_words = sorted((fact for fact in facts if fact.words is not None), key=lambda fact: fact.words or 0)
    found: set[UUID] = set()
    for _, group in groupby(in_words, key=lambda fact: fact.words):
        found |= bulk(
            Sent(fact.touch.touchpoint_id, who, fact.experience.occurred_at) for fact in group for who in fact.people
        )
    return found


class Book:
    """The states as facts come: added where that can be, folded again where it must, stored and loaded now and then."""

    def __init__(self, using: Weights, chance: Random) -> None:
        self.using, self.chance = using, chance
        self.known: dict[UUID, Told] = {}
        self.struck: set[UUID] = set()
        self.links: dict[UUID, Link] = {}
        self.states: dict[UUID, Relationship] = {}

    def counted(self) -> list[Told]:
        return [fact for number, fact in self.known.items() if number not in self.struck]

    def standing(self, people: Iterable[UUID]) -> set[UUID]:
        return {merges.standing(self.links, who) for who in people}

    def tell(self, fact: Told) -> None:
        if fact.touch.touchpoint_id in self.known:
            return
        before = mailed(self.counted())
        self.known[fact.touch.touchpoint_id] = fact
        again = self.reached_by(before ^ mailed(self.counted()))
        for who in self.standing(fact.people) - again:
            try:
                state = self.states.get(who, NOBODY_YET)
                self.states[who] = relationships.add(state, [fact.experience], weights=self.using)
            except OutOfOrder:
                again.add(who)
        self.fold(again)

    def strike(self, fact: Told) -> None:
        before = mailed(self.counted())
        self.struck.add(fact.touch.touchpoint_id)
        self.fold(self.standing(fact.people) | self.reached_by(before ^ mailed(self.counted())))

    def restore(self, fact: Told) -> None:
        before = mailed(self.counted())
        self.struck.discard(fact.touch.touchpoint_id)
        self.fold(self.standing(fact.people) | self.reached_by(before ^ mailed(self.counted())))

    def move(self, event: Merge, position: int) -> None:
        self.links = merges.moved(self.links, [(event, position)])
        self.states.pop(event.merged_id, None)
        self.fold(self.standing(event.subjects))

    def reached_by(self, touchpoints: set[UUID]) -> set[UUID]:
        return self.standing(who for number in touchpoints for who in self.known[number].people)

    def fold(self, people: set[UUID]) -> None:
        mass = mailed(self.counted())
        for who in people:
            mine = [
                fact.experience
                for fact in self.counted()
                if fact.touch.touchpoint_id not in mass and who in self.standing(fact.people)
            ]
            self.chance.shuffle(mine)
            self.states[who] = relationships.fold(mine, weights=self.using)

    def store_and_load(self) -> None:
        self.states = {who: msgpack.decode(packed(state), type=Relationship) for who, state in self.states.items()}

    def seen(self) -> dict[UUID, bytes]:
        return {who: packed(self.states.get(who, NOBODY_YET)) for who in PEOPLE if who not in self.links}


def arrivals(book: Book, facts: list[Told], moves: list[Merge], chance: Random) -> Iterator[Callable[[], None]]:
    """All of it in some order: facts in any, some twice; strikes after them, some taken back; merges in theirs."""
    waiting: list[list[Callable[[], None]]] = [[lambda n=n, e=e: book.move(e, n) for n, e in enumerate(moves)]]  # type: ignore[misc]
    for fact in facts:
        steps = [lambda fact=fact: book.tell(fact)] * chance.choice([1, 1, 2])
        if chance.random() < 0.25:
            steps.append(lambda fact=fact: book.strike(fact))
            steps += [lambda fact=fact: book.restore(fact)] * (chance.random() < 0.3)
            steps += [lambda fact=fact: book.tell(fact)] * (chance.random() < 0.3)
        waiting.append(list(steps))
    while waiting := [steps for steps in waiting if steps]:
        yield chance.choice(waiting).pop(0)


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 18), CHANCES, st.booleans())
def test_whatever_way_it_came_it_is_the_clean_replay_to_the_bit(length: int, chance: Random, own_model: bool):
    using = WEIGHTS if own_model else Weights()
    facts = [told(number, chance) for number in range(length)]
    book = Book(using, chance)
    for arrive in arrivals(book, facts, said(chance), chance):
        arrive()
        if chance.random() < 0.1:
            book.store_and_load()
    assert book.seen() == clean(book.counted(), book.links, using)


@settings(deadline=None)
@given(st.integers(1, 40), CHANCES)
def test_relabelling_any_channel_leaves_every_strength_as_it_is(length: int, chance: Random):
    """A realm is not in a touch; the picture that knows realms has the same assessment to the bit."""
    mine = [told(number, chance).experience for number in range(length)]
    relationship = relationships.fold(mine)
    day = relationships.last_day(relationship) + chance.randrange(400)
    slugs = ["cafe", "chamber", "email", "linkedin", "phone"]
    pictures = [
        relationships.picture(relationship, {slug: chance.choice(["virtual", "physical"]) for slug in slugs}, day)
        for _ in range(4)
    ]
    assert len({msgpack.encode(one.assessment) for one in pictures}) == 1


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), CHANCES)
def test_one_persons_strength_never_moves_because_of_another(mine: int, others: int, chance: Random):
    facts = [told(number, chance) for number in range(mine + others)]
    book, alone = Book(Weights(), chance), Book(Weights(), chance)
    ben, somebody = PEOPLE[0], PEOPLE[1]
    for number, fact in enumerate(facts):
        own = Told(fact.touch, (ben,) if number < mine else (somebody,), fact.hours, None)
        book.tell(own)
        if number < mine:
            alone.tell(own)
    assert book.seen()[ben] == alone.seen()[ben]


@settings(deadline=None)
@given(st.integers(0, 30), CHANCES)
def test_a_conversation_more_never_lowers_the_score_in_any_history(length: int, chance: Random):
    touches = [told(number, chance).touch for number in range(length)]
    more = Touch(UUID(int=7), FIRST_DAY + chance.randrange(730), "meeting", "mutual", chance.choice(["cafe", "zoom"]))
    day = FIRST_DAY + 730 + chance.randrange(500)
    before, after = (strength.evaluate(strength.fold(each), day) for each in (touches, [*touches, more]))
    assert after.score >= before.score


def test_two_years_of_weekly_coffee_rank_above_one_busy_month_whenever_they_are_compared():
    coffees = [Touch(UUID(int=n), FIRST_DAY + 7 * n, "meeting", "mutual", "cafe") for n in range(105)]
    for messages in (40, 120, 400, 4_000):
        busy = [
            Touch(
                UUID(int=n), FIRST_DAY + 700 + n % 30, "direct_message", ("in", "out")[n // 30 % 2], ("x", "y")[n % 2]
            )
            for n in range(messages)
        ]
        for day in (730, 760, 900, 1_400):
            friend, acquaintance = (
                strength.evaluate(strength.fold(each), FIRST_DAY + day).score for each in (coffees, busy)
            )
            assert friend > acquaintance, (messages, day)


def test_the_state_of_the_last_day_is_all_there_is_to_store():
    """What is stored in between has no memory of its own: the decoded state is the state."""
    chance = Random(1)
    state: Strength = strength.fold(told(number, chance).touch for number in range(60))
    assert msgpack.decode(msgpack.encode(state), type=Strength) == state
