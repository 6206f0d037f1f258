"""Who meets first? The ranking of *meet in person*, held against who then met, at a conference of 76 people.

Each of them is a business of their own in one scratch database. Everything they wrote and every meeting goes through
the road up to a cut-off; shared contacts are what the nudges' own view says, strength is that of the stored state.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from msgspec import Struct

from domain import strength
from domain.choosing import promise
from domain.relationships import day_of
from domain.ties import NoteTie
from domain.touchpoints import RecordTouchpoint, Reference
from infra import commands, tenants
from infra.context import Context
from infra.database import in_tenant, queries
from infra.projections import relationships
from infra.settings import Settings
from infra.tenants import Tenant
from services.evaluation import metrics, road
from services.evaluation.metrics import Lists, Measured, Numbers
from services.evaluation.road import ORIGIN, NotTold
from services.evaluation.running import Progress
from services.evaluation.sigcomm import FACEBOOK, ONLINE, OPENED, Conference, Person, Two

CUTS = (8, 10, 24, 28, 32, 34)  # hours from the opening: while people meet
WITHIN = 24
FIRST = (5, 10, 50)


class Ranking(Struct, frozen=True):
    """Precision of the first 5, 10 and 50 of all pairs, and the AUC: means over the cut-offs."""

    name: str
    at_5: float
    at_10: float
    at_50: float
    auc: Measured


class FirstMeetings(Struct, frozen=True):
    """`candidates` are pairs tied online who had not met, each in two lists; `met` the share who did within `hours`."""

    candidates: int
    cut_offs: int
    hours: int
    met: float
    rankings: list[Ranking]


class Candidate(Struct, frozen=True):
    """Somebody in somebody's list at a cut-off, and whether they then met."""

    owner: Person
    shared_contacts: int
    score: float
    friends: bool
    occasion: bool
    near: bool
    came: bool


RANKINGS: dict[str, Callable[[Candidate], float]] = {
    "as the nudges rank": lambda one: (
        promise(one.shared_contacts, occasion=one.occasion, near=one.near) + one.score / 1e6
    ),
    "shared contacts alone": lambda one: one.shared_contacts,
    "strength alone": lambda one: one.score,
    "a Facebook tie alone": lambda one: one.friends,
    "random": lambda one: 0.0,
}


async def measure(configured: Settings, conference: Conference, progress: Progress) -> FirstMeetings:
    progress.begin(2 * (len(conference.friends) + len(conference.told)))
    async with road.scratch(configured) as context:
        people = [await _opened(context, who, conference) for who in conference.people]
        cuts = []
        told_up_to = -WITHIN
        for hours in CUTS:
            progress.doing(f"the first {hours} hours")
            for one in people:
                progress.told(await one.tell(told_up_to * 3_600, hours * 3_600))
            await asyncio.gather(*(road.caught_up(context) for _ in range(2)))
            cuts.append([who for one in people for who in await one.candidates(hours * 3_600)])
            told_up_to = hours
    return _measured(cuts)


