"""The specimen of the made-up practice: what Rapport makes of it, read at fixed instants, everybody by name.

The practice is made for one day and loaded through the road that `rapport demo` takes, into a database of its own,
because it would be known by its name in another. What is read is read through the API, as of what had happened by an
instant that is fixed; ids and times of recording are left out, and lists stand in an order of their own unless their
order says something. So neither the day it is made on nor the order of what happens at once shows in it.

It depends on the sequences of `random` and the last digit of `exp` and `log` (the same in CPython on Linux), on the
zone America/Los_Angeles from 2023 to 2025 in the tz data, on the public holidays of the United States in `holidays`, on
whether `phonenumbers` thinks that numbers kept for fiction can be called, and on how `icalendar` and
`recurring-ical-events` read a weekly series; and, from 2033 on, on the ten years that such a series is followed back.
"""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from services.demo import loading
from services.demo.cast import COUNTRY, TIME_ZONE, TOWN
from services.demo.practice import SEED, generate
from tests.conftest import Servers, migrated, temporary_folder
from tests.infra.quiet import opened
from tests.road import Business, opened_road, settings_for
from tests.specimens import rules

RECORDED = Path(__file__).with_name("practice.json")
TODAY = date(2025, 9, 3)
TRUE_AT = datetime(2025, 9, 3, 17, tzinfo=UTC)
SINCE = datetime(2025, 6, 3, 17, tzinfo=UTC)
# When nudges are thought of, in order, each time remembering the ones before.
THOUGHTS = {
    "a Monday in spring": datetime(2025, 3, 10, 17, tzinfo=UTC),
    "the morning after Labor Day": datetime(2025, 9, 2, 15, 30, tzinfo=UTC),
    "the day after that": TRUE_AT,
}
CLOSED = {
    "Labor Day": datetime(2025, 9, 1, 17, tzinfo=UTC),
    "late in the evening": datetime(2025, 9, 3, 4, tzinfo=UTC),
    "a Saturday": datetime(2025, 8, 30, 17, tzinfo=UTC),
}
WHERE = {"locality": TOWN, "country": COUNTRY, "time_zone": TIME_ZONE}
# Ids, and what says when or in what order something was recorded.
LEFT_OUT = frozenset({"id", "event_id", "touchpoint_id", "referral_id", "position", "version", "next"})
LEFT_OUT |= frozenset({"noted_at", "stated_at", "merged"})
# Lists whose order says something.
RANKED = frozenset(
    {"next_to_move", "referrers", "supporters", "suggested", "worth_making", "parts", "change", "changed", "heaviest"}
)
HALVES = ("online_only", "in_person_only", "both", "named_only")
RANKED |= frozenset({"in_words", "gaps", *HALVES})
COUNTS = ("came", "met", "followed_up", "alive", "referrals", "new_contacts", "new_allies")
SHIFT = ("before", "faded", "came", "after")
DEEPEST = 4  # what lies deeper stands in one line


async def made(servers: Servers) -> dict[str, Any]:
    """The specimen as this program makes it."""
    async with loaded(servers) as businesses:
        return {slug: await Reading(business, stories(slug)).whole() for slug, business in businesses.items()}


@asynccontextmanager
async def loaded(servers: Servers) -> AsyncIterator[dict[str, Business]]:
    """The practice of that day, each business seen through the API with its own key. Loaded while no worker looks again
    and again at what comes in."""
    async with migrated(servers) as database, AsyncExitStack() as held:
        data = held.enter_context(temporary_folder())
        data.create()
        async with opened(database, servers) as context:
            state = await loading.load(context, data, progress=lambda *_: None, today=TODAY)
        road = await held.enter_async_context(opened_road(settings_for(database, servers)))
        businesses = {}
        for slug, kept in state.businesses.items():
            client = await held.enter_async_context(road.client(kept.api_key))
            businesses[slug] = Business(kept.tenant_id, kept.api_key, client, road.context)
            await businesses[slug].settled()
        yield businesses


