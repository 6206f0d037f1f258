"""`rapport demo`: the made-up practice is loaded, the first time, and shown business by business."""

from collections.abc import Sequence

from msgspec.structs import asdict
from rich.console import Console
from rich.markup import escape

from infra import event_log, projector
from infra.context import Context
from infra.data_folder import DataFolder
from infra.settings import Settings
from infra.tenants import Tenant
from infra.views import appointments, contacts, imports, network, nudges, referrals, strength
from infra.views.contacts import Filter
from infra.views.imports import ImportRow
from infra.views.referrals import TreeView
from services import office, printing
from services.demo import loading
from services.import_printing import OUTCOMES
from services.workers.main import catch_up

SHOWN = 8


async def run(configured: Settings, folder: DataFolder) -> None:
    """The main job once: record, let the workers' work be done, and print what came of it."""
    async with office.opened(configured) as context:
        with office.bar("loading") as bar:
            state = await loading.load(context, folder, progress=office.shown_on(bar))
        for kept in state.businesses.values():
            business = await office.chosen(context, kept.tenant_id)
            await _settle(context, business)
            await _tell(context, Console(), business)


async def _settle(context: Context, business: Tenant) -> None:
    """Wait until what is shown has seen all that was recorded, and the nudges too."""
    await catch_up(context)
    position = await event_log.head(context.pool, business.tenant_id) or 0
    await projector.reached(context, business.tenant_id, list(projector.PROJECTIONS), position, seconds=60)
    await catch_up(context)


async def _tell(context: Context, console: Console, business: Tenant) -> None:
    strongest = await contacts.page(context, business, Filter(), limit=SHOWN)
    explained = [(row, await strength.explained(context, business, row.id)) for row in strongest.items]
    console.rule(f"[bold]{escape(business.name)}")
    printing.strongest(console, explained)
    console.print()
    printing.halves(console, await network.whole(context, business))
    _heading(console, "Who referred whom")
    _chains(console, await referrals.tree(context, business))
    _heading(console, "Today's nudges")
    printing.nudges(console, (await nudges.page(context, business)).items, business.time_zone)
    _heading(console, "Did it happen?")
    open_ones = await appointments.page(context, business, appointments.Filter(state="to_confirm"))
    for one in open_ones.items:
        console.print(f"  {escape((one.question or '').removeprefix('Did it happen? '))}", highlight=False)
    _heading(console, "The files it brought")
    _files(console, (await imports.page(context, business)).items)


def _heading(console: Console, text: str) -> None:
    console.print(f"\n[bold]{text}")


def _chains(console: Console, tree: TreeView) -> None:
    """Each chain as a tree, and what each generation brought."""
    for member in tree.members:
        said: list[str] = [member.status] if member.status else []
        said += [f"sent {member.referrals}, worth {member.value} {tree.currency}"] if member.won else []
        name = f"{'  ' * member.generation}{escape(member.contact.name or 'somebody')}"
        console.print(f"  {name} [dim]{'; '.join(said)}[/]", highlight=False)
    for one in tree.generations[1:]:
        worth = f", worth {one.value} {tree.currency}" if one.won else ""
        told = f"generation {one.generation}: {one.people} referred, {one.won} won{worth}"
        console.print(f"  [dim]{told}[/]", highlight=False)


def _files(console: Console, rows: Sequence[ImportRow]) -> None:
    """A line for each: its rows, and what became of them."""
    for row in reversed(rows):
        counted = asdict(row.counts)
        became = ", ".join(f"{counted[outcome]:,} {words}" for outcome, words in OUTCOMES.items() if counted[outcome])
        console.print(f"  {escape(row.file_name)}: {row.rows:,} rows: {became}", highlight=False)
