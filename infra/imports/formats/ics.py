"""Calendars (RFC 5545): what took place with others are meetings, what is to come are appointments.

The version of an entry with the highest SEQUENCE counts, of equals the one written last (DTSTAMP). Entries that share
an id and all of that are different ones where they begin at different times: some programs give one id to all. A series
comes as its occurrences, each a row with the line of the series; an occurrence that was changed by itself comes with
its own line.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event
from msgspec import Struct
from msgspec.structs import replace
from recurring_ical_events.util import to_recurrence_ids  # type: ignore[import-untyped]

from domain import channels
from domain.appointments import PlanAppointment, check_plan
from domain.contacts import IdentityGiven
from domain.errors import Invalid
from domain.identities import email
from domain.imports import AppointmentRow, OwnerCandidate, Person, Reading, Rejected, Row, Skipped, TouchpointRow
from infra.imports.formats import proposals
from infra.imports.formats.entries import Entry, entries
from infra.imports.formats.format import File, Format
from infra.imports.formats.people import normalised, person
from infra.imports.formats.properties import properties_of, property_of
from infra.imports.formats.proposals import Outcome, Passed
from infra.imports.formats.recurrences import UNREADABLE, Allowance, is_series, occurrences
from infra.imports.formats.seen import Seen
from infra.imports.formats.texts import clean, content_id, folded, shown
from infra.imports.formats.zones import Zones, applied, check_names

NAME = "ics"
LONGEST = 14_400  # minutes a touchpoint can have
ATTENTIVE = 12
MOST_PEOPLE = 1_000
MOST_PARTS = 1_000  # of a series that are changed by themselves
MOST_CHANGES = 100  # of a series from one day on

_TIMES = ("DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RRULE", "RDATE", "EXDATE")
_OTHER_KINDS = {"VTODO": "a task, no meeting", "VJOURNAL": "a note, no meeting", "VFREEBUSY": "busy times, no meeting"}
_ONCE = (
    "DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "UID", "DTSTAMP", "SEQUENCE", "STATUS", "CLASS", "SUMMARY",
    "LOCATION", "ORGANIZER", "URL",
)  # fmt: skip
_FROM_HERE_ON = re.compile(r';RANGE="?THISANDFUTURE', re.I)
_COST_OF_PART = 500
_NO_ENTRY = "this is no entry of a calendar that can be read"
_READ = 2_000  # characters of a place or an address of a call
_CALLS_READ = 10
_KEPT_OWNERS = 20_000
_URL = re.compile(r"https?://[^\s<>\"',;\\]{4,500}", re.I)
# Hosts of calls, and the channel each is.
_CALLS = {
    "zoom.us": "zoom", "zoom.com": "zoom", "zoomgov.com": "zoom", "meet.google.com": "meet",
    "teams.microsoft.com": "teams", "teams.live.com": "teams", "webex.com": "video", "whereby.com": "video",
    "gotomeeting.com": "video", "gotomeet.me": "video", "goto.com": "video", "meet.jit.si": "video",
    "bluejeans.com": "video", "skype.com": "video", "around.co": "video", "chime.aws": "video",
    "facetime.apple.com": "video", "discord.com": "video", "discord.gg": "video", "gather.town": "video",
}  # fmt: skip
_LABELS = max(host.count(".") + 1 for host in _CALLS)
_NO_PLACE = frozenset(
    """
    online remote video zoom teams microsoft google meet phone telephone call telefon telefonat tba tbd virtual webinar
    skype facetime anruf videocall whatsapp
    """.split()
)
_PLACES = {"kaffee": "cafe", "cafeteria": "cafe", "buro": "office", "oficina": "office", "bureau": "office"}
_NO_PEOPLE = frozenset({"RESOURCE", "ROOM", "GROUP"})


class _Where(NamedTuple):
    channel: str
    kind: str


class _When(NamedTuple):
    begins: datetime
    ends: datetime


def recognise(head: str) -> bool:
    return bool(re.match(r"\s*BEGIN:(?:VCALENDAR|VEVENT)\s", head, re.I))


def owners(file: File) -> list[OwnerCandidate]:
    """Who stands in most entries, likeliest first: a calendar is its owner's."""
    rows: Counter[str] = Counter()
    names: dict[str, str] = {}
    for entry in entries(file):
        here = {}
        for line in re.findall(r"^(?:ORGANIZER|ATTENDEE)[;:].*$", entry.unfolded, re.I | re.M):
            if found := re.search(r"mailto:([^\s\"<>]{1,320})", line, re.I):
                here[found[1].casefold()] = re.search(r";CN=(?:\"([^\"]*)\"|([^;:\"]*))", line, re.I)
        for address, name in here.items():
            if address in rows or len(rows) < _KEPT_OWNERS:
                rows[address] += 1
                if name and (told := clean((name[1] or name[2] or "")[:200])) and "@" not in told:
                    names.setdefault(address, told)
    return [
        OwnerCandidate("email", address, names.get(address), n) for address, n in rows.most_common(10) if _is(address)
    ]


