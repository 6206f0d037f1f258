"""A small made-up business, recorded through the real road: one bakery, its people, nine months. All invented."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from domain.channels import DescribeChannel
from domain.contacts import AddContact, IdentityGiven, InterestGiven, Relation
from domain.touchpoints import Act, Direction, Kind, RecordTouchpoint, Reference
from infra import commands, tenants
from infra.context import Context
from infra.stored_events import Origin
from infra.tenants import Tenant

NAME = "Corner Bakery (made up)"
LOCALITY = "Portland"
TIME_ZONE = "America/Los_Angeles"
DAYS = 270
ORIGIN = Origin(actor="demo", source="demo")
AT_ONCE = 200


class Habit(Struct, frozen=True):
    """What happens again and again: every so many days, in turn in these directions, from one day to another."""

    kind: Kind
    channel: str
    every: float
    directions: tuple[Direction, ...] = ("in", "out")
    minutes: int | None = None
    first: int = 0
    last: int = DAYS
    act: Act | None = None


class Person(Struct, frozen=True):
    name: str
    handle: tuple[str, str]
    habits: tuple[Habit, ...]
    relation: Relation | None = None
    locality: str | None = None
    interests: tuple[str, ...] = ()


BOTH: tuple[Direction, ...] = ("mutual",)
PEOPLE = (
    Person("Ana Ferreira", ("email", "ana@mill.example"), (
        Habit("meeting", "chamber", 14, BOTH, minutes=40),
        Habit("email", "email", 9),
        Habit("referral", "chamber", 95, ("in",)),
        Habit("help", "shop", 60, ("out", "in"), act="give"),
    ), "supplier", "Portland", ("stone milling",)),
    Person("Mira Okafor", ("linkedin", "mira-okafor"), (
        Habit("direct_message", "linkedin", 6),
        Habit("comment", "instagram", 8, act="give"),
        Habit("video_call", "zoom", 45, BOTH, minutes=30),
    ), "partner", "Portland", ("sourdough", "food podcasts")),
    Person("Tomas Lind", ("x", "tomaslind"), (
        Habit("mention", "x", 5, ("in", "out", "out")),
        Habit("direct_message", "x", 11),
        Habit("email", "email", 20, first=60),
    ), "prospect", None, ("coffee roasting",)),
    Person("Inês Duarte", ("instagram", "ines.bakes"), (
        Habit("comment", "instagram", 4),
        Habit("direct_message", "instagram", 9),
        Habit("share", "instagram", 50, ("in",)),
    ), None, "Lisbon", ("pastel de nata",)),
    Person("Joe Whitaker", ("phone", "+15035550142"), (
        Habit("purchase", "shop", 5, ("in",)),
        Habit("chat", "shop", 6, BOTH),
        Habit("vouch", "chamber", 130, ("in",)),
    ), "customer", "Portland"),
    Person("Priya Raman", ("email", "priya@yoga.example"), (
        Habit("meeting", "cafe", 30, BOTH, minutes=50),
        Habit("call", "phone", 30, minutes=15),
        Habit("introduction", "cafe", 120, ("in", "out")),
    ), "mentor", "Portland", ("small business finance",)),
    Person("Karl Bauer", ("email", "karl@ovens.example"), (
        Habit("email", "email", 12, last=120),
        Habit("meeting", "shop", 40, BOTH, minutes=60, last=120),
    ), "supplier", "Salem"),
    Person("Lucy Chen", ("facebook", "lucy.chen.pdx"), (
        Habit("handshake", "farmers-market", 21, BOTH, first=90),
        Habit("purchase", "farmers-market", 21, ("in",), first=90),
    ), "customer", "Portland"),
    Person("Rotary Dan", ("phone", "+15035550177"), (
        Habit("handshake", "rotary", 30, BOTH),
        Habit("attendance", "rotary", 30, BOTH),
    ), None, "Portland"),
    Person("Hana Sato", ("email", "hana@tea.example"), (
        Habit("email", "email", 25),
        Habit("meeting", "cafe", 60, BOTH, minutes=45, first=30),
        Habit("collaboration", "shop", 110, BOTH, first=100),
    ), "partner", "Portland", ("tea pairing",)),
    Person("Newsletter fan Zoe", ("email", "zoe@post.example"), (
        Habit("email", "newsletter", 30, ("in",)),
    ), "customer"),
)  # fmt: skip
POSTS = (
    Habit("post", "instagram", 7, ("out",), act="promote"),
    Habit("post", "newsletter", 30, ("out",), act="give"),
)


def touchpoints(now: datetime) -> Iterator[RecordTouchpoint]:
    """The nine months up to `now`, the same for the same instant."""
    chance = random.Random(7)
    for person in PEOPLE:
        reference = Reference(platform=person.handle[0], handle=person.handle[1], name=person.name)
        for number, habit in enumerate(person.habits):
            yield from _told(habit, f"{person.handle[1]}/{number}", (reference,), now, chance)
    for number, habit in enumerate(POSTS):
        yield from _told(habit, f"post/{number}", (), now, chance)


def _told(
    habit: Habit, source: str, people: tuple[Reference, ...], now: datetime, chance: random.Random
) -> Iterator[RecordTouchpoint]:
    day, turn = habit.first + chance.uniform(0, habit.every), 0
    while day < habit.last - 0.5:
        yield RecordTouchpoint(
            kind=habit.kind,
            occurred_at=(now - timedelta(days=DAYS - day)).replace(microsecond=0),
            channel=habit.channel,
            direction=habit.directions[turn % len(habit.directions)],
            people=people,
            minutes=habit.minutes,
            act=habit.act,
            audience=None if people else 400,
            source="demo",
            source_id=f"{source}/{turn}",
        )
        day, turn = day + habit.every * chance.uniform(0.75, 1.25), turn + 1


async def load(
    context: Context, tenant: Tenant, *, now: datetime | None = None, progress: Callable[[int, int], None] | None = None
) -> int:
    """Record the business's people and touchpoints; the last position. `progress` is told (done, of how many)."""
    position = 0
    for person in PEOPLE:
        key = f"demo/{person.name}"
        await commands.add_contact(context, tenant, _contact(person), origin=ORIGIN, idempotency_key=key)
    shop = DescribeChannel(slug="farmers-market", name="Saturday farmers' market", topics=("food",))
    await commands.describe_channel(context, tenant, shop, origin=ORIGIN, idempotency_key="demo/farmers-market")
    items = sorted(touchpoints(now or datetime.now(UTC)), key=lambda item: item.occurred_at)
    for start in range(0, len(items), AT_ONCE):
        for result in await commands.record_touchpoints(context, tenant, items[start : start + AT_ONCE], origin=ORIGIN):
            if result.problem is not None:
                raise result.problem
            position = max(position, result.position or 0)
        if progress is not None:
            progress(min(start + AT_ONCE, len(items)), len(items))
    return position


def _contact(person: Person) -> AddContact:
    return AddContact(
        name=person.name,
        identities=(IdentityGiven(*person.handle),),
        locality=person.locality,
        relation=person.relation,
        interests=tuple(InterestGiven(topic) for topic in person.interests),
    )


async def add_tenant(context: Context) -> tenants.NewTenant:
    return await tenants.add(
        context.pool, name=NAME, master=context.master, country="US", locality=LOCALITY, time_zone=TIME_ZONE
    )


async def tenant_of(context: Context, api_key: str | None) -> Tenant | None:
    """The demo's tenant by the key kept for it, when it is still there."""
    found = None if api_key is None else await context.keys.tenant_of(api_key)
    return None if found is None else found[0]
