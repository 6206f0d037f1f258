"""The made-up practice: what happened in three small businesses over two years, the same for the same seed and day.

Personalities make most of it; a few stories are told on purpose, so that there is something to find: a chain of
referrals three generations deep, a referrer nobody thanked, a weekly friend fallen silent, an online friend round the
corner who was never met, private people among the others.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from math import log
from typing import Literal

from msgspec import Struct

from domain.touchpoints import Act, Direction, Kind
from services.demo import texts
from services.demo.cast import CAFE, DAYS, DOINGS, PERSONALITIES, PROFILES, TOWN, Doing, Habit, Profile
from services.demo.days import ZONE, Days
from services.demo.names import Names
from services.demo.people import People, Person

SEED = 7
LONGEST_THREAD = 5
SEASONAL = ("hub", "market")
Fate = Literal["contacted", "met", "won", "lost"]

# Who plays which part in the stories: the personality, and the first and last day where the story needs them so.
PARTS: dict[str, tuple[str, int | None, int | None]] = {
    "advocate": ("advocate", None, None),
    "first client": ("client", 160, None),
    "second client": ("client", 350, None),
    "third client": ("client", 575, None),
    "later client": ("client", 655, None),
    "old client": ("client", 230, None),
    "lead that was lost": ("unanswered", 430, 470),
    "lead that was met": ("unanswered", 690, None),
    "new lead": ("newly known", 728, None),
    "not thanked": ("once a quarter", None, DAYS - 6),
    "fallen silent": ("weekly friend", None, None),
    "friend in town": ("online friend", None, None),
    "just met": ("newly known", 728, None),
    "waits for an answer": ("supplier", None, DAYS - 8),
}


class Happening(Struct, frozen=True):
    """One interaction, in UTC. Those of a conversation share its `thread` and count their `turn` from 0."""

    at: datetime
    kind: Kind
    channel: str
    direction: Direction
    people: tuple[Person, ...] = ()
    minutes: int | None = None
    act: Act | None = None
    audience: int | None = None
    thread: str | None = None
    turn: int = 0
    text: str = ""


class Step(Struct, frozen=True):
    """What became of a referral; `value` in whole units of the practice's currency."""

    fate: Fate
    at: datetime
    value: int | None = None


class Referral(Struct, frozen=True):
    """One that the business received, or `given` by it: `referrer` is then who got the lead."""

    key: str
    referrer: Person
    prospect: Person
    at: datetime
    heat: int
    steps: tuple[Step, ...] = ()
    thanked_at: datetime | None = None
    given: bool = False


class Planned(Struct, frozen=True):
    """An entry of the calendar that is no interaction: still to come, called off, declined, or private."""

    at: datetime
    minutes: int
    title: str
    people: tuple[Person, ...] = ()
    place: str | None = None
    cancelled: bool = False
    declined: bool = False
    private: bool = False


class Business(Struct, frozen=True):
    """One business: its people (with those of the stories; the private ones apart), and what happened, in order.

    `planned` stands in its calendar, `arranged` the owner only typed in: over, and nobody said whether it took place.
    """

    profile: Profile
    owner: Person
    people: tuple[Person, ...]
    parts: dict[str, Person]
    private: tuple[Person, ...]
    happenings: tuple[Happening, ...]
    planned: tuple[Planned, ...]
    arranged: tuple[Planned, ...]
    referrals: tuple[Referral, ...]

    @property
    def shared_address(self) -> tuple[str, str]:
        """The name and address under which whoever is in answers customers."""
        return self.profile.name.removesuffix(" (made up)"), f"hello@{self.profile.domain}"


class Practice(Struct, frozen=True):
    """`today` is the day after the last one told, in the town's own time zone."""

    seed: int
    today: date
    businesses: tuple[Business, ...]


def generate(seed: int, today: date) -> Practice:
    names = Names(random.Random(f"{seed}/names"))
    return Practice(seed, today, tuple(_business(profile, names, seed, today) for profile in PROFILES))


def _business(profile: Profile, names: Names, seed: int, today: date) -> Business:
    people = People(profile, names, random.Random(f"{seed}/{profile.slug}"))
    owner = people.owner()
    crowd = [people.next(personality) for personality, count in profile.cast.items() for _ in range(count)]
    parts = {part: people.next(kind, first=first, last=last) for part, (kind, first, last) in PARTS.items()}
    private = (people.next("sister", surname=owner.surname), people.doctor(), people.school())
    days = Days(profile, today, random.Random(f"{seed}/{profile.slug}/days"))
    told = Telling(profile, owner, days, seed)
    happenings = [one for person in (*crowd, *parts.values(), *private) for one in told.habits_of(person)]
    happenings += told.stories(parts)
    happenings += told.broadcasts()
    return Business(
        profile,
        owner,
        (*crowd, *parts.values()),
        parts,
        private,
        tuple(sorted(happenings, key=lambda one: (one.at, one.people and one.people[0].slug, one.turn))),
        tuple(told.planned(parts, crowd, private)),
        tuple(told.arranged(parts, crowd)),
        tuple(told.referrals(parts, crowd)),
    )


