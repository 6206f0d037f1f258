"""What an evaluation prints, for people, and what it writes, for programs."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from services import DISTRIBUTION
from services.evaluation.checks import Checks
from services.evaluation.first_meetings import FirstMeetings
from services.evaluation.metrics import Measured
from services.evaluation.running import Evaluated

HEADINGS = {"auc": "AUC", "auc_in_list": "in a list", "precision_at_5": "P@5", "brier": "Brier", "ece": "ECE"}


class Report(Struct, frozen=True):
    """All that one call found. `shared_weights` are fitted on the training parts of all its sets together."""

    evaluated_at: datetime
    version: str
    outlook: list[Evaluated]
    shared_weights: dict[str, float] | None
    strength: Checks
    first_meetings: FirstMeetings | None


def report(
    outlook: list[Evaluated], shared: dict[str, float] | None, checks: Checks, meetings: FirstMeetings | None
) -> Report:
    now = datetime.now(UTC).replace(microsecond=0)
    return Report(now, version(DISTRIBUTION), outlook, shared, checks, meetings)


def write(told: Report, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")


def show(console: Console, told: Report) -> None:
    for one in told.outlook:
        _show_outlook(console, one)
    if told.shared_weights is not None:
        weights = ", ".join(f"{name} {value:+.2f}" for name, value in told.shared_weights.items())
        console.print(f"Fitted on the training parts of all of them: {weights}\n", highlight=False)
    _show_checks(console, told.strength)
    if told.first_meetings is not None:
        _show_meetings(console, told.first_meetings)


def _show_outlook(console: Console, one: Evaluated) -> None:
    left_out = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in one.left_out.items() if count)
    console.print(
        f"[bold]{escape(one.dataset)}[/]: {one.people:,} people, {one.pairs:,} pairs, {one.contacts:,} contacts in"
        f" {one.span_days:g} days{f' (left out: {left_out})' if left_out else ''}\n"
        f"Contact within {one.days:g} days? {one.cut_offs} cut-offs by {one.split} in the last 40 %, {one.tested:,}"
        f" pairs of whom {one.in_touch:.0%} were in touch. Of all in touch in the windows {1 - one.coverage:.0%} had"
        " never been before: nothing can rank those.",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("", "AUC", "95 %", *list(HEADINGS.values())[1:], "70/30"):
        table.add_column(heading, no_wrap=True)
    for row in one.forecasts:
        first, *others = [row.figures[name] for name in HEADINGS]
        split = "" if row.split_auc is None else f"{row.split_auc:.3f}"
        shown = (_value(first), _interval(first), *map(_value, others), split)
        table.add_row(row.name, *shown, style="bold" if row.name == "outlook" else "")
    console.print(table)
    learned = "; ".join(f"{row.name}: {row.learned}" for row in one.forecasts if row.kind != "baseline" or row.learned)
    console.print(f"Learned: {learned}.", highlight=False)
    console.print(
        f"The outlook's AUC against the best single baseline: {one.ahead_by:+.3f} ({one.best_single});"
        f" where 70 % are known {one.split_ahead_by:+.3f} ({one.split_best_single}).\n",
        highlight=False,
    )


def _value(one: Measured) -> str:
    return "-" if one.value is None else f"{one.value:.3f}"


def _interval(one: Measured) -> str:
    return "" if one.value is None else f"[dim]{one.low:.3f}-{one.high:.3f}[/]"


def _show_checks(console: Console, checks: Checks) -> None:
    for check in checks.checks:
        console.print(
            f"{'holds' if check.holds else '[red]fails[/]'}: {escape(check.what)}: {check.told}", highlight=False
        )


def _show_meetings(console: Console, told: FirstMeetings) -> None:
    console.print(
        f"\nWho meets first? {told.candidates:,} candidates at {told.cut_offs} cut-offs, tied online and never met, of"
        f" whom {told.met:.0%} met in the {told.hours} hours after.",
        highlight=False,
    )
    table = Table("", "P@5", "P@10", "P@50", "AUC", "95 %", box=None, pad_edge=False)
    for row in told.rankings:
        firsts = [f"{one:.3f}" for one in (row.at_5, row.at_10, row.at_50)]
        table.add_row(row.name, *firsts, _value(row.auc), _interval(row.auc))
    console.print(table)


class Bar:
    """The progress of one set, on standard error's terminal."""

    def __init__(self, bars: Progress, name: str) -> None:
        self.bars, self.task = bars, bars.add_task(name, total=None)
        self.name = name

    def begin(self, contacts: int) -> None:
        self.bars.update(self.task, total=contacts)

    def told(self, contacts: int) -> None:
        self.bars.advance(self.task, contacts)

    def doing(self, what: str) -> None:
        self.bars.update(self.task, description=f"{self.name}: {what}")


def bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
