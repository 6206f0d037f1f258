"""Endpoints: types, headers, replays, secrets."""

from datetime import UTC, datetime, timedelta

import pytest

from domain import webhooks
from domain.errors import Invalid
from domain.webhooks import AddEndpoint, ChangeEndpoint, Replay, Secret

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
TYPES = ("touchpoint.recorded", "touchpoint.struck", "referral.won")


def refused(command: AddEndpoint | ChangeEndpoint) -> str | None:
    with pytest.raises(Invalid) as refusal:
        webhooks.check(command, known_types=TYPES, loopback=False)
    return refusal.value.field


@pytest.mark.parametrize(
    ("patterns", "told"),
    [
        (("*",), set(TYPES)),
        (("touchpoint.*",), {"touchpoint.recorded", "touchpoint.struck"}),
        (("touchpoint.struck", "referral.won"), {"touchpoint.struck", "referral.won"}),
        (("touchpoint",), set()),
        (("touch.*",), set()),
    ],
)
def test_a_pattern_is_a_type_a_family_or_all(patterns: tuple[str, ...], told: set[str]):
    assert {one for one in TYPES if webhooks.matches(patterns, one)} == told


def test_a_pattern_that_matches_nothing_is_refused_by_its_place():
    assert refused(AddEndpoint(url="https://example.com/", types=("*", "touch.*"))) == "types[1]"


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"Webhook-Id": "1"}, "headers.Webhook-Id"),
        ({"Host": "a"}, "headers.Host"),
        ({"X A": "a"}, "headers.X A"),
        ({"": "a"}, "headers."),
        ({"X": "a\nb"}, "headers.X"),
        ({"X": "\u00fc"}, "headers.X"),
        ({"X": "a", "x": "b"}, "headers"),
    ],
)
def test_headers_that_would_break_or_forge_a_request_are_refused(headers: dict[str, str], field: str):
    assert refused(ChangeEndpoint(headers=headers)) == field


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (Replay(), "after_position"),
        (Replay(after_position=0, since=NOW), "after_position"),
        (Replay(after_position=11), "after_position"),
        (Replay(since=NOW - timedelta(days=31)), "since"),
        (Replay(failed_since=NOW + timedelta(days=1)), "failed_since"),
        (Replay(until=NOW, after_position=1), "until"),
        (Replay(since=NOW - timedelta(days=1), until=NOW - timedelta(days=2)), "until"),
        (Replay(after_position=0, types=("no.such",)), "types[0]"),
    ],
)
def test_a_replay_says_from_where_in_one_way(command: Replay, field: str):
    with pytest.raises(Invalid) as refusal:
        webhooks.check_replay(command, head=10, now=NOW, known_types=TYPES)
    assert refusal.value.field == field


def test_a_rotation_keeps_the_old_secret_for_the_overlap():
    rotated = webhooks.rotated([Secret("old")], "new", overlap=timedelta(hours=24), now=NOW)
    assert rotated == [Secret("new"), Secret("old", NOW + timedelta(hours=24))]
    assert webhooks.live(rotated, now=NOW + timedelta(hours=25)) == [Secret("new")]


def test_a_second_rotation_prolongs_no_old_secret():
    first = webhooks.rotated([Secret("a")], "b", overlap=timedelta(hours=2), now=NOW)
    second = webhooks.rotated(first, "c", overlap=timedelta(hours=24), now=NOW)
    assert second == [Secret("c"), Secret("b", NOW + timedelta(hours=24)), Secret("a", NOW + timedelta(hours=2))]


def test_no_overlap_ends_the_old_secret_at_once():
    assert webhooks.rotated([Secret("old")], "new", overlap=timedelta(0), now=NOW) == [Secret("new")]