def read(file: File, reading: Reading) -> Iterator[Row]:
    with Seen() as seen:
        for entry in entries(file):
            if entry.kind == "VEVENT" and entry.fault is None:
                _index(entry, seen)
        series = _Series(seen)
        for entry in entries(file):
            for excerpt, made in _outcomes(entry, reading, series):
                yield Row(entry.line, made, excerpt)


class _Changes(NamedTuple):
    """What is changed by itself of a series: the parts, at what times it was, and when these are now."""

    parts: list[Event]
    at: set[datetime]
    own: set[tuple[str, str]]


class _Series:
    """What is known of the series of a file: their versions, their parts, and what they may still take."""

    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.allowance = Allowance()
        self._read: tuple[str, Zones, _Changes | None] | None = None

    def changes(self, entry: Entry) -> _Changes:
        """The parts of the series with this entry's id, read in its zones. Raises Invalid for too many."""
        if self._read is None or self._read[0] != entry.uid or self._read[1] is not entry.zones:
            texts = self.seen.parts((entry.uid,), most=MOST_PARTS + 1)
            self.allowance.take(cost=_COST_OF_PART * len(texts))
            few = len(texts) <= MOST_PARTS
            self._read = entry.uid, entry.zones, _changes(_events(_calendar(entry, texts))) if few else None
        if (changes := self._read[2]) is None:
            raise Invalid(f"more than {MOST_PARTS:,} occurrences of this series are changed by themselves")
        return changes


def _changes(parts: Sequence[Event]) -> _Changes:
    read = [part for part in parts if _has_times(part)]
    at = {time for part in read for time in to_recurrence_ids(property_of(part, "RECURRENCE-ID").dt)}
    return _Changes(read, at, set(map(_told_and_now, read)))


def _told_and_now(part: Event) -> tuple[str, str]:
    return str(property_of(part, "RECURRENCE-ID").dt), str(property_of(part, "DTSTART").dt)


def _index(entry: Entry, seen: Seen) -> None:
    """Which version of each entry counts; and the parts of a series that are changed by themselves."""
    seen.offer(_key(entry), _rank(entry), entry.line)
    recurrence = entry.value("RECURRENCE-ID")
    if recurrence and not any(entry.times_said[name] > 1 for name in _ONCE):
        seen.keep_part((entry.uid,), _key(entry), entry.line, _as_part(entry, recurrence))


def _as_part(entry: Entry, recurrence: str) -> str:
    """All of a part from which on a series is changed; of others only which it is."""
    if _FROM_HERE_ON.search(f";{recurrence}"):
        return entry.text
    return f"{entry.said('RECURRENCE-ID')}\n{entry.said('DTSTART')}"


def _events(calendar: Calendar) -> list[Event]:
    return [component for component in calendar.walk("VEVENT") if isinstance(component, Event)]


