"""One valid example of each event."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from domain import (
    appointments,
    attendance,
    channels,
    contacts,
    gatherings,
    merges,
    model,
    money,
    nudges,
    policy,
    recurrence,
    referrals,
    ties,
    touchpoints,
    webhooks,
)
from domain.event import Event, Personal

ANA = UUID("01990000-0000-7000-8000-00000000000a")
BEN = UUID("01990000-0000-7000-8000-00000000000b")
COFFEE = UUID("01990000-0000-7000-8000-0000000000c0")
NUDGE = UUID("01990000-0000-7000-8000-0000000000d0")
LUNCH = UUID("01990000-0000-7000-8000-0000000000e0")
REFERRAL = UUID("01990000-0000-7000-8000-0000000000e1")
INTRODUCTION = UUID("01990000-0000-7000-8000-0000000000f0")
ENDPOINT = UUID("01990000-0000-7000-8000-0000000000e0")
PATIO = UUID("01990000-0000-7000-8000-0000000000f1")
LINK = UUID("01990000-0000-7000-8000-0000000000f2")
IMPORT = UUID("01990000-0000-7000-8000-0000000000e9")
NOON = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)

RECORDED = touchpoints.TouchpointRecorded(
    touchpoint_id=COFFEE,
    kind="meeting",
    channel="cafe",
    direction="mutual",
    contact_ids=(ANA, BEN),
    act="give",
    about="them",
    minutes=45,
    depth=2,
    audience=2,
    automated=False,
    topics=("flour",),
    source="notebook",
    source_id="1",
)
CHAMBER = channels.Channel(
    slug="chamber", name="Chamber of Commerce", realm="physical", role="outpost", access="members", topics=("trade",)
)
PLAN = appointments.Plan(
    starts_at=NOON, ends_at=NOON.replace(hour=13), channel="cafe", kind="meeting", contact_ids=(ANA, BEN)
)
FRIDAYS = recurrence.GatheringPlan(
    title="Friday patio",
    channel="patio",
    starts_at=datetime(2026, 5, 9, 0, 0, tzinfo=UTC),
    minutes=120,
    time_zone="America/Los_Angeles",
    place="behind the bakery",
    repeats="FREQ=WEEKLY",
    until=date(2027, 5, 7),
    open=True,
    about="Coffee, and whoever comes.",
    cost=money.Money("15.00", "USD"),
)
FRIDAY = date(2026, 5, 8)
_THERE: dict[str, Any] = {"gathering_id": PATIO, "occurrence": FRIDAY, "contact_id": ANA, "touchpoint_id": COFFEE}
_ABOUT: dict[str, Any] = {
    "referral_id": REFERRAL, "direction": "received", "referrer_id": ANA, "prospect_id": BEN,
}  # fmt: skip

EVENTS: tuple[Event, ...] = (
    RECORDED,
    touchpoints.TouchpointStruck(touchpoint_id=COFFEE, struck=RECORDED),
    touchpoints.TouchpointRestored(touchpoint_id=COFFEE, restored=RECORDED),
    contacts.ContactAdded(contact_id=ANA),
    contacts.ContactNamed(contact_id=ANA),
    contacts.IdentityNoted(contact_id=ANA, platform="email"),
    contacts.LocalityNoted(contact_id=ANA),
    contacts.RelationNoted(contact_id=ANA, relation="supplier"),
    contacts.InterestNoted(contact_id=ANA, learned_at="chamber", in_confidence=True),
    contacts.ReachNoted(contact_id=ANA, within_reach="yes"),
    contacts.RelationshipStated(
        contact_id=ANA, known_since=date(2020, 1, 1), how_often="monthly", how_close="ally", by="owner"
    ),
    contacts.RelationshipClosed(contact_id=ANA, ending="moved"),
    contacts.ContactRemoved(contact_id=ANA, undo_of=IMPORT),
    contacts.ContactRestored(contact_id=ANA),
    contacts.LeaveAloneNoted(contact_id=ANA, leave_alone=True),
    merges.ContactMerged(contact_id=ANA, merged_id=BEN),
    merges.ContactUnmerged(contact_id=ANA, merged_id=BEN),
    merges.ContactsToldApart(contact_ids=(ANA, BEN)),
    channels.ChannelOpened(channel=CHAMBER),
    channels.ChannelDescribed(channel=CHAMBER),
    referrals.ReferralMade(**_ABOUT, channel="chamber", touchpoint_id=COFFEE, heat=4, source="notebook", source_id="7"),
    referrals.ReferralContacted(**_ABOUT),
    referrals.ReferralMet(**_ABOUT),
    referrals.ReferralWon(**_ABOUT, value=money.Money("1250.00", "EUR")),
    referrals.ReferralLost(**_ABOUT),
    referrals.ReferralThanked(**_ABOUT, touchpoint_id=COFFEE),
    ties.IntroductionMade(
        introduction_id=INTRODUCTION,
        contact_ids=(BEN,),
        touchpoint_id=COFFEE,
        introducer_id=ANA,
        source="notebook",
        source_id="8",
    ),
    ties.TieNoted(contact_ids=(ANA, BEN)),
    money.CurrencySettled(currency="EUR"),
    nudges.NudgeSuggested(
        nudge_id=NUDGE,
        contact_id=ANA,
        kind="meet_in_person",
        priority=2,
        numbers={"score": 41.5},
        touchpoint_ids=(COFFEE,),
        expires_at=NOON,
        question="within_reach",
    ),
    nudges.NudgeAccepted(nudge_id=NUDGE, contact_id=ANA),
    nudges.NudgeSnoozed(nudge_id=NUDGE, contact_id=ANA, until=NOON),
    nudges.NudgeDismissed(nudge_id=NUDGE, contact_id=ANA),
    nudges.NudgeDone(nudge_id=NUDGE, contact_id=ANA, touchpoint_id=COFFEE),
    nudges.NudgeExpired(nudge_id=NUDGE, contact_id=ANA),
    nudges.NudgeMuted(contact_id=ANA, kind="keep_the_rhythm", until=NOON),
    policy.NudgePolicyChanged(
        policy=policy.Policy(
            a_day=2,
            quiet_hours=policy.Hours("18:00", "09:00"),
            opening_days=("tuesday", "saturday"),
            region="OR",
            away=(policy.Away(date(2026, 8, 3), date(2026, 8, 14)),),
            kinds=policy.KindPolicies(meet_in_person=policy.KindPolicy(rest_days=90)),
        )
    ),
    model.ModelChanged(
        model=model.Model(
            kinds={"meeting": model.KindModel(2.5, 2, 0), "referral": model.KindModel(3.0, 3, 3)},
            half_lives=model.HalfLives(20, 120, 600),
            depth_points=(0.0, 0.02, 1.0, 2.0),
            parts=model.PartPoints(25, 20, 20, 15, 10, 10),
        )
    ),
    appointments.AppointmentPlanned(
        appointment_id=LUNCH, plan=PLAN, touchpoint_id=COFFEE, source="calendar", source_id="uid-1", sequence=0
    ),
    appointments.AppointmentMoved(appointment_id=LUNCH, plan=PLAN, by_source=True, sequence=1),
    appointments.AppointmentCancelled(
        appointment_id=LUNCH, contact_ids=(ANA, BEN), by="them", by_source=True, sequence=2
    ),
    appointments.AppointmentHappened(appointment_id=LUNCH, contact_ids=(ANA,), touchpoint_id=COFFEE),
    appointments.AppointmentMissed(appointment_id=LUNCH, contact_ids=(ANA, BEN), by="them", absent_ids=(BEN,)),
    gatherings.GatheringPlanned(gathering_id=PATIO, plan=FRIDAYS),
    gatherings.GatheringChanged(gathering_id=PATIO, plan=FRIDAYS, since=FRIDAY),
    gatherings.GatheringCancelled(gathering_id=PATIO, since=FRIDAY, why="the summer is over"),
    gatherings.OccurrenceChanged(gathering_id=PATIO, occurrence=FRIDAY, starts_at=NOON, minutes=90, place="inside"),
    gatherings.OccurrenceCancelled(gathering_id=PATIO, occurrence=FRIDAY, why="it rains"),
    gatherings.LinkOpened(gathering_id=PATIO, link_id=LINK, token_digest="9f" * 32),
    gatherings.LinkClosed(gathering_id=PATIO),
    gatherings.GuestEntered(gathering_id=PATIO, contact_id=ANA, consent="1"),
    attendance.Attended(**_THERE, met=True),
    attendance.AttendanceStruck(**_THERE),
    webhooks.EndpointWarned(endpoint_id=ENDPOINT, failing_since=NOON, failures=12),
    webhooks.EndpointDisabled(endpoint_id=ENDPOINT, reason="gone"),
)
PERSONAL = Personal(
    name="Ana", hint="the baker's sister", handle="ana@example.com", locality="Portland", topic="flour", note="hi"
)
