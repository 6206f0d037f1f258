"""Bulk: the same words of ours to five people or more within a day: a broadcast, whatever sent it, and no touch.

Which touchpoints are bulk is a rule over all that went out in those words, never a count kept as they come: so late
ones, strikes and repeats end in the same, in any order.
"""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from domain.letters import composed

MANY = 5
WITHIN = timedelta(hours=24)
# What is written to somebody, whose note is its text; of all else the note tells what happened.
WRITTEN = frozenset({"email", "direct_message", "chat", "comment", "mention"})
# The names under which programs that post by the clock send what they did, as `source` of a touchpoint.
SCHEDULERS = frozenset({
    "activecampaign", "agorapulse", "buffer", "constantcontact", "coschedule", "hootsuite", "later", "loomly",
    "mailchimp", "meetedgar", "metricool", "missinglettr", "planoly", "postcron", "publer", "recurpost", "sendible",
    "socialbee", "socialpilot", "sproutsocial", "swat.io", "tailwind", "zohosocial",
})  # fmt: skip
# Fewer words are equal without being a mailing ("happy birthday!").
FEW = 3
GREETING = re.compile(
    r"^(?:hi|hello|hey|dear|good (?:morning|day|evening)|hallo|liebe[rs]?|guten (?:morgen|tag|abend)|sehr geehrte[rs]?|"
    r"moin|servus|bonjour|salut|cher|chere|hola|buenos dias|estimad[oa]|ciao|ola|oi|beste|dag)\b"
    r"[^,!:.\n]{0,60}[,!:.\n]",
    re.I,
)
_WORD = re.compile(r"\w+")


class Sent(Struct, frozen=True):
    """A touchpoint as one contact was sent it, of those in the same words."""

    touchpoint_id: UUID
    contact_id: UUID
    at: datetime


def words_of(text: str) -> str | None:
    """What makes two texts the same: their words after the greeting, whatever the case, the signs, the spaces.

    None for a text of fewer than three words.
    """
    words = _WORD.findall(composed(without_greeting(text.strip()), "NFKC").casefold())
    return " ".join(words) if len(words) >= FEW else None


def without_greeting(text: str) -> str:
    """A text without the greeting it begins with."""
    found = GREETING.match(text)
    return text[found.end() :] if found else text


def by_scheduler(source: str | None) -> bool:
    """Whether a source is one of SCHEDULERS, however it is written."""
    return source is not None and re.sub(r"[\s_-]", "", source.casefold()) in SCHEDULERS


def bulk(sent: Iterable[Sent]) -> set[UUID]:
    """The touchpoints, of those in the same words, that lie within 24 hours in which these went to five contacts.

    One message to several people at once is no bulk by itself: its audience thins it.
    """
    ordered = sorted(sent, key=lambda one: (one.at, one.touchpoint_id))
    found: set[UUID] = set()
    people: Counter[UUID] = Counter()
    messages: Counter[UUID] = Counter()
    begin = marked = 0
    for end, one in enumerate(ordered):
        people[one.contact_id] += 1
        messages[one.touchpoint_id] += 1
        while one.at - ordered[begin].at > WITHIN:
            _take_one(people, ordered[begin].contact_id)
            _take_one(messages, ordered[begin].touchpoint_id)
            begin += 1
        if len(people) >= MANY and len(messages) > 1:
            found.update(each.touchpoint_id for each in ordered[max(begin, marked) : end + 1])
            marked = end + 1
    return found


def _take_one(counted: Counter[UUID], key: UUID) -> None:
    counted[key] -= 1
    if not counted[key]:
        del counted[key]