def _key(entry: Entry) -> tuple[str, ...]:
    recurrence = entry.value("RECURRENCE-ID")
    return (entry.uid, recurrence.rpartition(":")[2] or recurrence)


def _rank(entry: Entry) -> str:
    sequence = entry.value("SEQUENCE")
    number = int(sequence) if re.fullmatch(r"\d{1,9}", sequence, re.ASCII) else 0
    return f"{number:010} {entry.value('DTSTAMP')[:40]}"


def _outcomes(entry: Entry, reading: Reading, series: _Series) -> Iterator[tuple[str, Outcome]]:
    if entry.fault is not None:
        yield "", entry.fault
    elif entry.kind != "VEVENT":
        yield "", Skipped(_OTHER_KINDS[entry.kind])
    elif why := _not_the_one(entry, series.seen):
        yield _shown(entry), Skipped(why)
    else:
        yield from _of_event(entry, reading, series)


def _not_the_one(entry: Entry, seen: Seen) -> str | None:
    """Why another entry of this file stands for this one."""
    best = seen.best(_key(entry))
    if best is not None and _rank(entry) < best[0]:
        return "a later version of this entry stands in this file"
    if seen.times(*_key(entry), entry.value("DTSTART")) > 1:
        return "this entry stands in this file already"
    return None


def _of_event(entry: Entry, reading: Reading, series: _Series) -> Iterator[tuple[str, Outcome]]:
    """The row of one entry, or of each occurrence of a series."""
    try:
        event = _parsed(entry)
        several = _occurring(entry, event, reading, series)
    except Invalid as error:
        yield _shown(entry), Rejected(error.reason, field=error.field)
        return
    except UNREADABLE:
        yield _shown(entry), Rejected(_NO_ENTRY)
        return
    if not several:
        yield _shown(entry), Skipped("a series without an occurrence in the last ten years or the next")
    judge = _Judge(entry, reading)
    for one, source_id in several:
        yield _shown(entry, one), judge.outcome(one, source_id)


def _parsed(entry: Entry) -> Event:
    """The event, as the library reads it. Raises Invalid for what it cannot read of its times."""
    check_names(entry.unfolded)
    [event, *_] = _events(_calendar(entry, [entry.text]))
    for name, reason in event.errors:
        if str(name).upper() in _TIMES or name is None:
            raise Invalid(f"this cannot be read: {clean(str(reason)[:400])[:200]}", field=str(name or "") or None)
    if "DTSTART" not in event:
        raise Invalid("no time at which it begins", field="DTSTART")
    if (name := _told_twice(event)) is not None:
        raise Invalid("an entry says this once", field=name)
    return event


def _told_twice(event: Event) -> str | None:
    """What RFC 5545 allows once and the entry has more often."""
    return next((name for name in _ONCE if isinstance(event.get(name), list)), None)


def _calendar(entry: Entry, texts: Iterable[str]) -> Calendar:
    """A calendar of these entries, in the zones of this one's."""
    events = "".join(f"BEGIN:VEVENT\n{text}\nEND:VEVENT\n" for text in texts)
    with applied(entry.zones):
        return Calendar.from_ical(f"BEGIN:VCALENDAR\n{events}END:VCALENDAR\n".replace("\n\n", "\n"))


def _occurring(entry: Entry, event: Event, reading: Reading, series: _Series) -> list[tuple[Event, str]]:
    """The event, or the occurrences of a series that are not changed by themselves; each with its id."""
    if not is_series(event) or ("RECURRENCE-ID" in event and series.seen.best((entry.uid, "")) is not None):
        return [(event, _source_id(entry, event, series.seen))]
    _when(event, reading)
    if _is_all_day(event) and "RDATE" not in event:  # birthdays since 1950: none of them is a meeting
        return [(event, _source_id(entry, event, series.seen))]
    changes = series.changes(entry)
    itself = _changes([event] if _has_times(event) else [])  # of a series not in the file but for this part of it
    event.pop("RECURRENCE-ID", None)
    calendar = Calendar()
    for one in (event, *(part for part in _from_here_on(changes.parts) if _told_and_now(part) not in itself.own)):
        one["UID"] = entry.uid
        calendar.add_component(one)
    found, own = [], changes.own - itself.own
    for one in occurrences(calendar, event, series.allowance, now=reading.now):
        told, began = property_of(one, "RECURRENCE-ID").dt, property_of(one, "DTSTART").dt
        if told == began and any(at in changes.at and at not in itself.at for at in to_recurrence_ids(began)):
            continue
        if (str(told), str(began)) not in own:
            found.append((one, f"{_short(entry.uid)}/{_stamp(_utc(one['DTSTART'], reading))}"))
    return found


