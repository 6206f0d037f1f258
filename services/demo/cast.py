"""Who plays in the made-up practice: three small businesses of one town, and the personalities of their people.

All of it is invented. Addresses end in `.example`, phone numbers are of the range kept for
fiction, handles say example.
"""

from msgspec import Struct

from domain.contacts import Relation
from domain.touchpoints import Act, Kind

TOWN = "Larkhaven"
ELSEWHERE = ("Eastmere", "Port Alder", "Stonebridge", "Wickfield")
COUNTRY = "US"
TIME_ZONE = "America/Los_Angeles"
CURRENCY = "USD"
DAYS = 730
CAFE = f"Café Heron, 5 Quay Street, {TOWN}"


class Doing(Struct, frozen=True):
    """One thing people do with each other.

    `place` is a channel's slug, or `hub`, `ours` (there, by appointment), `group`, `social` for the business's own.
    `theirs` is the share they begin, None where both do it together. `answers` are the chances that they, and that we,
    answer what the other wrote.
    """

    kind: Kind
    place: str
    theirs: float | None = None
    minutes: tuple[int, int] | None = None
    answers: tuple[float, float] | None = None
    act: Act | None = None


DOINGS: dict[str, Doing] = {
    "buys": Doing("purchase", "hub", theirs=1),
    "buys at the market": Doing("purchase", "market", theirs=1),
    "comes": Doing("attendance", "hub"),
    "chats": Doing("chat", "hub", minutes=(1, 11)),
    "greets": Doing("handshake", "group"),
    "chats at the market": Doing("chat", "market", minutes=(1, 11)),
    "has coffee": Doing("meeting", "cafe", minutes=(30, 75)),
    "visits": Doing("meeting", "ours", minutes=(25, 60)),
    "meets on video": Doing("video_call", "video", minutes=(25, 50)),
    "calls": Doing("call", "phone", theirs=0.5, minutes=(4, 25)),
    "mails": Doing("email", "email", theirs=0.5, answers=(0.75, 0.85)),
    "is written to": Doing("email", "email", theirs=0.05, answers=(0.12, 0.9)),
    "messages": Doing("direct_message", "linkedin", theirs=0.5, answers=(0.7, 0.8)),
    "comments": Doing("comment", "social", theirs=0.7, answers=(0.3, 0.7)),
    "likes": Doing("like", "social", theirs=0.85),
    "mentions": Doing("mention", "social", theirs=0.6, answers=(0.2, 0.6)),
    "promotes": Doing("mention", "social", theirs=1, act="promote"),
    "shares": Doing("share", "social", theirs=1),
    "helps": Doing("help", "hub", theirs=0.5, act="give"),
    "advises": Doing("advice", "cafe", theirs=0.9, act="give"),
    "brings a gift": Doing("gift", "hub", theirs=0.6, act="give"),
    "vouches": Doing("vouch", "group", theirs=0.9),
}


class Habit(Struct, frozen=True):
    """A doing, every so many days; the more `steady`, the less the days between vary."""

    doing: str
    every: float
    steady: float = 3.0


class Personality(Struct, frozen=True):
    """What somebody is like to the business.

    `known_from` and `known_to` bound the first and the last day of it, counted from the beginning of the two years.
    `ways` are the platforms they are known by.
    """

    habits: tuple[Habit, ...]
    ways: tuple[str, ...]
    known_from: tuple[int, int] = (0, 200)
    known_to: tuple[int, int] = (DAYS, DAYS)
    works: bool = False
    near: float = 0.8
    relation: Relation | None = None