class Attendee(Struct):
    """One person as a business, which hears who of its contacts has met whom."""

    who: Person
    context: Context
    tenant: Tenant
    conference: Conference
    contacts: dict[Person, UUID]
    tied: set[Two]

    async def tell(self, since: int, until: int) -> int:
        items = list(self._touchpoints(since, until))
        recorded = await commands.record_touchpoints(
            self.context, self.tenant, [one for _, one in items], origin=ORIGIN
        )
        for (other, _), result in zip(items, recorded, strict=True):
            if result.status != "recorded":
                raise NotTold(f"a touchpoint of {self.who} was {result.status}: {result.problem}")
            self.contacts[other] = result.contact_ids[0]
        for other in self._unmet(until):
            for third in self.contacts:
                if third != other and (two := _two(other, third)) not in self.tied and self._met(two, until):
                    await commands.note_tie(
                        self.context, self.tenant, NoteTie((_named(other), _named(third))), origin=ORIGIN
                    )
                    self.tied.add(two)
        return len(items)

    def _touchpoints(self, since: int, until: int) -> Iterator[tuple[Person, RecordTouchpoint]]:
        if since < 0:
            for two in self.conference.friends:
                if self.who in two:
                    yield self._with(sum(two) - self.who, -3_600, "connect", FACEBOOK, "mutual")
        for at, one, other, kind in self.conference.told:
            if since <= at < until and self.who in (one, other):
                whom = other if one == self.who else one
                yield self._with(whom, at, kind, ONLINE, "out" if one == self.who else "in")
        for two, stays in self.conference.stays.items():
            for stay in stays:
                if self.who in two and stay.met and since <= stay.began < until:
                    yield self._with(sum(two) - self.who, stay.began, "meeting", "conference", "mutual")

    def _with(self, whom: Person, at: int, kind: str, channel: str, direction: str) -> tuple[Person, RecordTouchpoint]:
        return whom, RecordTouchpoint(
            kind=kind,  # type: ignore[arg-type]
            occurred_at=_instant(at),
            channel=channel,
            direction=direction,  # type: ignore[arg-type]
            people=(_named(whom),),
        )

    def _met(self, two: Two, before: int) -> bool:
        return any(stay.met and stay.began < before for stay in self.conference.stays.get(two, ()))

    def _unmet(self, before: int) -> list[Person]:
        return [other for other in self.contacts if not self._met(_two(self.who, other), before)]

    async def candidates(self, cut: int) -> list[Candidate]:
        """Those known online and never met, as the views of the product know them."""
        unmet = {self.contacts[other]: other for other in self._unmet(cut)}
        async with in_tenant(self.context.pool, self.tenant.tenant_id) as connection:
            now = datetime.now(UTC)
            rows = await connection.fetch(queries("nudges").known, self.tenant.tenant_id, now, list(unmet))
            states = await relationships.states(connection, self.tenant.tenant_id)
        day = day_of(_instant(cut))
        return [
            self._candidate(
                unmet[row["contact_id"]],
                row["shared_contacts"],
                strength.evaluate(states[row["contact_id"]].strength, day).score,
                cut,
            )
            for row in rows
            if row["met_at"] is None
        ]

    def _candidate(self, other: Person, shared: int, score: float, cut: int) -> Candidate:
        two, cities = _two(self.who, other), self.conference.cities
        stays = self.conference.stays.get(two, [])
        return Candidate(
            owner=self.who,
            shared_contacts=shared,
            score=score,
            friends=two in self.conference.friends,
            occasion=any(stay.began < cut for stay in stays),
            near=self.who in cities and cities[self.who] == cities.get(other),
            came=any(stay.met and cut <= stay.began < cut + WITHIN * 3_600 for stay in stays),
        )


async def _opened(context: Context, who: Person, conference: Conference) -> Attendee:
    added = await tenants.add(context.pool, name=f"Attendee {who}", master=context.master)
    tenant = await tenants.load(context.pool, added.tenant_id, master=context.master)
    if tenant is None:
        raise NotTold("the business that was just added is not there")
    return Attendee(who, context, tenant, conference, {}, set())


def _named(who: Person) -> Reference:
    return Reference(platform=ONLINE, handle=str(who))


def _instant(at: int) -> datetime:
    return OPENED + timedelta(seconds=at)


def _two(one: Person, other: Person) -> Two:
    return (one, other) if one < other else (other, one)


def _measured(cuts: Sequence[Sequence[Candidate]]) -> FirstMeetings:
    told = [one for cut in cuts for one in cut]
    return FirstMeetings(
        candidates=len(told),
        cut_offs=len(cuts),
        hours=WITHIN,
        met=round(sum(one.came for one in told) / len(told), 3),
        rankings=[_ranking(name, rank, cuts) for name, rank in RANKINGS.items()],
    )


def _ranking(name: str, rank: Callable[[Candidate], float], cuts: Sequence[Sequence[Candidate]]) -> Ranking:
    scores = [np.array([float(rank(one)) for one in cut]) for cut in cuts]
    came = [np.array([float(one.came) for one in cut]) for cut in cuts]
    people = sorted({one.owner for cut in cuts for one in cut})
    ranked = Lists(
        cuts=np.repeat(np.arange(len(cuts)), [len(cut) for cut in cuts]),
        owners=np.array([people.index(one.owner) for cut in cuts for one in cut]),
        came=np.concatenate(came),
        scores=np.concatenate(scores),
        chances=np.full(sum(map(len, cuts)), 0.5),
        people=len(people),
    )
    at_5, at_10, at_50 = (_precision(came, scores, first) for first in FIRST)
    return Ranking(name, at_5, at_10, at_50, metrics.measure(ranked)["auc"])


def _precision(came: Sequence[Numbers], scores: Sequence[Numbers], first: int) -> float:
    return round(float(np.mean([metrics.precision(*one, first) for one in zip(came, scores, strict=True)])), 3)
