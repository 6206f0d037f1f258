"""A relationship's strength, explained: the worked example through the API, to its digits."""

from datetime import UTC, datetime, timedelta
from math import isclose
from typing import Any

import pytest

from domain.strength import STAGES, evaluate, fold
from tests.domain.worked_example import FIRST_DAY, HISTORY, touches
from tests.road import Business
from tests.services.api.told import ago, touchpoint

LAST = 121  # what comes later in the example is no touchpoint of a kind that the API takes
PARTS = ["intensity", "reciprocity", "depth", "breadth", "tenure", "advocacy"]


def history(begins: datetime) -> list[dict[str, Any]]:
    return [
        touchpoint(
            kind=kind, direction=direction, channel=channel, occurred_at=(begins + timedelta(days=offset)).isoformat(),
            **({"act": extra.act} if extra.act else {}),
        )
        for offset, kind, direction, channel, extra in HISTORY
        if offset <= LAST and begins + timedelta(days=offset) <= datetime.now(UTC)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "begins",
    [
        datetime(2024, 1, 1, 0, 0, tzinfo=UTC),
        datetime(2023, 11, 5, 23, 59, 59, tzinfo=UTC),
        datetime(1987, 2, 28, 12, 30, tzinfo=UTC),
    ],
    ids=str,
)
async def test_the_worked_example_comes_out_to_its_digits(bakery: Business, florist: Business, begins: datetime):
    told = history(begins)
    results = await bakery.tell(*reversed(told))
    await florist.tell(*told[:5])
    path = f"/v1/contacts/{results[0]['contact_ids'][0]}/strength"
    printed = {10: 19.2, 60: 46.4, 100: 67.7}
    for offset in (0, 10, 41, 60, 97, 100, LAST):
        seen = await bakery.get(path, true_at=(begins + timedelta(days=offset)).isoformat())
        expected = evaluate(fold(touches(until=offset)), FIRST_DAY + offset)
        assert (seen["score"], seen["stage"]) == (expected.score, STAGES[expected.stage])
        assert seen["score"] == printed.get(offset, seen["score"])
        assert {name: (part["value"], part["points"]) for name, part in seen["parts"].items()} == {
            name: (part.value, part.points) for name, part in expected.parts.items()
        }
        assert isclose(sum(part["points"] for part in seen["parts"].values()), seen["score"], abs_tol=0.06)
        assert datetime.fromisoformat(seen["scored_at"]) == begins + timedelta(days=offset)


async def test_an_explanation_has_what_others_build_on(bakery: Business):
    results = await bakery.tell(*history(datetime.now(UTC) - timedelta(days=130)))
    who = results[0]["contact_ids"][0]
    seen = await bakery.get(f"/v1/contacts/{who}/strength")
    assert set(seen) >= {"score", "stage", "parts", "scored_at", "contact_id", "contact_days", "early", "position"}
    assert list(seen["parts"]) == PARTS
    assert seen["contact_id"] == who
    known = {result["event_id"] for result in results}
    for part in seen["parts"].values():
        assert set(part) == {"value", "points", "touchpoints"}
        for weighing in part["touchpoints"]:
            assert set(weighing) == {"event_id", "kind", "channel", "direction", "occurred_at", "weight"}
            assert weighing["event_id"] in known
    heaviest = seen["parts"]["intensity"]["touchpoints"][0]
    assert (heaviest["kind"], heaviest["channel"]) == ("meeting", "cafe")


async def test_what_had_not_happened_yet_does_not_count(bakery: Business):
    results = await bakery.tell(touchpoint(occurred_at=ago(20)), touchpoint(occurred_at=ago(5)))
    path = f"/v1/contacts/{results[0]['contact_ids'][0]}/strength"
    assert (await bakery.get(path, true_at=ago(30)))["score"] == 0
    assert (await bakery.get(path, true_at=ago(10)))["contact_days"] == 1
    assert (await bakery.get(path))["contact_days"] == 2


