"""What a touch weighs."""

from uuid import UUID

import pytest
from msgspec.structs import fields, replace

from domain.touches import KINDS, QUALITIES, Measure, Quality, Touch, Weights, day_cells, measure, merged, once

MEETING = Touch(UUID(int=1), 19_723, "meeting", "mutual", "cafe")


def touch(kind: str, direction: str = "mutual", **stated: object) -> Touch:
    return replace(MEETING, kind=kind, direction=direction, **stated)


def points_and_depth(weighed: Touch) -> tuple[float, int]:
    worth = measure(weighed)
    assert worth is not None
    return worth.points / 1_000_000, worth.depth


def test_the_kinds_are_the_closed_list():
    assert " ".join(sorted(KINDS)) == (
        "advice attendance call chat collaboration comment complaint connect direct_message dispute email follow gift "
        "handshake help introduction like meeting mention other post purchase referral review share video_call vouch"
    )


def test_a_touch_knows_nothing_of_realms():
    assert {field.name for field in fields(Touch)} == {
        "touchpoint_id",
        "day",
        "kind",
        "direction",
        "context",
        "act",
        "depth",
        "minutes",
        "audience",
        "automated",
    }


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_channel_never_changes_what_a_touch_is_worth(kind: str):
    assert measure(touch(kind, context="zoom")) == measure(touch(kind, context="cafe"))


@pytest.mark.parametrize(
    ("kind", "points", "depth"),
    [
        ("like", 0.1, 0),
        ("handshake", 0.5, 0),
        ("other", 0.5, 0),
        ("direct_message", 0.5, 1),
        ("chat", 0.5, 1),
        ("purchase", 0.4, 0),
        ("email", 0.7, 1),
        ("call", 2.0, 2),
        ("video_call", 2.0, 2),
        ("meeting", 3.0, 2),
        ("help", 2.0, 3),
        ("gift", 2.0, 2),
        ("review", 1.0, 1),
        ("vouch", 2.0, 3),
        ("referral", 3.0, 3),
    ],
)
def test_a_kind_has_its_points_and_depth(kind: str, points: float, depth: int):
    assert points_and_depth(touch(kind)) == (points, depth)


# As docs/strength.md has it: points, depth, advocacy where it is received.
TABLE = {
    "post": (0, 0, 0), "complaint": (0, 0, 0), "dispute": (0, 0, 0),
    "like": (0.1, 0, 0), "follow": (0.1, 0, 0), "attendance": (0.1, 0, 0),
    "handshake": (0.5, 0, 0), "connect": (0.5, 0, 0), "other": (0.5, 0, 0),
    "purchase": (0.4, 0, 0),
    "mention": (0.5, 1, 0), "comment": (0.5, 1, 0), "direct_message": (0.5, 1, 0), "chat": (0.5, 1, 0),
    "email": (0.7, 1, 0),
    "call": (2, 2, 0), "video_call": (2, 2, 0), "meeting": (3, 2, 0),
    "gift": (2, 2, 0), "collaboration": (2, 2, 0), "help": (2, 3, 0), "advice": (2, 3, 0),
    "introduction": (2, 3, 1), "share": (1, 1, 1), "review": (1, 1, 1), "vouch": (2, 3, 2),
    "referral": (3, 3, 3), "referral_converted": (0, 0, 2),
}  # fmt: skip


def test_the_whole_table_of_qualities():
    assert {kind: (q.points, q.depth, q.advocacy) for kind, q in QUALITIES.items()} == TABLE


@pytest.mark.parametrize(("minutes", "audience", "points"), [(45, 5, 1.080482), (45, 13, 0.0), (None, 5, 1.5)])
def test_a_long_talk_of_several_is_thinned_after_its_minutes(minutes: int | None, audience: int, points: float):
    worth = measure(touch("meeting", minutes=minutes, audience=audience))
    assert (0 if worth is None else worth.points) == round(points * 1_000_000)


@pytest.mark.parametrize("minutes", [0, 5, 9, 10, 30, 60, 155, 600])
def test_the_same_minutes_weigh_the_same_on_video_by_phone_and_over_coffee(minutes: int):
    worths = {measure(touch(kind, minutes=minutes)) for kind in ("chat", "call", "video_call", "meeting")}
    assert len(worths) == 1


@pytest.mark.parametrize(
    ("minutes", "points", "depth"), [(0, 0.5, 1), (9, 1.242713, 1), (10, 1.292481, 2), (30, 1.903677, 2), (600, 3.0, 2)]
)
def test_minutes_decide_what_a_conversation_is_worth(minutes: int, points: float, depth: int):
    assert points_and_depth(touch("call", minutes=minutes)) == (points, depth)


def test_minutes_change_nothing_but_conversations():
    assert measure(touch("help", minutes=5)) == measure(touch("help"))


def test_a_stated_depth_stands_above_the_kind():
    assert points_and_depth(touch("direct_message", depth=3)) == (0.5, 3)


@pytest.mark.parametrize(("audience", "points"), [(1, 0.5), (2, 0.5), (5, 0.25), (12, 0.150756)])
def test_a_message_to_many_is_worth_less_to_each(audience: int, points: float):
    assert points_and_depth(touch("direct_message", "out", audience=audience)) == (points, 1)


@pytest.mark.parametrize(
    "nothing",
    [
        touch("direct_message", "out", audience=13),
        touch("email", "out", automated=True),
        touch("post", "out"),
        touch("complaint", "in"),
        touch("dispute", "out"),
        touch("referral_converted", "out"),
    ],
)
def test_broadcasts_machines_and_complaints_are_no_touch(nothing: Touch):
    assert measure(nothing) is None
    assert day_cells([nothing]) == []


def test_a_recommendation_is_not_thinner_for_being_public():
    assert measure(touch("vouch", "in", audience=500)) == Measure(2_000_000, "in", 3, 2)


def test_having_been_in_one_room_is_a_shared_place_and_nobodys_act():
    [cell] = day_cells([touch("attendance", audience=200)])
    assert (cell.contexts, cell.given, cell.received, cell.mutual) == ({"cafe": 100_000}, 0, 0, 0)


@pytest.mark.parametrize(
    ("kind", "advocacy"),
    [("introduction", 1), ("share", 1), ("review", 1), ("vouch", 2), ("referral", 3), ("help", 0)],
)
def test_only_what_we_receive_is_advocacy(kind: str, advocacy: int):
    received, given = measure(touch(kind, "in")), measure(touch(kind, "out"))
    assert received is not None
    assert given is not None
    assert (received.advocacy, given.advocacy) == (advocacy, 0)


def test_a_tenant_may_weigh_a_kind_otherwise():
    weights = Weights(qualities={**QUALITIES, "like": Quality(0.2)})
    assert measure(touch("like"), weights=weights) == Measure(200_000, "mutual", 0, 0)


def test_a_touchpoint_counts_once_and_which_account_of_it_does_not_depend_on_the_order():
    other = replace(MEETING, context="kitchen")
    assert list(once([MEETING, MEETING])) == [MEETING]
    assert list(once([MEETING, other])) == list(once([other, MEETING]))


def test_a_days_cell_can_be_made_in_pieces():
    day = [touch("email", "out", context="email", act="thank"), touch("like", "in", context="a"), MEETING]
    [whole] = day_cells(day)
    [morning], [evening] = day_cells(day[1:]), day_cells(day[:1])
    assert merged(morning, evening) == whole
    assert list(merged(morning, evening).contexts) == list(whole.contexts) == ["a", "cafe", "email"]
    assert whole.acts == {"thank": 700_000}
