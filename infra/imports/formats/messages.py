"""What mails and messages have in common: who wrote to whom, seen from the business, and what the text does."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.contacts import IdentityGiven
from domain.imports import Person, Reading, TouchpointRow
from domain.labels import label
from domain.privacy import is_freemail
from infra.imports.formats import proposals
from infra.imports.formats.people import normalised, person
from infra.imports.formats.proposals import Passed
from infra.imports.formats.seen import Seen
from infra.imports.formats.texts import digest

ATTENTIVE = 12  # above so many people addressed, it counts for none of them: they are a number, not people

Named = tuple[IdentityGiven, str | None]


def own_sites(reading: Reading) -> set[str]:
    """Hosts of the business's own, by its addresses."""
    domains = {handle.rpartition("@")[2] for platform, handle in reading.own if platform == "email"}
    return {domain for domain in domains if not is_freemail(domain)}


def touchpoint(
    sender: Named,
    recipients: Sequence[Named],
    facts: dict[str, Any],
    text: str,
    reading: Reading,
    seen: Seen,
    *,
    reply: bool = False,
    reaches_us: bool = False,
) -> TouchpointRow:
    """A message as the business sees it. `facts` has the rest; `reaches_us` where the recipients do not show it.

    Raises Passed for one to oneself, or between others; Invalid as the API does.
    """
    known = _distinct(recipients, reading)
    to_others = [(who, name) for who, name in known if normalised(who, reading) not in reading.own]
    ours = normalised(sender[0], reading) in reading.own
    if ours and not to_others:
        raise Passed("a message to oneself" if known else "it went to nobody")
    if not ours and len(to_others) == len(known) and not reaches_us:
        raise Passed("neither from you nor to you")
    addressed = len(to_others) if ours else max(len(known), 1)
    named = to_others if ours else [sender]
    people: list[Person] = [person([who], name) for who, name in named] if addressed <= ATTENTIVE else []
    what = label(text, reply=reply, own_sites=own_sites(reading) if ours else ())
    text_digest = digest(text)
    told = facts | {"direction": "out" if ours else "in", "act": what.act, "about": what.about}
    if addressed > 1:
        told["audience"] = addressed
    if ours and seen.is_bulk(text_digest, facts["occurred_at"]):
        told["automated"] = True
    return proposals.touchpoint(told, people, reading, text_digest=text_digest)


def tell(
    sender: IdentityGiven, recipients: Sequence[IdentityGiven], at: datetime, text: str, reading: Reading, seen: Seen
) -> None:
    """Let `seen` know of a text of ours, so that it finds those that went out many times."""
    text_digest = digest(text)
    if text_digest is not None and normalised(sender, reading) in reading.own:
        seen.told(text_digest, at, " ".join(sorted(str(normalised(who, reading)) for who in recipients)))


def _distinct(recipients: Sequence[Named], reading: Reading) -> list[Named]:
    """Each once; those whose identity is none are kept, so that they are refused where they count."""
    once: dict[object, Named] = {}
    for who, name in recipients:
        once.setdefault(normalised(who, reading) or who, (who, name))
    return list(once.values())
