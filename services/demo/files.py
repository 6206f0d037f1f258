"""The made-up practice as the files people bring: exports of LinkedIn, mail, a calendar, a table, lines of the API.

The same practice makes the same bytes. Each file says that it is made up where its format has a place for it.
"""

import csv
import io
from datetime import date, timedelta

import msgspec

from domain.touchpoints import RecordTouchpoint, Reference
from services.demo.calendar import IN_CALENDAR, calendar
from services.demo.cast import DAYS, Profile
from services.demo.days import ZONE
from services.demo.mail import mailbox
from services.demo.people import Person
from services.demo.practice import Business, Happening, Practice, digest

SOURCE = "made-up"
MADE_UP = (
    "All of this is made up: people, firms, addresses and words. It shows what Rapport does with files like these."
)
CONNECTIONS = ("First Name", "Last Name", "URL", "Email Address", "Company", "Position", "Connected On")
MESSAGES = (
    "CONVERSATION ID", "CONVERSATION TITLE", "FROM", "SENDER PROFILE URL", "TO", "RECIPIENT PROFILE URLS", "DATE",
    "SUBJECT", "CONTENT", "FOLDER", "ATTACHMENTS", "IS MESSAGE DRAFT", "IS CONVERSATION DRAFT",
)  # fmt: skip
TABLE = ("kind", "when", "who", "where", "direction", "minutes", "act", "email", "phone", "note")
JSON = msgspec.json.Encoder()


def files(practice: Practice) -> dict[str, bytes]:
    """Every file by its path: a folder for each business."""
    return {"MADE-UP.txt": f"{MADE_UP}\n".encode()} | {
        f"{business.profile.slug}/{name}": content
        for business in practice.businesses
        for name, content in files_of(business, practice.today).items()
    }


def files_of(business: Business, today: date) -> dict[str, bytes]:
    return {
        "Connections.csv": connections(business, today),
        "messages.csv": messages(business),
        "mail.mbox": mailbox(business),
        "calendar.ics": calendar(business, today),
        "touchpoints.csv": table(business),
        "touchpoints.ndjson": lines(business),
    }


def connections(business: Business, today: date) -> bytes:
    """LinkedIn's address book, with its preamble, the newest first. Most people show no address."""
    known = [one for one in business.people if "linkedin" in one.identities]
    written = io.StringIO()
    written.write(f'Notes:\n"When exporting your connection data, some addresses are missing. {MADE_UP}"\n\n')
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(CONNECTIONS)
    for one in sorted(known, key=lambda one: (-one.first, one.slug)):
        since = today - timedelta(days=DAYS - one.first)
        email = one.identities.get("email", "")
        firm = (one.organisation or "", one.role or "")
        rows.writerow((one.given, one.surname, profile_url(one), email, *firm, f"{since:%d %b %Y}"))
    return written.getvalue().encode()


def messages(business: Business) -> bytes:
    """LinkedIn's messages, the newest first, with one draft that was never sent."""
    sent = [one for one in business.happenings if one.kind == "direct_message"]
    written = io.StringIO()
    rows = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    rows.writerow(MESSAGES)
    rows.writerow(_message(business.owner, sent[-1], "I will", draft="Yes"))
    for one in reversed(sent):
        rows.writerow(_message(business.owner, one, one.text, draft="No"))
    return written.getvalue().encode()


def _message(owner: Person, one: Happening, text: str, *, draft: str) -> tuple[str, ...]:
    [other] = one.people
    by, to = (other, owner) if one.direction == "in" and draft == "No" else (owner, other)
    conversation = f"2-{digest(other.slug)[:24]}"
    who = (by.name, profile_url(by), to.name, profile_url(to))
    return (conversation, "Made up", *who, f"{one.at:%Y-%m-%d %H:%M:%S} UTC", "", text, "INBOX", "", draft, "No")


def profile_url(person: Person) -> str:
    """Shaped like LinkedIn's, at a host that cannot be: behind a real address might be a real person."""
    return f"https://www.linkedin.example/in/{person.identities['linkedin']}"


def table(business: Business) -> bytes:
    """Our own table: what the owner wrote down of shop, market, telephone and meetings, once without the day."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\r\n")
    rows.writerow(TABLE)
    elsewhere = ("email", "linkedin", business.profile.social)
    for one in business.happenings:
        if one.people and one.kind not in IN_CALENDAR and one.channel not in elsewhere:
            rows.writerow(_noted(one))
    rows.writerow(("chat", "last spring", "The man with the dog", business.profile.hub, "mutual", *[""] * 4, "made up"))
    return written.getvalue().encode("utf-8-sig")


def _noted(one: Happening) -> tuple[str, ...]:
    [other] = one.people
    email = other.identities.get("email", "")
    phone = other.identities.get("phone", "")
    when, minutes = one.at.astimezone(ZONE).isoformat(), str(one.minutes or "")
    return (one.kind, when, other.name, one.channel, one.direction, minutes, one.act or "", email, phone, "made up")


def lines(business: Business) -> bytes:
    """What another program would post to `/v1/touchpoints`, a line each: the social outpost and our own broadcasts."""
    social = [one for one in business.happenings if one.channel == business.profile.social or not one.people]
    return b"".join(JSON.encode(_touchpoint(business.profile, one)) + b"\n" for one in social)


def _touchpoint(profile: Profile, one: Happening) -> RecordTouchpoint:
    people = tuple(
        Reference(platform=profile.social, handle=person.identities[profile.social], name=person.name)
        for person in one.people
    )
    key = f"{profile.slug}/{one.channel}/{one.kind}/{one.thread or ''}/{one.turn}/{one.at:%Y%m%d%H%M%S}"
    return RecordTouchpoint(
        kind=one.kind,
        occurred_at=one.at,
        channel=one.channel,
        direction=one.direction,
        people=people,
        act=one.act,
        audience=one.audience,
        source=SOURCE,
        source_id=digest(key)[:24],
    )
