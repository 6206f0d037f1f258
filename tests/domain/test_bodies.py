"""Bodies: what they cost is linear in their size, in time and in memory, whatever stands in them."""

import gc
import json
import tracemalloc
from collections.abc import Callable, Iterator

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import bodies, signatures, sources
from domain.errors import Refused
from domain.letters import composed, without_accents
from domain.signatures import Signed
from infra import inbox
from infra.imports.formats import ndjson
from tests import measuring

ANYTHING: msgspec.json.Decoder[object] = msgspec.json.Decoder()
MOST = 1_000
LARGE = 999_000

# Of about so many bytes, each: what somebody may send who wants it to be dear.
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "escaped quotes without an end": lambda n: b'["' + b'\\"' * (n // 2),
    "escaped quotes": lambda n: b'["' + b'\\"' * (n // 2) + b'"]',
    "quotes": lambda n: b"[" + b'"' * n,
    "backslashes": lambda n: b'["' + b"\\" * n,
    "empty lists": lambda n: b"[" + b"[]," * (n // 3) + b"[]]",
    "lists of one": lambda n: b"[" + b"[1]," * (n // 4) + b"1]",
    "open lists": lambda n: b"[" * n,
    "deep lists": lambda n: b"[" * (n // 2) + b"]" * (n // 2),
    "closed lists": lambda n: b"[" + b"]" * n,
    "empty objects": lambda n: b"[" + b"{}," * (n // 3) + b"{}]",
    "objects of one": lambda n: b"[" + b'{"a":{}},' * (n // 9) + b"1]",
    "deep objects": lambda n: b'{"a":' * (n // 6) + b"1" + b"}" * (n // 6),
    "people": lambda n: b'{"with":[' + b"{}," * (n // 3) + b"{}]}",
    "many names": lambda n: b"{" + b",".join(b'"%06x":1' % i for i in range(n // 11)) + b"}",
    "texts": lambda n: b"[" + b'"ab",' * (n // 5) + b'"ab"]',
    "numbers": lambda n: b"[" + b"1e5," * (n // 4) + b"1]",
    "digits": lambda n: b"[" + b"9" * n + b"]",
    "decimals": lambda n: b"[0." + b"9" * n + b"]",
    "commas": lambda n: b"[" + b"," * n,
    "zeros": lambda n: b"[" + b"0," * (n // 2) + b"0]",
    "half pairs": lambda n: b"[" + b'"\\ud800",' * (n // 9) + b"1]",
    "half a pair at the end": lambda n: b"[" + b"[]," * (n // 3) + b'"\\ud800"]',
    "half a pair far in": lambda n: b'{"aaaaaaaa":' * (n // 13) + b'"\\ud800"' + b"}" * (n // 13),
    "half pairs in one text": lambda n: b'["' + b"\\ud800" * (n // 6) + b'"]',
    "NUL at the end": lambda n: b'{"a":"' + b"x" * n + b'\\u0000"}',
    "no UTF-8": lambda n: b'["' + b"\xff" * n + b'"]',
    "one wide letter": lambda n: b'["' + "\U0001f600".encode() + b"a" * n + b'"]',
    "lines": lambda n: b"1\n" * (n // 2),
    "empty lines": lambda n: b" \n" * (n // 2),
    "spaces": lambda n: b" " * n,
    "pairs of %": lambda n: b"a=" + b"%41" * (n // 3),
    "fields of a form": lambda n: b"a=1&" * (n // 4),
}

LARGE_READERS: dict[str, Callable[[bytes], object]] = {
    "a value": lambda body: bodies.decode(body, ANYTHING),
    "a touchpoint": lambda body: bodies.decode(body, bodies._TOUCHPOINT),
    "the items of an array": lambda body: [_item(bytes(item)) for item in bodies.items(body, most=MOST)],
    "lines": lambda body: [_item(bytes(line)) for line in bodies.lines(body, most=MOST)],
    "strange texts": bodies.refuse_strange_text,
}
# A message has at most 64 kB.
READERS = LARGE_READERS | {
    "a message": lambda body: inbox.read("plain", body),
    "a form": lambda body: inbox.read("mailchimp", body),
}


def _item(raw: bytes) -> object:
    try:
        return bodies.touchpoint(raw)
    except Refused as refusal:
        return refusal.with_traceback(None)


def refused(reader: Callable[[bytes], object], body: bytes) -> Refused | None:
    try:
        reader(body)
    except Refused as refusal:
        return refusal
    return None


def cost(act: Callable[[], object]) -> float:
    """Seconds of the processor."""
    return measuring.seconds(act)


def peak(act: Callable[[], object]) -> int:
    """The most bytes it held at once."""
    gc.collect()
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def plain() -> float:
    """What the standard library takes to read the same size of small values."""
    body = b"[" + b'{"a":[1,"b"]},' * (LARGE // 14) + b"1]"
    return cost(lambda: json.loads(body))


@pytest.mark.parametrize("name", HOSTILE)
def test_twice_the_body_takes_at_most_three_times_as_long(name: str, plain: float):
    small, large = HOSTILE[name](LARGE // 2), HOSTILE[name](LARGE)
    for reader, read in LARGE_READERS.items():
        once, twice = (cost(lambda body=body, read=read: refused(read, body)) for body in (small, large))
        assert twice <= 3 * once + plain, reader
        assert twice <= 40 * plain, reader


@pytest.mark.parametrize("name", HOSTILE)
def test_a_body_takes_at_most_ten_times_its_size(name: str):
    for size, readers in ((60_000, READERS), (200_000, LARGE_READERS)):
        body = HOSTILE[name](size)
        for reader, read in readers.items():
            assert peak(lambda body=body, read=read: refused(read, body)) <= 9 * len(body), (reader, size)


NEARLY = st.lists(
    st.one_of(
        st.sampled_from(
            ["[", "]", "{", "}", ",", ":", '"', "\\", '\\"', "\\\\", "\\u", "\\ud83d", "\\ude00", "\\u0000", "null",
             "0", "-", "1e9", ".", " ", "\n", "a", '"a":', '"",', "[],", "{},", "\ud800", "\U0001f600", "\x00", "%41"]
        ),
        st.text(max_size=3),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@given(
    before=st.sampled_from(["", "[", "{", '["', '{"a":', '{"with":[{"name":"']),
    parts=NEARLY,
    after=st.sampled_from(["", "]", '"]', "}", '"}]}']),
)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_nearly_json_costs_what_json_costs(plain: float, before: str, parts: list[str], after: str):
    unit = "".join(parts).encode(errors="surrogatepass")
    body = before.encode() + unit * ((LARGE - 100) // max(1, len(unit))) + after.encode()
    for name, read in LARGE_READERS.items():
        spent = measuring.seconds(lambda: refused(read, body), enough=10 * plain)  # noqa: B023
        assert spent <= 40 * plain, (name, body[:60])


def test_the_count_of_values_is_what_they_take():
    many = b"[" + b'"ab",' * 9_000 + b'"ab"]'
    assert refused(lambda body: bodies.decode(body, ANYTHING), many) is None
    refusal = refused(lambda body: bodies.decode(body, ANYTHING), b"[" + b"[]," * 6_000 + b"1]")
    assert isinstance(refusal, bodies.TooLarge)
    assert refusal.reason == "this JSON holds too many values: at most 10,000 in 18,003 bytes"


def test_brackets_and_commas_in_texts_are_no_values():
    body = json.dumps({"note": "[{,:" * 10_000}).encode()
    assert bodies.decode(body, ANYTHING) == {"note": "[{,:" * 10_000}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"with":[{"name":"\\u0000"}]}', "with[0].name"),
        (b'{"with":[{"na\\u0000me":1}]}', "with[0]"),
        (b'{"a":"\\\\u0000","b":"\\\\\\u0000"}', "b"),
        (b'[[],{},[1,"\\ud800"]]', "[2][1]"),
        (b'{"k\\u00e9":"\\udc00"}', "k\u00e9"),
        (b'"\\ud800"', None),
        (b'{"a":"\xff"}', "a"),
        (b'{"a":"' + b"x" * 70_000 + b"\xf0\x9f\x98" + b'"}', "a"),
        (b'["' + b"x" * 65_533 + b'\xf0\x9f\x98\x80","\xff"]', "[1]"),
        (b"[" + b'"",' * 200_000 + b'"\\u0000"]', None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_the_text_at_fault_is_named(body: bytes, field: str | None):
    refusal = refused(bodies.refuse_strange_text, body)
    assert isinstance(refusal, bodies.Unreadable)
    assert refusal.field == field


@pytest.mark.parametrize(
    "body", [b'{"a":"\\ud83d\\ude00"}', b'"\\\\u0000"', "\u00e9\U0001f600".encode(), b"\\u0000", b"a=\\"]
)
def test_what_is_sound_or_no_text_is_let_through(body: bytes):
    bodies.refuse_strange_text(body)


def test_where_a_line_gets_too_deep_is_found_in_linear_time(plain: float):
    refusal = bodies.Unreadable("this JSON is nested too deep")
    small, large = ('{"a":"' + '\\"' * n for n in (LARGE // 4, LARGE // 2))
    once, twice = (cost(lambda text=text: ndjson._column(refusal, text)) for text in (small, large))
    assert twice <= 3 * once + plain


def test_many_marks_on_one_letter_cost_what_they_measure(plain: float):
    def marks(count: int) -> str:
        return "a" + "\u0300\u0316" * (count // 2)

    for spelled in (composed, without_accents):
        once, twice = (cost(lambda text=text: spelled(text)) for text in (marks(50_000), marks(100_000)))  # noqa: B023
        assert twice <= 3 * once + plain
    assert composed("e\u0301" * 500) == "\u00e9" * 500


def test_nothing_of_a_message_is_as_deep_as_it_likes():
    for deep, fits in ((64, True), (65, False)):
        payload: object = 1
        for _ in range(deep - 1):
            payload = [payload]
        assert (refused(lambda _, payload=payload: sources.check_depth(payload), b"") is None) == fits


def _headers() -> Iterator[tuple[str, str]]:
    yield "stripe-signature", "t=1,"
    yield "stripe-signature", "v1,"
    yield "webhook-signature", "v1, "
    yield "x-slack-signature", "v0="


@pytest.mark.parametrize(("name", "part"), list(_headers()))
def test_a_long_signature_is_none(name: str, part: str, plain: float):
    for scheme in ("standard", "stripe", "github", "hubspot", "slack"):
        signed = Signed(b"{}", {name: part * 100_000, "webhook-id": "1", "webhook-timestamp": "1"}, "https://a")
        try:
            spent = cost(lambda signed=signed, scheme=scheme: signatures._SCHEMES[scheme](signed, "whsec_" + "a" * 44))
        except Refused:
            continue
        assert spent <= plain
