"""What the commands about tenants do: add one, show its people and nudges, rebuild, verify."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from domain.errors import NotFound, Refused
from infra import event_log, projector, tenants
from infra.context import Context, open_context
from infra.settings import Settings
from infra.tenants import Tenant
from infra.verification import Verified, verify
from infra.views import appointments, contacts, duplicates, gatherings, nudges, strength
from infra.views.contacts import Filter
from services import printing

LISTED = 20


@asynccontextmanager
async def opened(configured: Settings) -> AsyncIterator[Context]:
    """For one command. Many only read: the writer logs in with the first append."""
    async with open_context(
        database_url=configured.database_url,
        writer_url=configured.writer_url,
        redis_url=configured.redis_url,
        master=configured.master_key,
        connections=6,
        least_writing=0,
    ) as context:
        yield context


async def add_tenant(
    configured: Settings, *, name: str, country: str, locality: str | None, time_zone: str, as_json: bool
) -> None:
    """Add a tenant and print its id and API key, this once."""
    async with opened(configured) as context:
        added = await tenants.add(
            context.pool, name=name, master=context.master, country=country, locality=locality, time_zone=time_zone
        )
    if as_json:
        print(msgspec.json.encode(added).decode())
        return
    print(f"tenant   {added.tenant_id}\nAPI key  {added.api_key}\nThe key is shown this once: keep it.")


class Listed(Struct, frozen=True):
    """A business as the operator's list has it."""

    tenant_id: UUID
    name: str
    suspended: bool


async def show_tenants(configured: Settings, *, as_json: bool) -> None:
    async with opened(configured) as context:
        ids = await tenants.all_ids(context.pool)
        found = [await tenants.load(context.pool, tenant_id, master=context.master) for tenant_id in ids]
    listed = [Listed(one.tenant_id, one.name, one.suspended) for one in found if one is not None]
    if as_json:
        print(msgspec.json.encode(listed).decode())
        return
    for one in listed:
        print(f"{one.tenant_id}  {one.name}{'  (suspended)' if one.suspended else ''}")


async def suspend(configured: Settings, tenant_id: UUID) -> None:
    async with opened(configured) as context:
        await tenants.suspend(context.pool, tenant_id)
    print(f"{tenant_id} is suspended: its keys are refused, its webhooks and nudges wait.")


async def resume(configured: Settings, tenant_id: UUID) -> None:
    async with opened(configured) as context:
        await tenants.resume(context.pool, tenant_id)
        context.bell.ring()
    print(f"{tenant_id} goes on, with all that waited.")


async def show_contacts(configured: Settings, *, tenant: UUID | None, limit: int, as_json: bool) -> None:
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        page = await contacts.page(context, business, Filter(), limit=limit)
    if as_json:
        print(msgspec.json.encode(page).decode())
        return
    if not page.items:
        print("Nobody yet. Record a touchpoint, and whoever it names is here.")
        return
    printing.contacts(Console(), page.items, business.time_zone)
    if page.next:
        print(f"The {limit} strongest; more with --limit.")


async def show_duplicates(configured: Settings, *, tenant: UUID | None, limit: int, as_json: bool) -> None:
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        page = await duplicates.page(context, business, limit=limit)
    if as_json:
        print(msgspec.json.encode(page).decode())
        return
    if not page.items:
        print("Nobody seems to be there twice.")
        return
    printing.duplicates(Console(), page.items)


async def explain_strength(
    configured: Settings, who: str, *, since: datetime | None, tenant: UUID | None, as_json: bool
) -> None:
    """Raises NotFound, Refused where several are called so."""
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        contact_id = await _contact_called(context, business, who)
        begins = since.replace(tzinfo=UTC) if since is not None and since.tzinfo is None else since
        explained = await strength.explained(context, business, contact_id, since=begins)
    if as_json:
        print(msgspec.json.encode(explained).decode())
        return
    printing.strength(Console(), explained, business.time_zone)


async def _contact_called(context: Context, business: Tenant, who: str) -> UUID:
    try:
        return UUID(who)
    except ValueError:
        pass
    page = await contacts.page(context, business, Filter(q=who), limit=LISTED)
    if len(page.items) == 1:
        return page.items[0].id
    if not page.items:
        raise NotFound(f"Nobody is called {who}.")
    lines = [f"  {row.id}  {printing.title(row)}" for row in page.items]
    raise Refused("\n".join([f"Several are called {who}; say which by the id:", *lines]))


async def show_nudges(configured: Settings, *, tenant: UUID | None, as_json: bool) -> None:
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        page = await nudges.page(context, business, limit=200)
    if as_json:
        print(msgspec.json.encode(page).decode())
        return
    printing.nudges(Console(), page.items, business.time_zone)


