"""From a command to events in the log: the one road, for API, imports, webhooks, workers and the command line."""

from infra.commands.channels import describe_channel
from infra.commands.contacts import add_contact, change_contact
from infra.commands.nudges import answer_nudge, finish_nudge
from infra.commands.touchpoints import Recorded, record_touchpoints, strike_touchpoint

__all__ = [
    "Recorded",
    "add_contact",
    "answer_nudge",
    "change_contact",
    "describe_channel",
    "finish_nudge",
    "record_touchpoints",
    "strike_touchpoint",
]
