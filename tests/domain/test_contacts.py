"""What makes a contact, and what each change of one comes to."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from domain import contacts
from domain.contacts import (
    AddContact,
    ChangeContact,
    Contact,
    ContactAdded,
    ContactNamed,
    IdentityGiven,
    IdentityNoted,
    InterestGiven,
    InterestNoted,
    LocalityNoted,
    ReachNoted,
    RelationNoted,
    RelationshipClosed,
    RelationshipStated,
    Stated,
)
from domain.errors import Invalid, NotFound
from domain.event import Event, Personal
from domain.examples import ANA, BEN

EMAIL = ("email", "ana@example.com")


def added(**more: Any) -> list[Event]:
    command = AddContact(**{"name": "Ana"} | more)
    return contacts.add(command, contact_id=ANA, identities=[(i.platform, i.handle) for i in command.identities])


def changed(contact: Contact | None, **more: Any) -> list[Event]:
    command = ChangeContact(**more)
    return contacts.change(command, contact, identities=[(i.platform, i.handle) for i in command.identities])


def known(*events: Event) -> Contact:
    contact = contacts.fold([*added(), *events])
    assert contact is not None
    return contact


def test_a_name_makes_a_contact():
    assert added(name=" Ana ", hint="the baker") == [
        ContactAdded(contact_id=ANA, personal=Personal(name="Ana", hint="the baker"))
    ]


def test_an_identity_makes_a_contact():
    [opened, noted] = added(name=None, identities=(IdentityGiven(*EMAIL),))
    assert opened == ContactAdded(contact_id=ANA)
    assert noted == IdentityNoted(contact_id=ANA, platform="email", personal=Personal(handle="ana@example.com"))


def test_nothing_makes_no_contact():
    with pytest.raises(Invalid) as error:
        added(name=None)
    assert error.value.field == "name"


@pytest.mark.parametrize("field", ["name", "hint"])
def test_a_name_of_spaces_says_nothing(field: str):
    with pytest.raises(Invalid) as error:
        added(**{field: "  "})
    assert error.value.field == field


def test_all_that_is_known_at_once_becomes_facts():
    facts = added(
        identities=(IdentityGiven(*EMAIL),),
        locality="Portland",
        relation="supplier",
        interests=(InterestGiven("flour", "chamber", True),),
        stated=Stated(known_since=date(2019, 4, 1), how_close="ally"),
    )
    assert facts[2:] == [
        LocalityNoted(contact_id=ANA, personal=Personal(locality="Portland")),
        RelationNoted(contact_id=ANA, relation="supplier"),
        InterestNoted(contact_id=ANA, learned_at="chamber", in_confidence=True, personal=Personal(topic="flour")),
        RelationshipStated(contact_id=ANA, known_since=date(2019, 4, 1), how_close="ally"),
    ]
    assert all(fact.subjects == (ANA,) and fact.stream == f"contact-{ANA}" for fact in facts)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Anna"},
        {"identities": (IdentityGiven(*EMAIL),)},
        {"locality": "Portland"},
        {"relation": "partner"},
        {"interests": (InterestGiven("flour"),)},
        {"stated": Stated(how_often="weekly")},
        {"within_reach": "yes"},
        {"closed": "moved"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_is_one_fact_and_none_the_second_time(change: dict[str, Any]):
    [fact] = changed(known(), **change)
    assert changed(known(fact), **change) == []


def test_locality_and_relation_can_be_taken_away():
    contact = known(
        LocalityNoted(contact_id=ANA, personal=Personal(locality="Portland")),
        RelationNoted(contact_id=ANA, relation="partner"),
    )
    assert changed(contact, locality=None, relation=None) == [
        LocalityNoted(contact_id=ANA),
        RelationNoted(contact_id=ANA, relation=None),
    ]


def test_that_there_is_nothing_is_a_word_too_and_said_once():
    """It stands over what those merged into the contact were told."""
    nothing = [LocalityNoted(contact_id=ANA), RelationNoted(contact_id=ANA, relation=None)]
    assert changed(known(), locality=None, relation=None) == nothing
    assert changed(known(*nothing), locality=None, relation=None) == []


def test_what_is_left_out_stays():
    assert changed(known()) == []


def test_a_better_name_takes_the_place_of_the_first():
    [named] = changed(known(), name=" Anna Bakes ")
    assert named == ContactNamed(contact_id=ANA, personal=Personal(name="Anna Bakes"))
    assert known(named).name == "Anna Bakes"


def test_an_interest_told_twice_at_once_is_one():
    flour = InterestGiven("flour", "chamber")
    assert len(changed(known(), interests=(flour, InterestGiven(" flour ", "chamber")))) == 1


def test_an_interest_in_confidence_is_another_than_one_told_openly():
    [told] = changed(known(), interests=(InterestGiven("flour", "chamber"),))
    assert changed(known(told), interests=(InterestGiven("flour", "chamber", True),)) != []


@pytest.mark.parametrize(
    ("interest", "field"),
    [(InterestGiven(" "), "interests[1].topic"), (InterestGiven("flour", "The Café"), "interests[1].learned_at")],
)
def test_an_interest_says_something_and_was_learned_in_a_channel(interest: InterestGiven, field: str):
    with pytest.raises(Invalid) as error:
        changed(known(), interests=(InterestGiven("bread"), interest))
    assert error.value.field == field


def test_reach_and_ending_are_facts_of_the_contact():
    assert changed(known(), within_reach="no", closed="ended") == [
        ReachNoted(contact_id=ANA, within_reach="no"),
        RelationshipClosed(contact_id=ANA, ending="ended"),
    ]


def test_nobody_can_be_changed_who_is_not_there():
    with pytest.raises(NotFound):
        changed(None, name="Ana")


def test_facts_before_the_contact_is_added_make_none():
    assert contacts.fold([RelationNoted(contact_id=ANA, relation="partner")]) is None


def test_the_opening_facts_have_one_id_whoever_would_open_them():
    assert contacts.opening_id(ANA, ContactAdded.TYPE) == contacts.opening_id(UUID(str(ANA)), "contact.added")
    assert contacts.opening_id(ANA, ContactAdded.TYPE) != contacts.opening_id(BEN, ContactAdded.TYPE)
    assert contacts.opening_id(ANA, ContactAdded.TYPE) != contacts.opening_id(ANA, IdentityNoted.TYPE)