def stories(slug: str) -> set[str]:
    """Who plays a part in the stories: of them more is kept than of the others."""
    [told] = [one for one in generate(SEED, TODAY).businesses if one.profile.slug == slug]
    return {person.name for person in told.parts.values()}


class Reading:
    """Reads one business."""

    def __init__(self, business: Business, stories: set[str]) -> None:
        self.business = business
        self.stories = stories
        self.names: dict[str, str] = {}
        self.answers: dict[str, Any] = {}

    async def whole(self) -> dict[str, Any]:
        people = await self.pages("/v1/contacts", TRUE_AT)
        self.names = {one["id"]: one["name"] for one in people}
        assert len(set(self.names.values())) == len(people), "two of one name"
        network = await self.get("/v1/network", TRUE_AT, limit=200)
        realms = {one["slug"]: one["realm"] for one in network["channels"]}
        halves = {
            half: {one["name"]: [one["strength"], one["stage"]] for one in network[half]["items"]} for half in HALVES
        }
        found = {
            "contacts": {one["name"]: await self.contact(one, realms) for one in people},
            "network": network | halves,
            "occasions": await self.occasions(),
            "overlap": await self.get("/v1/network/overlap", TRUE_AT),
            "outposts": await self.get("/v1/network/outposts", TRUE_AT),
            "referrals": await self.referrals(),
            "nudges": await self.nudges(realms),
        }
        named: dict[str, Any] = self.by_names(found)
        return named

    async def occasions(self) -> dict[str, str]:
        """Of each day and place: who came, were met, followed up, alive, referrals, new contacts, new allies."""
        return {
            f"{one['day']} {one['slug']}": " ".join(in_short(one[count]) for count in COUNTS)
            for one in await self.pages("/v1/network/occasions", TRUE_AT, limit=50)
        }

    async def contact(self, row: dict[str, Any], realms: dict[str, str]) -> dict[str, Any]:
        path = f"/v1/contacts/{row['id']}"
        strength = await self.get(f"{path}/strength", TRUE_AT, since=SINCE.isoformat())
        change = strength["change"]
        found = {
            "row": without(row, "name", "rhythm", "identities", "scored_at"),
            "identities": [f"{known['platform']} {known['handle']}" for known in row["identities"]],
            "rhythm": without(row["rhythm"] or {}, "in_words"),
            "strength": {key: strength[key] for key in ("score", "stage", "given", "received", "early", "outlook")},
            "held": strength.get("held"),
            "contexts": strength["contexts"],
            "active_half": rules.active_half(*points(strength, realms)),
            "parts": {name: [part["value"], part["points"]] for name, part in strength["parts"].items()},
            "change": [change["stage_before"], *(change[which] for which in SHIFT), change["touchpoints"]],
        }
        return found | (await self.story(path, row, strength) if row["name"] in self.stories else {})

    async def story(self, path: str, row: dict[str, Any], strength: dict[str, Any]) -> dict[str, Any]:
        """What is kept of few."""
        weeks = (await self.get(f"{path}/strength/history", TRUE_AT, weeks=53))["items"]
        one, change = await self.get(path, TRUE_AT), strength["change"]
        return {
            "one": {key: value for key, value in without(one, *row).items() if says_something(value)}
            | {"interests": [interest["topic"] for interest in one["interests"]]},
            "in_words": [
                strength["in_words"],
                strength["coverage"]["in_words"],
                change["in_words"],
                (row["rhythm"] or {"in_words": ""})["in_words"],
            ],
            "heaviest": {
                name: [one["weight"] for one in part["touchpoints"]] for name, part in strength["parts"].items()
            },
            "changed": {name: [part[which] for which in SHIFT] for name, part in change["parts"].items()},
            "weeks": " ".join([weeks[0]["at"][:10], *(f"{week['score']:g}" for week in weeks)]) if weeks else "",
        }

    async def referrals(self) -> dict[str, Any]:
        tree = await self.get("/v1/referrals/tree", TRUE_AT)
        tree["members"] = {one["contact"]["name"]: one for one in tree["members"]}
        return {
            "all": {
                f"{one['referrer']['name']} - {one['prospect']['name']}": one
                for one in await self.pages("/v1/referrals", TRUE_AT)
            },
            "tree": tree,
            "overview": await self.get("/v1/referrals/overview", TRUE_AT),
            "referrers": await self.pages("/v1/referrals/referrers", TRUE_AT),
            "supporters": await self.pages("/v1/referrals/supporters", TRUE_AT),
            "balance": await self.pages("/v1/referrals/balance", TRUE_AT),
        }

    async def nudges(self, realms: dict[str, str]) -> dict[str, Any]:
        """What the rules make of the practice at each of these instants, from what the API then says."""
        found: dict[str, Any] = {name: opening(rules.surroundings(WHERE, now)) for name, now in CLOSED.items()}
        before: list[rules.Nudge] = []
        for name, now in THOUGHTS.items():
            found[name], before = await self.thought(now, realms, before)
        return found

    async def thought(
        self, now: datetime, realms: dict[str, str], before: list[rules.Nudge]
    ) -> tuple[dict[str, Any], list[rules.Nudge]]:
        people = await self.pages("/v1/contacts", now)
        unthanked = await self.pages("/v1/referrals", now, unthanked=True, direction="received")
        trends = sorted(one["rhythm"]["trend"] for one in people if goes_on(one))
        around = rules.surroundings(WHERE, now, trends, sum(one["touchpoints"] > 0 for one in people))
        looked_at = [one for one in people if is_looked_at(one, unthanked)]
        candidates = [await self.candidate(one, now, realms, unthanked) for one in looked_at]
        said, after = rules.suggest(candidates, before, around)
        suggested = [self.names[str(one.contact_id)] for one in said]
        worth = rules.worth_making(candidates, around)
        handed = {one["id"]: one for one in unthanked}
        return opening(around) | {
            "looked_at": [one["name"] for one in looked_at],
            "suggested": suggested,
            "worth_making": [self.names[str(one.contact_id)] for one in worth],
            "of": {self.names[str(one.contact_id)]: told(one) for one in worth},
            "in_words": {name: self.in_words(one, handed, around) for name, one in zip(suggested, said, strict=True)},
            "became": {f"{self.names[str(one.contact_id)]}, {one.kind}": one.state for one in after},
        }, after

    async def candidate(
        self, row: dict[str, Any], now: datetime, realms: dict[str, str], unthanked: Sequence[dict[str, Any]]
    ) -> rules.Candidate:
        one = await self.get(f"/v1/contacts/{row['id']}", now)
        strength = await self.get(f"/v1/contacts/{row['id']}/strength", now)
        known = await self.get(f"/v1/contacts/{row['id']}/ties")
        booked = await self.get("/v1/appointments", state="all", contact=row["id"], **{"from": now.isoformat()})
        return rules.candidate(
            one,
            strength,
            online=points(strength, realms)[0],
            unthanked=[one for one in unthanked if one["referrer"]["id"] == row["id"]],
            shared_contacts=len(known["items"]),
            booked=any(
                one["kind"] != "attendance" and one["state"] in ("planned", "to_confirm", "unanswered")
                for one in booked["items"]
            ),
        )

    def in_words(self, said: Any, handed: dict[str, Any], around: Any) -> list[str]:
        return list(rules.in_words(said, self.names[str(said.contact_id)], handed.get(str(said.referral_id)), around))

    async def get(self, path: str, true_at: datetime | None = None, **params: Any) -> Any:
        """The answer; asked once."""
        params |= {} if true_at is None else {"true_at": true_at.isoformat()}
        asked = f"{path}?{urlencode(params)}"
        if asked not in self.answers:
            self.answers[asked] = await self.business.get(path, **params)
        return self.answers[asked]

    async def pages(self, path: str, true_at: datetime, *, limit: int = 200, **params: Any) -> list[dict[str, Any]]:
        """The rows of all pages."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, Any] = {}
        while True:
            page = await self.get(path, true_at, limit=limit, **params, **cursor)
            found += page["items"]
            if not page["next"]:
                return found
            cursor = {"cursor": page["next"]}

    def by_names(self, value: Any, *, ranked: bool = False) -> Any:
        """Without ids, times of recording, and what is null or empty: a person is a name, a list sorted."""
        match value:
            case {"id": who, "name": str(name)} if len(value) == 2 and self.names.get(who) == name:
                return name
            case dict():
                made = {
                    key: self.by_names(each, ranked=ranked or key in RANKED)
                    for key, each in value.items()
                    if key not in LEFT_OUT
                }
                return {key: each for key, each in made.items() if each not in (None, [], {})}
            case list():
                items = [self.by_names(each, ranked=ranked) for each in value]
                return levelled(items) if ranked else sorted(items, key=in_json)
            case str():
                return self.names.get(value, value)
            case _:
                return value


def points(strength: dict[str, Any], realms: dict[str, str]) -> tuple[float, float]:
    """Online and in person."""
    online = sum(value for slug, value in sorted(strength["contexts"].items()) if realms.get(slug) == "virtual")
    in_person = sum(value for slug, value in sorted(strength["contexts"].items()) if realms.get(slug) == "physical")
    return online, in_person


def told(said: Any) -> dict[str, Any]:
    return {
        "kind": said.kind,
        "priority": said.priority,
        "numbers": said.numbers,
        "expires_at": said.expires_at.isoformat(),
        "question": said.question,
    }


def opening(around: Any) -> dict[str, Any]:
    is_open, opens = rules.opening(around)
    return {"now": around.now.isoformat(), "open": is_open, "opens": opens.isoformat()}


def levelled(ranked: list[Any]) -> list[Any]:
    """In their order; of those that follow each other and differ in the name alone, which comes first is chance."""
    groups = groupby(ranked, key=lambda one: without(one, "contact") if isinstance(one, dict) else one)
    return [one for _, group in groups for one in sorted(group, key=in_json)]


def in_json(told: Any) -> str:
    return json.dumps(told, sort_keys=True)


def without(told: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in told.items() if key not in names}


def in_short(count: Any) -> str:
    return "/".join(str(number) for number in count.values()) if isinstance(count, dict) else str(count)


def says_something(count: Any) -> bool:
    return any(map(says_something, count.values())) if isinstance(count, dict) else bool(count)


def goes_on(row: dict[str, Any]) -> bool:
    rhythm = row["rhythm"]
    return rhythm is not None and rhythm["contact_days"] >= 3 and rhythm["status"] != "dormant"


def is_looked_at(row: dict[str, Any], unthanked: Iterable[dict[str, Any]]) -> bool:
    """Of the others the rules would say nothing."""
    overdue = row["rhythm"] is not None and row["rhythm"]["status"] == "overdue"
    if any(one["referrer"]["id"] == row["id"] for one in unthanked):
        return True
    return (row["half"] == "online_only" and row["strength"] >= 25) or (overdue and row["strength"] >= 35)


def written(value: Any, depth: int = 0) -> str:
    """As JSON with sorted keys, indented as far as people read it."""
    if depth >= DEEPEST or not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    pad = " " * (depth + 1)
    lines = [f"{pad}{json.dumps(key, ensure_ascii=False)}: {written(value[key], depth + 1)}" for key in sorted(value)]
    return "{\n" + ",\n".join(lines) + f"\n{' ' * depth}}}"


def differences(recorded: Any, made: Any, path: str = "") -> Iterable[str]:
    """Each place where the two differ, with what stands there in both."""
    if isinstance(recorded, dict) and isinstance(made, dict):
        for key in sorted(recorded.keys() | made.keys()):
            yield from differences(recorded.get(key, "nothing"), made.get(key, "nothing"), f"{path}/{key}")
    elif isinstance(recorded, list) and isinstance(made, list) and len(recorded) == len(made):
        for n, (one, other) in enumerate(zip(recorded, made, strict=True)):
            yield from differences(one, other, f"{path}[{n}]")
    elif type(recorded) is not type(made) or recorded != made:
        yield f"{path}: {recorded!r} became {made!r}"
