"""Five people at one conference, each a business with its own view of the same week, held against the raw files."""

import asyncio
import random
import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack
from datetime import datetime
from functools import cache
from itertools import combinations, groupby
from typing import Any, NamedTuple

import pytest

from tests.journeys.real_data import (
    CLOSED,
    DATA,
    OPENED,
    Conference,
    Person,
    Touchpoint,
    as_others_see,
    by_handle,
    every,
    interest,
    needs,
    recorded,
    strengths,
)
from tests.road import Business, Road

pytestmark = [needs("sigcomm2009"), pytest.mark.xdist_group("sigcomm2009")]

HALVES = ("online_only", "in_person_only", "both", "named_only")


class Attendee(NamedTuple):
    """A person as a tenant: all they told, and how many stood in each half at the end of each day."""

    person: Person
    business: Business
    told: list[Touchpoint]
    evenings: dict[int, dict[str, int]]


@pytest.fixture(scope="module")
def conference() -> Conference:
    return Conference(DATA / "sigcomm2009")


@pytest.fixture(scope="module")
async def attendees(road: Road, conference: Conference) -> AsyncIterator[list[Attendee]]:
    people = conference.best_documented(5)
    async with AsyncExitStack() as stack:
        businesses = [await stack.enter_async_context(in_barcelona(road, person)) for person in people]
        yield await asyncio.gather(*(attend(*one, conference) for one in zip(people, businesses, strict=True)))


def in_barcelona(road: Road, person: Person) -> Any:
    return road.business(f"Attendee {person}", locality="Barcelona", country="ES", time_zone="Europe/Madrid")


async def attend(person: Person, business: Business, conference: Conference) -> Attendee:
    """Tell whom one knew before, and every evening what happened that day."""
    await know(business, conference.known_before(person))
    told, evenings = conference.touchpoints(person), {}
    for date, day in groupby(told, key=lambda one: one["occurred_at"][:10]):
        await business.tell(*day)
        network = await business.get("/v1/network")
        evenings[int(date[-2:])] = {half: network[half]["count"] for half in HALVES}
    return Attendee(person, business, told, evenings)


async def know(business: Business, contacts: Iterable[dict[str, Any]]) -> None:
    for contact in contacts:
        answer = await business.post("/v1/contacts", contact)
        assert answer.status_code == 201, answer.text
    await business.seen(answer.json()["position"])


async def test_each_evening_shows_who_is_known_online_in_person_or_both(attendees: list[Attendee]):
    for one in attendees:
        for day, shown in one.evenings.items():
            assert shown == {
                half: len(people) for half, people in halves(one.person, before=midnight_after(day)).items()
            }
    assert {half for one in attendees for shown in one.evenings.values() for half in HALVES if shown[half]} == {*HALVES}


async def test_everybody_is_one_contact_in_the_right_half(attendees: list[Attendee]):
    for one in attendees:
        contacts = await by_handle(one.business, "mobiclique")
        for half, people in halves(one.person).items():
            assert {int(who) for who, contact in contacts.items() if contact["half"] == half} == people
        on_facebook = await every(one.business, "/v1/contacts", q="attendee.")
        assert {contact["name"] for contact in on_facebook} == {f"Attendee {who}" for who in known(one.person)}


async def test_each_kind_is_counted_in_its_place(attendees: list[Attendee]):
    for one in attendees:
        expected = Counter(Fact(*fact[:2], len(fact.people), *fact[3:]) for fact in happened(one.person))
        assert expected == Counter(
            Fact(
                fact["kind"],
                fact["direction"],
                len(fact.get("contact_ids", [])),
                fact.get("audience"),
                fact.get("minutes"),
            )
            for fact in await recorded(one.business)
        )
        halls, app = await every(one.business, "/v1/channels")
        stays, words = (
            [fact for fact in expected.elements() if (fact.direction == "mutual") == there] for there in (1, 0)
        )
        to_nobody = [fact.audience or 0 for fact in words if not fact.people]
        assert (halls["slug"], halls["realm"], halls["touchpoints"]) == ("conference", "physical", len(stays))
        assert (app["slug"], app["realm"], app["touchpoints"]) == ("mobiclique", "virtual", len(words))
        assert (halls["contacts"], app["contacts"]) == (len(met(one.person)), len(written(one.person)))
        assert (app["posts"], app["reach"]) == (len(to_nobody), sum(to_nobody))