async def test_an_offset_may_be_written_with_a_plus(bakery: Business):
    [result] = await bakery.tell(touchpoint(occurred_at="2026-05-06T08:15:00Z"))
    path = f"/v1/contacts/{result['contact_ids'][0]}/strength"
    for written, days in (("10:15:00+02:00", 1), ("10:14:59+02:00", 0), ("08:15:00Z", 1)):
        answer = await bakery.client.get(f"{path}?true_at=2026-05-06T{written}")
        assert answer.json()["contact_days"] == days, written


async def test_a_lonely_writer_waits_for_an_answer(bakery: Business):
    told = [touchpoint(kind="direct_message", occurred_at=ago(day)) for day in range(1, 730, 7)]
    results = await bakery.tell(*told)
    seen = await bakery.get(f"/v1/contacts/{results[0]['contact_ids'][0]}/strength")
    assert seen["held"] == "waits for an answer"
    assert (seen["score"] <= 34, seen["given"] > 0, seen["received"]) == (True, True, 0)


async def test_few_days_are_early(bakery: Business):
    results = await bakery.tell(touchpoint(occurred_at=ago(3)), touchpoint(occurred_at=ago(2)))
    path = f"/v1/contacts/{results[0]['contact_ids'][0]}/strength"
    assert (await bakery.get(path))["early"] is True
    await bakery.tell(touchpoint(occurred_at=ago(1)))
    assert (await bakery.get(path))["early"] is False


async def test_the_order_of_telling_does_not_matter(bakery: Business, florist: Business):
    told = history(datetime.now(UTC) - timedelta(days=130))
    forwards = await bakery.tell(*told)
    backwards = []
    for one in reversed(told):
        backwards += await florist.tell(one)
    one = await bakery.get(f"/v1/contacts/{forwards[0]['contact_ids'][0]}/strength")
    other = await florist.get(f"/v1/contacts/{backwards[0]['contact_ids'][0]}/strength")
    assert one["score"] == other["score"]
    assert [part["points"] for part in one["parts"].values()] == [part["points"] for part in other["parts"].values()]


async def test_what_changed_since_a_day_and_why(bakery: Business, florist: Business):
    begins = datetime.now(UTC) - timedelta(days=100)
    results = await bakery.tell(*history(begins))
    [other] = await florist.tell(touchpoint(occurred_at=ago(200)))
    path = f"/v1/contacts/{results[0]['contact_ids'][0]}/strength"
    since = (begins + timedelta(days=60)).isoformat()
    seen = await bakery.get(path, since=since)
    changed = seen["change"]
    assert (changed["before"], changed["after"], changed["difference"]) == (46.4, 67.7, 21.3)
    assert changed["after"] == seen["score"]
    assert (changed["stage_before"], changed["stage"]) == ("familiar", "advocate")
    assert changed["in_words"].startswith(f"67.7, up 21.3 since {since[:10]}: ")
    for way in ("before", "after", "difference", "faded", "came"):
        assert isclose(sum(part[way] for part in changed["parts"].values()), changed[way], abs_tol=1e-9)
    for part in changed["parts"].values():
        assert set(part) == {"before", "after", "difference", "faded", "came", "touchpoints"}
        assert all(
            datetime.fromisoformat(one["occurred_at"]) > begins + timedelta(days=60) for one in part["touchpoints"]
        )
    assert [one["kind"] for one in changed["parts"]["depth"]["touchpoints"]] == ["referral", "help", "meeting"]
    assert "change" not in await bakery.get(path)
    nothing = (await florist.get(f"/v1/contacts/{other['contact_ids'][0]}/strength", since=ago(100)))["change"]
    assert (nothing["came"], nothing["touchpoints"], nothing["difference"]) == (0, 0, nothing["faded"])
    assert nothing["difference"] < 0


async def test_since_has_to_lie_before_the_instant_asked(bakery: Business):
    [result] = await bakery.tell(touchpoint())
    path = f"/v1/contacts/{result['contact_ids'][0]}/strength"
    for params in ({"since": ago(-1)}, {"since": ago(10), "true_at": ago(20)}, {"since": "yesterday"}):
        answer = await bakery.client.get(path, params=params)
        assert (answer.status_code, answer.json()["field"]) == (400, "since")


