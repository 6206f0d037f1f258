"""Ten students who know most people, each a business with four weeks of texts and calls, held against the raw files."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import pytest

from tests.journeys.real_data import (
    DATA,
    OVER,
    Person,
    Students,
    Touchpoint,
    as_others_see,
    by_handle,
    every,
    needs,
    phone,
    recorded,
    strengths,
)
from tests.road import Business, Road

pytestmark = [needs("copenhagen"), pytest.mark.xdist_group("copenhagen")]


class Student(NamedTuple):
    """A person as a tenant, and all they told."""

    person: Person
    business: Business
    told: list[Touchpoint]


@pytest.fixture(scope="module")
def students_data() -> Students:
    return Students(DATA / "copenhagen")


@pytest.fixture(scope="module")
async def students(road: Road, students_data: Students) -> AsyncIterator[list[Student]]:
    people = students_data.best_connected(10)
    async with AsyncExitStack() as stack:
        businesses = [await stack.enter_async_context(in_copenhagen(road, person)) for person in people]
        yield await asyncio.gather(*(study(*one, students_data) for one in zip(people, businesses, strict=True)))


def in_copenhagen(road: Road, person: Person) -> Any:
    return road.business(f"Student {person}", locality="Copenhagen", country="DK", time_zone="Europe/Copenhagen")


async def study(person: Person, business: Business, data: Students) -> Student:
    """Tell all that was written and spoken, then find the friends on Facebook."""
    told = data.touchpoints(person)
    await business.tell(*told)
    await befriend(business, data.friends_of(person))
    return Student(person, business, told)


async def befriend(business: Business, friends: list[Person]) -> None:
    """Who is in the phone already gets one more identity; the others are known by name."""
    in_the_phone = await by_handle(business, "phone")
    position = 0
    for who in friends:
        contact = in_the_phone.get(phone(who))
        on_facebook = {"platform": "facebook", "handle": f"student.{who}"}
        if contact is None:
            identities = [on_facebook, {"platform": "phone", "handle": phone(who)}]
            answer = await business.post("/v1/contacts", {"name": f"Student {who}", "identities": identities})
        else:
            answer = await business.client.patch(f"/v1/contacts/{contact['id']}", json={"identities": [on_facebook]})
        assert answer.is_success, answer.text
        position = answer.json()["position"]
    await business.seen(position)


async def test_each_of_the_27_933_rows_is_told_or_has_its_reason(students: list[Student]):
    tellers = Counter([fact["source_id"] for one in students for fact in await recorded(one.business)])
    chosen = {one.person for one in students}
    silent = unanswered() | told_twice()
    rows = {**texts(), **calls()}
    assert len(rows) == 27_933
    for row, (_, one, other, *_) in rows.items():
        assert tellers[row] == (0 if row in silent else len(chosen & {one, other})), row


async def test_each_text_and_each_call_is_counted_with_whom_it_was(students: list[Student]):
    for one in students:
        ids = {contact["id"]: who for who, contact in (await by_handle(one.business, "phone")).items()}
        assert Counter(exchanged(one.person)) == Counter(
            (fact["kind"], fact["direction"], ids[fact["contact_ids"][0]], fact.get("minutes"))
            for fact in await recorded(one.business)
        )
        channels = {channel["slug"]: channel["touchpoints"] for channel in await every(one.business, "/v1/channels")}
        places = Counter({"direct_message": "sms", "call": "phone"}[kind] for kind, *_ in exchanged(one.person))
        assert channels == dict(places)


async def test_a_friend_on_facebook_is_who_is_in_the_phone(students: list[Student]):
    for one in students:
        in_the_phone, on_facebook = {who for _, _, who, _ in exchanged(one.person)}, friends(one.person)
        contacts = await by_handle(one.business, "phone")
        halves = {who: contact["half"] for who, contact in contacts.items()}
        assert halves == dict.fromkeys(on_facebook, "named_only") | dict.fromkeys(in_the_phone, "online_only")
        assert {who for who, contact in contacts.items() if len(contact["identities"]) == 2} == on_facebook
        network = await one.business.get("/v1/network")
        counts = Counter(halves.values())
        assert all(
            network[half]["count"] == counts[half] for half in ("online_only", "in_person_only", "both", "named_only")
        )


async def test_an_account_on_facebook_is_one_persons_alone(students: list[Student]):
    one = students[0]
    [*_, taken] = (await every(one.business, "/v1/contacts", q="student."))[0]["identities"]
    answer = await one.business.post("/v1/contacts", {"name": "Somebody else", "identities": [taken]})
    assert answer.status_code == 409


async def test_parts_add_up_and_the_strongest_is_one_they_wrote_to_and_spoke_with_most(students: list[Student]):
    for one in students:
        then = await strengths(one.business, await by_handle(one.business, "phone"), OVER)
        for seen in then.values():
            assert 0 <= seen["score"] <= 100
            assert round(sum(part["points"] for part in seen["parts"].values()), 1) == seen["score"]
        much = Counter(who for _, _, who, _ in exchanged(one.person))
        assert max(then, key=lambda who: then[who]["score"]) in [who for who, _ in much.most_common(3)]


async def test_who_was_only_missed_is_nobody(road: Road, students_data: Students):
    person = students_data.most_missed()
    async with in_copenhagen(road, person) as business:
        await study(person, business, students_data)
        tried = {phone(one + other - person) for _, one, other, _ in calls().values() if person in (one, other)}
        spoken = {who for _, _, who, _ in exchanged(person)}
        assert tried - spoken - friends(person)
        assert (await by_handle(business, "phone")).keys() == spoken | friends(person)


async def test_the_same_people_are_others_to_each_business(students: list[Student]):
    views = [(one.business, await by_handle(one.business, "phone")) for one in students]
    known = Counter(who for _, contacts in views for who in contacts)
    assert max(known.values()) > 2
    for (business, mine), (_, theirs) in combinations(views, 2):
        foreign = {contact["id"] for contact in theirs.values()}
        assert not foreign & {contact["id"] for contact in mine.values()}
        assert (await business.client.get(f"/v1/contacts/{foreign.pop()}")).status_code == 404


async def test_all_of_it_sent_again_changes_nothing(students: list[Student]):
    for one in students:
        before = await one.business.get("/v1/network", limit=200)
        assert {result["status"] for result in await one.business.tell(*one.told)} == {"duplicate"}
        assert await one.business.get("/v1/network", limit=200) == before


async def test_told_in_any_order_everybody_is_as_strong(road: Road, students: list[Student], students_data: Students):
    async def told_again(one: Student) -> None:
        async with in_copenhagen(road, one.person) as business:
            await business.tell(*random.Random(one.person).sample(one.told, len(one.told)))
            await befriend(business, students_data.friends_of(one.person))
            ordered, mixed = await by_handle(one.business, "phone"), await by_handle(business, "phone")
            assert as_others_see(mixed) == as_others_see(ordered)
            assert await strengths(business, mixed, OVER) == await strengths(one.business, ordered, OVER)

    await asyncio.gather(*map(told_again, students))


# What the raw files say, read and counted in another way than it was told.


@cache
def texts() -> dict[str, list[int]]:
    return {f"sms/{number}": row for number, row in enumerate(lines("sms"))}


@cache
def calls() -> dict[str, list[int]]:
    return {f"call/{number}": row for number, row in enumerate(lines("calls"))}


@cache
def lines(name: str) -> list[list[int]]:
    rows = (DATA / "copenhagen" / f"{name}.csv").read_text().splitlines()
    return [[int(cell) for cell in row.split(",")] for row in rows if row[0].isdigit()]


def friends(me: Person) -> set[str]:
    return {phone(one + other - me) for one, other in lines("fb_friends") if me in (one, other)}


@cache
def unanswered() -> set[str]:
    return {row for row, (_, _, _, seconds) in calls().items() if seconds in (-1, 0)}


@cache
def told_twice() -> set[str]:
    """Calls in the middle of a call of the same person to the same person."""
    spoken = [(at, at + seconds, pair, row) for row, (at, *pair, seconds) in calls().items() if seconds > 0]
    return {
        row for at, _, pair, row in spoken for began, ended, two, other in spoken
        if pair == two and began <= at < ended and row != other
    }  # fmt: skip


def exchanged(me: Person) -> Iterator[tuple[str, str, str, int | None]]:
    """Kind, direction, whose phone, and minutes of a call."""
    for _, sender, receiver in texts().values():
        if me in (sender, receiver):
            yield "direct_message", "out" if me == sender else "in", phone(sender + receiver - me), None
    for row in calls().keys() - unanswered() - told_twice():
        _, caller, callee, seconds = calls()[row]
        if me in (caller, callee):
            yield "call", "out" if me == caller else "in", phone(caller + callee - me), round(seconds / 60)