async def test_timelines_are_whole_and_begin_where_people_met(attendees: list[Attendee]):
    for one in attendees:
        firsts = met(one.person)
        lengths = Counter(who for fact in happened(one.person) for who in fact.people)
        for handle, contact in (await by_handle(one.business, "mobiclique")).items():
            who = int(handle)
            timeline = await every(one.business, f"/v1/contacts/{contact['id']}/timeline")
            assert len({moment["event_id"] for moment in timeline}) == len(timeline) == lengths[who]
            assert contact["touchpoints"] == lengths[who]
            assert (contact["met_at"] and seconds(contact["met_at"])) == firsts.get(who)
            assert [moment["occurred_at"] for moment in timeline] == sorted(
                (moment["occurred_at"] for moment in timeline), key=datetime.fromisoformat, reverse=True
            )


async def test_friends_of_before_come_as_told_and_everybody_with_the_groups_they_share(
    attendees: list[Attendee], conference: Conference
):
    for one in attendees:
        contacts = await by_handle(one.business, "mobiclique")
        await learn(one, contacts, conference)
        for handle, contact in contacts.items():
            who, shown = int(handle), await one.business.get(f"/v1/contacts/{contact['id']}")
            assert (shown["stated"] and shown["stated"]["by"]) == ("facebook" if who in known(one.person) else None)
            assert {(told["topic"], told["learned_at"]) for told in shown["interests"]} == shared(one.person, who)


async def learn(one: Attendee, contacts: dict[str, dict[str, Any]], conference: Conference) -> None:
    """Note who joined one's groups during the week."""
    for who, contact in contacts.items():
        groups = conference.shared(one.person, int(who))
        joined = [interest(group, "mobiclique") for group, since in groups.items() if since]
        answer = await one.business.client.patch(f"/v1/contacts/{contact['id']}", json={"interests": joined})
        assert answer.status_code == 200, answer.text
    await one.business.seen(answer.json()["position"])


async def test_parts_add_up_and_the_strongest_is_one_they_met_and_wrote_to_most(attendees: list[Attendee]):
    for one in attendees:
        then = await strengths(one.business, await by_handle(one.business, "mobiclique"), CLOSED)
        for seen in then.values():
            assert 0 <= seen["score"] <= 100
            assert round(sum(part["points"] for part in seen["parts"].values()), 1) == seen["score"]
        much = Counter(
            who for fact in happened(one.person) if fact.kind in ("meeting", "direct_message") for who in fact.people
        )
        strongest = max(then, key=lambda who: then[who]["score"])
        assert int(strongest) in [who for who, _ in much.most_common(5)]


async def test_the_same_people_are_others_to_each_business(attendees: list[Attendee]):
    views = [(one.business, await by_handle(one.business, "mobiclique")) for one in attendees]
    for (business, mine), (_, theirs) in combinations(views, 2):
        foreign = {contact["id"] for contact in theirs.values()}
        assert len(mine.keys() & theirs.keys()) > 20
        assert not foreign & {contact["id"] for contact in mine.values()}
        assert (await business.client.get(f"/v1/contacts/{foreign.pop()}")).status_code == 404


async def test_all_of_it_sent_again_changes_nothing(attendees: list[Attendee]):
    for one in attendees:
        before = await one.business.get("/v1/network", limit=200)
        again = await one.business.tell(*one.told)
        touched = {contact["id"] for contact in await every(one.business, "/v1/contacts") if contact["touchpoints"]}
        assert {result["status"] for result in again} == {"duplicate"}
        assert {who for result in again for who in result["contact_ids"]} == touched
        assert await one.business.get("/v1/network", limit=200) == before


async def test_told_in_any_order_everybody_is_as_strong(road: Road, attendees: list[Attendee], conference: Conference):
    for one in attendees:
        async with in_barcelona(road, one.person) as business:
            await know(business, conference.known_before(one.person))
            await business.tell(*random.Random(one.person).sample(one.told, len(one.told)))
            ordered, mixed = await by_handle(one.business, "mobiclique"), await by_handle(business, "mobiclique")
            assert as_others_see(mixed) == as_others_see(ordered)
            assert await strengths(business, mixed, CLOSED) == await strengths(one.business, ordered, CLOSED)


def midnight_after(day: int) -> int:
    return seconds(f"2009-08-{day:02d}T22:00:00Z")


def seconds(at: str) -> int:
    return round((datetime.fromisoformat(at) - OPENED).total_seconds())


# What the raw files say, read and counted in another way than it was told.

