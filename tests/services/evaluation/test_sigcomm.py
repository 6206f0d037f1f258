"""The conference as the evaluation reads it, held against how the journeys read it."""

import pytest

from services.evaluation import sigcomm
from services.evaluation.sigcomm import Conference, Stay
from tests.journeys import real_data
from tests.journeys.real_data import DATA, needs

pytestmark = needs("sigcomm2009")


@pytest.fixture(scope="module")
def conference() -> Conference:
    return sigcomm.read(DATA / "sigcomm2009")


@pytest.fixture(scope="module")
def others() -> real_data.Conference:
    return real_data.Conference(DATA / "sigcomm2009")


def test_who_stood_near_whom_and_how_long(conference: Conference, others: real_data.Conference):
    seen = {(pair, stay) for pair, stays in conference.stays.items() for stay in stays}
    assert seen == {((one.one, one.other), Stay(one.began, one.ended)) for one in others.meetings}


def test_what_one_person_was_told_online(conference: Conference, others: real_data.Conference):
    for me in others.best_documented(5):
        mine = [other if one == me else one for _, one, other, _ in conference.told if me in (one, other)]
        told = [
            int(who["handle"])
            for one in others.touchpoints(me)
            if one["channel"] == real_data.APP
            for who in one["with"]
        ]
        assert sorted(mine) == sorted(told)


def test_each_person_and_each_friendship_is_there(conference: Conference, others: real_data.Conference):
    assert len(conference.people) == real_data.ATTENDEES
    assert {frozenset(two) for two in conference.friends} == {pair for pair in others.friends if len(pair) == 2}


def test_as_contacts_of_two_people_only_time_together_counts(conference: Conference):
    found = sigcomm.exchanges(DATA / "sigcomm2009")
    kinds = {one.kind for one in found.exchanges}
    assert kinds == {"connect", "direct_message", "meeting", "handshake"}
    assert [one.at for one in found.exchanges] == sorted(one.at for one in found.exchanges)
    assert found.rows == len(found.exchanges) + found.repeats
