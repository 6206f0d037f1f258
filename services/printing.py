"""What the command line prints for people: tables of contacts, halves, nudges, appointments and gatherings."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import UnsetType
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from infra.views.appointments import AppointmentView, attendees
from infra.views.contacts import ContactRow
from infra.views.duplicates import Candidate, DuplicateView
from infra.views.gatherings import GatheringView
from infra.views.model import PreviewView
from infra.views.network import HalfView, NetworkView
from infra.views.nudges import NudgeView
from infra.views.strength import StrengthView

STAGES = {
    "named_only": "known by name",
    "by_sight": "by sight",
    "acquaintance": "know a little",
    "familiar": "know well",
    "ally": "ally",
    "advocate": "recommends you",
}
HALVES = {"online_only": "online", "in_person_only": "in person", "both": "both", "named_only": "neither yet"}
PARTS = {
    "intensity": "often",
    "reciprocity": "mutual",
    "depth": "deep",
    "breadth": "places",
    "tenure": "time",
    "advocacy": "praise",
}


def contacts(console: Console, rows: Iterable[ContactRow], time_zone: str) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("strength", justify="right")
    for heading in ("person", "stage", "known", "last touch"):
        table.add_column(heading, no_wrap=heading != "person")
    table.add_column("rhythm")
    for row in rows:
        last = day(row.last_touch_at, time_zone)
        beat = "" if row.rhythm is None else row.rhythm.in_words
        table.add_row(f"{row.strength:.1f}", escape(title(row)), STAGES[row.stage], HALVES[row.half], last, beat)
    console.print(table)


def duplicates(console: Console, rows: Iterable[DuplicateView]) -> None:
    """Each pair with its reasons; the first of a pair is the one to keep."""
    for row in rows:
        kept, other = (escape(candidate(one)) for one in row.contacts)
        console.print(f"[bold]{row.score:.2f}[/]  {kept}  =  {other}")
        console.print(Padding(escape("; ".join(row.reasons)), (0, 0, 0, 6)))


def candidate(one: Candidate) -> str:
    """Somebody by name and first identity, with the id that a merge takes."""
    known = [one.name, *(identity.handle for identity in one.identities[:1])]
    return f"{', '.join(word for word in known if word) or 'somebody'} ({one.id})"


def strongest(console: Console, explained: Sequence[tuple[ContactRow, StrengthView]]) -> None:
    """The strongest relationships with the parts their score adds up from."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("score", justify="right")
    table.add_column("person")
    table.add_column("stage", no_wrap=True)
    for heading in PARTS.values():
        table.add_column(heading, justify="right")
    for row, strength in explained:
        parts = (f"{strength.parts[name].points:.1f}" for name in PARTS)
        table.add_row(f"{strength.score:.1f}", escape(title(row)), STAGES[strength.stage], *parts)
    console.print(table)


def strength(console: Console, explained: StrengthView, time_zone: str) -> None:
    """The explanation as the API gives it: the sum, what it rests on, what weighs most, what changed."""
    console.print(f"[bold]{STAGES[explained.stage]}[/]: {explained.in_words}")
    beat = "" if explained.rhythm is None else f"; {explained.rhythm.in_words}"
    console.print(f"from {explained.coverage.in_words}{beat}")
    if explained.strained_until is not None:
        console.print(f"strained until {day(explained.strained_until, time_zone)} by a complaint or dispute")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("points", justify="right")
    table.add_column("part", no_wrap=True)
    table.add_column("what weighs most")
    for name, part in explained.parts.items():
        facts = ", ".join(f"{one.kind} {day(one.occurred_at, time_zone)}" for one in part.touchpoints)
        table.add_row(f"{part.points:.1f}", PARTS[name], escape(facts))
    console.print(table)
    if not isinstance(explained.change, UnsetType):
        console.print(explained.change.in_words)


