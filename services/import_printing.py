"""What the command line prints of imports, for people."""

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from infra.views.imports import FirstRow, ImportRow, ImportView, PersonView, RowView
from services.printing import day

STATES = {
    "reading": "being read",
    "sorting": "being read",
    "needs_owner": "somebody has to say who is us",
    "ready": "read, not recorded yet",
    "running": "being recorded",
    "answering": "being recorded",
    "done": "recorded",
    "undoing": "being taken back",
    "undone": "taken back",
    "cancelled": "cancelled",
    "failed": "failed",
}
OUTCOMES = {
    "recorded": "recorded",
    "known": "known already",
    "skipped": "left out",
    "rejected": "cannot be used",
    "waiting": "wait for a person to be sorted",
    "private": "private people, never recorded",
    "undone": "taken back",
    "unread": "not gone through",
}


def report(
    console: Console,
    view: ImportView,
    rejected: Sequence[RowView],
    private: Sequence[PersonView],
    unsure: Sequence[PersonView],
    time_zone: str,
) -> None:
    """All that a person wants to know of one import."""
    rows = "" if view.rows is None else f", {view.rows:,} rows"
    console.print(f"[bold]{escape(view.file_name)}[/]: {escape(view.title)}{rows}", highlight=False)
    error = f": {escape(view.error)}" if view.error and view.state == "failed" else ""
    console.print(f"{STATES[view.state]}{error} [dim]{view.id}[/]", highlight=False)
    _counts(console, view)
    if view.state == "ready":
        _first_rows(console, view.first_rows, time_zone)
    _rejected(console, rejected, view.counts.rejected)
    _people(console, view, private, unsure)
    if view.state == "ready":
        console.print(f"Record it: rapport import --start {view.id}", highlight=False)
    elif view.state == "done" and view.counts.recorded:
        console.print(f"[dim]Take it back: rapport import --undo {view.id}[/]", highlight=False)


def _counts(console: Console, view: ImportView) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_column(style="dim")
    for outcome, words in OUTCOMES.items():
        if number := getattr(view.counts, outcome):
            table.add_row(f"{number:,}", words, escape(_of_what(view, outcome)))
    if table.row_count:
        console.print(Padding(table, (0, 0, 0, 2)))


def _of_what(view: ImportView, outcome: str) -> str:
    """The kinds of what was recorded, the reasons of what was not."""
    kinds = [f"{one.rows:,} {one.kind.replace('_', ' ')}" for one in view.kinds if one.outcome == outcome]
    if kinds:
        return ", ".join(kinds)
    reasons = [f"{one.rows:,} {one.reason}" for one in view.reasons if one.outcome == outcome and one.reason != outcome]
    return "; ".join(reasons[:3])


def _first_rows(console: Console, rows: Iterable[FirstRow], time_zone: str) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", title="The first rows", title_justify="left")
    table.add_column("line", justify="right")
    for heading in ("what", "when", "where", "with"):
        table.add_column(heading)
    for row in rows:
        at = (
            ""
            if row.occurred_at is None
            else row.occurred_at.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%d %H:%M")
        )
        table.add_row(str(row.line), row.kind, at, row.channel or "", escape(", ".join(row.people)))
    if table.row_count:
        console.print(table)


def _rejected(console: Console, rows: Sequence[RowView], of: int) -> None:
    if not rows:
        return
    console.print("[bold]Rows that cannot be used[/]")
    for row in rows:
        place = f"line {row.line}" + (f", column {row.column}" if row.column else "")
        where = f"{escape(row.file)}, {place}" if row.file else place
        field = f" ({escape(row.field)})" if row.field else ""
        said = f"  [dim]{escape(row.excerpt)}[/]" if row.excerpt else ""
        console.print(f"  {where}{field}: {escape(row.reason or '')}{said}", highlight=False)
    if of > len(rows):
        console.print(f"  [dim]and {of - len(rows):,} more[/]")


def _people(console: Console, view: ImportView, private: Sequence[PersonView], unsure: Sequence[PersonView]) -> None:
    people = view.people
    if not (people.private or people.unsure):
        return
    console.print(
        f"[bold]People[/] {people.business:,} business, {people.private:,} private, {people.unsure:,} unsure",
        highlight=False,
    )
    for words, shown in (("private, never recorded", private), ("unsure, their rows wait", unsure)):
        for one in shown:
            called = " ".join(escape(part) for part in (one.name, one.called) if part) or "(forgotten)"
            console.print(f"  {called} [dim]{words}: {escape(one.reason or '')}[/]", highlight=False)
    if people.unsure:
        console.print(
            "Say --private ADDRESS or --business ADDRESS of some, or --unsure business of all that are left: "
            f"rapport import --start {view.id} ...",
            highlight=False,
        )


def imports(console: Console, rows: Sequence[ImportRow], time_zone: str) -> None:
    if not rows:
        console.print("Nothing was brought yet: rapport import FILE")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("brought", no_wrap=True)
    table.add_column("file")
    for heading in ("rows", "recorded"):
        table.add_column(heading, justify="right")
    table.add_column("state")
    table.add_column("id", style="dim", no_wrap=True)
    for row in rows:
        total = "" if row.rows is None else f"{row.rows:,}"
        table.add_row(
            day(row.brought_at, time_zone), escape(row.file_name), total, f"{row.counts.recorded:,}",
            STATES[row.state], str(row.id),
        )  # fmt: skip
    console.print(table)