class Telling:
    """Tells what happened, each habit of each person by a chance of its own."""

    def __init__(self, profile: Profile, owner: Person, days: Days, seed: int) -> None:
        self.profile = profile
        self.owner = owner
        self.days = days
        self.seed = seed

    def chance_of(self, what: str) -> random.Random:
        return random.Random(f"{self.seed}/{self.profile.slug}/{what}")

    def habits_of(self, person: Person) -> Iterator[Happening]:
        for habit in PERSONALITIES[person.personality].habits:
            chance = self.chance_of(f"{person.slug}/{habit.doing}")
            before = None
            for day in self._days_of(habit, person, chance):
                at = self.days.find(DOINGS[habit.doing].place, day)
                if at is None or at.astimezone(ZONE).date() == before:
                    continue
                before = at.astimezone(ZONE).date()
                yield from self.told(DOINGS[habit.doing], person, at, chance)

    def _days_of(self, habit: Habit, person: Person, chance: random.Random) -> Iterator[float]:
        every = habit.every * person.tempo
        day = person.first + chance.uniform(0, habit.every)
        while day < person.last:
            yield day
            busy = self.days.busy(day) if DOINGS[habit.doing].place in SEASONAL else 1
            day += chance.gammavariate(habit.steady, every / habit.steady) / busy

    def told(self, doing: Doing, person: Person, at: datetime, chance: random.Random) -> Iterator[Happening]:
        if doing.theirs is None:
            minutes = chance.randint(*doing.minutes) if doing.minutes else None
            yield Happening(at, doing.kind, self.slug(doing.place), "mutual", (person,), minutes, doing.act)
            return
        direction: Direction = "in" if chance.random() < doing.theirs else "out"
        if doing.answers is not None:
            yield from self._conversation(doing, doing.answers, person, at, direction, chance)
            return
        minutes = chance.randint(*doing.minutes) if doing.minutes else None
        yield Happening(at, doing.kind, self.slug(doing.place), direction, (person,), minutes, doing.act)

    def _conversation(
        self,
        doing: Doing,
        chances: tuple[float, float],
        person: Person,
        at: datetime,
        direction: Direction,
        chance: random.Random,
    ) -> Iterator[Happening]:
        """What one wrote, the answer, and the answer to that, as long as somebody answers."""
        they, we = chances
        thread = f"{person.slug}/{at:%Y%m%d%H%M%S}"
        now: datetime | None = at
        for turn in range(LONGEST_THREAD):
            if now is None:
                return
            act = _mood(chance, direction)
            yield Happening(
                now,
                doing.kind,
                self.slug(doing.place),
                direction,
                (person,),
                act=act,
                thread=thread,
                turn=turn,
                text=self.text(doing.kind, person, direction, act, chance),
            )
            answers = (they if direction == "out" else we) * 0.6**turn
            if chance.random() >= answers:
                return
            now = self.days.after(now, chance.lognormvariate(log(3), 0.8), doing.place)
            direction = "in" if direction == "out" else "out"

    def text(self, kind: Kind, person: Person, direction: Direction, act: Act, chance: random.Random) -> str:
        to, by = (person, self.owner) if direction == "out" else (self.owner, person)
        domain = by.identities.get("email", "@home.example").partition("@")[2]
        setting = texts.Setting(to.given, by.given, domain, TOWN, self.profile.sells)
        return (texts.letter if kind == "email" else texts.line)(chance, act, setting)

    def slug(self, place: str) -> str:
        profile = self.profile
        own = {
            "hub": profile.hub,
            "ours": profile.hub,
            "group": profile.group.slug,
            "social": profile.social,
            "market": "farmers-market",
        }
        return own.get(place, place)

    def broadcasts(self) -> Iterator[Happening]:
        """A post a week and a newsletter a month: touchpoints of the channel, with an audience, to nobody."""
        chance = self.chance_of("broadcasts")
        for day in range(3, DAYS, 7):
            at = self.days.find("social", day + chance.randint(0, 3))
            act: Act = "promote" if chance.random() < 0.55 else "give"
            if at is not None:
                yield Happening(
                    at, "post", self.profile.social, "out", act=act, audience=240 + day + chance.randint(0, 60)
                )
        for day in range(20, DAYS, 30):
            at = self.days.find("email", day)
            if at is not None:
                yield Happening(at, "post", "newsletter", "out", act="give", audience=90 + day // 3)

    def stories(self, parts: dict[str, Person]) -> Iterator[Happening]:
        """What the personalities alone would not bring about for certain."""
        chance = self.chance_of("stories")
        just_met, waits = parts["just met"], parts["waits for an answer"]
        met = self.days.at(self.days.today - timedelta(days=2), 18, 20)
        yield Happening(met, "handshake", "event", "mutual", (just_met,))
        asked = self.days.at(self.days.today - timedelta(days=3), 9, 12)
        text = self.text("email", waits, "in", "ask", chance)
        yield Happening(asked, "email", "email", "in", (waits,), act="ask", thread=f"{waits.slug}/question", text=text)
        for person in parts.values():
            if person.personality == "client":
                yield Happening(self._on(person.first + 3), "handshake", self.profile.hub, "mutual", (person,))

    def _on(self, day: float, hour: int = 10) -> datetime:
        """The next day the business is open, at that hour."""
        on = self.days.date_of(day)
        while not self.days.is_kept("hub", on):
            on += timedelta(days=1)
        return self.days.at(min(on, self.days.today - timedelta(days=1)), hour)

    def referrals(self, parts: dict[str, Person], crowd: list[Person]) -> Iterator[Referral]:
        """A chain of three generations below the advocate, and others with other fates; one was not thanked for."""
        chance = self.chance_of("referrals")
        first, second, third = parts["first client"], parts["second client"], parts["third client"]
        faded = next(one for one in crowd if one.personality == "faded friend")
        quarterly = next(one for one in crowd if one.personality == "once a quarter")
        won: tuple[Fate, ...] = ("contacted", "met", "won")
        made: tuple[tuple[Person, Person, int, tuple[Fate, ...]], ...] = (
            (parts["advocate"], first, 5, won),
            (first, second, 4, won),
            (second, third, 4, won),
            (parts["advocate"], parts["later client"], 3, won),
            (faded, parts["old client"], 3, won),
            (parts["advocate"], parts["lead that was lost"], 2, ("contacted", "lost")),
            (parts["fallen silent"], parts["lead that was met"], 3, ("contacted", "met")),
        )
        for referrer, prospect, heat, fates in made:
            yield self._referral(referrer, prospect, heat, fates, chance)
        told = self.days.at(self.days.today - timedelta(days=3), 16, 40)
        yield Referral("received/new", parts["not thanked"], parts["new lead"], told, 4)
        yield Referral(
            "given/1", quarterly, crowd[0], self._on(500), 3, (Step("contacted", self._on(504)),), given=True
        )

    def _referral(
        self, referrer: Person, prospect: Person, heat: int, fates: Iterable[Fate], chance: random.Random
    ) -> Referral:
        at, steps = self._on(prospect.first - 6, 11), list[Step]()
        day = prospect.first
        for fate in fates:
            value = chance.randint(*self.profile.values) if fate == "won" else None
            steps.append(Step(fate, self._on(day, 15), value))
            day += chance.randint(3, 7)
        thanked = self._on(prospect.first - 6 + chance.randint(0, 2), 17)
        return Referral(f"received/{prospect.slug}", referrer, prospect, at, heat, tuple(steps), thanked)

    def planned(self, parts: dict[str, Person], crowd: list[Person], private: tuple[Person, ...]) -> Iterator[Planned]:
        """What stands in the calendar beside what happened."""
        chance = self.chance_of("planned")
        partners = [one for one in crowd if one.personality in ("once a quarter", "supplier")]
        for number, person in enumerate([parts["advocate"], *partners[:3]]):
            yield Planned(self._ahead(4 + 5 * number, 10), 45, f"Coffee with {person.given}", (person,), CAFE)
        yield Planned(self._ahead(9, 14), 45, f"Coffee with {partners[1].given}", (partners[1],), CAFE, cancelled=True)
        for day in (chance.randint(90, 300), chance.randint(320, 650)):
            person = chance.choice(partners)
            yield Planned(self._on(day, 13), 45, f"Coffee with {person.given}", (person,), CAFE, cancelled=True)
        person = chance.choice(partners)
        yield Planned(self._on(610, 17), 90, "Product evening", (person,), person.organisation, declined=True)
        yield from self._private(private)

    def arranged(self, parts: dict[str, Person], crowd: list[Person]) -> Iterator[Planned]:
        mentor = next(one for one in crowd if one.personality == "mentor")
        for days, person in ((1, mentor), (3, parts["second client"])):
            at = self.days.at(self.days.today - timedelta(days=days), 15)
            yield Planned(at, 45, f"Coffee with {person.given}", (person,), CAFE)

    def _private(self, private: tuple[Person, ...]) -> Iterator[Planned]:
        sister, doctor, school = private
        for day in (75, 260, 445, 630):
            clinic = f"Clinic, 8 Hill Road, {TOWN}"
            yield Planned(self._on(day, 8), 30, f"{doctor.name}, check-up", (doctor,), clinic, private=True)
        for day in (130, 500):
            yield Planned(self._on(day, 19), 60, "Parents' evening", (school,), school.name, private=True)
        for day in (0, 365):
            evening = self._on(day + 200, 18)
            yield Planned(evening, 120, f"{sister.given}'s birthday", (sister,), "At home", private=True)

    def _ahead(self, days: int, hour: int) -> datetime:
        on = self.days.today + timedelta(days=days)
        while on.weekday() > 4:
            on += timedelta(days=1)
        return self.days.at(on, hour)


def _mood(chance: random.Random, direction: Direction) -> Act:
    """What a message does; ours give and offer more often."""
    moods: tuple[Act, ...] = ("neutral", "give", "ask", "thank", "promote")
    return chance.choices(moods, (50, 22, 12, 10, 6) if direction == "out" else (58, 10, 18, 12, 2))[0]


def digest(text: str) -> str:
    """Names things the same each time: mails, appointments, conversations."""
    return hashlib.sha256(text.encode()).hexdigest()