def _has_times(part: Event) -> bool:
    return all(isinstance(getattr(property_of(part, name), "dt", None), date) for name in ("RECURRENCE-ID", "DTSTART"))


def _from_here_on(changes: Sequence[Event]) -> Sequence[Event]:
    """What the library has to know of the parts: those that change all that follow, and then the others as well."""
    lasting = sum("RANGE" in property_of(part, "RECURRENCE-ID").params for part in changes)
    if lasting > MOST_CHANGES:
        raise Invalid(f"this series is changed from one day on more than {MOST_CHANGES} times", field="RECURRENCE-ID")
    return changes if lasting else ()


def _source_id(entry: Entry, event: Event, seen: Seen) -> str:
    """The entry's id; for a part of a series also which it is, for one that shares its id when it begins."""
    uid, best = _short(entry.uid), seen.best(_key(entry))
    if "RECURRENCE-ID" in event:
        told = property_of(event, "RECURRENCE-ID").dt
    elif best is not None and best[1] != entry.line:
        told = property_of(event, "DTSTART").dt
    else:
        return uid
    return f"{uid}/{_stamp(told.astimezone(UTC)) if isinstance(told, datetime) and told.tzinfo else told}"


def _short(uid: str) -> str:
    return uid if len(uid) <= 300 and uid.isprintable() else content_id(uid)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%SZ")


class _Told(Struct):
    """What an entry says beside when: the same for each occurrence of a series."""

    people: list[Person]
    where: _Where
    judged: bool = False
    refusal: Invalid | None = None


class _Judge:
    """What becomes of an entry, or of the occurrences of a series: what these have in common is read once."""

    def __init__(self, entry: Entry, reading: Reading) -> None:
        self._entry, self._reading = entry, reading
        self._told: dict[tuple[int, ...], _Told | Passed | Invalid] = {}

    def outcome(self, event: Event, source_id: str) -> Outcome:
        try:
            return proposals.outcome(lambda: self._outcome(event, source_id))
        except UNREADABLE:
            return Rejected(_NO_ENTRY)

    def _outcome(self, event: Event, source_id: str) -> Outcome:
        entry, reading = self._entry, self._reading
        if entry.method == "REPLY":
            raise Passed("an answer to an invitation")
        if _is_all_day(event):
            raise Passed("an entry for whole days, no meeting")
        when = _when(event, reading)
        told = self._told_by(event)
        cancelled = entry.method == "CANCEL" or str(event.get("STATUS", "")).upper() == "CANCELLED"
        if cancelled or when.ends > reading.now:
            return _appointment(when, told, source_id, reading, cancelled=cancelled)
        return _meeting(when, told, source_id, reading)

    def _told_by(self, event: Event) -> _Told:
        """Raises Passed, Invalid."""
        # The occurrences the library makes hold the very objects of the entry they are of.
        key = tuple(id(event.get(name)) for name in ("ATTENDEE", "ORGANIZER", "LOCATION", "CLASS", "DESCRIPTION"))
        if key not in self._told:
            try:
                self._told[key] = _Told(_people(event, self._reading, _signs(event)), _where(event))
            except (Passed, Invalid) as error:
                self._told[key] = error
        told = self._told[key]
        if isinstance(told, _Told):
            return told
        raise told


