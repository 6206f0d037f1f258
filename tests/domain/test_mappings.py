"""Mappings: what they make, where they are wrong, and that none of them costs much."""

import pytest

from domain import mappings
from domain.errors import Invalid

PAYLOAD = {"buyer": {"mail": "ana@example.com"}, "at": 1778054100, "items": [{"n": 1}, {"n": 2}], "none": None}


def test_a_mapping_makes_something_else_and_drops_nulls():
    made = mappings.run("{who: buyer.mail, at: time(at), ns: items[].n, no: none, with: [{x: none}]}", PAYLOAD)
    assert made == {"who": "ana@example.com", "at": "2026-05-06T07:55:00+00:00", "ns": [1, 2], "with": [{}]}


def test_time_takes_seconds_and_milliseconds():
    assert mappings.run("time(at)", {"at": 1778054100000}) == mappings.run("time(at)", {"at": 1778054100})
    assert mappings.run("time(at)", {"at": 1e300}) is None


@pytest.mark.parametrize(
    ("mapping", "place"),
    [
        ("{a: ", "at its end"),
        ("a.b.", "at its end"),
        ("a #", "at character 3"),
        ("{a b}", "at character 4"),
        ("[?x = 1]", "at character 5"),
        ("a | nope(b)", "at character 5"),
    ],
)
def test_one_that_is_wrong_is_refused_with_the_place(mapping: str, place: str):
    with pytest.raises(Invalid) as refusal:
        mappings.check(mapping)
    assert refusal.value.field == "mapping"
    assert refusal.value.reason.startswith(place)


@pytest.mark.parametrize("mapping", ["", "   ", "a" * 4_001, "(" * 1_900, "!" * 3_999 + "a", "[" * 3_000])
def test_one_that_is_nothing_or_too_much_is_refused(mapping: str):
    with pytest.raises(Invalid):
        mappings.check(mapping)


@pytest.mark.parametrize(
    "mapping", ["sum(buyer)", "time(buyer)", "length(at)", "max_by(items, &buyer)", "&at", "join(',', at)"]
)
def test_one_that_does_not_fit_says_so_without_the_values(mapping: str):
    with pytest.raises(Invalid) as refusal:
        mappings.run(mapping, PAYLOAD)
    assert "ana@example.com" not in refusal.value.reason


@pytest.mark.parametrize(
    "mapping",
    [
        " | ".join(["[@, @]"] * 100),
        " | ".join(["[@, @][]"] * 100),
        " | ".join(["{a: @, b: @}"] * 60),
        " | ".join(["[@, @]"] * 100) + " | to_string(@)",
        " | ".join(["[@, @]"] * 18) + " | [@ == @]",
        "items[0].text | " + " | ".join(["join('', [@, @])"] * 40),
        "items[*].{a: $} | [].a".replace("$", "@"),
        "items[].[" + ", ".join(["@"] * 900) + "][]",
        "items[]." + ".".join(["n"] * 1_500),
    ],
)
def test_one_that_swells_is_stopped_or_small(mapping: str):
    payload = {"items": [{"n": n, "text": "x" * 20} for n in range(1_500)]}
    try:
        mappings.check(mapping)
        made = mappings.run(mapping, payload)
    except Invalid:
        return
    assert len(str(made)) < 200_000