PERSONALITIES: dict[str, Personality] = {
    "customer": Personality((Habit("buys", 15), Habit("chats", 26)), ("phone",), near=1, relation="customer"),
    "market customer": Personality(
        (Habit("buys at the market", 16, steady=6), Habit("chats at the market", 30)), ("phone",), relation="customer"
    ),
    "rider": Personality((Habit("buys", 30, steady=2), Habit("chats", 30)), ("phone",), relation="customer"),
    "student": Personality(
        (Habit("comes", 12, steady=6), Habit("buys", 60, steady=10), Habit("chats", 30)),
        ("phone",),
        near=1,
        relation="customer",
    ),
    "regular who writes": Personality(
        (Habit("buys", 16), Habit("chats", 24), Habit("mails", 55)), ("email", "phone"), relation="customer"
    ),
    "once a quarter": Personality(
        (Habit("has coffee", 91, steady=12), Habit("mails", 70)), ("email",), works=True, relation="partner"
    ),
    "chatter": Personality(
        (Habit("comments", 26, steady=1), Habit("likes", 30, steady=1), Habit("mentions", 90)),
        ("social",),
        known_from=(0, 400),
        near=0.4,
    ),
    "linkedin friend": Personality(
        (Habit("messages", 40, steady=1.5),), ("linkedin",), known_from=(0, 300), works=True, near=0.3
    ),
    "broadcaster": Personality((Habit("promotes", 14),), ("social",), works=True, near=0.5),
    "unanswered": Personality(
        (Habit("is written to", 45),), ("email",), known_from=(200, 500), works=True, relation="prospect"
    ),
    "faded friend": Personality(
        (Habit("has coffee", 21), Habit("mails", 24), Habit("calls", 45)),
        ("email", "phone"),
        known_from=(0, 40),
        known_to=(380, 480),
        works=True,
        relation="partner",
    ),
    "newcomer": Personality(
        (Habit("chats", 9), Habit("buys", 12)), ("phone",), known_from=(DAYS - 50, DAYS - 20), relation="customer"
    ),
    "colleague": Personality((Habit("greets", 26),), ("phone",), known_from=(0, 300), works=True),
    "supplier": Personality(
        (Habit("mails", 26), Habit("calls", 45), Habit("visits", 90, steady=8)),
        ("email", "phone"),
        known_from=(0, 60),
        works=True,
        near=0.4,
        relation="supplier",
    ),
    "mentor": Personality(
        (Habit("meets on video", 42, steady=10), Habit("advises", 120), Habit("mails", 60)),
        ("email", "linkedin"),
        known_from=(0, 50),
        works=True,
        near=0.2,
        relation="mentor",
    ),
    "advocate": Personality(
        (Habit("has coffee", 30), Habit("greets", 21), Habit("mails", 30), Habit("helps", 75), Habit("vouches", 150)),
        ("email", "linkedin", "phone"),
        known_from=(0, 20),
        works=True,
        near=1,
        relation="partner",
    ),
    "weekly friend": Personality(
        (Habit("has coffee", 7, steady=40), Habit("mails", 60), Habit("brings a gift", 200)),
        ("email", "phone"),
        known_from=(60, 120),
        known_to=(DAYS - 24, DAYS - 23),
        works=True,
        near=1,
        relation="partner",
    ),
    "online friend": Personality(
        (Habit("messages", 14), Habit("comments", 14), Habit("meets on video", 120)),
        ("linkedin", "social", "email"),
        known_from=(100, 200),
        works=True,
        near=1,
    ),
    "far friend": Personality(
        (Habit("messages", 25), Habit("comments", 20), Habit("mails", 50), Habit("shares", 120)),
        ("linkedin", "social", "email"),
        known_from=(50, 300),
        works=True,
        near=0,
    ),
    "client": Personality(
        (Habit("buys", 21), Habit("mails", 40), Habit("chats", 45)), ("email", "phone"), near=1, relation="customer"
    ),
    "newly known": Personality((), ("email", "phone"), works=True, near=1),
    "address only": Personality((), ("linkedin",), known_from=(0, 700), works=True, near=0.5),
    "sister": Personality((Habit("mails", 20), Habit("calls", 40)), ("email", "phone"), near=1),
    "doctor": Personality((), ("email",), near=1),
    "school": Personality((Habit("mails", 60),), ("email",), near=1),
}


class Gathering(Struct, frozen=True):
    """Where the business meets others, every so many weeks on one weekday (0 is Monday), at that hour and minute."""

    slug: str
    name: str
    place: str
    weekday: int
    hour: int
    minute: int
    weeks: int


class Profile(Struct, frozen=True):
    """One business. `open_days` are weekdays, 0 is Monday; `busy` has a factor for each month, January first; `away` is
    the month and day a fortnight without the owner begins; `values` bound what a referral brings, in whole units."""

    slug: str
    name: str
    owner: tuple[str, str]
    trade: str
    area_code: str
    hub: str
    social: str
    open_days: frozenset[int]
    hours: tuple[int, int]
    group: Gathering
    market_day: int | None
    busy: tuple[float, ...]
    away: tuple[int, int]
    sells: tuple[str, ...]
    interests: tuple[str, ...]
    values: tuple[int, int]
    cast: dict[str, int]

    @property
    def domain(self) -> str:
        return f"{self.slug}.example"