def halves(console: Console, network: NetworkView) -> None:
    for words, half in (
        ("Online only", network.online_only),
        ("In person only", network.in_person_only),
        ("Both", network.both),
        ("Known by name alone", network.named_only),
    ):
        if half.count or half is not network.named_only:
            console.print(f"[bold]{words}[/] {half.count}: {escape(names(half)) or '-'}")


def names(half: HalfView) -> str:
    shown = ", ".join(one.name or "somebody" for one in half.items)
    more = half.count - len(half.items)
    return f"{shown} and {more} more" if more > 0 else shown


def nudges(console: Console, rows: Sequence[NudgeView], time_zone: str) -> None:
    if not rows:
        console.print("No nudges now. They come when something is worth doing.")
    for row in rows:
        asks = f" [italic]{escape(row.question)}[/]" if row.question else ""
        console.print(f"[bold]{row.title}: {escape(row.contact_name or 'somebody')}[/]{asks}")
        console.print(Padding(escape(row.reason), (0, 0, 0, 2)))
        until = day(row.expires_at, time_zone)
        console.print(f"  [dim]until {until}, from {len(row.touchpoint_ids)} touchpoints; {row.id}[/]")


def gatherings(console: Console, rows: Sequence[GatheringView]) -> None:
    """Each with when it is next, how many want to come, and its public page."""
    if not rows:
        console.print("No gatherings are planned.")
    for row in rows:
        then = row.next.when if row.next else "over" if row.state == "over" else "called off"
        guests = f"; {row.guests} want to come" if row.guests else ""
        console.print(f"[bold]{escape(row.title)}[/bold]  {then}{guests}")
        for line in (row.place, row.link):
            if line:
                console.print(Padding(escape(line), (0, 0, 0, 2)), soft_wrap=True)


def preview(console: Console, found: PreviewView, time_zone: str) -> None:
    """Who moves and how far, from which stage to which, and which nudges would differ."""
    console.print(f"{found.moved} of {found.contacts} relationships move.")
    for change in found.stages:
        console.print(f"  {change.contacts} from [bold]{STAGES[change.before]}[/] to [bold]{STAGES[change.after]}[/]")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("before", "after"):
        table.add_column(heading, justify="right")
    table.add_column("person")
    table.add_column("stage", no_wrap=True)
    for one in found.items:
        stages = dict.fromkeys((STAGES[one.before.stage], STAGES[one.after.stage]))
        name = escape(one.name or "somebody")
        table.add_row(f"{one.before.score:.1f}", f"{one.after.score:.1f}", name, " -> ".join(stages))
    if found.items:
        console.print(table)
    for words, changed in (("would have come", found.nudges.gained), ("would not have come", found.nudges.lost)):
        nudges = "1 nudge" if len(changed) == 1 else f"{len(changed)} nudges"
        console.print(f"{nudges} of the last 90 days {words}.")
        for nudge in changed[:10]:
            when = day(nudge.at, time_zone)
            console.print(f"  [dim]{when} {nudge.kind.replace('_', ' ')}, contact {nudge.contact_id}[/]")


def appointments(console: Console, rows: Sequence[AppointmentView]) -> None:
    """What is to come, and the question about what is over, with the words that answer it."""
    if not rows:
        console.print("No appointments are planned, and none waits for an answer.")
    for row in rows:
        if row.question is None:
            console.print(f"[bold]{escape(row.when)}[/]: {escape(attendees(row.people))}, {escape(row.channel)}")
            continue
        console.print(f"[bold]{escape(row.question)}[/]")
        console.print(f"  [dim]answer with {', '.join(row.answers)}; {row.id}[/]")


def title(row: ContactRow) -> str:
    """The name, else the first handle."""
    if row.name:
        return row.name
    return row.identities[0].handle if row.identities else "somebody"


def day(at: datetime | None, time_zone: str) -> str:
    """The day on the business's own calendar."""
    return "never" if at is None else at.astimezone(ZoneInfo(time_zone)).date().isoformat()