def _signs(event: Event) -> tuple[str, ...]:
    return ("calendar:private",) if str(event.get("CLASS", "")).upper() in ("PRIVATE", "CONFIDENTIAL") else ()


def _meeting(when: _When, told: _Told, source_id: str, reading: Reading) -> TouchpointRow:
    facts: dict[str, Any] = {
        "kind": told.where.kind,
        "occurred_at": when.begins,
        "channel": told.where.channel,
        "direction": "mutual",
        "source": NAME,
        "source_id": source_id,
    }
    minutes = int((when.ends - when.begins).total_seconds() // 60)
    if 0 < minutes <= LONGEST:
        facts["minutes"] = minutes
    if len(told.people) > 1:
        facts["audience"] = len(told.people)
    return proposals.touchpoint(facts, told.people if len(told.people) <= ATTENTIVE else [], reading)


def _appointment(when: _When, told: _Told, source_id: str, reading: Reading, *, cancelled: bool) -> AppointmentRow:
    """Raises Invalid, in the words of planning it. Who it is with is the same for each occurrence, and judged once."""
    some = tuple(one.reference for one in told.people[:1])
    plan = PlanAppointment(when.begins, when.ends, told.where.channel, some, source=NAME, source_id=source_id)
    check_plan(plan, now=reading.now)
    if not told.judged:
        told.judged, told.refusal = True, _refusal(plan, told.people, reading)
    if told.refusal is not None:
        raise told.refusal
    return AppointmentRow(NAME, source_id, when.begins, when.ends, told.where.channel, tuple(told.people), cancelled)


def _refusal(plan: PlanAppointment, people: Sequence[Person], reading: Reading) -> Invalid | None:
    """Why it cannot be planned with these people."""
    try:
        check_plan(replace(plan, people=tuple(one.reference for one in people)), now=reading.now)
        for n, one in enumerate(people):
            proposals.check_person(one, reading, at=f"with[{n}]")
    except Invalid as error:
        return error
    return None


def _is_all_day(event: Event) -> bool:
    marked = str(event.get("X-MICROSOFT-CDO-ALLDAYEVENT", "")).upper() == "TRUE"
    return marked or not isinstance(property_of(event, "DTSTART").dt, datetime)


def _when(event: Event, reading: Reading) -> _When:
    """Begin and end in UTC. Raises Invalid."""
    if not isinstance(property_of(event, "DTSTART").dt, datetime):
        day = property_of(event, "DTSTART").dt
        if not isinstance(day, date) or not 1900 <= day.year <= 2200:
            raise Invalid("this is before 1900, or no day", field="DTSTART")
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return _When(at, at)
    begins = _utc(property_of(event, "DTSTART"), reading)
    ends = begins
    if "DTEND" in event:
        ends = _utc(property_of(event, "DTEND"), reading)
    elif "DURATION" in event and isinstance(property_of(event, "DURATION").dt, timedelta):
        ends = begins + min(property_of(event, "DURATION").dt, timedelta(days=3_660))
    if ends < begins:
        raise Invalid("it ends before it begins", field="DTEND")
    return _When(begins, ends)


def _utc(value: Any, reading: Reading) -> datetime:
    """A time in UTC; one without a zone is the tenant's. Raises Invalid for an unknown zone."""
    at = value.dt
    if not isinstance(at, datetime):
        at = datetime(at.year, at.month, at.day)  # noqa: DTZ001 - the tenant's day
    elif at.tzinfo is None and value.params.get("TZID"):
        raise Invalid(f"an unknown time zone: {clean(str(value.params['TZID']))[:100]}", field="DTSTART")
    if not 1900 <= at.year <= 2200:
        raise Invalid("this is before 1900, or too far ahead", field="DTSTART")
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(reading.time_zone))).astimezone(UTC)


