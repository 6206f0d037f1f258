"""What the commands about tenants do: add one, show its people and nudges, rebuild, verify, run the demo."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from domain.errors import NotFound, Refused
from infra import event_log, projector, tenants
from infra.context import Context, open_context
from infra.settings import Settings
from infra.tenants import Tenant
from infra.verification import Verified, verify
from infra.views import appointments, contacts, network, nudges, strength
from infra.views.contacts import Filter
from services import printing
from services.demo import loading
from services.workers.main import catch_up

DEMO_KEY = "demo-api-key"
SHOWN = 8


class DemoTenant(NamedTuple):
    tenant: Tenant
    api_key: str


@asynccontextmanager
async def opened(configured: Settings) -> AsyncIterator[Context]:
    urls = {"database_url": configured.database_url, "redis_url": configured.redis_url}
    async with open_context(**urls, master=configured.master_key, connections=6) as context:
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


async def chosen(context: Context, tenant_id: UUID | None) -> Tenant:
    """The tenant named, or the only one there is. Raises Refused."""
    ids = await tenants.all_ids(context.pool)
    if tenant_id is None and len(ids) != 1:
        raise Refused(_which(ids) if ids else "There is no tenant yet: rapport tenant add NAME")
    found = await tenants.load(context.pool, tenant_id or ids[0], master=context.master)
    if found is None:
        raise NotFound(f"There is no tenant {tenant_id}.")
    return found


def _which(ids: Sequence[UUID]) -> str:
    return "Say which tenant with --tenant:\n" + "\n".join(f"  {tenant_id}" for tenant_id in ids)


async def rebuild(configured: Settings, *, projection: str, tenant: UUID | None) -> None:
    """Make the projection anew beside the live one, tenant by tenant, with whatever workers run."""
    if projection not in projector.PROJECTIONS:
        raise Refused(f"There is no projection {projection}: {', '.join(projector.PROJECTIONS)}.")
    async with opened(configured) as context:
        ids = await _wanted(context, tenant)
        with _progress("rebuilding") as progress:
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
        with _progress("verifying") as progress:
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


def _progress(doing: str) -> Progress:
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


async def ensure_demo(context: Context, keys: Path) -> DemoTenant:
    """The made-up business: added and loaded the first time, found again by the key kept in the data folder."""
    kept = keys / DEMO_KEY
    api_key = kept.read_text().strip() if kept.exists() else None
    tenant = await loading.tenant_of(context, api_key)
    if tenant is None or api_key is None:
        added = await loading.add_tenant(context)
        api_key = added.api_key
        tenant = await chosen(context, added.tenant_id)
        await _load_demo(context, tenant)
        kept.touch(mode=0o600)
        kept.write_text(api_key)
    return DemoTenant(tenant, api_key)


async def _load_demo(context: Context, tenant: Tenant) -> None:
    with _progress("recording") as progress:
        task = progress.add_task("a made-up bakery", total=None)
        await loading.load(context, tenant, progress=lambda done, of: progress.update(task, completed=done, total=of))


async def run_demo(configured: Settings, keys: Path) -> None:
    """The main job once: record, let the workers' work be done, and print what came of it."""
    async with opened(configured) as context:
        business = (await ensure_demo(context, keys)).tenant
        position = await event_log.head(context.pool, business.tenant_id) or 0
        await catch_up(context)
        await projector.reached(context, business.tenant_id, list(projector.PROJECTIONS), position, seconds=60)
        await catch_up(context)
        console = Console()
        await _tell(context, console, business)


async def _tell(context: Context, console: Console, business: Tenant) -> None:
    page = await contacts.page(context, business, Filter(), limit=SHOWN)
    explained = [(row, await strength.explained(context, business, row.id)) for row in page.items]
    whole = await network.whole(context, business)
    waiting = await nudges.page(context, business)
    console.rule(f"{business.name}: the strongest, and what their score adds up from")
    printing.strongest(console, explained)
    console.rule("The two halves")
    printing.halves(console, whole)
    console.rule("Today's nudges")
    printing.nudges(console, waiting.items, business.time_zone)
