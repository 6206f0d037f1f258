"""Likely duplicates: what makes two contacts look like one person, and what does not."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import duplicates
from domain.duplicates import Duplicate, Known

ONE, OTHER = UUID(int=1), UUID(int=2)
FILE, OTHER_FILE = UUID(int=8), UUID(int=9)


def known(contact_id: UUID, name: str | None = None, *handles: str, **more: Any) -> Known:
    """Handles as `platform:handle`; without a platform they are e-mail addresses."""
    split = [handle.partition(":") if ":" in handle else ("email", ":", handle) for handle in handles]
    identities = tuple((platform, handle) for platform, _, handle in split)
    return Known(contact_id, (name,) if name else (), identities=identities, **more)


def like(one: Known, other: Known) -> Duplicate | None:
    found = duplicates.likely([one, other], set())
    assert found == duplicates.likely([other, one], set()), "whoever comes first"
    return found[0] if found else None


def pair(one: tuple[str | None, str], other: tuple[str | None, str], **more: Any) -> Duplicate | None:
    return like(known(ONE, *one, **more), known(OTHER, *other, **more))


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (("Ana Bakes", "ana@mill.example"), ("Bakes, Ana", "ab@gmail.com"), "the same name"),
        (("José Müller", "jm@gmail.com"), ("Jose Muller", "x:jose"), "the same name"),
        (("Dr. Ana Bakes", "a@gmail.com"), ("Ana Bakes", "x:ana"), "the same name"),
        (("Ana Bakes", "a@gmail.com"), (None, "ana.bakes@gmail.com"), "an address or handle"),
        (("Ana Bakes", "anabakes@gmail.com"), ("Anna Bakes", "anabakes@mill.example"), "the same before the @"),
        (("Ana Bakes", "ana@mill.example"), ("Anna Bakes", "bakes@mill.example"), "the same company: mill.example"),
        (("Ana Bakes", "phone:+15035550100"), ("A. Bakes", "phone:+15035550100;ext=12"), "the same phone number"),
        (("Ana Bakes", "linkedin:anabakes"), ("Anna Bakes", "instagram:anabakes"), "on linkedin and instagram"),
    ],
)
def test_what_makes_two_look_like_one(one: tuple[str | None, str], other: tuple[str | None, str], reason: str):
    found = pair(one, other)
    assert found is not None
    assert any(reason in told for told in found.reasons), found.reasons
    assert 0.5 <= found.score <= 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Ana Bakes", "a@gmail.com"), ("Ana Silva", "b@gmail.com")),
        (("Ana Bakes", "ana@mill.example"), ("Joe Rivers", "joe@mill.example")),
        (("Ana", "a@gmail.com"), ("Ana", "b@gmail.com")),
        (("Anna Miller", "a@gmail.com"), ("Hanna Mueller", "b@gmail.com")),
        (("Bob Stone", "a@gmail.com"), ("Robert Stone", "b@gmail.com")),
        ((None, "info@mill.example"), (None, "info@bakery.example")),
        (("Ana Bakes", "phone:+15035550100"), ("Joe Rivers", "phone:+15035550100;ext=12")),
        ((None, "a@gmail.com"), (None, "b@gmail.com")),
    ],
)
def test_what_does_not(one: tuple[str | None, str], other: tuple[str | None, str]):
    """Two of a company, of one first name, at one switchboard; and nicknames are not invented."""
    assert pair(one, other) is None


def test_more_reasons_weigh_more_and_a_place_alone_nothing():
    one, other = ("Ana Bakes", "a@gmail.com"), ("Ana Bakes", "x:ana")
    plain, placed = pair(one, other), pair(one, other, localities=("Salem",))
    assert plain is not None
    assert placed is not None
    assert placed.score > plain.score
    assert "both in Salem" in placed.reasons
    assert pair(("Ana Bakes", "a@gmail.com"), ("Joe Rivers", "x:joe"), localities=("Salem",)) is None


def test_hints_are_there_to_tell_people_of_one_name_apart():
    one, other = known(ONE, "Ana Bakes", hints=("of the mill",)), known(OTHER, "Ana Bakes", hints=("the painter",))
    assert like(one, other) is None
    assert like(one, known(OTHER, "Ana Bakes", hints=("Of the Mill",))) is not None


def test_two_of_one_source_are_never_one():
    one, other = (
        known(ONE, "Ana Bakes", imports=frozenset([FILE])),
        known(OTHER, "Ana Bakes", imports=frozenset([FILE])),
    )
    assert like(one, other) is None
    assert like(one, known(OTHER, "Ana Bakes", imports=frozenset([OTHER_FILE]))) is not None


def test_a_pair_told_apart_is_not_suggested_again():
    people = [known(ONE, "Ana Bakes"), known(OTHER, "Ana Bakes")]
    assert duplicates.likely(people, {(ONE, OTHER)}) == []


def test_people_both_were_met_with_speak_for_it_and_standing_beside_each_other_against():
    found = Duplicate((ONE, OTHER), 0.6, ("the same name",))
    assert duplicates.with_shared(found, 0, together=False) == found
    more = duplicates.with_shared(found, 2, together=False)
    assert more.score == pytest.approx(0.68)
    assert more.reasons[-1] == "both were met with 2 other people you know"
    assert duplicates.with_shared(found, 0, together=True).score == pytest.approx(0.36)


def test_a_name_that_very_many_have_does_not_compare_them_all():
    many = [known(UUID(int=n), "Ana Bakes") for n in range(duplicates.LARGEST + 1)]
    assert duplicates.likely(many, set()) == []
    assert len(duplicates.likely(many[:50], set())) == 50 * 49 / 2


WORDS = st.sampled_from(["Ana", "Anna", "Bakes", "Baker", "José", "Ørsted", "Dr.", "李", "", "-", "O'Neil", "x" * 200])
PEOPLE = st.lists(
    st.builds(
        Known,
        contact_id=st.uuids(),
        names=st.lists(st.lists(WORDS, max_size=4).map(" ".join), max_size=2).map(tuple),
        hints=st.lists(WORDS, max_size=2).map(tuple),
        localities=st.lists(WORDS, max_size=1).map(tuple),
        identities=st.lists(
            st.tuples(
                st.sampled_from(["email", "phone", "x", "linkedin"]),
                st.sampled_from(
                    ["ana@mill.example", "ana.bakes@gmail.com", "+15035550100", "anabakes", "a", "@", "..@"]
                ),
            ),
            max_size=4,
        ).map(tuple),
    ),
    max_size=8,
    unique_by=lambda one: one.contact_id,
)


@given(PEOPLE)
def test_whatever_is_known_the_pairs_are_scored_once_in_order_and_with_reasons(people: list[Known]):
    found = duplicates.likely(people, set())
    assert found == duplicates.likely(people[::-1], set())
    assert len({one.pair for one in found}) == len(found)
    for one in found:
        assert one.pair[0] < one.pair[1]
        assert 0.5 <= one.score <= 1
        assert one.reasons
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
