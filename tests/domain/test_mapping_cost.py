"""Mappings: none of them costs much, whatever it says and whatever it is given."""

import gc
import tracemalloc
from contextlib import suppress
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import mappings
from domain.adapters import generic
from domain.adapters.outcomes import Message, touchpoints
from domain.errors import Invalid
from domain.examples import NOON
from tests import measuring

LONG = "x" * 30_000
PAYLOADS: list[Any] = [
    {"a": LONG, "b": [LONG, LONG[1:]], "n": list(range(5_000)), "w": ["\u00e9\U0001f600" * 5] * 1_000},
    {"a": [{"n": n, "a": "a" * 20, "b": [n]} for n in range(800)], "n": list(range(800)), "b": {"a": "", "n": None}},
    {
        "a": {f"k{n}": {"n": n} for n in range(900)},
        "b": {f"k{n}": n for n in range(900)},
        "n": -1e308,
        "w": "9" * 5_000,
    },
    {"a": int("9" * 4_000), "b": [int("9" * 4_000)] * 5, "n": [1e308, 1e308, -0.0], "w": ["9" * 400, "1e999", "NaN"]},
    [[[[[[[]]]]]] * 9] * 300,
    [True, None, 0, 1, "", [], {}, {"a": {"a": {"a": 1}}}, "\u0300" * 9_000],
]
FIELDS = ["a", "b", "n", "w", "@", "*", "k1"]
LITERALS = [
    "`1e999`", "`-1e999`", "`NaN`", "`[1,[2,{}]]`", "`{\"a\":null}`", "`\"\\ud800\"`", "'" + "x" * 300 + "'", "`0`",
    "`" + "9" * 300 + "`", "`[[[[[[[[]]]]]]]]`",
]  # fmt: skip
ONE = [
    "abs", "avg", "ceil", "floor", "keys", "length", "max", "min", "reverse", "sort", "sum", "time", "to_array",
    "to_number", "to_string", "type", "values",
]  # fmt: skip
TWO = ["contains", "ends_with", "join", "starts_with", "merge", "not_null"]
BY = ["max_by", "min_by", "sort_by"]


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, inner)
    many = st.tuples(inner, st.integers(1, 40))
    return st.one_of(
        st.builds("{}.{}".format, inner, st.sampled_from(FIELDS[:4])),
        st.builds("{}[{}]".format, inner, st.sampled_from(["", "*", "0", "-1", "::-1", "1:9", "::2", "9" * 30])),
        st.builds("{}({})".format, st.sampled_from(ONE), inner),
        st.builds(lambda name, pair: f"{name}({pair[0]}, {pair[1]})", st.sampled_from(TWO), two),
        st.builds(lambda name, pair: f"{name}({pair[0]}, &{pair[1]})", st.sampled_from(BY), two),
        st.builds(lambda pair: f"map(&{pair[1]}, {pair[0]})", two),
        st.builds(lambda pair, sign: f"({pair[0]}) {sign} ({pair[1]})", two,
                  st.sampled_from(["|", "||", "&&", "==", "!=", "<", ">=", "|"])),
        st.builds(lambda pair: f"{pair[0]}[?{pair[1]}]", two),
        st.builds(lambda made: f"[{', '.join([made[0]] * made[1])}]", many),
        st.builds(lambda made: "{" + ", ".join(f"a{n}: {made[0]}" for n in range(made[1])) + "}", many),
        st.builds(lambda made: " | ".join([made[0]] * made[1]), many),
        st.builds("!{}".format, inner),
        st.builds("join('', [{0}, {0}])".format, inner),
        st.builds("[{0}, {0}][]".format, inner),
    )  # fmt: skip


EXPRESSIONS = st.recursive(st.sampled_from(FIELDS + LITERALS), grown, max_leaves=12)


def made(mapping: str, payload: Any) -> None:
    """Nothing but Invalid comes out of it."""
    with suppress(Invalid):
        touchpoints(mappings.run(mapping, payload))


def spent(mapping: str, payload: Any) -> float:
    """Seconds of the processor."""
    return measuring.seconds(lambda: made(mapping, payload), enough=0.1)


def peak(mapping: str, payload: Any) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        made(mapping, payload)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@cache
def plain() -> float:
    """What a payload of 1 MB takes to be read and written ten times over."""
    payload = [{"a": [1, "b"]}] * 70_000

    def ten_times() -> None:
        for _ in range(10):
            msgspec.json.decode(msgspec.json.encode(payload))

    return measuring.seconds(ten_times)


@given(mapping=EXPRESSIONS, payload=st.sampled_from(PAYLOADS))
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_expression_over_any_payload_is_cheap_or_refused(mapping: str, payload: Any):
    assert spent(mapping, payload) <= 2 * plain()
    assert peak(mapping, payload) <= 4_000_000