TO_ONE, TO_GROUP, TO_ALL = range(3)
EVER = 1_000_000


class Fact(NamedTuple):
    kind: str
    direction: str
    people: Any
    audience: int | None = None
    minutes: int | None = None


@cache
def numbers(name: str) -> list[list[int]]:
    """The rows of a file, the letters U, M and B of a message as 0, 1 and 2."""
    rows = re.findall(r"^-?\d.*$", (DATA / "sigcomm2009" / f"{name}.arff").read_text(), re.MULTILINE)
    return [[("UMB".index(cell) if cell.isalpha() else int(cell)) for cell in row.split(",")] for row in rows]


def halves(me: Person, before: int = EVER) -> dict[str, set[Person]]:
    online = {who for who, at in written(me).items() if at < before}
    in_person = {who for who, at in met(me).items() if at < before}
    untouched = known(me) - online - in_person
    return dict(zip(HALVES, (online - in_person, in_person - online, online & in_person, untouched), strict=True))


def known(me: Person) -> set[Person]:
    return {one + other - me for one, other in numbers("friends1") if me in (one, other)}


def met(me: Person) -> dict[Person, int]:
    """When either phone first saw the other."""
    latest_first = sorted(numbers("proximities"), reverse=True)
    return {one + other - me: at for at, one, other in latest_first if me in (one, other)}


def written(me: Person) -> dict[Person, int]:
    """When one first spoke to the other, or added the other."""
    firsts: dict[Person, int] = {}
    said = [(at, one, frozenset({other})) for one, other, at in numbers("friends2")]
    said += [(at, sender, addressed(sender, at, reach, to)) for _, sender, at, reach, to in numbers("messages")]
    for at, sender, people in sorted(said, key=lambda one: one[0]):
        for who in people if sender == me else {sender} if me in people else ():
            firsts.setdefault(who, at)
    return firsts


def addressed(sender: Person, at: int, reach: int, to: int) -> frozenset[Person]:
    """The people a message speaks to, where they are no crowd."""
    if reach == TO_ONE:
        return frozenset({to})
    hearers = members(to, at) - {sender} if reach == TO_GROUP else frozenset()
    return hearers if len(hearers) <= 12 else frozenset()


@cache
def members(group: int, at: int = EVER) -> frozenset[Person]:
    first = frozenset(who for who, which in numbers("interests1") if which == group)
    return first | {who for who, which, since in numbers("interests2") if which == group and since <= at}


def happened(me: Person) -> Iterator[Fact]:
    """All that concerns one person."""
    for one, other, _ in numbers("friends2"):
        if me in (one, other):
            yield Fact("connect", "out" if me == one else "in", [one + other - me])
    for _, sender, at, reach, to in numbers("messages"):
        people = addressed(sender, at, reach, to)
        audience = len(members(to, at) - {sender}) if reach == TO_GROUP else None
        if sender == me:
            yield Fact("post", "out", [], 75) if reach == TO_ALL else Fact("direct_message", "out", people, audience)
        elif me in people:
            yield Fact("direct_message", "in", [sender], audience)
    for who, lasted in stays(me):
        kind = "meeting" if lasted >= 900 else "handshake" if lasted >= 300 else "attendance"
        yield Fact(kind, "mutual", [who], None, lasted // 60)


def stays(me: Person) -> Iterator[tuple[Person, int]]:
    """With whom and how long: from each sighting with none in the ten minutes before it to the next with none after."""
    near: dict[Person, set[int]] = defaultdict(set)
    for at, one, other in numbers("proximities"):
        if me in (one, other):
            near[one + other - me].add(at)
    for who, times in near.items():
        seen = sorted(times)
        begins = [at for at in seen if bisect_left(seen, at) == bisect_right(seen, at - 600)]
        ends = [at for at in seen if bisect_right(seen, at) == bisect_left(seen, at + 600)]
        yield from ((who, end - begin) for begin, end in zip(begins, ends, strict=True))


def shared(me: Person, who: Person) -> set[tuple[str, str]]:
    mine = {group for owner, group, *_ in numbers("interests1") + numbers("interests2") if owner == me}
    before = {group for owner, group in numbers("interests1") if owner == who}
    later = {group for owner, group, _ in numbers("interests2") if owner == who} - before
    small = {group for group in mine if len(members(group)) < 38}
    learned = {(f"group {group}", "mobiclique") for group in small & later}
    return learned | {(f"group {group}", "facebook") for group in small & before if who in known(me)}
