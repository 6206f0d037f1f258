"""From a command to events in the log: the one road, for API, imports, webhooks, workers and the command line."""

from infra.commands.appointments import (
    Planned,
    appointment_id_of,
    cancel_appointment,
    move_appointment,
    plan_appointment,
    plan_appointments,
    tell_happened,
    tell_missed,
    withdraw_appointments,
)
from infra.commands.channels import describe_channel
from infra.commands.contacts import add_contact, change_contact
from infra.commands.gatherings import (
    Noted,
    cancel_gathering,
    change_gathering,
    change_link,
    enter_guest,
    note_attendance,
    plan_gathering,
)
from infra.commands.merges import Merged, merge_contacts, merge_pairs, tell_apart, unmerge_contact
from infra.commands.model import change_model
from infra.commands.nudges import answer_nudge, change_nudge_policy, finish_nudge, mute_nudges
from infra.commands.referrals import make_introduction, make_referral, note_tie, tell_outcome
from infra.commands.touchpoints import Recorded, record_touchpoints, strike_touchpoint

__all__ = [
    "Merged",
    "Noted",
    "Planned",
    "Recorded",
    "add_contact",
    "answer_nudge",
    "appointment_id_of",
    "cancel_appointment",
    "cancel_gathering",
    "change_contact",
    "change_gathering",
    "change_link",
    "change_model",
    "change_nudge_policy",
    "describe_channel",
    "enter_guest",
    "finish_nudge",
    "make_introduction",
    "make_referral",
    "merge_contacts",
    "merge_pairs",
    "move_appointment",
    "mute_nudges",
    "note_attendance",
    "note_tie",
    "plan_appointment",
    "plan_appointments",
    "plan_gathering",
    "record_touchpoints",
    "strike_touchpoint",
    "tell_apart",
    "tell_happened",
    "tell_missed",
    "tell_outcome",
    "unmerge_contact",
    "withdraw_appointments",
]