async def show_appointments(configured: Settings, *, tenant: UUID | None, to_confirm: bool, as_json: bool) -> None:
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        which = appointments.Filter(state="to_confirm" if to_confirm else "open")
        page = await appointments.page(context, business, which, limit=200)
    if as_json:
        print(msgspec.json.encode(page).decode())
        return
    printing.appointments(Console(), page.items)


async def show_gatherings(configured: Settings, *, tenant: UUID | None, every: bool, as_json: bool) -> None:
    async with opened(configured) as context:
        business = await chosen(context, tenant)
        page = await gatherings.page(
            context, business, address=configured.public_address, state="all" if every else "open", limit=200
        )
    if as_json:
        print(msgspec.json.encode(page).decode())
        return
    printing.gatherings(Console(), page.items)


async def chosen(context: Context, tenant_id: UUID | None) -> Tenant:
    """The tenant named, or the only one there is. Raises Refused."""
    ids = await tenants.all_ids(context.pool)
    if tenant_id is None and len(ids) != 1:
        raise Refused(await _which(context, ids) if ids else "There is no tenant yet: rapport tenant add NAME")
    found = await tenants.load(context.pool, tenant_id or ids[0], master=context.master)
    if found is None:
        raise NotFound(f"There is no tenant {tenant_id}.")
    return found


async def _which(context: Context, ids: Sequence[UUID]) -> str:
    some = [await tenants.load(context.pool, tenant_id, master=context.master) for tenant_id in ids[:LISTED]]
    lines = [f"  {tenant.tenant_id}  {tenant.name}" for tenant in some if tenant is not None]
    more = [f"  and {len(ids) - LISTED} more"] if len(ids) > LISTED else []
    return "\n".join(["Say which tenant with --tenant:", *lines, *more])


async def rebuild(configured: Settings, *, projection: str, tenant: UUID | None) -> None:
    """Make the projection anew beside the live one, tenant by tenant, with whatever workers run."""
    if projection not in projector.PROJECTIONS:
        raise Refused(f"There is no projection {projection}: {', '.join(projector.PROJECTIONS)}.")
    async with opened(configured) as context:
        ids = await _wanted(context, tenant)
        with bar("rebuilding") as progress:
            for tenant_id in ids:
                await _rebuild_one(context, tenant_id, projection, progress)
    print(f"{projection}: rebuilt for {len(ids)} tenant(s).")


async def _wanted(context: Context, tenant: UUID | None) -> list[UUID]:
    ids = await tenants.all_ids(context.pool)
    if tenant is not None and tenant not in ids:
        raise NotFound(f"There is no tenant {tenant}.")
    return ids if tenant is None else [tenant]


async def _rebuild_one(context: Context, tenant_id: UUID, projection: str, progress: Progress) -> None:
    """Until the new build is the live one. Works beside the workers, and without any."""
    task = progress.add_task(f"{projection} {str(tenant_id)[-6:]}", total=None)
    await projector.start_rebuild(context, tenant_id, projection)
    while True:
        worked = await projector.advance(context)
        builds = await projector.builds(context, tenant_id, projection)
        live = max(position for _, position, live in builds if live)
        building = [position for _, position, live in builds if not live]
        if not building:
            progress.update(task, total=live, completed=live)
            return
        progress.update(task, total=live, completed=building[0])
        if not worked:
            await asyncio.sleep(0.05)


async def verify_all(configured: Settings, *, tenant: UUID | None, as_json: bool) -> int:
    """Recompute the hash chains; 1 and the place when something was changed."""
    async with opened(configured) as context:
        ids = await _wanted(context, tenant)
        with bar("verifying") as progress:
            found = [await _verify_one(context, tenant_id, progress) for tenant_id in ids]
    broken = [one for one in found if one.broken_at is not None]
    if as_json:
        print(msgspec.json.encode(found).decode())
    for one in broken:
        print(f"tenant {one.tenant_id}, position {one.broken_at}: {one.what}", file=sys.stderr)
    if not broken and not as_json:
        print(f"{sum(one.events for one in found)} events, {len(found)} tenant(s): all as they were written.")
    return 1 if broken else 0


async def _verify_one(context: Context, tenant_id: UUID, progress: Progress) -> Verified:
    head = (await event_log.head(context.pool, tenant_id)) or 1
    task = progress.add_task(f"tenant {str(tenant_id)[-6:]}", total=head)
    return await verify(context, tenant_id, progress=lambda done: progress.update(task, completed=done))


def bar(doing: str) -> Progress:
    """A bar on standard error, so that what programs read stays clean."""
    return Progress(
        TextColumn(f"{doing} {{task.description}}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def shown_on(bar: Progress) -> Callable[[str, int, int], None]:
    """Tells the bar how much is done of what, of how much."""
    tasks: dict[str, TaskID] = {}

    def told(what: str, done: int, of: int) -> None:
        if what not in tasks:
            tasks[what] = bar.add_task(what)
        bar.update(tasks[what], completed=done, total=of)

    return told
