"""The made-up people: each a name, a place, ways to be reached, and a personality from the cast."""

import random

from msgspec import Struct

from domain.contacts import Relation
from services.demo.cast import DAYS, ELSEWHERE, PERSONALITIES, ROLES, TOWN, WORK, Personality, Profile
from services.demo.names import Names, plain

MAIL_HOSTS = ("outlook.example", "yahoo.example", "gmx.example")  # free mail hosts, as far as imports can tell


class Person(Struct, frozen=True):
    """Somebody made up. `first` and `last` are the days between which they do what they do, of the two years."""

    given: str
    surname: str
    personality: str
    first: int
    last: int
    tempo: float = 1.0
    identities: dict[str, str] = {}
    organisation: str | None = None
    role: str | None = None
    locality: str | None = None
    relation: Relation | None = None
    interests: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.given} {self.surname}"

    @property
    def slug(self) -> str:
        return plain(self.name)

    @property
    def email(self) -> str:
        return self.identities["email"]


class People:
    """Makes the people of one business, with its own chance, so that no business changes another."""

    def __init__(self, profile: Profile, names: Names, chance: random.Random) -> None:
        self._profile = profile
        self._names = names
        self._chance = chance
        self._phones = list(range(100, 200))
        chance.shuffle(self._phones)

    def owner(self) -> Person:
        given, surname = self._profile.owner
        handles = {
            "email": f"{plain(given)}@{self._profile.domain}",
            "linkedin": f"{plain(f'{given} {surname}')}-example",
            self._profile.social: f"{self._profile.slug.replace('-', '')}_example",
            "phone": self._phone(),
        }
        return Person(given, surname, "owner", 0, 0, identities=handles, locality=TOWN)

    def next(
        self, personality: str, *, first: int | None = None, last: int | None = None, surname: str | None = None
    ) -> Person:
        """The next one of this personality; `first` and `last` where a story needs certain days."""
        chance, kind = self._chance, PERSONALITIES[personality]
        given, surname = self._names.next(surname=surname)
        organisation = f"{surname} {chance.choice(WORK)}" if kind.works else None
        return Person(
            given,
            surname,
            personality,
            first=chance.randint(*kind.known_from) if first is None else first,
            last=chance.randint(*kind.known_to) if last is None else last,
            tempo=chance.lognormvariate(0, 0.2),
            identities={
                self._profile.social if way == "social" else way: self._handle(way, given, surname, organisation)
                for way in kind.ways
            },
            organisation=organisation,
            role=chance.choice(ROLES) if organisation else None,
            locality=TOWN if chance.random() < kind.near else chance.choice(ELSEWHERE),
            relation=kind.relation,
            interests=self._interests(kind),
        )

    def doctor(self) -> Person:
        given, surname = self._names.next()
        reached = {"email": f"reception@dr-{plain(surname)}.example", "phone": self._phone()}
        return Person(f"Dr. {given}", surname, "doctor", 0, 0, identities=reached, locality=TOWN)

    def school(self) -> Person:
        _, surname = self._names.next()
        reached = {"email": f"office@{plain(surname)}-school.example"}
        return Person(surname, "Elementary School", "school", 0, DAYS, identities=reached, locality=TOWN)

    def _interests(self, kind: Personality) -> tuple[str, ...]:
        return tuple(self._chance.sample(self._profile.interests, 2)) if len(kind.ways) > 1 and kind.works else ()

    def _handle(self, way: str, given: str, surname: str, organisation: str | None) -> str:
        slug = plain(f"{given} {surname}")
        match way:
            case "email" if organisation:
                return f"{plain(given)}@{plain(organisation)}.example"
            case "email":
                return f"{slug.replace('-', '.')}@{self._chance.choice(MAIL_HOSTS)}"
            case "phone":
                return self._phone()
            case "linkedin":
                return f"{slug}-example"
            case _:
                return f"{slug.replace('-', '')}_example"

    def _phone(self) -> str:
        return f"+1{self._profile.area_code}5550{self._phones.pop()}"
