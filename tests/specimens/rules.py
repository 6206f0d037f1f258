"""The only place where the specimen touches modules that may move: the pure rules, fed with what the API answered.

Whoever moves or renames them changes the imports here and what is made of them, and nothing of practice.json.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from domain import choosing, halves, nudges, policy
from domain.nudges import Candidate, Handed, Nudge, NudgeSuggested, Surroundings
from domain.policy import STANDARD, Place
from domain.relationships import STRAIN
from domain.rhythm import Rhythm
from domain.strength import STAGES
from infra.views import nudges as words
from infra.views.referrals import Person

PLENTY = replace(STANDARD, a_day=20, a_week=100)

__all__ = ["Candidate", "Nudge", "Surroundings"]


def active_half(online: float, in_person: float) -> str:
    """Of points of the strength model that fade."""
    return halves.active_half(online, in_person)


def surroundings(where: dict[str, Any], now: datetime, trends: Sequence[float] = (), people: int = 0) -> Surroundings:
    """`where` has the business's locality, country and time zone; `trends` are sorted, of ties that go on."""
    middle = len(trends) // 2
    median = (trends[middle] + trends[~middle]) / 2 if len(trends) >= 5 else None
    place = Place(where["country"], where["time_zone"])
    return Surroundings(UUID(int=0), where["locality"], now, place, usual_trend=median, people=people)


def opening(around: Surroundings) -> tuple[bool, datetime]:
    """Whether something may be suggested now, and when next the hours begin."""
    opens = policy.next_opening(STANDARD, around.now, around.place)
    assert opens is not None
    return policy.is_open(STANDARD, around.now, around.place), opens


def candidate(
    contact: dict[str, Any],
    strength: dict[str, Any],
    *,
    online: float,
    unthanked: Sequence[dict[str, Any]],
    **more: Any,
) -> Candidate:
    """A contact and its strength as the API answered them, and the referrals of theirs nobody thanked for."""
    strained = contact["strained_until"]
    return Candidate(
        contact_id=UUID(contact["id"]),
        score=contact["strength"],
        stage=STAGES.index(contact["stage"]),
        given=strength["given"],
        received=strength["received"],
        online=online,
        met_at=_instant(contact["met_at"]),
        locality=contact["locality"],
        within_reach=contact["within_reach"],
        closed=contact["closed"] is not None,
        left_alone=contact["leave_alone"],
        muted=frozenset(mute["kind"] for mute in contact["muted"]),
        strained_at=None if strained is None else datetime.fromisoformat(strained) - STRAIN,
        rhythm=_rhythm(contact["rhythm"]),
        unthanked=tuple(
            Handed(UUID(one["id"]), datetime.fromisoformat(one["made_at"]), UUID(one["touchpoint_id"]))
            for one in unthanked
        ),
        **more,
    )


def _rhythm(told: dict[str, Any] | None) -> Rhythm | None:
    """What the API does not tell of it, the share of gaps as long as this one, is halved with each usual gap: a reason
    says the number, and no rule looks at it."""
    if told is None:
        return None
    cadence, silence = told["cadence_days"], told["silent_days"]
    ratio = None if cadence is None else silence / cadence
    return Rhythm(
        contact_days=told["contact_days"],
        cadence=cadence,
        basis=told["basis"],
        silence=silence,
        ratio=ratio,
        survival=None if ratio is None else round(0.5**ratio, 3),
        alive=told["still_alive"],
        trend=told["trend"],
        course=told["course"],
        status=told["status"],
    )


def suggest(
    candidates: Sequence[Candidate], before: Sequence[Nudge], around: Surroundings
) -> tuple[list[NudgeSuggested], list[Nudge]]:
    """What is suggested now, and all nudges with what became of them: those whose time is over or that nobody needs."""
    known = {one.contact_id: one for one in candidates}
    now = [_ended(nudge, known.get(nudge.contact_id), around) for nudge in before]
    said = choosing.suggest(candidates, now, around)
    made = [nudges.evolve(None, one, around.now) for one in said]
    return said, [*now, *(one for one in made if one is not None)]


def _ended(nudge: Nudge, who: Candidate | None, around: Surroundings) -> Nudge:
    for event in nudges.expire(nudge, who, around.policy, around.now):
        nudge = nudges.evolve(nudge, event, around.now) or nudge
    return nudge


def worth_making(candidates: Sequence[Candidate], around: Surroundings) -> list[NudgeSuggested]:
    """All that would be suggested if there were plenty of room, and nothing had been suggested before."""
    return choosing.suggest(candidates, [], replace(around, policy=PLENTY))


def in_words(
    said: NudgeSuggested, name: str, handed: dict[str, Any] | None, around: Surroundings
) -> tuple[str, str, str]:
    """The title, the reason and the why that people read on the day it is suggested."""
    told = words.Told(
        contact=Person(said.contact_id, name),
        name=name,
        numbers=said.numbers,
        days=0,
        last=None,
        handed=None if handed is None else handed | {"made_at": datetime.fromisoformat(handed["made_at"])},  # type: ignore[arg-type]
        prospect="somebody" if handed is None else handed["prospect"]["name"],
        time_zone=around.place.time_zone,
    )
    return words.TITLES[said.kind], words.REASONS[said.kind](told), words.WHYS[said.kind](told)


def _instant(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)
