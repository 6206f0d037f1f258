"""The made-up calendar of one business: what was, what is to come, what was called off, what is private."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from icalendar import Calendar, Event, vCalAddress, vUri

from services.demo.cast import CAFE, DAYS, TIME_ZONE, TOWN, Profile
from services.demo.days import ZONE, Days
from services.demo.people import Person
from services.demo.practice import Business, Happening, Planned, digest

IN_CALENDAR = frozenset({"meeting", "video_call"})
MADE_UP = "All of this is made up."


def calendar(business: Business, today: date) -> bytes:
    profile, owner = business.profile, business.owner
    made = Calendar()
    made.add("prodid", "-//Rapport//made-up practice//EN")
    made.add("version", "2.0")
    made.add("x-wr-calname", profile.name)
    made.add("x-wr-caldesc", MADE_UP)
    made.add("x-wr-timezone", TIME_ZONE)
    made.add_component(_series(profile, Days(profile, today)))
    for one in business.happenings:
        if one.kind in IN_CALENDAR:
            made.add_component(_met(profile, owner, one))
    for planned in business.planned:
        made.add_component(_planned(owner, planned))
    made.add_missing_timezones(first_date=today - timedelta(days=DAYS + 30), last_date=today + timedelta(days=365))
    return bytes(made.to_ical())


def _series(profile: Profile, days: Days) -> Event:
    """The group's meeting, again and again, without the weeks the owner was away."""
    group = profile.group
    told = [days.date_of(day) for day in range(DAYS)]
    meets = [days.at(on, group.hour, group.minute).astimezone(ZONE) for on in told if days.group_meets(on)]
    entry = _entry(f"{profile.slug}/{group.slug}", meets[0], 75, group.name)
    entry.add("location", group.place)
    entry.add("rrule", {"freq": "weekly", "interval": group.weeks})
    if missed := [at for at in meets if days.is_away(at.date())]:
        entry.add("exdate", missed)
    return entry


def _entry(key: str, at: datetime, minutes: int, title: str) -> Event:
    entry = Event()
    entry.add("uid", f"{digest(key)[:24]}@calendar.example")
    entry.add("dtstamp", at)
    entry.add("dtstart", at.astimezone(ZONE))
    entry.add("dtend", (at + timedelta(minutes=minutes)).astimezone(ZONE))
    entry.add("summary", title)
    return entry


def _invite(entry: Event, owner: Person, people: Iterable[Person], *, ours: str = "ACCEPTED") -> None:
    entry.add("organizer", _attendee(owner))
    for person, answer in ((owner, ours), *((person, "ACCEPTED") for person in people)):
        invited = _attendee(person)
        invited.params["PARTSTAT"] = answer
        entry.add("attendee", invited)


def _attendee(person: Person) -> vCalAddress:
    address = vCalAddress(f"mailto:{person.email}")
    address.params["CN"] = person.name
    return address


def _met(profile: Profile, owner: Person, one: Happening) -> Event:
    [other] = one.people
    key = f"{profile.slug}/{other.slug}/{one.at:%Y%m%d%H%M}"
    if one.kind == "video_call":
        entry = _entry(key, one.at, one.minutes or 30, f"Video call with {other.given}")
        entry.add("conference", vUri(f"https://meet.example/{digest(key)[:10]}"), parameters={"VALUE": "URI"})
    else:
        what = "Visit of" if one.channel == profile.hub else "Coffee with"
        entry = _entry(key, one.at, one.minutes or 30, f"{what} {other.given}")
        entry.add("location", place(profile, one.channel))
    _invite(entry, owner, one.people)
    return entry


def place(profile: Profile, channel: str) -> str:
    return f"Our {profile.hub}, 3 Market Square, {TOWN}" if channel == profile.hub else CAFE


def _planned(owner: Person, planned: Planned) -> Event:
    names = "/".join(person.slug for person in planned.people)
    entry = _entry(f"{owner.slug}/planned/{planned.at:%Y%m%d%H}/{names}", planned.at, planned.minutes, planned.title)
    if planned.place:
        entry.add("location", planned.place)
    entry.add("status", "CANCELLED" if planned.cancelled else "CONFIRMED")
    if planned.private:
        entry.add("class", "PRIVATE")
    _invite(entry, owner, planned.people, ours="DECLINED" if planned.declined else "ACCEPTED")
    return entry