def _people(event: Event, reading: Reading, signs: tuple[str, ...]) -> list[Person]:
    """The others: organiser and attendees, without rooms, without who declined. Raises Passed where nobody is left."""
    found: dict[tuple[str, str], Person] = {}
    declined = False
    for one in chain(properties_of(event, "ATTENDEE"), properties_of(event, "ORGANIZER")):
        known = _address(one)
        identity = known and normalised(known, reading)
        if not known or not identity or str(one.params.get("CUTYPE", "")).upper() in _NO_PEOPLE:
            continue
        no = str(one.params.get("PARTSTAT", "")).upper() == "DECLINED"
        if identity in reading.own:
            if no:
                raise Passed("you declined")
        elif no:
            declined = True
            found.pop(identity, None)
        elif not known.handle.lower().endswith(("@resource.calendar.google.com", "@group.calendar.google.com")):
            name = clean(str(one.params.get("CN", ""))[:_READ]).strip("\"'")
            found.setdefault(identity, person([known], name if name and "@" not in name else None, signs=signs))
    if not found:
        raise Passed("everybody else declined" if declined else "nobody else is named with an address")
    if len(found) > MOST_PEOPLE:
        raise Invalid(f"an entry names at most {MOST_PEOPLE:,} people", field="ATTENDEE")
    return list(found.values())


def _address(one: Any) -> IdentityGiven | None:
    told = str(one.params.get("EMAIL") or one)[:_READ]
    way, _, rest = told.partition(":")
    if way.lower() == "mailto":
        return IdentityGiven("email", rest.strip())
    if way.lower() == "tel":
        return IdentityGiven("phone", rest.strip())
    return IdentityGiven("email", told.strip()) if _is(told) else None


def _is(address: str) -> bool:
    try:
        email(address)
    except Invalid:
        return False
    return True


def _where(event: Event) -> _Where:
    """The channel: a call's where there is the address of one, else the place, else the calendar itself.

    A meeting with a place and the address of a call is a meeting, in the channel of the call: physical is only what has
    a place and no such address.
    """
    location = clean(str(event.get("LOCATION", ""))[:_READ])
    place = _place(location)
    call = _call(event, location)
    if call is not None:
        return _Where(call, "meeting" if place else "video_call")
    return _Where(place or "calendar", "meeting")


def _place(location: str) -> str | None:
    """The slug of a place: a word the table of channels knows as physical, else `in-person`; None where it is none."""
    left = _URL.sub("", location).strip()
    words = [_PLACES.get(word, word) for word in re.findall(r"\w+", folded(left))]
    if not words or all(word in _NO_PLACE or word in channels.VIRTUAL for word in words[:2]):
        return None
    return next((word for word in words if word in channels.PHYSICAL and word != "person"), "in-person")


def _call(event: Event, location: str) -> str | None:
    """The channel of the call the entry has an address of."""
    for name in ("CONFERENCE", "X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL"):
        for value in islice(properties_of(event, name), _CALLS_READ):
            if found := _URL.search(str(value)[:_READ]):
                return _host(found[0]) or "video"
    for text in (location, str(event.get("URL", ""))[:_READ], str(event.get("DESCRIPTION", ""))):
        for url in _URL.findall(text):
            if channel := _host(url):
                return channel
    if _URL.search(location):
        return "video"
    word = next(iter(folded(location).split()), "")
    return {"zoom": "zoom", "teams": "teams", "microsoft": "teams", "skype": "video"}.get(word)


def _host(url: str) -> str | None:
    try:
        host = (urlsplit(url).hostname or "").casefold()
    except ValueError:
        return None
    labels = host.split(".")[-_LABELS:]
    return next((_CALLS[name] for n in range(len(labels)) if (name := ".".join(labels[n:])) in _CALLS), None)


def _shown(entry: Entry, event: Event | None = None) -> str:
    """When and which; not what it was about."""
    if event is not None and "DTSTART" in event:
        return shown(str(property_of(event, "DTSTART").dt), _short(entry.uid))
    return shown(entry.value("DTSTART").rpartition(":")[2], _short(entry.uid))


FORMAT = Format(NAME, "Calendar (iCalendar, .ics)", recognise, owners, read)
