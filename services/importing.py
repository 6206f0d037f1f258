"""What the commands about imports do: bring a file, record it, take it back, list what was brought."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.prompt import Prompt

from domain.contacts import IdentityGiven
from domain.errors import Invalid, Refused
from domain.imports import Unsure
from infra import projector
from infra.context import Context
from infra.imports import desk, whole
from infra.imports.formats.people import identity
from infra.imports.job import Import
from infra.imports.whole import Answers
from infra.settings import Settings
from infra.stored_events import Origin
from infra.tenants import Tenant
from infra.views import imports
from infra.views.imports import ImportView, OwnerView
from services import import_printing
from services.office import chosen, opened

ORIGIN = Origin(actor="command line", source="cli")
DOING = {
    "reading": "reading", "sorting": "sorting people", "running": "recording", "answering": "recording",
    "undoing": "taking back",
}  # fmt: skip


class Said(Struct, frozen=True):
    """What was said on the command line about the people of a file."""

    us: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    business: tuple[str, ...] = ()
    unsure: Unsure = "wait"

    def answers(self) -> Answers:
        """Raises Invalid for what is no address."""
        return Answers(
            own=_addresses(self.us, "--us"),
            private=_addresses(self.private, "--private"),
            business=_addresses(self.business, "--business"),
            unsure=self.unsure,
        )


def _addresses(given: Sequence[str], option: str) -> tuple[IdentityGiven, ...]:
    return tuple(_address(one, option) for one in given)


def _address(text: str, option: str) -> IdentityGiven:
    known = identity(text)
    if known is None:
        raise Invalid(f"{option} {text}: this is no e-mail address, phone number, platform:handle or profile's address")
    return known


async def import_file(
    configured: Settings, path: Path, *, tenant: UUID | None, dry_run: bool, said: Said, as_json: bool
) -> int:
    """Read a file; without `dry_run` record it too. 1 when it could not be read."""
    answers = said.answers()
    if not path.is_file():  # noqa: ASYNC240 - once, before anything runs
        raise Refused(f"There is no file {path}.")
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        most = configured.import_limit_mb * 1_000_000
        with _progress() as progress, path.open("rb") as file:
            found = await whole.dry_run(
                context,
                business,
                file,
                file_name=path.name,
                answers=answers,
                origin=ORIGIN,
                most=most,
                progress=progress,
            )
        if found.state == "needs_owner":
            found = await _ask_who_is_us(context, business, found.import_id)
        if found.state == "ready" and not dry_run:
            found = await _record(context, business, found.import_id, answers)
        await _tell(context, business, found.import_id, as_json=as_json)
    return 1 if found.state == "failed" else 0


async def start(configured: Settings, import_id: UUID, *, tenant: UUID | None, said: Said, as_json: bool) -> int:
    """Record what a dry run showed, sort people who wait, or go on where an import was broken off."""
    answers = said.answers()
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        view = await imports.one(context, business, import_id)
        if view.state == "needs_owner":
            with _progress() as progress:
                if answers.own:
                    await whole.say_own(context, business, import_id, answers.own, progress=progress)
            if not answers.own:
                await _ask_who_is_us(context, business, import_id)
            view = await imports.one(context, business, import_id)
        if view.state in DOING:
            with _progress() as progress:
                await whole.follow(context, business, import_id, progress=progress)
        else:
            await _record(context, business, import_id, answers)
        return await _told(context, business, import_id, as_json=as_json)


async def undo(configured: Settings, import_id: UUID, *, tenant: UUID | None, as_json: bool) -> int:
    """Take back all that an import recorded."""
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        with _progress() as progress:
            found = await whole.undo(context, business, import_id, progress=progress)
        await _seen(context, business, found)
        return await _told(context, business, import_id, as_json=as_json)


async def _record(context: Context, business: Tenant, import_id: UUID, answers: Answers) -> Import:
    with _progress() as progress:
        found = await whole.record(context, business, import_id, answers, progress=progress)
    await _seen(context, business, found)
    return found


async def _seen(context: Context, business: Tenant, found: Import) -> None:
    """Let the views show it, with whatever workers run."""
    while await projector.advance(context):
        pass
    await projector.reached(context, business.tenant_id, list(projector.PROJECTIONS), found.position, seconds=600)


async def _told(context: Context, business: Tenant, import_id: UUID, *, as_json: bool) -> int:
    view = await _tell(context, business, import_id, as_json=as_json)
    return 1 if view.state == "failed" else 0


async def _tell(context: Context, business: Tenant, import_id: UUID, *, as_json: bool) -> ImportView:
    view = await imports.one(context, business, import_id)
    if as_json:
        print(msgspec.json.encode(view).decode())
        return view
    rejected = await imports.rows(context, business, import_id, outcome="rejected", limit=20)
    people = [await imports.named(context, business, import_id, sort=sort, limit=20) for sort in ("private", "unsure")]
    import_printing.report(Console(), view, rejected.items, people[0].items, people[1].items, business.time_zone)
    return view


async def _ask_who_is_us(context: Context, business: Tenant, import_id: UUID) -> Import:
    """Ask in a terminal. Elsewhere the candidates are listed, the file is forgotten, and it is refused."""
    view = await imports.one(context, business, import_id)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        await desk.cancel(context, business, import_id)
        listed = "\n".join(f"  --us {_called(one)}   {one.name or ''} ({one.rows} rows)" for one in view.owners)
        raise Refused(f"Say who is us in this file, once; it is remembered:\n{listed}")
    console = Console(stderr=True)
    console.print("Who is us in this file? It is asked once and remembered.")
    for number, one in enumerate(view.owners, 1):
        console.print(f"  {number}  {_called(one)}  {one.name or ''}  [dim]{one.rows} rows[/]", highlight=False)
    chosen_ = _picked(view.owners, Prompt.ask("Numbers, or addresses", console=console))
    with _progress() as progress:
        return await whole.say_own(context, business, import_id, chosen_, progress=progress)


def _called(one: OwnerView) -> str:
    return one.handle if one.platform in ("email", "phone") else f"{one.platform}:{one.handle}"


def _picked(owners: Sequence[OwnerView], answer: str) -> list[IdentityGiven]:
    picked = []
    for word in answer.replace(",", " ").split():
        if word.isdigit() and 1 <= int(word) <= len(owners):
            one = owners[int(word) - 1]
            picked.append(IdentityGiven(one.platform, one.handle))
        else:
            picked.append(_address(word, "us"))
    if not picked:
        raise Refused("Nobody was named.")
    return picked


@contextmanager
def _progress() -> Iterator[Callable[[Import], None]]:
    """A bar on standard error, so that what programs read stays clean."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("starting", total=None, rows="")

        def show(found: Import) -> None:
            going = imports.progress_of(found, datetime.now(UTC))
            if going is not None:
                speed = f"{going.rows_per_second:,.0f} rows/s" if going.rows_per_second else ""
                bar.update(
                    task, description=DOING[found.state], completed=going.rows, total=going.of,
                    rows=f"{going.rows:,} rows {speed}",
                )  # fmt: skip

        yield show


async def show_imports(configured: Settings, *, tenant: UUID | None, as_json: bool) -> None:
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        page = await imports.page(context, business, limit=100)
    if as_json:
        print(msgspec.json.encode(page).decode())
        return
    import_printing.imports(Console(), page.items, business.time_zone)
