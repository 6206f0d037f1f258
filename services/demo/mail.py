"""The made-up mail of one business, as an mbox: letters, and what a mailbox holds beside them."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.charset import QP, Charset
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr, parseaddr

from services.demo.cast import Profile
from services.demo.days import ZONE
from services.demo.people import Person
from services.demo.practice import Business, Happening, digest

UTF_8 = Charset("utf-8")
UTF_8.body_encoding = QP


LIST_TEXT = "Dear all, the next meeting is on the usual day.\n"
Mail = tuple[datetime, MIMEText]


def mailbox(business: Business) -> bytes:
    """All mail of two years, with what a mailbox holds beside letters: lists, machines, notes to oneself, a repeat."""
    letters = [_letter(business, one) for one in business.happenings if one.channel == "email"]
    noise = list(_noise(business))
    everything = sorted((*letters, *noise), key=lambda each: each[0])
    repeated = letters[len(letters) // 2]
    return b"".join(_in_mbox(at, mail) for at, mail in (*everything, repeated))


def _letter(business: Business, one: Happening) -> Mail:
    [other] = one.people
    us = business.owner if other.organisation or other in business.private else _machine(*business.shared_address)
    by, to = (other, us) if one.direction == "in" else (us, other)
    subject = _subject(business.profile, one)
    mail = _mail(one.at, by, to, f"Re: {subject}" if one.turn else subject, one.text, f"{one.thread}/{one.turn}")
    if one.turn:
        before = [_message_id(f"{one.thread}/{turn}") for turn in range(one.turn)]
        mail["In-Reply-To"], mail["References"] = before[-1], " ".join(before)
    return one.at, mail


def _subject(profile: Profile, one: Happening) -> str:
    thing = profile.sells[int(digest(str(one.thread)), 16) % len(profile.sells)]
    return f"About {thing}"


def _mail(at: datetime, by: Person, to: Person, subject: str, text: str, key: str) -> MIMEText:
    mail = MIMEText(text, "plain", "us-ascii" if text.isascii() else UTF_8)  # type: ignore[arg-type]
    mail["Message-ID"] = _message_id(key)
    mail["Date"] = format_datetime(at.astimezone(ZONE))
    mail["From"] = _address(by)
    mail["To"] = _address(to)
    mail["Subject"] = subject
    mail["Comments"] = "Made up"
    return mail


def _noise(business: Business) -> Iterator[Mail]:
    """Mail that is nobody's touchpoint: a list's, a machine's, notes to oneself, a clinic's reminders."""
    owner, slug = business.owner, business.profile.slug
    traders = _machine("Traders of the town", f"traders@{slug}-list.example")
    terminal = _machine("Card terminal", f"no-reply@{slug}-terminal.example")
    times = [one.at for one in business.happenings if one.channel == "email"]
    for number, at in enumerate(times[20::25]):
        mail = _mail(at, traders, traders, "[traders] Next meeting", LIST_TEXT, f"{slug}/list/{number}")
        mail["List-Id"], mail["Precedence"] = f"<traders.{slug}-list.example>", "list"
        yield at + timedelta(minutes=7), mail
    for number, at in enumerate(times[10::25]):
        mail = _mail(at, terminal, owner, "Your statement", "Please do not reply.\n", f"{slug}/auto/{number}")
        mail["Auto-Submitted"] = "auto-generated"
        yield at + timedelta(minutes=3), mail
    for number, at in enumerate(times[40::150]):
        yield at, _mail(at, owner, owner, "Not to forget", "Stamps, call the bank.\n", f"{slug}/self/{number}")
    _, doctor, _ = business.private
    for number, planned in enumerate(one for one in business.planned if doctor in one.people):
        at = planned.at - timedelta(days=2)
        yield at, _mail(at, doctor, owner, "Your appointment", "At the hour agreed.\n", f"{slug}/doctor/{number}")


def _machine(name: str, address: str) -> Person:
    return Person(name, "", "machine", 0, 0, identities={"email": address})


def _address(person: Person) -> str:
    return formataddr((person.name.strip(), person.email))


def _message_id(key: str) -> str:
    return f"<{digest(key)[:24]}@mail.example>"


def _in_mbox(at: datetime, mail: MIMEText) -> bytes:
    """In the form of RFC 4155, with lines that begin like a separator quoted."""
    _, sender = parseaddr(mail["From"])
    content = re.sub(rb"(?m)^(>*From )", rb">\1", mail.as_bytes())
    return b"From %s %s\n%s\n" % (sender.encode(), f"{at:%a %b %d %H:%M:%S %Y}".encode(), content)
