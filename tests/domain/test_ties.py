"""Ties between contacts, and the introductions that make them."""

from typing import Any
from uuid import UUID

import pytest

from domain import ties
from domain.errors import Invalid
from domain.examples import ANA, BEN, INTRODUCTION, NOON
from domain.ties import IntroductionMade, MakeIntroduction, TieNoted
from domain.touchpoints import Reference, TouchpointRecorded

EVE = UUID("01990000-0000-7000-8000-00000000000e")


def introduce(*people: UUID, by: UUID | None = None, **more: Any) -> tuple[TouchpointRecorded, IntroductionMade]:
    command = MakeIntroduction(
        people=tuple(Reference(contact_id=who) for who in people),
        channel="email",
        introducer=None if by is None else Reference(contact_id=by),
        **more,
    )
    touchpoint, made = ties.introduce(
        ties.check(command, now=NOON), introduction_id=INTRODUCTION, contact_ids=people, introducer_id=by
    )
    assert isinstance(touchpoint, TouchpointRecorded)
    assert isinstance(made, IntroductionMade)
    return touchpoint, made


def test_a_tie_is_one_whoever_is_named_first_and_noted_once():
    assert (
        ties.note([BEN, ANA], known=False) == ties.note([ANA, BEN], known=False) == [TieNoted(contact_ids=(ANA, BEN))]
    )
    assert ties.note([BEN, ANA], known=True) == []
    with pytest.raises(Invalid):
        ties.note([ANA, ANA], known=False)


def test_an_introduction_of_ours_is_given_to_those_we_introduced():
    touchpoint, made = introduce(EVE, BEN, ANA, note="both bake")
    assert (touchpoint.kind, touchpoint.direction, touchpoint.act) == ("introduction", "out", "give")
    assert touchpoint.contact_ids == (EVE, BEN, ANA)
    assert ties.introduced(made) == [(ANA, BEN), (ANA, EVE), (BEN, EVE)]
    assert made.touchpoint_id == touchpoint.touchpoint_id
    assert (made.personal.note, touchpoint.personal.note) == ("both bake", None)


def test_one_by_a_contact_is_received_from_who_introduced():
    touchpoint, made = introduce(BEN, by=ANA)
    assert (touchpoint.direction, touchpoint.contact_ids, touchpoint.act) == ("in", (ANA,), None)
    assert ties.introduced(made) == [(ANA, BEN)]
    assert set(made.subjects) == {ANA, BEN}


@pytest.mark.parametrize(("people", "by", "field"), [([ANA], None, "people"), ([ANA, ANA], None, "people[1]"),
                                                     ([BEN, ANA], ANA, "people[1]")])  # fmt: skip
def test_an_introduction_brings_different_people_together(people: list[UUID], by: UUID | None, field: str):
    with pytest.raises(Invalid) as refused:
        introduce(*people, by=by)
    assert refused.value.field == field


def test_an_introduction_says_when_and_where_like_a_touchpoint():
    for more, field in (({"source_id": "1"}, "source"), ({"occurred_at": NOON.replace(year=2090)}, "occurred_at")):
        with pytest.raises(Invalid) as refused:
            introduce(ANA, BEN, **more)
        assert refused.value.field == field