SWELLING: dict[str, str] = {
    "joined twice": "join(join('', [a, a]), [b, b, b][])",
    "joined again and again": "a | " + " | ".join(["join('', [@, @])"] * 40),
    "joined of many": "join(a, n[].to_string(@))",
    "written": "[" + ", ".join(["to_string(@)"] * 300) + "]",
    "written, shared": " | ".join(["[@, @]"] * 60) + " | to_string(@)",
    "compared, shared": "[" + " | ".join(["[@, @]"] * 40) + ", " + " | ".join(["[@, @]"] * 40) + "] | [0] == [1]",
    "looked for, shared": " | ".join(["[@, @]"] * 60) + " | contains(@, @)",
    "made, shared": " | ".join(["{a: @, b: @}"] * 60),
    "the same long text, many times": "[" + ", ".join(["a"] * 900) + "]",
    "the same long text in each": "n[].{kind: $}".replace("$", "'" + "x" * 3_000 + "'"),
    "flattened": " | ".join(["[@, @, @, @][]"] * 50),
    "merged": "[" + ", ".join(["merge(@, @, @)"] * 200) + "]",
    "reversed": "[" + ", ".join(["reverse(n)"] * 300) + "]",
    "sliced": "[" + ", ".join(["n[::-1]"] * 400) + "]",
    "sorted": "[" + ", ".join(["sort(n)"] * 400) + "]",
    "sorted texts": "[" + ", ".join(["b"] * 900) + "][] | sort(@)",
    "ordered": " | ".join(["n"] + ["sort_by(@, &@)"] * 100),
    "summed": "[" + ", ".join(["sum(n)"] * 500) + "]",
    "keys": "[" + ", ".join(["keys(@)"] * 400) + "]",
    "within each": "n[].[" + ", ".join(["@"] * 900) + "][]",
    "each within each": "map(&map(&map(&@, [1, 2]), [1, 2]), n)".replace("[1, 2]", "`[1, 2, 3, 4, 5, 6, 7, 8]`"),
    "searched": "n[?contains('" + "x" * 3_000 + "', '" + "x" * 500 + "y')]",
    "filtered": "n[?`[1, 2, 3]` == `[1, 2, 3]`]",
    "compared texts": "n[?'" + "x" * 1_900 + "' < '" + "x" * 1_900 + "']",
}


@pytest.mark.parametrize("name", SWELLING)
def test_what_swells_is_stopped_while_it_does(name: str):
    for payload in PAYLOADS[:3]:
        assert spent(SWELLING[name], payload) <= 2 * plain()
        assert peak(SWELLING[name], payload) <= 4_000_000


@pytest.mark.parametrize("name", SWELLING)
def test_twice_the_payload_takes_at_most_three_times_as_long(name: str):
    payloads = [{"a": "x" * size, "b": ["x" * size], "n": list(range(size))} for size in (10_000, 20_000)]
    once, twice = (spent(SWELLING[name], payload) for payload in payloads)
    assert twice <= 3 * once + plain() / 2


@pytest.mark.parametrize(
    "mapping",
    [
        "ceil(`1e999`)", "floor(`NaN`)", "{a: abs(`-1e999`)}", "`NaN`", "sum([n, n])", "avg([a, a])", "{a: a}",
        '{kind: `"\\ud800"`}', '{"\\ud800": `1`}', "[&a]", "to_string(&a)", "`[1]`[::0]", "max_by([`1`, 'a'], &@)",
    ],
)  # fmt: skip
def test_what_is_no_json_does_not_fit(mapping: str):
    with pytest.raises(Invalid) as refusal:
        mappings.run(mapping, {"n": 1e308, "a": int("9" * 4_000)})
    assert refusal.value.reason.startswith("the mapping does not fit this payload")


@pytest.mark.parametrize(
    ("mapping", "made"),
    [
        ("time(`NaN`)", None), ("time(`1e999`)", None), ("time(`-1`)", None), ("time(`" + "9" * 400 + "`)", None),
        ("to_number('1.5')", 1.5), ("to_number('-7')", -7), ("to_number(' 12 ')", 12), ("to_number('1_000')", None),
        ("to_number('NaN')", None), ("to_number('1e999')", None), ("to_number('" + "9" * 399 + "')", None),
        ("to_number(n)", None), ("to_number('\u0661')", None),
        ("to_string(@)", '{"n":["1",2.5,null,true,{"a":"\\u00e9"}]}'), ("contains(n, `2.5`)", True),
        ("contains(n, `{\"a\": \"\\u00e9\"}`)", True), ("contains(n, `1`)", False), ("contains('ab', 'b')", True),
        ("contains('ab', `1`)", False), ("`1` == `true`", False), ("`0` == `false`", False), ("`1` == `1.0`", True),
        ("`[1, {\"a\": null}]` == `[1, {\"a\": null}]`", True), ("n == n", True),
        ("n != n", False), ("'a' < 'b'", True),
        ("'a' < `1`", None), ("sort_by(`[{\"a\": 2}, {\"a\": 1}]`, &a)[0].a", 1), ("max_by(`[]`, &a)", None),
        ("join('-', `[\"a\", \"b\"]`)", "a-b"), ("join('-', `[]`)", ""), ("reverse('abc')", "cba"),
        ("keys(@)", ["n"]), ("values(@)[0][1]", 2.5), ("merge(@, {n: `1`}).n", 1), ("n[1:2]", [2.5]),
        ("[n, n][] | [0:2]", ["1", 2.5]), ("n[?@ == `2.5`]", [2.5]), ("*[1]", [2.5]),
        ("map(&@, `[1]`)", [1]),
    ],
)  # fmt: skip
def test_its_own_functions_are_those_of_jmespath(mapping: str, made: object):
    assert mappings.run(mapping, {"n": ["1", 2.5, None, True, {"a": "\u00e9"}]}) == made


def test_an_expression_nested_too_deep_is_refused_when_it_is_saved():
    for mapping in ("|".join(["@"] * 1_900), "||".join(["a"] * 1_300), "[" * 99 + "[@]" + "]" * 99):
        with pytest.raises(Invalid) as refusal:
            mappings.check(mapping)
        assert refusal.value.reason == "this expression is nested deeper than 100 levels"


def test_what_a_mapping_makes_is_bounded_where_it_becomes_touchpoints():
    outcome_of = generic.read
    message = Message({"a": LONG}, NOON, "[" + ", ".join(["{note: a}"] * 100) + "]")
    with pytest.raises(Invalid):
        outcome_of(message)