async def test_an_explanation_says_what_it_rests_on_in_words(bakery: Business):
    results = await bakery.tell(*history(datetime.now(UTC) - timedelta(days=100)), touchpoint("zoe@example.com"))
    seen = await bakery.get(f"/v1/contacts/{results[0]['contact_ids'][0]}/strength")
    assert seen["in_words"].startswith(f"{seen['score']} = {seen['parts']['intensity']['points']} frequency + ")
    assert seen["coverage"] == {"contact_days": 11, "contexts": 6, "in_words": "11 contact days, 6 contexts"}
    few = await bakery.get(f"/v1/contacts/{results[-1]['contact_ids'][0]}/strength")
    assert few["coverage"]["in_words"] == "1 contact day, 1 context; too early to tell"


async def test_a_trend_is_shown_beside_the_whole_business(bakery: Business, florist: Business):
    """Five relationships with a rhythm of their own, four of them cooler than the first."""
    for number in range(5):
        calls = [touchpoint(f"{number}@example.com", kind="call", direction="mutual", channel="phone",
                            occurred_at=ago(3 + number * 4 + 10 * n)) for n in range(8)]  # fmt: skip
        results = await bakery.tell(*calls)
    await florist.tell(touchpoint("zoe@example.com"))
    await bakery.settled()
    seen = await bakery.get(f"/v1/contacts/{results[0]['contact_ids'][0]}/strength")
    assert seen["usual_trend"] is not None
    assert isclose(seen["against_usual"], seen["rhythm"]["trend"] - seen["usual_trend"], abs_tol=0.011)
    assert seen["against_usual"] < 0
    [zoe] = (await florist.get("/v1/contacts"))["items"]
    other = await florist.get(f"/v1/contacts/{zoe['id']}/strength")
    assert (other["usual_trend"], other["against_usual"]) == (None, None)


async def test_the_history_is_what_the_strength_was_each_week(bakery: Business, florist: Business):
    begins = datetime.now(UTC).replace(hour=0, minute=0, second=1) - timedelta(days=100)
    results = await bakery.tell(*reversed(history(begins)))
    await florist.tell(touchpoint())
    who = results[0]["contact_ids"][0]
    weeks = (await bakery.get(f"/v1/contacts/{who}/strength/history"))["items"]
    assert len(weeks) == 15, "the weeks before the first meeting are left out"
    for week in (weeks[0], weeks[7], weeks[-1]):
        at = datetime.fromisoformat(week["at"]) + timedelta(hours=23, minutes=59, seconds=59)
        seen = await bakery.get(f"/v1/contacts/{who}/strength", true_at=at.isoformat())
        assert (week["score"], week["stage"]) == (seen["score"], seen["stage"])
        assert week["parts"] == {name: part["points"] for name, part in seen["parts"].items()}
        assert isclose(sum(week["parts"].values()), week["score"], abs_tol=1e-9)
    assert [one["score"] for one in weeks] == [
        evaluate(fold(touches(until=offset)), FIRST_DAY + offset).score for offset in range(2, 101, 7)
    ]
    assert (await bakery.get(f"/v1/contacts/{who}/strength/history", weeks=3))["items"] == weeks[-3:]
    then = await bakery.get(f"/v1/contacts/{who}/strength/history", true_at=ago(300))
    assert then["items"] == []


async def test_a_history_of_somebody_never_in_touch_is_empty_and_limits_are_told(bakery: Business, florist: Business):
    added = (await bakery.post("/v1/contacts", {"name": "Zoe"})).json()
    await bakery.seen(added["position"])
    path = f"/v1/contacts/{added['id']}/strength/history"
    assert (await bakery.get(path))["items"] == []
    for weeks in (0, -1, 521, "all"):
        answer = await bakery.client.get(path, params={"weeks": weeks})
        assert (answer.status_code, answer.json()["field"]) == (400, "weeks")
    assert (await florist.client.get(path)).status_code == 404
