"""The sample exports beside the project: each row of each accounted for. Nothing of them is part of the project."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain.errors import Invalid
from domain.imports import Reading, Rejected, Skipped, TouchpointRow
from infra.imports.formats import recognise
from tests.infra.imports.formats.files import told

EXPORTS = Path(__file__).parents[5] / "shared" / "exports"
READING = Reading(
    own=frozenset({("linkedin", "pedro"), ("email", "owner@bakery.example")}),
    country="US",
    time_zone="America/Los_Angeles",
    now=datetime(2026, 11, 22, 12, tzinfo=UTC),
)

# What becomes of each: the format, and how many rows are recorded, skipped and rejected.
SAMPLES = {
    "kawsay/linkedin/Connections.csv": ("linkedin_connections", 2, 0, 0),
    "kawsay/linkedin/messages.csv": ("linkedin_messages", 2, 0, 1),
    "linkedin-network-intelligence/Connections.csv": ("linkedin_connections", 10, 0, 0),
    "linkedin-network-intelligence/Messages.csv": ("linkedin_messages", 6, 0, 5),
    "icalendar/event_with_rsvp.ics": ("ics", 0, 0, 1),
    "icalendar/example.ics": ("ics", 1, 1, 0),
    "icalendar/issue_156_RDATE_with_PERIOD_TZID_khal.ics": ("ics", 19, 0, 0),
    "icalendar/property_params.ics": ("ics", 0, 1, 0),
    "icalendar/rfc_6868.ics": ("ics", 0, 0, 1),
    "icalendar/rfc_7986_conferences.ics": ("ics", 0, 0, 1),
}
OTHERS = [
    "kawsay/linkedin/Rich_Media.csv", "ez-vcard/gmail-list.vcf", "twitter-to-sqlite/follower.js",
    "twitter-to-sqlite/tweets.json", "chat-miner/test/telegram/test_single_export.json",
    "chat-miner/test/whatsapp/test_ddmmyy_24hrs.txt", "atproto/get_follows.json",
]  # fmt: skip


def sample(name: str) -> Path:
    path = EXPORTS / name
    if not path.is_file():
        pytest.skip(f"{name} is not there: ../shared/exports beside the project")
    return path


@pytest.mark.parametrize("name", SAMPLES)
def test_each_row_of_a_sample_is_accounted_for(name: str):
    expected, *counts = SAMPLES[name]
    with sample(name).open("rb") as file:
        kind = recognise(file)
        found = list(kind.read(file, READING))
    assert kind.name == expected
    became = [sum(isinstance(row.outcome, one) for row in found) for one in (TouchpointRow, Skipped, Rejected)]
    assert became == counts, [told(row.outcome) for row in found]
    assert sum(became) == len(found)


@pytest.mark.parametrize("name", OTHERS)
def test_a_sample_of_another_format_is_refused_in_words(name: str):
    with sample(name).open("rb") as file, pytest.raises(Invalid) as error:
        recognise(file)
    assert error.value.field == "file"
    assert error.value.reason.startswith("this is ")