CAST = {
    "regular who writes": 3,
    "once a quarter": 3,
    "chatter": 4,
    "linkedin friend": 2,
    "broadcaster": 1,
    "unanswered": 1,
    "faded friend": 1,
    "newcomer": 1,
    "colleague": 3,
    "supplier": 2,
    "mentor": 1,
    "far friend": 1,
    "address only": 5,
}

PROFILES = (
    Profile(
        slug="corner-bakery",
        name="Corner Bakery (made up)",
        owner=("Rosa", "Almeida"),
        trade="bakery",
        area_code="503",
        hub="shop",
        social="instagram",
        open_days=frozenset({1, 2, 3, 4, 5}),
        hours=(7, 15),
        group=Gathering("chamber", "Chamber breakfast", f"Harbour Room, 2 Quay Street, {TOWN}", 3, 7, 30, 1),
        market_day=5,
        busy=(0.9, 0.9, 1.0, 1.1, 1.0, 0.9, 0.8, 0.8, 1.0, 1.1, 1.3, 1.5),
        away=(8, 3),
        sells=("sourdough", "rye loaves", "cinnamon rolls", "the wedding cake", "the Saturday order"),
        interests=("sourdough", "stone milling", "coffee roasting", "choir", "allotments"),
        values=(120, 900),
        cast={**CAST, "customer": 5, "market customer": 2},
    ),
    Profile(
        slug="two-wheels",
        name="Two Wheels Bicycles (made up)",
        owner=("Jonas", "Reed"),
        trade="bicycles",
        area_code="541",
        hub="workshop",
        social="x",
        open_days=frozenset({0, 1, 2, 4, 5}),
        hours=(9, 18),
        group=Gathering("bni", "BNI chapter", f"Old Mill Hall, 14 Mill Lane, {TOWN}", 1, 7, 0, 1),
        market_day=None,
        busy=(0.6, 0.7, 1.0, 1.4, 1.6, 1.5, 1.3, 1.1, 1.0, 0.8, 0.7, 0.6),
        away=(1, 4),
        sells=("the cargo bike", "a new wheel set", "the spring service", "a child seat", "the lease bikes"),
        interests=("gravel riding", "cargo bikes", "photography", "wood work", "trail building"),
        values=(200, 2_400),
        cast={**CAST, "rider": 8, "supplier": 3, "chatter": 3},
    ),
    Profile(
        slug="quiet-hour",
        name="Quiet Hour Yoga (made up)",
        owner=("Amara", "Nwosu"),
        trade="yoga",
        area_code="971",
        hub="studio",
        social="instagram",
        open_days=frozenset({0, 1, 2, 3, 5, 6}),
        hours=(8, 20),
        group=Gathering("rotary", "Rotary lunch", f"The Boat House, 1 Shore Road, {TOWN}", 2, 12, 15, 2),
        market_day=None,
        busy=(1.7, 1.4, 1.1, 1.0, 0.9, 0.7, 0.5, 0.5, 1.4, 1.2, 1.0, 0.7),
        away=(7, 6),
        sells=("the evening class", "a class pass", "the morning hour", "the retreat", "private lessons"),
        interests=("breathing", "trail running", "herbal tea", "ceramics", "choir"),
        values=(150, 600),
        cast={**CAST, "student": 7, "regular who writes": 4, "supplier": 1, "faded friend": 2},
    ),
)
WORK = (
    "Accounting", "Architects", "Bookshop", "Carpentry", "Catering", "Ceramics", "Consulting", "Design", "Farm",
    "Florist", "Gallery", "Garden Centre", "Guest House", "Insurance", "Landscaping", "Law", "Media", "Music School",
    "Optics", "Pharmacy", "Photography", "Plumbing", "Print Shop", "Roastery", "Solar", "Tailoring", "Tea House",
    "Travel", "Winery",
)  # fmt: skip
ROLES = ("Owner", "Partner", "Manager", "Founder", "Director", "Head of Sales", "Buyer")
