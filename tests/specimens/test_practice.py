"""What Rapport makes of the made-up practice is what it made of it when the specimen was recorded, to the digit."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from tests.conftest import Servers
from tests.specimens import practice

MOST_SHOWN = 20
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
INSTANT = re.compile(r"2\d{3}-\d\d-\d\dT[\d:.]+")
TO_COME = {"expires_at", "opens", "strained_until"}


@pytest.fixture(scope="module")
def recorded() -> Any:
    return json.loads(practice.RECORDED.read_text())


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_the_made_up_practice_comes_out_as_it_was_recorded(recorded: Any, servers: Servers):
    made = json.loads(practice.written(await practice.made(servers)))
    found = list(islice(practice.differences(recorded, made), MOST_SHOWN + 1))
    shown = "\n".join(found[:MOST_SHOWN]) + ("\n..." if len(found) > MOST_SHOWN else "")
    assert not found, f"Read tests/specimens/record.py before it is recorded anew.\n{shown}"


def texts(told: Any, key: str = "") -> Iterator[tuple[str, str]]:
    match told:
        case dict():
            for name, value in told.items():
                yield from texts(value, name)
        case list():
            for value in told:
                yield from texts(value, key)
        case str():
            yield key, told
        case _:
            pass


def test_the_specimen_names_no_id(recorded: Any):
    assert [text for _, text in texts(recorded) if ID.search(text)] == []


def test_the_specimen_knows_no_time_at_which_it_was_recorded(recorded: Any):
    latest = practice.TRUE_AT.isoformat()
    instants = [(key, at) for key, text in texts(recorded) for at in INSTANT.findall(text)]
    assert len(instants) > 500
    assert [found for found in instants if found[1] > latest and found[0] not in TO_COME] == []


def test_the_specimen_holds_everybody_and_nudges_of_every_kind(recorded: Any):
    for business in recorded.values():
        assert len(business["contacts"]) >= 45
        assert {one["row"]["half"] for one in business["contacts"].values()} > {"online_only", "in_person_only", "both"}
        thoughts = [thought for thought in business["nudges"].values() if "of" in thought]
        kinds = {one["kind"] for thought in thoughts for one in thought["of"].values()}
        assert kinds == {"thank_referrer", "meet_in_person", "keep_the_rhythm"}
        assert sum(thought["open"] for thought in business["nudges"].values()) == len(thoughts) == 3


def test_a_difference_is_named_by_its_path():
    one = {"a": {"b": [1, 2.0, "c"]}, "gone": None}
    other = {"a": {"b": [1, 2.5, "c"]}, "come": 1}
    assert list(practice.differences(one, other)) == [
        "/a/b[1]: 2.0 became 2.5",
        "/come: 'nothing' became 1",
        "/gone: None became 'nothing'",
    ]
    assert list(practice.differences([1, 2], [1])) == [": [1, 2] became [1]"]
    assert list(practice.differences(1, 1.0)) == [": 1 became 1.0"]
