"""What the owners of the made-up businesses typed in themselves, beside the files they brought."""

from collections.abc import Iterator
from datetime import timedelta

from domain.appointments import PlanAppointment
from domain.channels import DescribeChannel
from domain.contacts import AddContact, IdentityGiven, InterestGiven
from domain.referrals import MakeReferral, TellOutcome
from domain.touchpoints import Reference
from services.demo.cast import CURRENCY
from services.demo.people import Person
from services.demo.practice import Business, Referral, Step

SOURCE = "made-up"
# Whom an owner enters: those who are more to the business than a name in a file.
WORTH_TYPING = frozenset(
    {"advocate", "client", "far friend", "mentor", "newly known", "online friend", "once a quarter", "supplier"}
    | {"weekly friend"}
)


def channels(business: Business) -> Iterator[DescribeChannel]:
    """The places that are more than their slug says."""
    profile = business.profile
    yield DescribeChannel(slug=profile.hub, name=f"Our {profile.hub}", role="hub", realm="physical")
    yield DescribeChannel(slug=profile.group.slug, name=profile.group.name, access="members")
    if profile.market_day is not None:
        yield DescribeChannel(slug="farmers-market", name="Saturday farmers' market", topics=("food",))


def contacts(business: Business) -> Iterator[AddContact]:
    return (_contact(person) for person in business.people if person.personality in WORTH_TYPING)


def _contact(person: Person) -> AddContact:
    return AddContact(
        name=person.name,
        identities=tuple(IdentityGiven(*known) for known in sorted(person.identities.items())),
        locality=person.locality,
        relation=person.relation,
        interests=tuple(InterestGiven(topic) for topic in person.interests),
    )


def appointments(business: Business) -> Iterator[PlanAppointment]:
    """Two arranged on the telephone: their time is over, and nobody has said yet whether they took place."""
    for number, planned in enumerate(business.arranged):
        [person] = planned.people
        yield PlanAppointment(
            starts_at=planned.at,
            ends_at=planned.at + timedelta(minutes=planned.minutes),
            channel="cafe",
            people=(reference(person),),
            kind="meeting",
            source=SOURCE,
            source_id=f"{business.profile.slug}/arranged/{number}",
        )


def referrals(business: Business) -> Iterator[tuple[MakeReferral, list[TellOutcome]]]:
    """Each with what became of it, in order."""
    for one in business.referrals:
        made = MakeReferral(
            direction="given" if one.given else "received",
            referrer=reference(one.referrer),
            prospect=reference(one.prospect),
            by_way_of=_way(business, one),
            heat=one.heat,
            occurred_at=one.at,
            source=SOURCE,
            source_id=f"{business.profile.slug}/{one.key}",
        )
        yield made, [*map(_outcome, one.steps), *_thanks(one)]


def _way(business: Business, one: Referral) -> str:
    if one.referrer.personality == "client":
        return business.profile.hub
    return business.profile.group.slug if one.referrer.personality == "advocate" else "email"


def _outcome(step: Step) -> TellOutcome:
    if step.value is None:
        return TellOutcome(outcome=step.fate, occurred_at=step.at)
    return TellOutcome(outcome=step.fate, occurred_at=step.at, value=step.value, currency=CURRENCY)


def _thanks(one: Referral) -> Iterator[TellOutcome]:
    if one.thanked_at is not None:
        yield TellOutcome(outcome="thanked", occurred_at=one.thanked_at, kind="call", channel="phone", minutes=5)


def reference(person: Person) -> Reference:
    """By mail where there is an address, else by telephone, else by whatever there is."""
    if "email" in person.identities:
        return Reference(email=person.email, name=person.name)
    if "phone" in person.identities:
        return Reference(phone=person.identities["phone"], name=person.name)
    [(platform, handle)] = person.identities.items()
    return Reference(platform=platform, handle=handle, name=person.name)
