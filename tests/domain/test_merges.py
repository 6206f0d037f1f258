"""Who is who: merges and unmerges in any order, chains of them, and what is refused."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import merges
from domain.errors import Conflict, Invalid, NotFound, Refused
from domain.event import Event
from domain.merges import Alias, ContactMerged, ContactUnmerged, Link, MergePair

A, B, C, D, E = PEOPLE = [UUID(int=n) for n in range(1, 6)]
Said = list[tuple[Event, int]]


def links_of(*pairs: tuple[UUID, UUID]) -> dict[UUID, Link]:
    """Each of these merged into the other, in this order."""
    return {who: Link(into, position) for position, (who, into) in enumerate(pairs, 1)}


@st.composite
def histories(draw: st.DrawFn) -> Said:
    """Whatever may be decided: merges and unmerges of five people, those refused left out."""
    links: dict[UUID, Link] = {}
    said: Said = []
    for position in range(1, draw(st.integers(1, 25))):
        into, who = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from(PEOPLE))
        try:
            if draw(st.booleans()) and who in links:
                events: list[Event] = [*merges.unmerge(into, who, links)]
            else:
                events = [*merges.merge(MergePair(into, who), links)]
        except Refused:
            continue
        said += [(event, position) for event in events]
        links = merges.moved(links, [(event, position) for event in events])
    return said


@given(histories())
def test_everybody_has_exactly_one_who_stands_for_them_and_who_is_not_merged(said: Said):
    links = merges.moved({}, said)
    aliases = merges.aliases(links)
    assert aliases.keys() == links.keys()
    for who, alias in aliases.items():
        assert alias.standing_id == merges.standing(links, who)
        assert alias.standing_id not in links
    ranks = sorted((alias.standing_id, alias.rank) for alias in aliases.values())
    assert ranks == [
        (standing, n + 1)
        for standing in sorted({alias.standing_id for alias in aliases.values()})
        for n in range(sum(alias.standing_id == standing for alias in aliases.values()))
    ]


@given(histories(), st.data())
def test_an_unmerge_gives_back_what_was_before_the_merge(said: Said, data: st.DataObject):
    links = merges.moved({}, said)
    free = [who for who in PEOPLE if who not in links]
    who, into = data.draw(st.sampled_from(free)), data.draw(st.sampled_from(PEOPLE))
    try:
        merged = merges.merge(MergePair(into, who), links)
    except Refused:
        return
    after = merges.moved(links, [(event, 1_000) for event in merged])
    assert merges.standing(after, who) == merges.standing(links, into)
    back = merges.moved(after, [(event, 1_001) for event in merges.unmerge(into, who, after)])
    assert merges.aliases(back) == merges.aliases(links)


@given(histories(), st.randoms())
def test_the_order_in_which_several_streams_are_taken_does_not_matter(said: Said, chance):
    """Within a stream it does: there every fact is about one merged contact."""
    streams: dict[str, Said] = {}
    for event, position in said:
        streams.setdefault(event.stream, []).append((event, position))
    shuffled: Said = []
    while streams:
        stream = chance.choice(sorted(streams))
        shuffled.append(streams[stream].pop(0))
        if not streams[stream]:
            del streams[stream]
    assert merges.moved({}, shuffled) == merges.moved({}, said)
    links: dict[UUID, Link] = {}
    for event in shuffled:
        links = merges.moved(links, [event])
        assert merges.aliases(links).keys() <= links.keys(), "also where the links of a part run in a circle"


def test_in_a_chain_the_last_one_stands_for_all():
    links = links_of((A, B), (B, C))
    assert merges.aliases(links) == {B: Alias(C, 1), A: Alias(C, 2)}


def test_unmerged_from_a_chain_one_keeps_those_merged_into_it():
    links = merges.moved(links_of((A, B), (B, C)), [(ContactUnmerged(contact_id=C, merged_id=B), 3)])
    assert merges.aliases(links) == {A: Alias(B, 1)}


def test_who_was_merged_first_has_the_lower_rank_and_brings_its_own_along():
    links = links_of((D, E), (B, C), (A, B), (E, C))
    assert merges.aliases(links) == {B: Alias(C, 1), A: Alias(C, 2), E: Alias(C, 3), D: Alias(C, 4)}


def test_of_a_circle_that_a_part_of_the_log_makes_the_oldest_link_is_left_out():
    assert merges.aliases({A: Link(B, 1), B: Link(A, 3)}) == {B: Alias(A, 1)}


def test_a_merge_says_which_contact_stays():
    assert merges.merge(MergePair(A, B), {}) == [ContactMerged(contact_id=A, merged_id=B)]


def test_what_is_merged_already_is_merged_once():
    assert merges.merge(MergePair(A, B), links_of((B, A))) == []
    assert merges.merge(MergePair(C, A), links_of((A, B), (B, C))) == []


def test_a_merge_into_a_merged_contact_makes_a_chain():
    assert merges.merge(MergePair(B, C), links_of((B, A))) == [ContactMerged(contact_id=B, merged_id=C)]


def test_nobody_is_merged_with_themselves():
    with pytest.raises(Invalid, match="itself"):
        merges.merge(MergePair(A, A), {})


@pytest.mark.parametrize("into", [A, B])
def test_a_circle_is_refused(into: UUID):
    with pytest.raises(Conflict, match="circle"):
        merges.merge(MergePair(into, C), links_of((A, B), (B, C)))


def test_who_is_merged_elsewhere_is_refused_with_where():
    with pytest.raises(Conflict, match=f"into {B} already"):
        merges.merge(MergePair(C, A), links_of((A, B)))


@pytest.mark.parametrize("removed", [A, B])
def test_who_was_removed_is_not_merged(removed: UUID):
    with pytest.raises(NotFound, match=str(removed)):
        merges.merge(MergePair(A, B), {}, removed={removed})


def test_who_is_not_merged_is_not_unmerged():
    with pytest.raises(Conflict, match="is not merged"):
        merges.unmerge(A, B, {})


def test_an_unmerge_from_somebody_else_says_where_the_contact_is_merged():
    with pytest.raises(Conflict, match=f"not merged into {C} but into {A}"):
        merges.unmerge(C, B, links_of((B, A)))


def test_from_the_standing_contact_one_further_down_is_unmerged_from_where_it_hangs():
    assert merges.unmerge(C, A, links_of((A, B), (B, C))) == [ContactUnmerged(contact_id=B, merged_id=A)]


def test_a_pair_is_told_apart_once_whoever_is_named_first():
    [told] = merges.tell_apart((B, A), {}, known=False)
    assert told.contact_ids == (A, B)
    assert merges.tell_apart((A, B), {}, known=True) == []


def test_one_contact_is_not_told_apart_from_itself():
    with pytest.raises(Invalid, match="name two"):
        merges.tell_apart((A, A), {}, known=False)


def test_those_who_are_merged_are_not_told_apart():
    with pytest.raises(Conflict, match="unmerge"):
        merges.tell_apart((A, B), links_of((A, C), (B, C)), known=False)
